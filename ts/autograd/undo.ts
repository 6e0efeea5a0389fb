/** Undoing, in a gradient, what was done to an input: its broadcasting and its cast. */

import type { Dtype } from '../core/dtype.js';
import { type Shape, sameShape } from '../core/layout.js';
import type { Tensor } from '../tensor.js';

/** Sums a gradient down to the shape it was broadcast from, and casts it to the input's dtype. */
export function sumToShape(grad: Tensor, shape: Shape, dtype: Dtype): Tensor {
  let result = grad;
  if (!sameShape(grad.shape, shape)) {
    const lead = grad.shape.length - shape.length;
    const dims: number[] = [];
    for (let i = 0; i < grad.shape.length; i++) {
      if (i < lead || (shape[i - lead] === 1 && grad.shape[i] !== 1)) dims.push(i);
    }
    if (dims.length > 0) result = result.sum(dims, true);
    if (lead > 0) result = result.reshape(shape);
  }
  return result.dtype === dtype ? result : result.to(dtype);
}
