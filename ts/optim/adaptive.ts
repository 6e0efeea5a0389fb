/** Optimisers that scale each element by the size of its past gradients. */

import { ValueError } from '../core/errors.js';
import type { Tensor } from '../tensor.js';
import { FusedOptimizer, type Needs, slot } from './fused.js';
import {
  checkRange,
  type Given,
  type GivenGroup,
  type ParamState,
  type Params,
  POSITIVE,
} from './optimizer.js';

type Stepped = ParamState & { step: number };

export interface RMSpropOptions {
  /** Default 0.01. */
  lr: number;
  /** Decay of the average of squared gradients. Default 0.99. */
  alpha: number;
  /** Default 1e-8. */
  eps: number;
  /** Default 0. */
  weightDecay: number;
  /** Default 0. */
  momentum: number;
  /** Subtract the squared average gradient. Default false. */
  centered: boolean;
  /** Climb instead of descend. Default false. */
  maximize: boolean;
}

/** v = alpha v + (1 - alpha) g^2; p -= lr g / (sqrt(v) + eps). Hinton, 2012. */
export class RMSprop extends FusedOptimizer<RMSpropOptions, 'rmspropStep'> {
  protected readonly kernel = 'rmspropStep';
  protected readonly slots = ['square_avg', 'momentum_buffer', 'grad_avg'];

  constructor(params: Params<RMSpropOptions>, options?: Given<RMSpropOptions> | number) {
    const sizes = { lr: 1e-2, alpha: 0.99, eps: 1e-8, weightDecay: 0, momentum: 0 };
    super(params, { ...sizes, centered: false, maximize: false }, options);
  }

  protected override check(options: RMSpropOptions): void {
    const bounds = { lr: POSITIVE, alpha: POSITIVE, eps: POSITIVE, weightDecay: POSITIVE };
    checkRange('RMSprop', options, { ...bounds, momentum: POSITIVE });
  }

  protected override get boxed(): readonly string[] {
    return [];
  }

  protected prepare({ states }: Needs, state: Stepped, param: Tensor, group: RMSpropOptions): void {
    states[0] = slot(state, 'square_avg', param);
    const buffer = group.momentum > 0 ? slot(state, 'momentum_buffer', param) : undefined;
    // The kernel's places are fixed; an unused middle one must not be another state's memory.
    states[1] = group.centered ? slot(state, 'grad_avg', param) : buffer;
    states[2] = buffer;
  }
}

export interface AdagradOptions {
  /** Default 0.01. */
  lr: number;
  /** Default 0. */
  lrDecay: number;
  /** Default 0. */
  weightDecay: number;
  /** What the sums of squares start from; as in PyTorch, that of a group is not looked at. Default 0. */
  initialAccumulatorValue: number;
  /** Default 1e-10. */
  eps: number;
  /** Default false. */
  maximize: boolean;
}

/** s += g^2; p -= lr / (1 + (t - 1) lrDecay) * g / (sqrt(s) + eps). Duchi et al., 2011. */
export class Adagrad extends FusedOptimizer<AdagradOptions, 'adagradStep'> {
  protected readonly kernel = 'adagradStep';
  protected readonly slots = ['sum'];

  constructor(params: Params<AdagradOptions>, options?: Given<AdagradOptions> | number) {
    const sizes = { lr: 1e-2, lrDecay: 0, weightDecay: 0, initialAccumulatorValue: 0, eps: 1e-10 };
    super(params, { ...sizes, maximize: false }, options);
  }

  /** The states start here and not at the first step, as in PyTorch's files. */
  override addParamGroup(given: GivenGroup<AdagradOptions>): void {
    super.addParamGroup(given);
    const group = this.paramGroups[this.paramGroups.length - 1];
    for (const param of group.params) this.sum(this.stateOf(param), param);
  }

  protected override check(options: AdagradOptions): void {
    const bounds = { lr: POSITIVE, lrDecay: POSITIVE, weightDecay: POSITIVE, eps: POSITIVE };
    checkRange('Adagrad', options, { ...bounds, initialAccumulatorValue: POSITIVE });
  }

  protected prepare(needs: Needs, state: Stepped, param: Tensor, group: AdagradOptions): void {
    const { lr, lrDecay } = group;
    needs.states[0] = this.sum(state, param);
    needs.a = lr / (1 + (state.step - 1) * lrDecay);
  }

  private sum(state: Stepped, param: Tensor): Tensor {
    return slot(state, 'sum', param, this.defaults.initialAccumulatorValue);
  }
}

export interface AdadeltaOptions {
  /** Default 1. */
  lr: number;
  /** Default 0.9. */
  rho: number;
  /** Default 1e-6. */
  eps: number;
  /** Default 0. */
  weightDecay: number;
  /** Default false. */
  maximize: boolean;
}

