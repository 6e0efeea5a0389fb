/** The one-cycle schedule. */

import { ValueError } from '../core/errors.js';
import type { Arguments } from '../ops/signature.js';
import {
  fields,
  type Last,
  LRScheduler,
  need,
  needCount,
  perGroup,
  type Schedulable,
} from './lr_base.js';
import { needMomentum, type PerGroup, setMomentum } from './lr_cycles.js';

const ONE_CYCLE =
  'maxLr, totalSteps, epochs, stepsPerEpoch, pctStart, annealStrategy, cycleMomentum, ' +
  'baseMomentum, maxMomentum, divFactor, finalDivFactor, threePhase, lastEpoch, verbose';
type OneCycleArgs = [
  maxLr: PerGroup,
  totalSteps?: number | null,
  epochs?: number | null,
  stepsPerEpoch?: number | null,
  pctStart?: number,
  annealStrategy?: 'cos' | 'linear',
  cycleMomentum?: boolean,
  baseMomentum?: PerGroup,
  maxMomentum?: PerGroup,
  divFactor?: number,
  finalDivFactor?: number,
  threePhase?: boolean,
  ...last: Last,
];
type OneCycleOptions = {
  maxLr: PerGroup;
  totalSteps?: number | null;
  epochs?: number | null;
  stepsPerEpoch?: number | null;
  pctStart: number;
  annealStrategy: 'cos' | 'linear';
  cycleMomentum: boolean;
  baseMomentum: PerGroup;
  maxMomentum: PerGroup;
  divFactor: number;
  finalDivFactor: number;
  threePhase: boolean;
  lastEpoch: number;
  verbose: boolean;
};
const ONE_CYCLE_DEFAULTS = {
  pctStart: 0.3,
  annealStrategy: 'cos',
  cycleMomentum: true,
  baseMomentum: 0.85,
  maxMomentum: 0.95,
  divFactor: 25,
  finalDivFactor: 1e4,
  threePhase: false,
  lastEpoch: -1,
} as const;

type Rate = 'initial_lr' | 'max_lr' | 'min_lr';
type Momentum = 'base_momentum' | 'max_momentum';

/** A part of a cycle, in PyTorch's names: what the rate and the momentum go from and to. */
interface Phase {
  end_step: number;
  start_lr: Rate;
  end_lr: Rate;
  start_momentum: Momentum;
  end_momentum: Momentum;
}

const FIELDS = {
  initial_lr: 'initialLr',
  max_lr: 'maxLr',
  min_lr: 'minLr',
  base_momentum: 'baseMomentum',
  max_momentum: 'maxMomentum',
} as const;

function phasesOf(total: number, pctStart: number, three: boolean): Phase[] {
  const [high, low] = ['max_momentum', 'base_momentum'] as const;
  const phase = (end_step: number, lrs: [Rate, Rate], momentums: [Momentum, Momentum]): Phase => ({
    end_step,
    start_lr: lrs[0],
    end_lr: lrs[1],
    start_momentum: momentums[0],
    end_momentum: momentums[1],
  });
  const rise = phase(pctStart * total - 1, ['initial_lr', 'max_lr'], [high, low]);
  if (!three) return [rise, phase(total - 1, ['max_lr', 'min_lr'], [low, high])];
  return [
    rise,
    phase(2 * pctStart * total - 2, ['max_lr', 'initial_lr'], [low, high]),
    phase(total - 1, ['initial_lr', 'min_lr'], [high, high]),
  ];
}

function stepsOf({ totalSteps, epochs, stepsPerEpoch }: OneCycleOptions): number {
  if (typeof totalSteps === 'number') {
    needCount('OneCycleLR', 'totalSteps', totalSteps);
    return totalSteps;
  }
  if (typeof epochs !== 'number' || typeof stepsPerEpoch !== 'number') {
    throw new ValueError('OneCycleLR: give totalSteps, or both epochs and stepsPerEpoch');
  }
  needCount('OneCycleLR', 'epochs', epochs);
  needCount('OneCycleLR', 'stepsPerEpoch', stepsPerEpoch);
  return epochs * stepsPerEpoch;
}

