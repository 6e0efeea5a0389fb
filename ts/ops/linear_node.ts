/** Operations that only move or scale elements: their gradient is one other such operation. */

import { isGradEnabled } from '../autograd/mode.js';
import { type Grads, Node, setHistory } from '../autograd/node.js';
import type { Shape } from '../core/layout.js';
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

/** As PyTorch prints the node of an operation such as 'lt_': `LtBackward0`. */
export function inPlaceNode(op: string): string {
  return op === 'copy_' ? 'CopyBackwards' : `${op[0].toUpperCase()}${op.slice(1, -1)}Backward0`;
}

/** A node of several outputs that together are its one input, cut up. */
class PartsBackward extends Node {
  private readonly shapes: readonly Shape[];

  constructor(
    name: string,
    input: Tensor,
    parts: readonly Tensor[],
    private readonly join: (grads: readonly Tensor[]) => Tensor,
  ) {
    super(name, parts.length);
    this.connect(input);
    this.shapes = parts.map((part) => part.shape);
  }

  run(grads: Grads): Grads {
    const some = grads.find((grad) => grad !== undefined);
    if (some === undefined) return [];
    return [this.join(grads.map((grad, i) => grad ?? some.newZeros(this.shapes[i])))];
  }
}

/** Gives views that cover `input` one node, so that their gradients are joined in one copy. */
export function recordParts(
  name: string,
  input: Tensor,
  parts: Tensor[],
  join: (grads: readonly Tensor[]) => Tensor,
): Tensor[] {
  if (parts.length > 0 && isGradEnabled() && input.requiresGrad) {
    const node = new PartsBackward(name, input, parts, join);
    parts.forEach((part, i) => {
      setHistory(part, node, i);
    });
  }
  return parts;
}
