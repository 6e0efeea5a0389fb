/** Schedules that multiply the rate: at milestones, every epoch, by a curve or a function. */

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

const STEP = 'stepSize, gamma, lastEpoch, verbose';

/** Multiplies the rates by `gamma` (default 0.1) every `stepSize` epochs. */
export class StepLR extends LRScheduler {
  declare readonly stepSize: number;
  declare readonly gamma: number;

  constructor(
    optimizer: Schedulable,
    ...args: Arguments<typeof STEP, [stepSize: number, gamma?: number, ...Last]>
  ) {
    const given = fields<{ stepSize: number }>('StepLR', STEP, args, 1);
    needCount('StepLR', 'stepSize', given.stepSize);
    super(optimizer, { gamma: 0.1, ...given });
  }

  protected override rate(lr: number): number {
    const { lastEpoch } = this;
    return lastEpoch === 0 || lastEpoch % this.stepSize !== 0 ? lr : lr * this.gamma;
  }

  protected override closedForm(base: number): number {
    return base * this.gamma ** Math.floor(this.lastEpoch / this.stepSize);
  }
}

const MULTI_STEP = 'milestones, gamma, lastEpoch, verbose';

/** Multiplies the rates by `gamma` (default 0.1) at each epoch of `milestones`. */
export class MultiStepLR extends LRScheduler {
  /** How often each epoch was given. */
  declare readonly milestones: ReadonlyMap<number, number>;
  declare readonly gamma: number;

  constructor(
    optimizer: Schedulable,
    ...args: Arguments<typeof MULTI_STEP, [milestones: readonly number[], gamma?: number, ...Last]>
  ) {
    const given = fields<{ milestones: number[] }>('MultiStepLR', MULTI_STEP, args, 1);
    const ok = Array.isArray(given.milestones) && given.milestones.every(Number.isInteger);
    need(ok, 'MultiStepLR', 'milestones is a list of epochs', given.milestones);
    const milestones = new Map<number, number>();
    for (const epoch of given.milestones) milestones.set(epoch, (milestones.get(epoch) ?? 0) + 1);
    super(optimizer, { gamma: 0.1, ...given, milestones });
  }

  protected override rate(lr: number): number {
    return lr * this.gamma ** (this.milestones.get(this.lastEpoch) ?? 0);
  }

  protected override closedForm(base: number): number {
    let passed = 0;
    for (const [epoch, count] of this.milestones) if (epoch <= this.lastEpoch) passed += count;
    return base * this.gamma ** passed;
  }
}

function needFactor(name: string, what: string, value: number, least: number): void {
  const ok = value >= least && value <= 1;
  need(ok, name, `${what} is ${least > 0 ? 'above' : 'at least'} 0 and at most 1`, value);
}

const CONSTANT = 'factor, totalIters, lastEpoch, verbose';

/** The rates times `factor` (default 1/3) for the first `totalIters` (default 5) epochs. */
export class ConstantLR extends LRScheduler {
  declare readonly factor: number;
  declare readonly totalIters: number;

  constructor(
    optimizer: Schedulable,
    ...args: Arguments<typeof CONSTANT, [factor?: number, totalIters?: number, ...Last]>
  ) {
    const defaults = { factor: 1 / 3, totalIters: 5 };
    const given = fields<typeof defaults>('ConstantLR', CONSTANT, args, 0, defaults);
    needFactor('ConstantLR', 'factor', given.factor, Number.MIN_VALUE);
    super(optimizer, given);
  }

  protected override rate(lr: number): number {
    if (this.lastEpoch === 0) return lr * this.factor;
    return this.lastEpoch === this.totalIters ? lr * (1 / this.factor) : lr;
  }

  protected override closedForm(base: number): number {
    return this.lastEpoch >= this.totalIters ? base : base * this.factor;
  }
}

const LINEAR = 'startFactor, endFactor, totalIters, lastEpoch, verbose';

/**
 * The rates times a factor that goes from `startFactor` (default 1/3) to `endFactor` (default 1)
 * over `totalIters` (default 5) epochs.
 */
export class LinearLR extends LRScheduler {
  declare readonly startFactor: number;
  declare readonly endFactor: number;
  declare readonly totalIters: number;

  constructor(
    optimizer: Schedulable,
    ...args: Arguments<
      typeof LINEAR,
      [startFactor?: number, endFactor?: number, totalIters?: number, ...Last]
    >
  ) {
    const defaults = { startFactor: 1 / 3, endFactor: 1, totalIters: 5 };
    const given = fields<typeof defaults>('LinearLR', LINEAR, args, 0, defaults);
    needFactor('LinearLR', 'startFactor', given.startFactor, Number.MIN_VALUE);
    needFactor('LinearLR', 'endFactor', given.endFactor, 0);
    super(optimizer, given);
  }

  protected override rate(lr: number): number {
    const { lastEpoch, startFactor, endFactor, totalIters } = this;
    if (lastEpoch === 0) return lr * startFactor;
    if (lastEpoch > totalIters) return lr;
    const rise = endFactor - startFactor;
    return lr * (1 + rise / (totalIters * startFactor + (lastEpoch - 1) * rise));
  }

