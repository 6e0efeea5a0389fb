/** The memory of gradients: whose it is, and how it becomes a leaf's `grad`. */

import { sameShape } from '../core/layout.js';
import { stridesLike, type Tensor } from '../tensor.js';
import type { Grads } from './node.js';

/** A kept part keeps all of its memory, which may be so many times as much. */
const MOST_AROUND = 16;

/**
 * The gradient itself where nobody else holds its memory, or the part that it is of it (and it lies
 * as that of `leaf` is to), else a copy. Takes the handle.
 */
export function own(value: Tensor, leaf?: Tensor, part = false): Tensor {
  const { storage_ } = value;
  const alone =
    storage_.references === 1 ||
    (part && storage_.bytes <= MOST_AROUND * value.numel() * value.dtype.size);
  if (alone && (leaf === undefined || liesLike(value, leaf))) return value;
  const copy = leaf === undefined ? value.clone() : copyLike(value, leaf);
  value.dispose();
  return copy;
}

/** Whether a gradient lies in memory as the leaf does: row-major, or in its order of dimensions. */
function liesLike(value: Tensor, leaf: Tensor): boolean {
  const strides = stridesLike(leaf);
  return strides === undefined ? value.isContiguous() : sameShape(value.strides, strides);
}

function copyLike(value: Tensor, leaf: Tensor): Tensor {
  if (leaf.isContiguous()) return value.clone('contiguousFormat');
  return leaf.emptyLike().copy_(value);
}

/** Adds a gradient into `grad`, memory of its own that lies as the leaf. Takes the handle. */
export function addToGrad(leaf: Tensor, value: Tensor, createGraph: boolean, part = false): void {
  const meta = leaf.autograd();
  const before = meta.grad;
  if (createGraph) {
    // A gradient with a graph is part of it.
    meta.gradSeen = true;
    meta.grad = (before === undefined ? copyLike(value, leaf) : before.add(value)).keep();
  } else if (before !== undefined) {
    before.add_(value);
    value.dispose();
  } else {
    meta.gradSeen = false;
    meta.grad = own(value, leaf, part).keep();
  }
}

/** Whether what gradients show of the memory of `whole` does not overlap: one behind the other. */
export function areApart(grads: Grads, whole: Tensor): boolean {
  let end = 0;
  for (let i = 0; i < grads.length; i++) {
    const grad = grads[i];
    if (grad?.storage_ !== whole.storage_ || grad.numel() === 0) continue;
    if (grad.offset < end) return false;
    end = grad.offset + 1;
    for (let d = 0; d < grad.ndim; d++) end += (grad.shape[d] - 1) * grad.strides[d];
  }
  return true;
}
