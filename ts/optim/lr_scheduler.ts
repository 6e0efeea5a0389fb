/** Learning rate schedules over the groups of an optimiser. */

import { ValueError } from '../core/errors.js';
import { checkOptions } from '../core/options.js';
import type { Optimizer } from './optimizer.js';

/** Any optimiser whose groups have a learning rate. */
type Scheduled = Optimizer<{ lr: number }>;
type AnyOptimizer = {
  readonly paramGroups: readonly { lr: number; initialLr?: number }[];
  readonly stepCount: number;
};

/**
 * Base of all schedules. step() after each epoch (or each optimiser step) sets `lr` of every group;
 * the first rate is set when the schedule is made.
 */
export abstract class LRScheduler {
  /** The rates of the groups before any schedule. */
  readonly baseLrs: number[];
  lastEpoch: number;
  private lastLrs: number[] = [];
  private warned = false;
  private steps = 0;

  constructor(
    protected readonly optimizer: AnyOptimizer,
    lastEpoch = -1,
  ) {
    for (const group of optimizer.paramGroups) {
      if (lastEpoch === -1) group.initialLr = group.lr;
      else if (group.initialLr === undefined) {
        throw new ValueError(
          'scheduler: a group has no initialLr to resume from; load the optimiser state first, ' +
            'or leave lastEpoch at -1',
        );
      }
    }
    this.baseLrs = optimizer.paramGroups.map((group) => group.initialLr as number);
    this.lastEpoch = lastEpoch;
  }

  /** The rates for `lastEpoch`, given those that hold now. */
  abstract getLr(): number[];

  /** To be called at the end of a subclass's constructor: sets the first rates. */
  protected start(): void {
    this.advance();
  }

  /** The rates last set. */
  getLastLr(): number[] {
    return this.lastLrs;
  }

  /** Moves on by one epoch and sets the rates. */
  step(): void {
    this.warnIfFirst();
    this.advance();
  }

  private advance(): void {
    this.lastEpoch++;
    this.steps++;
    const rates = this.getLr();
    this.optimizer.paramGroups.forEach((group, i) => {
      group.lr = rates[i];
    });
    this.lastLrs = rates;
  }

  private warnIfFirst(): void {
    if (this.warned || this.steps !== 1 || this.optimizer.stepCount > 0) return;
    this.warned = true;
    console.warn(
      'Detected call of `lrScheduler.step()` before `optimizer.step()`. Call them in the ' +
        'opposite ' +
        'order: `optimizer.step()` before `lrScheduler.step()`; otherwise the first value of the ' +
        'schedule is skipped.',
    );
  }

  /** Everything but the optimiser and functions. */
  stateDict(): Record<string, unknown> {
    const state: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(this)) {
      const isCode = [value].flat().some((item) => typeof item === 'function');
      if (name !== 'optimizer' && !isCode) state[name] = value;
    }
    return structuredClone(state);
  }

  loadStateDict(state: Record<string, unknown>): void {
    for (const [name, value] of Object.entries(structuredClone(state))) {
      if (name !== 'optimizer' && Object.hasOwn(this, name)) {
        (this as unknown as Record<string, unknown>)[name] = value;
      }
    }
  }

  protected get currentLrs(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }
}

function checkCount(name: string, what: string, value: number): void {
  if (Number.isInteger(value) && value > 0) return;
  throw new ValueError(`${name}: ${what} is a positive integer, got ${value}`);
}

export interface StepLROptions {
  stepSize: number;
  /** Default 0.1. */
  gamma?: number;
  lastEpoch?: number;
}

/** Multiplies the rates by gamma every `stepSize` epochs. */
export class StepLR extends LRScheduler {
  private readonly stepSize: number;
  private readonly gamma: number;

