/** Schedules made of schedules, one after another or all at once. */

import { StateDictError, ValueError } from '../core/errors.js';
import type { Arguments } from '../ops/signature.js';
import { fields, LRScheduler, type Schedulable, type State } from './lr_base.js';

/** What stepping several schedules needs. */
abstract class Combined extends LRScheduler {
  declare readonly schedulers: readonly LRScheduler[];

  constructor(optimizer: Schedulable, schedulers: readonly LRScheduler[], fields: object = {}) {
    super(optimizer, fields);
    // Their states are saved one by one.
    Object.defineProperty(this, 'schedulers', { value: schedulers });
  }

  override stateDict(): State {
    return { ...super.stateDict(), _schedulers: this.schedulers.map((one) => one.stateDict()) };
  }

  override plan(state: State): () => void {
    const own = super.plan(state);
    const states = state._schedulers;
    if (!Array.isArray(states) || states.length !== this.schedulers.length) {
      throw new StateDictError(
        `${this.constructor.name}.loadStateDict: expected the states of ` +
          `${this.schedulers.length} schedules in _schedulers`,
      );
    }
    const plans = this.schedulers.map((one, i) => one.plan(states[i] as State));
    return () => {
      for (const take of [own, ...plans]) take();
    };
  }
}

/** The schedules of one optimiser, checked. */
function ofOne(
  name: string,
  schedulers: readonly LRScheduler[],
  optimizer: Schedulable | undefined = schedulers?.[0]?.optimizer,
): Schedulable {
  const ok = Array.isArray(schedulers) && optimizer !== undefined;
  if (!ok) throw new ValueError(`${name}: expected a list of schedules`);
  const other = schedulers.findIndex((one) => one.optimizer !== optimizer);
  if (other < 0) return optimizer;
  throw new ValueError(`${name}: the schedule at index ${other} belongs to another optimiser`);
}

const SEQUENTIAL = 'schedulers, milestones, lastEpoch, verbose';

/** One schedule after another: the next takes over, from its start, at each of `milestones`. */
export class SequentialLR extends Combined {
  declare protected readonly _milestones: readonly number[];

  constructor(
    optimizer: Schedulable,
    ...args: Arguments<
      typeof SEQUENTIAL,
      [
        schedulers: readonly LRScheduler[],
        milestones: readonly number[],
        lastEpoch?: number,
        verbose?: boolean,
      ]
    >
  ) {
    const given = fields<{
      schedulers: LRScheduler[];
      milestones: number[];
      lastEpoch?: number;
    }>('SequentialLR', SEQUENTIAL, args, 2);
    const { schedulers, milestones } = given;
    ofOne('SequentialLR', schedulers, optimizer);
    if (milestones.length !== schedulers.length - 1) {
      throw new ValueError(
        `SequentialLR: ${schedulers.length} schedules need ${schedulers.length - 1} milestones, ` +
          `got ${milestones.length}`,
      );
    }
    super(optimizer, schedulers, { _milestones: milestones });
    this.lastEpoch = (given.lastEpoch ?? -1) + 1;
    for (const group of optimizer.paramGroups) group.lr = group.initialLr as number;
    for (const one of schedulers) one.lastEpoch--;
    schedulers[0].begin();
    this.keepRates();
  }

  override begin(): void {}

  override step(): void {
    this.lastEpoch++;
    const { lastEpoch, _milestones, schedulers } = this;
    const passed = _milestones.filter((epoch) => epoch <= lastEpoch).length;
    if (passed > 0 && _milestones[passed - 1] === lastEpoch) schedulers[passed].step(0);
    else schedulers[passed].step();
    this.keepRates();
  }
}

/** Steps several schedules of one optimiser together: each changes what the one before gave. */
export class ChainedScheduler extends Combined {
  constructor(schedulers: readonly LRScheduler[]) {
    super(ofOne('ChainedScheduler', schedulers), schedulers);
  }

  override begin(): void {}

  override step(): void {
    for (const one of this.schedulers) one.step();
    this.keepRates();
  }
}
