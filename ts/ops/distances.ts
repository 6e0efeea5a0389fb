/** Similarities, distances and bilinear forms. */

import { DtypeError, ShapeError, showShape } from '../core/errors.js';
import { broadcastShapes, normalizeDim, numelOf } from '../core/layout.js';
import { scope } from '../core/memory.js';
import type { Tensor } from '../tensor.js';
import { elementwise } from './elementwise.js';
import { op } from './signature.js';

/** From so many points on, Euclidean distances come from one matrix product, as in PyTorch. */
const PRODUCT_FROM = 25;

export type CdistMode =
  | 'use_mm_for_euclid_dist_if_necessary'
  | 'use_mm_for_euclid_dist'
  | 'donot_use_mm_for_euclid_dist';

/**
 * The p-norm distance of each of P points to each of R: [..., P, M] and [..., R, M] give
 * [..., P, R].
 */
export const cdist = op(
  'cdist',
  'x1, x2, p, computeMode',
  (
    x1: Tensor,
    x2: Tensor,
    p = 2,
    computeMode: CdistMode | null = 'use_mm_for_euclid_dist_if_necessary',
  ): Tensor => {
    const given = `got ${showShape(x1.shape)} and ${showShape(x2.shape)}`;
    if (x1.ndim < 2 || x2.ndim < 2 || x1.shape.at(-1) !== x2.shape.at(-1)) {
      throw new ShapeError(`cdist: expected [..., P, M] and [..., R, M] with one M, ${given}`);
    }
    if (!x1.dtype.isFloatingPoint || !x2.dtype.isFloatingPoint) {
      throw new DtypeError(
        `cdist: defined for floating point tensors; cast with float(), ${given}`,
      );
    }
    if (!(p >= 0)) throw new DtypeError(`cdist: p is a number >= 0, got ${p}`);
    const many = x1.shape[x1.ndim - 2] > PRODUCT_FROM || x2.shape[x2.ndim - 2] > PRODUCT_FROM;
    if (p === 2 && many && computeMode !== 'donot_use_mm_for_euclid_dist') {
      return scope(() => euclideanByProduct(x1, x2));
    }
    return scope(() => x1.unsqueeze(-2).sub(x2.unsqueeze(-3)).norm(p, -1));
  },
);

/** sqrt(|a|^2 + |b|^2 - 2ab); where that is 0 the gradient is 0. */
function euclideanByProduct(x1: Tensor, x2: Tensor): Tensor {
  const a = x1.square().sum(-1, true);
  const b = x2.square().sum(-1).unsqueeze(-2);
  const squares = a.add(b).sub(x1.matmul(x2.transpose(-2, -1)), 2);
  const none = squares.le(0);
  return elementwise.sqrt(squares.maskedFill(none, 1)).maskedFill(none, 0);
}

/** Cosine of the angle between vectors along `dim`; lengths count as at least `eps`. */
export const cosineSimilarity = op(
  'cosineSimilarity',
  'x1, x2, dim, eps',
  (x1: Tensor, x2: Tensor, dim = 1, eps = 1e-8): Tensor => {
    const shape = broadcastShapes(x1.shape, x2.shape, 'cosineSimilarity');
    const d = normalizeDim(dim, shape.length, 'cosineSimilarity');
    const unit = (x: Tensor): Tensor => {
      const wide = x.expand(shape);
      const length = wide.norm(2, d, true);
      // The bound is no part of the gradient.
      const raise = length.detach().clampMin(eps).sub(length.detach());
      return wide.div(length.add(raise));
    };
    return scope(() => elementwise.mul(unit(x1), unit(x2)).sum(d));
  },
);

/** x1 W_o x2 + bias_o for every o: [..., M], [..., N] and a weight [O, M, N] give [..., O]. */
export const bilinear = op(
  'bilinear',
  'input1, input2, weight, bias',
  (input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor => {
    const [o, m, n] = weight.shape;
    const lead = input1.shape.slice(0, -1);
    const leads = lead.join() === input2.shape.slice(0, -1).join();
    const fits = input1.shape.at(-1) === m && input2.shape.at(-1) === n;
    if (weight.ndim !== 3 || !leads || !fits) {
      throw new ShapeError(
        'bilinear: expected inputs [..., M] and [..., N] and a weight [O, M, N], got ' +
          [input1, input2, weight].map((x) => showShape(x.shape)).join(', '),
      );
    }
    const rows = numelOf(lead);
    const flat = weight.permute(1, 0, 2).reshape(m, o * n);
    const half = input1.reshape(rows, m).mm(flat).reshape(rows, o, n);
    const result = half.bmm(input2.reshape(rows, n, 1)).reshape([...lead, o]);
    return bias === null ? result : result.add(bias);
  },
);
