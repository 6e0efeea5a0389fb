/** Schedules that rise and fall again and again. */

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

const RESTARTS = 'T0, TMult, etaMin, lastEpoch, verbose';

/**
 * CosineAnnealingLR that starts anew after T0 epochs, then after TMult times as many, and so on.
 * step() may be given a fraction of an epoch. Loshchilov and Hutter, 2016.
 */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  declare readonly T0: number;
  declare readonly TMult: number;
  declare readonly etaMin: number;
  declare protected TI: number;
  declare protected TCur: number;

  constructor(
    optimizer: Schedulable,
    ...args: Arguments<typeof RESTARTS, [T0: number, TMult?: number, etaMin?: number, ...Last]>
  ) {
    const name = 'CosineAnnealingWarmRestarts';
    const defaults = { T0: 0, TMult: 1, etaMin: 0, lastEpoch: -1 };
    const given = fields<typeof defaults>(name, RESTARTS, args, 1, defaults);
    needCount(name, 'T0', given.T0);
    needCount(name, 'TMult', given.TMult);
    super(optimizer, { ...given, TI: given.T0, TCur: given.lastEpoch });
  }

  protected override rate(_lr: number, i: number): number {
    const { etaMin, TCur, TI } = this;
    return etaMin + ((this.baseLrs[i] - etaMin) * (1 + Math.cos((Math.PI * TCur) / TI))) / 2;
  }

  override step(epoch: number | undefined = this.lastEpoch < 0 ? 0 : undefined): void {
    if (epoch === undefined) {
      this.lastEpoch++;
      this.TCur++;
      if (this.TCur >= this.TI) {
        this.TCur -= this.TI;
        this.TI *= this.TMult;
      }
    } else {
      need(epoch >= 0, 'CosineAnnealingWarmRestarts', 'epoch is at least 0', epoch);
      this.jump(epoch);
      this.lastEpoch = Math.floor(epoch);
    }
    this.set(this.getLr());
  }

  private jump(epoch: number): void {
    const { T0, TMult } = this;
    if (epoch < T0) [this.TCur, this.TI] = [epoch, T0];
    else if (TMult === 1) this.TCur = epoch % T0;
    else {
      const n = Math.trunc(Math.log((epoch / T0) * (TMult - 1) + 1) / Math.log(TMult));
      this.TCur = epoch - (T0 * (TMult ** n - 1)) / (TMult - 1);
      this.TI = T0 * TMult ** n;
    }
  }
}

/** Sets the momentum of a group, or the first beta where the optimiser has betas. */
export function setMomentum(group: Schedulable['paramGroups'][number], value: number): void {
  if (group.betas === undefined) group.momentum = value;
  else group.betas = [value, group.betas[1]];
}

export function needMomentum(name: string, { defaults }: Schedulable): void {
  if ('momentum' in defaults || 'betas' in defaults) return;
  throw new ValueError(
    `${name}: the optimiser has no momentum and no betas to cycle; give { cycleMomentum: false }`,
  );
}

export type PerGroup = number | readonly number[];
type Scale = (x: number) => number;
const CYCLIC =
  'baseLr, maxLr, stepSizeUp, stepSizeDown, mode, gamma, scaleFn, scaleMode, cycleMomentum, ' +
  'baseMomentum, maxMomentum, lastEpoch, verbose';
type CyclicMode = 'triangular' | 'triangular2' | 'exp_range';
type CyclicArgs = [
  baseLr: PerGroup,
  maxLr: PerGroup,
  stepSizeUp?: number,
  stepSizeDown?: number | null,
  mode?: CyclicMode,
  gamma?: number,
  scaleFn?: Scale | null,
  scaleMode?: 'cycle' | 'iterations',
  cycleMomentum?: boolean,
  baseMomentum?: PerGroup,
  maxMomentum?: PerGroup,
  ...last: Last,
];
type CyclicOptions = {
  baseLr: PerGroup;
  maxLr: PerGroup;
  stepSizeUp: number;
  stepSizeDown?: number | null;
  mode: CyclicMode;
  gamma: number;
  scaleFn?: Scale | null;
  scaleMode: 'cycle' | 'iterations';
  cycleMomentum: boolean;
  baseMomentum: PerGroup;
  maxMomentum: PerGroup;
  lastEpoch: number;
  verbose: boolean;
};
const CYCLIC_DEFAULTS = {
  stepSizeUp: 2000,
  mode: 'triangular',
  gamma: 1,
  scaleMode: 'cycle',
  cycleMomentum: true,
  baseMomentum: 0.8,
  maxMomentum: 0.9,
  lastEpoch: -1,
} as const;

