/** Operations that only move or scale elements: their gradient is one other such operation. */

import { isGradEnabled } from '../autograd/mode.js';
import { type Grads, Node, setHistory } from '../autograd/node.js';
import type { Tensor } from '../tensor.js';

/** The gradient of one input from that of the output. */
export type Pullback = (g: Tensor) => Tensor;

class LinearBackward extends Node {
  constructor(
    name: string,
    inputs: readonly (Tensor | undefined)[],
    private readonly pullbacks: readonly Pullback[],
  ) {
    super(name, 1);
    for (const input of inputs) this.connect(input);
  }

  run([g]: Grads): Grads {
    if (g === undefined) return [];
    return this.pullbacks.map((pullback, i) => (this.needs(i) ? pullback(g) : undefined));
  }
}

/**
 * Records `result` as computed from `inputs` by an operation called `name`; one differentiable
 * pullback per input. Returns the result.
 */
export function recordLinear(
  name: string,
  inputs: readonly (Tensor | undefined)[],
  result: Tensor,
  ...pullbacks: Pullback[]
): Tensor {
  if (!isGradEnabled() || !result.dtype.isFloatingPoint) return result;
  if (inputs.some((input) => input?.requiresGrad)) {
    setHistory(result, new LinearBackward(name, inputs, pullbacks), 0);
  }
  return result;
}
