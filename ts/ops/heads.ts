/** How the heads of an attention see projections. */

import { isGradEnabled } from '../autograd/mode.js';
import { Geometry, sameShape } from '../core/layout.js';
import { Tensor } from '../tensor.js';
import { cat } from './joining.js';
import { recordParts } from './linear_node.js';

/**
 * The `parts` tensors [N, heads, L, E] that lie side by side in a projection [L, N, parts * heads *
 * E], or [N, L, ...] if `batchFirst`: views of one node. Their gradients, which fused attention
 * leaves side by side, are seen as one; others are joined in one copy.
 */
export function headsOf(
  projection: Tensor,
  parts: number,
  heads: number,
  batchFirst: boolean,
): Tensor[] {
  const x = projection.contiguous();
  const whole = x.geometry;
  const [outer, inner, wide] = x.shape;
  const width = wide / parts;
  const size = width / heads;
  const [far, near] = [inner * wide, wide];
  const shape = batchFirst ? [outer, heads, inner, size] : [inner, heads, outer, size];
  const strides = batchFirst ? [far, size, near, 1] : [near, size, far, 1];
  const geometry = new Geometry(shape, strides);
  const views = Array.from({ length: parts }, (_, i) => {
    return new Tensor(x.storage_, geometry, x.offset + i * width, x.dtype);
  });
  return recordParts('SplitBackward0', x, views, (grads) => {
    const [{ storage_, offset, dtype }] = grads;
    const beside = (g: Tensor, i: number) =>
      g.storage_ === storage_ && g.offset === offset + i * width && sameShape(g.strides, strides);
    if (!isGradEnabled() && grads.every(beside)) {
      return new Tensor(storage_, whole, offset, dtype);
    }
    const flat = grads.map((g) => {
      return (batchFirst ? g.transpose(1, 2) : g.permute(2, 0, 1, 3)).reshape(outer, inner, width);
    });
    return parts === 1 ? flat[0] : cat(flat, -1);
  });
}
