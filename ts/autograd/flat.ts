/**
 * Gradients that depend on an input by a slope of 0. In PyTorch their functions take the input, so
 * that a program may differentiate them again without knowing that nothing comes of it.
 */

import type { Dtype } from '../core/dtype.js';
import type { Shape } from '../core/layout.js';
import { emptyTensor, type Tensor } from '../tensor.js';
import { isGradEnabled } from './mode.js';
import { type Grads, Node, setHistory } from './node.js';

/** Passes on what reaches a gradient, and gives zeros to the input. */
class FlatBackward extends Node {
  private readonly shape: Shape;
  private readonly dtype: Dtype;

  constructor(grad: Tensor, { next, nextIndex }: Node, input: number) {
    super('FlatBackward0', 1, 2);
    this.connect(grad, 0);
    this.lead(1, next[input]);
    this.nextIndex = [this.nextIndex?.[0] ?? 0, nextIndex?.[input] ?? 0];
    this.shape = grad.shape;
    this.dtype = grad.dtype;
  }

  run([g]: Grads): Grads {
    if (g === undefined || !this.needs(1)) return [g];
    return [g, emptyTensor([], this.dtype, g.backend).fill_(0).expand(this.shape)];
  }
}

/** The gradient that a node gives its input, as one that depends on the input. */
export function flatIn(grad: Tensor, node: Node, input: number): Tensor {
  if (!isGradEnabled() || !node.needs(input)) return grad;
  const result = grad.bare();
  setHistory(result, new FlatBackward(grad, node, input), 0);
  return result;
}

class StepsBackward extends Node {
  constructor(input: Tensor) {
    super('AliasBackward0', 1, 1);
    this.connect(input, 0);
  }

  run([g]: Grads): Grads {
    return [g === undefined ? g : flatIn(g, this, 0)];
  }
}

/** The input of a composite whose slope is constant but for steps. */
export function flat(input: Tensor): Tensor {
  if (!isGradEnabled() || !input.requiresGrad) return input;
  const result = input.bare();
  setHistory(result, new StepsBackward(input), 0);
  return result;
}
