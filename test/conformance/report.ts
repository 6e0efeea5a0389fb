/** Outcomes of entries, and how they are printed. */

import { Missing } from './adapter.js';

export interface Outcome {
  readonly status: 'passed' | 'failed' | 'missing';
  /** What was checked, or why it failed: the first few reasons. */
  readonly reasons: readonly string[];
  readonly checks: number;
}

/** Collects the checks of one entry. */
export class Checks {
  private readonly failures: string[] = [];
  private readonly absent = new Set<string>();
  private count = 0;

  /** Runs one check. It returns why it failed, or undefined; what it throws is a failure too. */
  async check(label: string, run: () => Promise<string | undefined>): Promise<void> {
    this.count++;
    try {
      const reason = await run();
      if (reason) this.failures.push(`${label}: ${reason}`);
    } catch (error) {
      if (error instanceof Missing) this.absent.add(error.message);
      else this.failures.push(`${label}: threw ${describeError(error)}`);
    }
  }

  /** Missing if something it names does not exist; else failed if any check failed. */
  outcome(): Outcome {
    if (this.absent.size > 0) {
      return { status: 'missing', reasons: [...this.absent], checks: this.count };
    }
    const status = this.failures.length > 0 ? 'failed' : 'passed';
    return { status, reasons: this.failures, checks: this.count };
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
  if (status === 'passed') return `passed   ${name} (${checks} checks)`;
  if (status === 'missing') return `missing  ${name}: ${reasons.slice(0, limit).join(', ')}`;
  const lines = reasons.slice(0, limit).map((reason) => `    ${reason}`);
  if (reasons.length > limit) lines.push(`    and ${reasons.length - limit} more`);
  return [`failed   ${name} (${reasons.length} of ${checks} checks)`, ...lines].join('\n');
}
