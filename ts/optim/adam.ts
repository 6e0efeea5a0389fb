/** The Adam family. */

import type { Tensor } from '../tensor.js';
import { FusedOptimizer, type Needs, slot } from './fused.js';
import { checkRange, type Given, type ParamState, type Params, POSITIVE } from './optimizer.js';

type Stepped = ParamState & { step: number };

const BOUNDS = {
  lr: POSITIVE,
  betas: [0, 1],
  eps: POSITIVE,
  weightDecay: POSITIVE,
} as const;

export interface AdamOptions {
  /** Learning rate. Default 0.001. */
  lr: number;
  /** Decay of the averages of gradient and squared gradient. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** Default 0 (Adam), 0.01 (AdamW). */
  weightDecay: number;
  /** Divide by the largest average so far. Default false. */
  amsgrad: boolean;
  /** Climb instead of descend. Default false. */
  maximize: boolean;
}

const ADAM: AdamOptions = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  amsgrad: false,
  maximize: false,
};

/** Options of the step under way. */
const given = {
  lr: 0.5,
  beta1: 0.5,
  beta2: 0.5,
  eps: 0.5,
  weightDecay: 0.5,
  maximize: false,
  amsgrad: false,
  decoupled: false,
};

type Betas = Omit<AdamOptions, 'amsgrad'>;

function withBetas({ lr, betas, eps, weightDecay, maximize }: Betas): typeof given {
  given.lr = lr;
  given.beta1 = betas[0];
  given.beta2 = betas[1];
  given.eps = eps;
  given.weightDecay = weightDecay;
  given.maximize = maximize;
  return given;
}

/** The averages of gradient and squared gradient. */
function averages({ states }: Needs, state: Stepped, param: Tensor): void {
  states[0] = slot(state, 'exp_avg', param);
  states[1] = slot(state, 'exp_avg_sq', param);
}

abstract class AdamBase extends FusedOptimizer<AdamOptions, 'adamStep'> {
  protected readonly kernel = 'adamStep';
  protected readonly slots = ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'];
  protected override check(options: AdamOptions): void {
    checkRange(this.constructor.name, options, BOUNDS);
  }

  protected override options(group: AdamOptions) {
    given.amsgrad = group.amsgrad;
    given.decoupled = this.decoupled;
    return withBetas(group);
  }

  protected prepare(needs: Needs, state: Stepped, param: Tensor, group: AdamOptions): void {
    const { lr, betas, amsgrad } = group;
    averages(needs, state, param);
    if (amsgrad) needs.states[2] = slot(state, 'max_exp_avg_sq', param);
    needs.a = lr / (1 - betas[0] ** state.step);
    needs.b = Math.sqrt(1 - betas[1] ** state.step);
  }
}

/**
 * m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
 * p -= lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps). Kingma and Ba, 2014.
 */
export class Adam extends AdamBase {
  constructor(params: Params<AdamOptions>, options?: Given<AdamOptions> | number) {
    super(params, { ...ADAM }, options);
  }
}

/**
 * Adam with weight decay apart from the gradient: p *= 1 - lr weightDecay. Loshchilov, Hutter 2017.
 */
export class AdamW extends AdamBase {
  protected override get decoupled(): boolean {
    return true;
  }

  constructor(params: Params<AdamOptions>, options?: Given<AdamOptions> | number) {
    super(params, { ...ADAM, weightDecay: 0.01 }, options);
  }
}

export interface AdamaxOptions {
  /** Default 0.002. */
  lr: number;
  /** Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Default 1e-8. */
  eps: number;
  /** Default 0. */
  weightDecay: number;
  /** Default false. */
  maximize: boolean;
}

/** Adam by the largest gradient: u = max(beta2 u, |g| + eps); p -= lr / (1 - beta1^t) m / u. */
export class Adamax extends FusedOptimizer<AdamaxOptions, 'adamaxStep'> {
  protected readonly kernel = 'adamaxStep';
  protected readonly slots = ['exp_avg', 'exp_inf'];

  constructor(params: Params<AdamaxOptions>, options?: Given<AdamaxOptions> | number) {
    const defaults = { lr: 2e-3, eps: 1e-8, weightDecay: 0, maximize: false };
    super(params, { ...defaults, betas: [0.9, 0.999] }, options);
  }

  protected override check(options: AdamaxOptions): void {
    checkRange('Adamax', options, BOUNDS);
  }