/**
 * One cycle over `totalSteps` (or `epochs` times `stepsPerEpoch`): from maxLr / divFactor (25) up
 * to `maxLr` for the share `pctStart` (0.3), then down to the first rate / finalDivFactor (1e4); in
 * three phases with `threePhase`. The momentum goes the other way, between `baseMomentum` (0.85)
 * and `maxMomentum` (0.95). To be stepped after each batch. Smith and Topin, 2017.
 */
export class OneCycleLR extends LRScheduler {
  declare protected totalSteps: number;
  declare protected _schedulePhases: Phase[];
  declare protected _annealFuncType: 'cos' | 'linear';
  declare protected cycleMomentum: boolean;

  constructor(optimizer: Schedulable, ...args: Arguments<typeof ONE_CYCLE, OneCycleArgs>) {
    const given = fields<OneCycleOptions>('OneCycleLR', ONE_CYCLE, args, 1, ONE_CYCLE_DEFAULTS);
    const { pctStart, annealStrategy, cycleMomentum, lastEpoch, verbose = false } = given;
    const totalSteps = stepsOf(given);
    need(pctStart >= 0 && pctStart <= 1, 'OneCycleLR', 'pctStart is between 0 and 1', pctStart);
    const isKind = annealStrategy === 'cos' || annealStrategy === 'linear';
    need(isKind, 'OneCycleLR', "annealStrategy is 'cos' or 'linear'", annealStrategy);
    const each = (what: 'maxLr' | 'baseMomentum' | 'maxMomentum') =>
      perGroup('OneCycleLR', what, optimizer, given[what]);
    const [maxLrs, low, high] = [each('maxLr'), each('baseMomentum'), each('maxMomentum')];
    if (cycleMomentum) needMomentum('OneCycleLR', optimizer);
    if (lastEpoch === -1) {
      optimizer.paramGroups.forEach((group, i) => {
        const initialLr = maxLrs[i] / given.divFactor;
        const minLr = initialLr / given.finalDivFactor;
        Object.assign(group, { initialLr, maxLr: maxLrs[i], minLr });
        if (!cycleMomentum) return;
        setMomentum(group, high[i]);
        Object.assign(group, { maxMomentum: high[i], baseMomentum: low[i] });
      });
    }
    super(optimizer, {
      ...{ totalSteps, cycleMomentum, lastEpoch, verbose, _annealFuncType: annealStrategy },
      ...(cycleMomentum && { useBeta1: 'betas' in optimizer.defaults }),
      _schedulePhases: phasesOf(totalSteps, pctStart, given.threePhase),
    });
  }

  override getLr(): number[] {
    const { lastEpoch, totalSteps, _schedulePhases: phases } = this;
    if (lastEpoch > totalSteps) {
      throw new ValueError(
        `OneCycleLR: stepped ${lastEpoch + 1} times; the cycle has ${totalSteps} steps`,
      );
    }
    const found = phases.findIndex(({ end_step }) => lastEpoch <= end_step);
    const index = found < 0 ? phases.length - 1 : found;
    const phase = phases[index];
    const start = index === 0 ? 0 : phases[index - 1].end_step;
    const part = (lastEpoch - start) / (phase.end_step - start);
    const anneal = (from = 0, to = 0) =>
      this._annealFuncType === 'cos'
        ? to + ((from - to) / 2) * (Math.cos(Math.PI * part) + 1)
        : (to - from) * part + from;
    return this.optimizer.paramGroups.map((group) => {
      if (this.cycleMomentum) {
        const { start_momentum, end_momentum } = phase;
        setMomentum(group, anneal(group[FIELDS[start_momentum]], group[FIELDS[end_momentum]]));
      }
      return anneal(group[FIELDS[phase.start_lr]], group[FIELDS[phase.end_lr]]);
    });
  }
}
