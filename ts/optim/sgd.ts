/** Stochastic gradient descent. */

import { ValueError } from '../core/errors.js';
import type { Tensor } from '../tensor.js';
import { FusedOptimizer, type Needs, slot } from './fused.js';
import { checkRange, type Given, type ParamState, type Params, POSITIVE } from './optimizer.js';

export interface SGDOptions {
  /** Learning rate; has no default. */
  lr: number;
  /** Default 0. */
  momentum: number;
  /** Default 0. */
  dampening: number;
  /** Default 0. */
  weightDecay: number;
  /** Default false. */
  nesterov: boolean;
  /** Climb instead of descend. Default false. */
  maximize: boolean;
}

/**
 * b = momentum b + (1 - dampening) (g + weightDecay p); p -= lr b, with Nesterov's look-ahead
 * p -= lr (g + momentum b). The buffer starts as the first gradient.
 */
export class SGD extends FusedOptimizer<SGDOptions, 'sgdStep'> {
  protected readonly kernel = 'sgdStep';
  protected readonly slots = ['momentum_buffer'];

  constructor(params: Params<SGDOptions>, options: (Given<SGDOptions> & { lr: number }) | number);
  constructor(groups: Iterable<{ params: Iterable<Tensor> | Tensor; lr: number }>);
  constructor(params: Params<SGDOptions>, options?: Given<SGDOptions> | number) {
    const defaults = {
      lr: Number.NaN,
      momentum: 0,
      dampening: 0,
      weightDecay: 0,
      nesterov: false,
      maximize: false,
    };
    super(params, defaults, options);
  }

  protected override check(options: SGDOptions): void {
    if (Number.isNaN(options.lr)) {
      throw new ValueError('SGD: lr has no default; give { lr: 0.1 } or another learning rate');
    }
    checkRange('SGD', options, { lr: POSITIVE, momentum: POSITIVE, weightDecay: POSITIVE });
    if (options.nesterov && (options.momentum <= 0 || options.dampening !== 0)) {
      throw new ValueError('SGD: nesterov needs a momentum above 0 and a dampening of 0');
    }
  }

  protected override get boxed(): readonly string[] {
    return [];
  }

  protected override packed({ step: _step, ...state }: ParamState): Record<string, unknown> {
    return { momentum_buffer: null, ...state };
  }

  protected prepare(
    needs: Needs,
    state: ParamState,
    param: Tensor,
    { momentum }: SGDOptions,
  ): void {
    if (momentum === 0) return;
    needs.a = 'momentum_buffer' in state ? 0 : 1;
    needs.states[0] = slot(state, 'momentum_buffer', param);
  }
}
