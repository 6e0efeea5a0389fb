/** The base of all learning rate schedules: epochs, the warning, state dicts in PyTorch's form. */

import { StateDictError, showValue, ValueError } from '../core/errors.js';
import { bind } from '../ops/signature.js';
import { type Scheduled, snake } from './optimizer.js';

/** A group that schedules change. */
interface RatedGroup extends Scheduled {
  lr: number;
  momentum?: number;
  betas?: readonly [number, number];
}

/** Any optimiser whose groups have a learning rate. */
export interface Schedulable {
  readonly paramGroups: readonly RatedGroup[];
  readonly defaults: object;
  step(closure?: never): unknown;
}

/** The last parameters of most schedules: where to resume, and whether to print each rate. */
export type Last = [lastEpoch?: number, verbose?: boolean];
export type State = Record<string, unknown>;

/** Steps of each optimiser since its last schedule was made, and whether the warning was given. */
const counts = new WeakMap<object, { steps: number; warned: boolean }>();

function countOf(optimizer: Schedulable): { steps: number; warned: boolean } {
  const known = counts.get(optimizer);
  if (known !== undefined) return known;
  const count = { steps: 0, warned: false };
  counts.set(optimizer, count);
  const { step } = optimizer;
  optimizer.step = (...args) => {
    count.steps++;
    return step.apply(optimizer, args);
  };
  return count;
}

/** Arguments by name, with `defaults` for those not given. The first `required` must be. */
export function fields<F extends object>(
  name: string,
  signature: string,
  args: readonly unknown[],
  required: number,
  defaults: Partial<F> = {},
): F {
  const values = bind(name, signature, args, required);
  const entries = signature.split(', ').map((field, i) => [field, values[i]] as const);
  return {
    ...defaults,
    ...Object.fromEntries(entries.filter(([, value]) => value !== undefined)),
  } as F;
}

/** Throws ValueError unless the argument holds what it should. */
export function need(ok: boolean, name: string, what: string, value: unknown): void {
  if (!ok) throw new ValueError(`${name}: ${what}, got ${showValue(value)}`);
}

export function needCount(name: string, what: string, value: number): void {
  need(Number.isInteger(value) && value > 0, name, `${what} is a positive integer`, value);
}

/** One value per group, of one for all or of a list. */
export function perGroup<T extends number | ((epoch: number) => number)>(
  name: string,
  what: string,
  { paramGroups }: Schedulable,
  value: T | readonly T[],
): T[] {
  const list: readonly T[] = Array.isArray(value) ? value : paramGroups.map(() => value as T);
  if (list.length === paramGroups.length) return [...list];
  throw new ValueError(
    `${name}: ${list.length} ${what} for ${paramGroups.length} groups; give one each`,
  );
}

function isCode(value: unknown): boolean {
  return [value].flat().some((item) => typeof item === 'function');
}

/** Whether a saved value can take the place of ours: numbers for numbers, lists of one length. */
function alike(ours: unknown, saved: unknown): boolean {
  if (typeof ours !== 'object' || ours === null) {
    return typeof ours === typeof saved && !Number.isNaN(saved);
  }
  if (typeof saved !== 'object' || saved === null) return false;
  if (ours instanceof Map) return [...counter(saved)].flat().every(Number.isInteger);
  const keys = Object.keys(ours);
  return (
    keys.length === Object.keys(saved).length &&
    keys.every((key) => alike((ours as State)[key], (saved as State)[key]))
  );
}

/** A Counter, which files may hold as a plain dict. */
function counter(saved: object): Map<number, number> {
  if (saved instanceof Map) return saved;
  return new Map(Object.entries(saved).map(([key, count]) => [Number(key), count]));
}

const EARLY =
  'Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, ' +
  'you should call them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  ' +
  'Failure to do this will result in PyTorch skipping the first value of the learning rate ' +
  'schedule. See more details at ' +
  'https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate';

/** What all schedules have: an optimiser, the rates last set, and a state dict. */
export abstract class Schedule {
  lastEpoch = -1;
  verbose = false;
  protected _lastLr: number[];
  declare readonly optimizer: Schedulable;

  constructor(optimizer: Schedulable, own: object = {}) {
    const groups = optimizer?.paramGroups;
    need(Array.isArray(groups), this.constructor.name, 'expected an optimiser', optimizer);
    // Not part of the state.
    Object.defineProperty(this, 'optimizer', { value: optimizer });
    this._lastLr = groups.map((group) => group.lr);
    Object.assign(this, own);
  }