/** Steps sized by the ratio of past steps to past gradients. Zeiler, 2012. */
export class Adadelta extends FusedOptimizer<AdadeltaOptions, 'adadeltaStep'> {
  protected readonly kernel = 'adadeltaStep';
  protected readonly slots = ['square_avg', 'acc_delta'];

  constructor(params: Params<AdadeltaOptions>, options?: Given<AdadeltaOptions> | number) {
    super(params, { lr: 1, rho: 0.9, eps: 1e-6, weightDecay: 0, maximize: false }, options);
  }

  protected override check(options: AdadeltaOptions): void {
    const bounds = { lr: POSITIVE, eps: POSITIVE, weightDecay: POSITIVE };
    checkRange('Adadelta', options, { ...bounds, rho: POSITIVE });
    if (options.rho > 1) throw new ValueError(`Adadelta: rho is at most 1, got ${options.rho}`);
  }

  protected override get boxed(): readonly string[] {
    return [];
  }

  protected prepare({ states }: Needs, state: Stepped, param: Tensor): void {
    states[0] = slot(state, 'square_avg', param);
    states[1] = slot(state, 'acc_delta', param);
  }
}

export interface RpropOptions {
  /** First step size. Default 0.01. */
  lr: number;
  /** Factors for a changed and a kept sign. Default [0.5, 1.2]. */
  etas: readonly [number, number];
  /** Least and largest step. Default [1e-6, 50]. */
  stepSizes: readonly [number, number];
  /** Default false. */
  maximize: boolean;
}

/** Options of the step under way. */
const rprop = { etaMinus: 0.5, etaPlus: 0.5, least: 0.5, most: 0.5, maximize: false };

/** Steps by the sign of the gradient, grown while it stays and shrunk when it turns. */
export class Rprop extends FusedOptimizer<RpropOptions, 'rpropStep'> {
  protected readonly kernel = 'rpropStep';
  protected readonly slots = ['prev', 'step_size'];

  constructor(params: Params<RpropOptions>, options?: Given<RpropOptions> | number) {
    super(params, { lr: 1e-2, etas: [0.5, 1.2], stepSizes: [1e-6, 50], maximize: false }, options);
  }

  protected override check(options: RpropOptions): void {
    checkRange('Rprop', options, { lr: POSITIVE });
    const [minus, plus] = options.etas;
    if (0 < minus && minus < 1 && 1 < plus) return;
    throw new ValueError(`Rprop: etas are in (0, 1) and above 1, got [${minus}, ${plus}]`);
  }

  protected override options({ etas, stepSizes, maximize }: RpropOptions) {
    rprop.etaMinus = etas[0];
    rprop.etaPlus = etas[1];
    rprop.least = stepSizes[0];
    rprop.most = stepSizes[1];
    rprop.maximize = maximize;
    return rprop;
  }

  protected override get boxed(): readonly string[] {
    return [];
  }

  protected prepare({ states }: Needs, state: Stepped, param: Tensor, { lr }: RpropOptions): void {
    states[0] = slot(state, 'prev', param);
    states[1] = slot(state, 'step_size', param, lr);
  }
}

export interface ASGDOptions {
  /** Default 0.01. */
  lr: number;
  /** Default 1e-4. */
  lambd: number;
  /** Power of the decay. Default 0.75. */
  alpha: number;
  /** Step at which averaging starts. Default 1e6. */
  t0: number;
  /** Default 0. */
  weightDecay: number;
  /** Default false. */
  maximize: boolean;
}

/** Gradient descent with a running average of the parameters in `ax`. Polyak and Juditsky, 1992. */
export class ASGD extends FusedOptimizer<ASGDOptions, 'asgdStep'> {
  protected readonly kernel = 'asgdStep';
  protected readonly slots = ['ax'];

  constructor(params: Params<ASGDOptions>, options?: Given<ASGDOptions> | number) {
    const sizes = { lr: 1e-2, lambd: 1e-4, alpha: 0.75, t0: 1e6, weightDecay: 0 };
    super(params, { ...sizes, maximize: false }, options);
  }

  protected override check(options: ASGDOptions): void {
    checkRange('ASGD', options, { lr: POSITIVE, weightDecay: POSITIVE });
  }

  protected override get numbers(): readonly string[] {
    return ['step', 'eta', 'mu'];
  }

  protected prepare(needs: Needs, state: Stepped, param: Tensor, group: ASGDOptions): void {
    const { lr, lambd, alpha, t0 } = group;
    const t = state.step;
    // PyTorch keeps both in float32, whatever the parameter is.
    const { fround } = Math;
    needs.states[0] = slot(state, 'ax', param);
    needs.a = (state.eta as number | undefined) ?? fround(lr);
    needs.b = (state.mu as number | undefined) ?? 1;
    state.eta = fround(lr / (1 + lambd * lr * t) ** alpha);
    state.mu = fround(1 / Math.max(1, t - t0));
  }
}
