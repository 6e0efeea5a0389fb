/** Outcomes of entries, and how they are printed. */

import { Missing } from './adapter.js';
import { NotApplicable } from './device.js';

export const STATUSES = ['passed', 'failed', 'missing', 'inapplicable'] as const;

export interface Outcome {
  readonly status: (typeof STATUSES)[number];
  /** Why it failed or is missing or does not apply. */
  readonly reasons: readonly string[];
  /** How many checks were made. */
  readonly checks: number;
  /** How many checks do not apply to the device, by the reason. */
  readonly inapplicable?: Readonly<Record<string, number>>;
}

/** Collects the checks of one entry. */
export class Checks {
  private readonly failures: string[] = [];
  private readonly absent = new Set<string>();
  private readonly inapplicable: Record<string, number> = {};
  private count = 0;

  /** Runs one check. It returns why it failed, or undefined; what it throws is a failure too. */
  async check(label: string, run: () => Promise<string | undefined>): Promise<void> {
    this.count++;
    try {
      const reason = await run();
      if (reason) this.failures.push(`${label}: ${reason}`);
    } catch (error) {
      if (error instanceof NotApplicable) {
        this.count--;
        this.inapplicable[error.message] = (this.inapplicable[error.message] ?? 0) + 1;
      } else if (error instanceof Missing) this.absent.add(error.message);
      else this.failures.push(`${label}: threw ${describeError(error)}`);
    }
  }

  /**
   * Missing if something it names does not exist; else failed if any check failed; inapplicable if
   * there was nothing that could be checked on the device.
   */
  outcome(): Outcome {
    const skipped = Object.keys(this.inapplicable);
    const made = { checks: this.count, ...(skipped.length > 0 && this.skipped()) };
    if (this.absent.size > 0) return { status: 'missing', reasons: [...this.absent], ...made };
    if (this.failures.length > 0) return { status: 'failed', reasons: this.failures, ...made };
    if (this.count > 0 || skipped.length === 0) return { status: 'passed', reasons: [], ...made };
    return { status: 'inapplicable', reasons: skipped, ...made };
  }

  private skipped(): Pick<Outcome, 'inapplicable'> {
    return { inapplicable: this.inapplicable };
  }
}

export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = `${error.constructor.name}: ${error.message.split('\n')[0]}`;
  if (!isBareError(error)) return text;
  const frame = error.stack?.split('\n').find((line) => line.includes('/ts/'));
  return frame ? `${text} ${frame.trim().replace(/\(.*\/ts\//, '(ts/')}` : text;
}

const BARE: readonly unknown[] = [Error, TypeError, RangeError, ReferenceError, SyntaxError];

/** Whether an error is the engine's own and not one of the library's classes. */
export function isBareError(error: Error): boolean {
  return BARE.includes(error.constructor) || error.constructor === WebAssembly.RuntimeError;
}

/** One entry's line, and under it the first reasons of a failure. */
export function formatEntry(name: string, outcome: Outcome, limit = 4): string {
  const { status, reasons, checks } = outcome;
  if (status === 'passed') return `passed   ${name} (${checks} checks${left(outcome)})`;
  if (status === 'missing') return `missing  ${name}: ${reasons.slice(0, limit).join(', ')}`;
  if (status === 'inapplicable') return `n/a      ${name}: ${reasons.join(', ')}`;
  const lines = reasons.slice(0, limit).map((reason) => `    ${reason}`);
  if (reasons.length > limit) lines.push(`    and ${reasons.length - limit} more`);
  const count = `${reasons.length} of ${checks} checks${left(outcome)}`;
  return [`failed   ${name} (${count})`, ...lines].join('\n');
}

/** What was left out of an entry, and why. */
function left({ inapplicable = {} }: Outcome): string {
  return Object.entries(inapplicable)
    .map(([reason, count]) => `, ${count} not applicable: ${reason}`)
    .join('');
}