  /** The rates last set. */
  getLastLr(): number[] {
    return this._lastLr;
  }

  protected keepRates(): void {
    this._lastLr = this.optimizer.paramGroups.map((group) => group.lr);
  }

  protected print(what: string, i: number, lr: number): void {
    const rate = lr.toExponential(4).replace(/e(.)(\d)$/, 'e$10$2');
    console.log(`${what} learning rate of group ${i} to ${rate}.`);
  }

  /** Everything but the optimiser and functions, in PyTorch's names. */
  stateDict(): State {
    const entries = Object.entries(this).map(([name, value]) => {
      const bare = isCode(value) ? (Array.isArray(value) ? value.map(() => null) : null) : value;
      return [snake(name), bare];
    });
    return structuredClone(Object.fromEntries(entries));
  }

  /** Takes over a state dict, of this library or of PyTorch; checked before anything changes. */
  loadStateDict(state: State): void {
    this.plan(state)();
  }

  /** Checks a state dict; what it gives takes it over. @internal */
  plan(state: State): () => void {
    const name = `${this.constructor.name}.loadStateDict`;
    if (typeof state?.last_epoch !== 'number' && typeof state?._last_lr !== 'object') {
      throw new StateDictError(`${name}: expected the state of a schedule, with its last_epoch`);
    }
    const taken: State = {};
    for (const [field, ours] of Object.entries(this)) {
      const saved = state[snake(field)];
      if (saved === undefined || ours === null || isCode(ours)) continue;
      if (!alike(ours, saved)) {
        throw new StateDictError(`${name}: ${snake(field)} does not fit, got ${String(saved)}`);
      }
      taken[field] = ours instanceof Map ? counter(saved as object) : saved;
    }
    const copy = structuredClone(taken);
    return () => Object.assign(this, copy);
  }
}

/**
 * Base of all schedules. step() after each epoch (or each optimiser step) sets `lr` of every group;
 * the first rate is set when the schedule is made. An own schedule gives its fields to `super`, and
 * declares them: `class Mine extends LRScheduler { declare power: number; constructor(optimizer,
 * power) { super(optimizer, { power }); } getLr() { return this.baseLrs.map(...); } }`.
 */
export abstract class LRScheduler extends Schedule {
  /** The rates of the groups before any schedule. */
  baseLrs: number[];
  protected _stepCount = 0;

  constructor(optimizer: Schedulable, own: object = {}) {
    super(optimizer, own);
    const groups = optimizer.paramGroups;
    for (const group of groups) {
      if (this.lastEpoch === -1) group.initialLr ??= group.lr;
      else if (group.initialLr === undefined) {
        throw new ValueError(
          `${this.constructor.name}: a group has no initialLr to resume from; load the optimiser ` +
            'state first, or leave lastEpoch at -1',
        );
      }
    }
    this.baseLrs = groups.map((group) => group.initialLr as number);
    this.begin();
  }

  /** Sets the first rates. @internal */
  begin(): void {
    countOf(this.optimizer).steps = 0;
    this._stepCount = 0;
    this.step();
  }

  /** The rates for `lastEpoch`, given those that hold now. */
  getLr(): number[] {
    return this.optimizer.paramGroups.map((group, i) => this.rate(group.lr, i));
  }

  /** The rate of group `i`, which has `lr` now. */
  protected rate(lr: number, _i: number): number {
    return lr;
  }

  /** The rate for `lastEpoch` by the first rate alone, where there is a formula. */
  protected closedForm?(base: number): number;

  /** Moves on by one epoch, or to `epoch`, and sets the rates. */
  step(epoch?: number): void {
    if (this._stepCount === 1) this.warnIfEarly();
    const { lastEpoch, _stepCount } = this;
    this._stepCount++;
    this.lastEpoch = epoch ?? lastEpoch + 1;
    try {
      const jumps = epoch !== undefined && this.closedForm !== undefined;
      this.set(jumps ? this.baseLrs.map((base) => this.closedForm?.(base) ?? base) : this.getLr());
    } catch (error) {
      Object.assign(this, { lastEpoch, _stepCount });
      throw error;
    }
  }

  /** Gives the groups their rates. */
  protected set(rates: readonly number[]): void {
    this.optimizer.paramGroups.forEach((group, i) => {
      group.lr = rates[i];
      if (this.verbose) this.print('Adjusting', i, rates[i]);
    });
    this.keepRates();
  }

  private warnIfEarly(): void {
    const count = countOf(this.optimizer);
    if (count.steps > 0 || count.warned) return;
    count.warned = true;
    console.warn(EARLY);
  }
}
