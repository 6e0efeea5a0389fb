/** The schedule that looks at a loss or a score. */

import { isTensor } from '../ops/promote.js';
import type { Arguments } from '../ops/signature.js';
import { fields, need, perGroup, type Schedulable, Schedule } from './lr_base.js';
import type { PerGroup } from './lr_cycles.js';
import { type Reading, whenRead } from './reading.js';

const PLATEAU = 'mode, factor, patience, threshold, thresholdMode, cooldown, minLr, eps, verbose';
type PlateauArgs = [
  mode?: 'min' | 'max',
  factor?: number,
  patience?: number,
  threshold?: number,
  thresholdMode?: 'rel' | 'abs',
  cooldown?: number,
  minLr?: PerGroup,
  eps?: number,
  verbose?: boolean,
];
type PlateauOptions = {
  mode: 'min' | 'max';
  factor: number;
  patience: number;
  threshold: number;
  thresholdMode: 'rel' | 'abs';
  cooldown: number;
  minLr: PerGroup;
  eps: number;
};
const PLATEAU_DEFAULTS: PlateauOptions = {
  mode: 'min',
  factor: 0.1,
  patience: 10,
  threshold: 1e-4,
  thresholdMode: 'rel',
  cooldown: 0,
  minLr: 0,
  eps: 1e-8,
};

/**
 * Multiplies the rates by `factor` (0.1) when what step() is given has not got better - lower, or
 * with mode 'max' higher, by `threshold` (1e-4, relative or with thresholdMode 'abs' absolute) -
 * for more than `patience` (10) steps; then waits `cooldown` (0) steps. Rates stay at or above
 * `minLr`.
 */
export class ReduceLROnPlateau extends Schedule {
  declare mode: 'min' | 'max';
  declare factor: number;
  declare patience: number;
  declare threshold: number;
  declare thresholdMode: 'rel' | 'abs';
  declare cooldown: number;
  declare eps: number;
  declare minLrs: number[];
  declare best: number;
  declare numBadEpochs: number;
  declare cooldownCounter: number;

  constructor(optimizer: Schedulable, ...args: Arguments<typeof PLATEAU, PlateauArgs>) {
    const name = 'ReduceLROnPlateau';
    const all = fields<PlateauOptions>(name, PLATEAU, args, 0, PLATEAU_DEFAULTS);
    const { minLr, ...given } = all;
    const { mode, thresholdMode, factor } = given;
    need(factor < 1, name, 'factor is below 1', factor);
    need(mode === 'min' || mode === 'max', name, "mode is 'min' or 'max'", mode);
    const isKind = thresholdMode === 'rel' || thresholdMode === 'abs';
    need(isKind, name, "thresholdMode is 'rel' or 'abs'", thresholdMode);
    const minLrs = perGroup(name, 'minLr', optimizer, minLr);
    const modeWorse = mode === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    const counters = { best: modeWorse, modeWorse, numBadEpochs: 0, cooldownCounter: 0 };
    super(optimizer, { ...given, ...counters, minLrs, lastEpoch: 0 });
  }

  /** Looks at a loss or score, and sets the rates; a promise if it cannot be read at once. */
  step(metrics: Reading): void | Promise<void> {
    const fits = typeof metrics === 'number' || isTensor(metrics);
    const what = 'step() takes a loss or a score, a number or a tensor (await loss.item())';
    need(fits, 'ReduceLROnPlateau', what, metrics);
    return whenRead([metrics], ([current]) => this.look(current));
  }

  private look(current: number): void {
    this.lastEpoch++;
    this.numBadEpochs++;
    if (this.isBetter(current)) {
      this.best = current;
      this.numBadEpochs = 0;
    }
    if (this.cooldownCounter > 0) {
      this.cooldownCounter--;
      this.numBadEpochs = 0;
    }
    if (this.numBadEpochs > this.patience) {
      this.reduce();
      this.cooldownCounter = this.cooldown;
      this.numBadEpochs = 0;
    }
    this.keepRates();
  }

  private isBetter(current: number): boolean {
    const { best, threshold, mode, thresholdMode } = this;
    const sign = mode === 'min' ? -1 : 1;
    const bar = thresholdMode === 'rel' ? best * (1 + sign * threshold) : best + sign * threshold;
    return mode === 'min' ? current < bar : current > bar;
  }

  private reduce(): void {
    this.optimizer.paramGroups.forEach((group, i) => {
      const lr = Math.max(group.lr * this.factor, this.minLrs[i]);
      if (group.lr - lr <= this.eps) return;
      group.lr = lr;
      const epoch = String(this.lastEpoch).padStart(5, '0');
      if (this.verbose) this.print(`Epoch ${epoch}: reducing`, i, lr);
    });
  }
}