/**
 * Rates between `baseLr` and `maxLr`: up for `stepSizeUp` steps (default 2000), down for
 * `stepSizeDown` (default as many), with the momentum going the other way. `mode` 'triangular2'
 * halves each cycle, 'exp_range' scales by gamma ** step; `scaleFn` is an own scale of the cycle or
 * the step. Smith, 2015.
 */
export class CyclicLR extends LRScheduler {
  declare protected maxLrs: number[];
  declare protected totalSize: number;
  declare protected stepRatio: number;
  declare protected mode: CyclicMode;
  declare protected gamma: number;
  declare protected scaleMode: 'cycle' | 'iterations';
  declare protected cycleMomentum: boolean;
  declare protected baseMomentums: number[];
  declare protected maxMomentums: number[];
  declare protected _scaleFnCustom: Scale | null;

  constructor(optimizer: Schedulable, ...args: Arguments<typeof CYCLIC, CyclicArgs>) {
    const given = fields<CyclicOptions>('CyclicLR', CYCLIC, args, 2, CYCLIC_DEFAULTS);
    const { mode, gamma, lastEpoch, cycleMomentum, stepSizeUp, verbose = false } = given;
    const each = (what: 'baseLr' | 'maxLr' | 'baseMomentum' | 'maxMomentum') =>
      perGroup('CyclicLR', what, optimizer, given[what]);
    const { paramGroups } = optimizer;
    const custom = given.scaleFn ?? null;
    const isMode = custom !== null || ['triangular', 'triangular2', 'exp_range'].includes(mode);
    need(isMode, 'CyclicLR', 'mode is triangular, triangular2 or exp_range', mode);
    if (cycleMomentum) needMomentum('CyclicLR', optimizer);
    const [baseLrs, maxLrs] = [each('baseLr'), each('maxLr')];
    const momentums = cycleMomentum ? [each('baseMomentum'), each('maxMomentum')] : undefined;
    const totalSize = stepSizeUp + (given.stepSizeDown ?? stepSizeUp);
    need(stepSizeUp > 0 && totalSize > stepSizeUp, 'CyclicLR', 'both sizes are above 0', totalSize);
    if (lastEpoch === -1) {
      paramGroups.forEach((group, i) => {
        group.lr = baseLrs[i];
        if (momentums) setMomentum(group, momentums[0][i]);
      });
    }
    const byStep = custom === null && mode === 'exp_range';
    super(optimizer, {
      ...{ mode, gamma, cycleMomentum, lastEpoch, verbose, maxLrs, totalSize },
      stepRatio: stepSizeUp / totalSize,
      scaleMode: custom === null ? (byStep ? 'iterations' : 'cycle') : given.scaleMode,
      _scaleFnCustom: custom,
      ...(momentums && {
        baseMomentums: paramGroups.map((group) => group.betas?.[0] ?? group.momentum),
        maxMomentums: momentums[1],
      }),
    });
    this.baseLrs = baseLrs;
  }

  private scale(x: number): number {
    if (this._scaleFnCustom !== null) return this._scaleFnCustom(x);
    if (this.mode === 'triangular') return 1;
    return this.mode === 'exp_range' ? this.gamma ** x : 1 / 2 ** (x - 1);
  }

  override getLr(): number[] {
    const { lastEpoch, totalSize, stepRatio } = this;
    const cycle = Math.floor(1 + lastEpoch / totalSize);
    const x = 1 + lastEpoch / totalSize - cycle;
    const height = x <= stepRatio ? x / stepRatio : (x - 1) / (stepRatio - 1);
    const scale = this.scale(this.scaleMode === 'cycle' ? cycle : lastEpoch);
    if (this.cycleMomentum) {
      this.optimizer.paramGroups.forEach((group, i) => {
        const [low, high] = [this.baseMomentums[i], this.maxMomentums[i]];
        setMomentum(group, high - (high - low) * height * scale);
      });
    }
    return this.baseLrs.map((low, i) => low + (this.maxLrs[i] - low) * height * scale);
  }
}