  protected override closedForm(base: number): number {
    const { lastEpoch, startFactor, endFactor, totalIters } = this;
    const passed = Math.min(totalIters, lastEpoch);
    return base * (startFactor + ((endFactor - startFactor) * passed) / totalIters);
  }
}

const EXPONENTIAL = 'gamma, lastEpoch, verbose';

/** Multiplies the rates by `gamma` every epoch. */
export class ExponentialLR extends LRScheduler {
  declare readonly gamma: number;

  constructor(
    optimizer: Schedulable,
    ...args: Arguments<typeof EXPONENTIAL, [gamma: number, ...Last]>
  ) {
    super(optimizer, fields('ExponentialLR', EXPONENTIAL, args, 1));
  }

  protected override rate(lr: number): number {
    return this.lastEpoch === 0 ? lr : lr * this.gamma;
  }

  protected override closedForm(base: number): number {
    return base * this.gamma ** this.lastEpoch;
  }
}

const POLYNOMIAL = 'totalIters, power, lastEpoch, verbose';

/** The rates times (1 - t / totalIters) ** power, by defaults 5 and 1. */
export class PolynomialLR extends LRScheduler {
  declare readonly totalIters: number;
  declare readonly power: number;

  constructor(
    optimizer: Schedulable,
    ...args: Arguments<typeof POLYNOMIAL, [totalIters?: number, power?: number, ...Last]>
  ) {
    super(optimizer, fields('PolynomialLR', POLYNOMIAL, args, 0, { totalIters: 5, power: 1 }));
  }

  protected override rate(lr: number): number {
    const { lastEpoch, totalIters, power } = this;
    if (lastEpoch === 0 || lastEpoch > totalIters) return lr;
    return lr * ((1 - lastEpoch / totalIters) / (1 - (lastEpoch - 1) / totalIters)) ** power;
  }

  protected override closedForm(base: number): number {
    const { lastEpoch, totalIters, power } = this;
    return base * (1 - Math.min(totalIters, lastEpoch) / totalIters) ** power;
  }
}

const COSINE = 'TMax, etaMin, lastEpoch, verbose';

/** lr = etaMin + (base - etaMin) (1 + cos(pi t / TMax)) / 2, by PyTorch's recursive form. */
export class CosineAnnealingLR extends LRScheduler {
  declare readonly TMax: number;
  declare readonly etaMin: number;

  constructor(
    optimizer: Schedulable,
    ...args: Arguments<typeof COSINE, [TMax: number, etaMin?: number, ...Last]>
  ) {
    const given = fields<{ TMax: number }>('CosineAnnealingLR', COSINE, args, 1);
    needCount('CosineAnnealingLR', 'TMax', given.TMax);
    super(optimizer, { etaMin: 0, ...given });
  }

  protected override rate(lr: number, i: number): number {
    const { TMax, etaMin, lastEpoch } = this;
    if (lastEpoch === 0) return lr;
    if (this._stepCount === 1 && lastEpoch > 0) return this.closedForm(this.baseLrs[i]);
    if ((lastEpoch - 1 - TMax) % (2 * TMax) === 0) {
      return lr + ((this.baseLrs[i] - etaMin) * (1 - Math.cos(Math.PI / TMax))) / 2;
    }
    const phase = (epoch: number) => 1 + Math.cos((Math.PI * epoch) / TMax);
    return (phase(lastEpoch) / phase(lastEpoch - 1)) * (lr - etaMin) + etaMin;
  }

  protected override closedForm(base: number): number {
    const { TMax, etaMin, lastEpoch } = this;
    return etaMin + ((base - etaMin) * (1 + Math.cos((lastEpoch * Math.PI) / TMax))) / 2;
  }
}

type Lambda = (epoch: number) => number;
const LAMBDA = 'lrLambda, lastEpoch, verbose';
type LambdaArgs = Arguments<typeof LAMBDA, [lrLambda: Lambda | readonly Lambda[], ...Last]>;

abstract class ByFunction extends LRScheduler {
  declare readonly lrLambdas: readonly Lambda[];

  constructor(name: string, optimizer: Schedulable, args: readonly unknown[]) {
    const { lrLambda, ...given } = fields<{ lrLambda: Lambda | Lambda[] }>(name, LAMBDA, args, 1);
    const lrLambdas = perGroup(name, 'functions', optimizer, lrLambda);
    const ok = lrLambdas.every((item) => typeof item === 'function');
    need(ok, name, 'lrLambda is a function of the epoch', lrLambda);
    super(optimizer, { ...given, lrLambdas });
  }
}

/**
 * Sets each rate to the first one times a function of the epoch, one for all groups or one each.
 */
export class LambdaLR extends ByFunction {
  constructor(optimizer: Schedulable, ...args: LambdaArgs) {
    super('LambdaLR', optimizer, args);
  }

  protected override rate(_lr: number, i: number): number {
    return this.baseLrs[i] * this.lrLambdas[i](this.lastEpoch);
  }
}

/** Multiplies each rate by a function of the epoch, one for all groups or one each. */
export class MultiplicativeLR extends ByFunction {
  constructor(optimizer: Schedulable, ...args: LambdaArgs) {
    super('MultiplicativeLR', optimizer, args);
  }

  protected override rate(lr: number, i: number): number {
    return this.lastEpoch > 0 ? lr * this.lrLambdas[i](this.lastEpoch) : lr;
  }
}
