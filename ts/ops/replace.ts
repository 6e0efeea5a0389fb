/** A tensor with the elements that a view shows replaced, as a new tensor. */

import { noGrad } from '../autograd/mode.js';
import { ShapeError, showShape } from '../core/errors.js';
import { sameShape } from '../core/layout.js';
import type { Tensor } from '../tensor.js';
import { contiguousCopy, copyInto } from './launch.js';
import { recordLinear } from './linear_node.js';

/** `input` with `src` in place of the elements of `toView(input)`; `toView` only makes views. */
export function viewScatter(
  input: Tensor,
  src: Tensor,
  toView: (x: Tensor) => Tensor,
  name = 'viewScatter',
): Tensor {
  const shape = noGrad(() => toView(input).shape);
  if (!sameShape(shape, src.shape)) {
    throw new ShapeError(
      `${name}: expected values of shape ${showShape(shape)}, got ${showShape(src.shape)}`,
    );
  }
  const result = contiguousCopy(input);
  noGrad(() => copyInto(toView(result), src));
  const node = `${name[0].toUpperCase()}${name.slice(1)}Backward0`;
  return recordLinear(
    node,
    [input, src],
    result,
    (g) => viewScatter(g, g.newZeros(shape), toView, name),
    (g) => toView(g).to(src.dtype),
  );
}