  protected override options(group: AdamaxOptions) {
    return withBetas(group);
  }

  protected prepare(needs: Needs, state: Stepped, param: Tensor, group: AdamaxOptions): void {
    needs.states[0] = slot(state, 'exp_avg', param);
    needs.states[1] = slot(state, 'exp_inf', param);
    needs.a = group.lr / (1 - group.betas[0] ** state.step);
  }
}

export interface NAdamOptions {
  /** Default 0.002. */
  lr: number;
  /** Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Default 1e-8. */
  eps: number;
  /** Default 0. */
  weightDecay: number;
  /** Decay of the momentum schedule. Default 0.004. */
  momentumDecay: number;
  /** Climb instead of descend. Default false. */
  maximize: boolean;
}

/** Adam with Nesterov momentum, mu_t = beta1 (1 - 0.96^(t momentumDecay) / 2). Dozat, 2016. */
export class NAdam extends FusedOptimizer<NAdamOptions, 'nadamStep'> {
  protected readonly kernel = 'nadamStep';
  protected readonly slots = ['exp_avg', 'exp_avg_sq'];

  constructor(params: Params<NAdamOptions>, options?: Given<NAdamOptions> | number) {
    const sizes = { lr: 2e-3, eps: 1e-8, weightDecay: 0, momentumDecay: 4e-3 };
    super(params, { ...sizes, betas: [0.9, 0.999], maximize: false }, options);
  }

  protected override check(options: NAdamOptions): void {
    checkRange('NAdam', options, { ...BOUNDS, momentumDecay: POSITIVE });
  }

  protected override options(group: NAdamOptions) {
    return withBetas(group);
  }

  protected override get numbers(): readonly string[] {
    return ['step', 'mu_product'];
  }

  protected prepare(needs: Needs, state: Stepped, param: Tensor, group: NAdamOptions): void {
    const { lr, betas, momentumDecay } = group;
    const t = state.step;
    const mu = betas[0] * (1 - 0.5 * 0.96 ** (t * momentumDecay));
    const next = betas[0] * (1 - 0.5 * 0.96 ** ((t + 1) * momentumDecay));
    // PyTorch keeps the product in float32, whatever the parameter is.
    const { fround } = Math;
    const product = fround(((state.mu_product as number | undefined) ?? 1) * fround(mu));
    state.mu_product = product;
    averages(needs, state, param);
    needs.a = (lr * (1 - mu)) / (1 - product);
    // PyTorch 1.13 has mu in the second product twice; its numbers are followed.
    needs.b = (lr * next) / (1 - fround(fround(product * fround(mu)) * fround(next)));
    needs.c = 1 - betas[1] ** t;
  }
}

export interface RAdamOptions {
  /** Default 0.001. */
  lr: number;
  /** Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Default 1e-8. */
  eps: number;
  /** Default 0. */
  weightDecay: number;
  /** Climb instead of descend. Default false. */
  maximize: boolean;
}

/** Adam with rectified variance: plain momentum until enough steps were seen. Liu et al., 2019. */
export class RAdam extends FusedOptimizer<RAdamOptions, 'radamStep'> {
  protected readonly kernel = 'radamStep';
  protected readonly slots = ['exp_avg', 'exp_avg_sq'];

  constructor(params: Params<RAdamOptions>, options?: Given<RAdamOptions> | number) {
    const sizes = { lr: 1e-3, eps: 1e-8, weightDecay: 0 };
    super(params, { ...sizes, betas: [0.9, 0.999], maximize: false }, options);
  }

  protected override check(options: RAdamOptions): void {
    checkRange('RAdam', options, BOUNDS);
  }

  protected override options(group: RAdamOptions) {
    return withBetas(group);
  }

  protected prepare(needs: Needs, state: Stepped, param: Tensor, { betas }: RAdamOptions): void {
    const t = state.step;
    const correction2 = 1 - betas[1] ** t;
    const longest = 2 / (1 - betas[1]) - 1;
    const length = longest - (2 * t * betas[1] ** t) / correction2;
    let b = 0;
    if (length > 5) {
      const above = (length - 4) * (length - 2) * longest;
      const below = (longest - 4) * (longest - 2) * length;
      b = Math.sqrt(above / below) * Math.sqrt(correction2);
    }
    averages(needs, state, param);
    needs.a = 1 - betas[0] ** t;
    needs.b = b;
  }
}