  constructor(
    optimizer: Scheduled | AnyOptimizer,
    stepSize: number | StepLROptions,
    gamma = 0.1,
    lastEpoch = -1,
  ) {
    const options = typeof stepSize === 'object' ? stepSize : { stepSize, gamma, lastEpoch };
    checkOptions('StepLR', options, ['stepSize', 'gamma', 'lastEpoch']);
    checkCount('StepLR', 'stepSize', options.stepSize);
    super(optimizer as AnyOptimizer, options.lastEpoch);
    this.stepSize = options.stepSize;
    this.gamma = options.gamma ?? 0.1;
    this.start();
  }

  getLr(): number[] {
    const turns = this.lastEpoch > 0 && this.lastEpoch % this.stepSize === 0;
    return this.currentLrs.map((lr) => (turns ? lr * this.gamma : lr));
  }
}

type Lambda = (epoch: number) => number;

export interface LambdaLROptions {
  /** One function for all groups, or one each. */
  lrLambda: Lambda | readonly Lambda[];
  lastEpoch?: number;
}

/**
 * Sets each rate to the first one times a function of the epoch, one for all groups or one each.
 */
export class LambdaLR extends LRScheduler {
  private readonly lambdas: Lambda[];

  constructor(
    optimizer: Scheduled | AnyOptimizer,
    lrLambda: Lambda | readonly Lambda[] | LambdaLROptions,
    lastEpoch = -1,
  ) {
    const isObject = typeof lrLambda === 'object' && !Array.isArray(lrLambda);
    if (isObject) checkOptions('LambdaLR', lrLambda, ['lrLambda', 'lastEpoch']);
    super(
      optimizer as AnyOptimizer,
      isObject ? (lrLambda as LambdaLROptions).lastEpoch : lastEpoch,
    );
    const given = isObject
      ? (lrLambda as LambdaLROptions).lrLambda
      : (lrLambda as Lambda | readonly Lambda[]);
    this.lambdas = typeof given === 'function' ? this.baseLrs.map(() => given) : [...given];
    if (this.lambdas.length !== this.baseLrs.length) {
      throw new ValueError(
        `LambdaLR: ${this.lambdas.length} functions for ${this.baseLrs.length} groups; give one ` +
          `each`,
      );
    }
    this.start();
  }

  getLr(): number[] {
    return this.baseLrs.map((base, i) => base * this.lambdas[i](this.lastEpoch));
  }
}

export interface CosineAnnealingLROptions {
  /** Epochs from the first rate down to the least. */
  TMax: number;
  /** Least rate. Default 0. */
  etaMin?: number;
  lastEpoch?: number;
}

/** lr = etaMin + (base - etaMin) (1 + cos(pi t / TMax)) / 2, by PyTorch's recursive form. */
export class CosineAnnealingLR extends LRScheduler {
  private readonly TMax: number;
  private readonly etaMin: number;

  constructor(
    optimizer: Scheduled | AnyOptimizer,
    TMax: number | CosineAnnealingLROptions,
    etaMin = 0,
    lastEpoch = -1,
  ) {
    const options = typeof TMax === 'object' ? TMax : { TMax, etaMin, lastEpoch };
    checkOptions('CosineAnnealingLR', options, ['TMax', 'etaMin', 'lastEpoch']);
    checkCount('CosineAnnealingLR', 'TMax', options.TMax);
    super(optimizer as AnyOptimizer, options.lastEpoch);
    this.TMax = options.TMax;
    this.etaMin = options.etaMin ?? 0;
    this.start();
  }

  getLr(): number[] {
    const { TMax, etaMin, lastEpoch } = this;
    if (lastEpoch === 0) return this.currentLrs;
    const phase = (epoch: number) => 1 + Math.cos((Math.PI * epoch) / TMax);
    if ((lastEpoch - 1 - TMax) % (2 * TMax) === 0) {
      const rise = (1 - Math.cos(Math.PI / TMax)) / 2;
      return this.currentLrs.map((lr, i) => lr + (this.baseLrs[i] - etaMin) * rise);
    }
    const ratio = phase(lastEpoch) / phase(lastEpoch - 1);
    return this.currentLrs.map((lr) => ratio * (lr - etaMin) + etaMin);
  }
}
