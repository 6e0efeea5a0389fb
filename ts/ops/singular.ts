/** What is computed from singular values: helpers of the public functions. */

import { DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { normalizeDims, numelOf } from '../core/layout.js';
import type { Tensor } from '../tensor.js';
import { applyCanonical } from './canonical.js';
import { svdShapes } from './primitives/svd.js';
import { reducedShape } from './reduce_dims.js';

export interface Svd {
  readonly U: Tensor;
  readonly S: Tensor;
  readonly Vh: Tensor;
}

/** The decomposition of matrices [..., M, N]; K = min(M, N) vectors, or all if `full`. */
export function decompose(name: string, A: Tensor, full: boolean): Svd {
  const { shape, dtype } = A;
  if (shape.length < 2 || !dtype.isFloatingPoint) {
    const given = `got ${dtype} ${showShape(shape)}`;
    if (shape.length < 2) throw new ShapeError(`${name}: expected matrices [..., M, N], ${given}`);
    throw new DtypeError(`${name}: defined for floating point matrices, ${given}; use float()`);
  }
  const forms = [{ shape: [numelOf(shape.slice(0, -2)), ...shape.slice(-2)] }];
  const [U, S, Vh] = applyCanonical('svd', [A], forms, svdShapes(shape, full), { full });
  return { U, S, Vh };
}

/** The singular values [..., min(M, N)] alone. */
export function singularValues(name: string, A: Tensor): Tensor {
  const { U, S, Vh } = decompose(name, A, false);
  U.dispose();
  Vh.dispose();
  return S;
}

export type MatrixNorm = number | 'fro' | 'nuc';

/** The norm of the matrices in two dimensions. */
export function matrixNorm(
  name: string,
  A: Tensor,
  ord: MatrixNorm,
  dim: readonly number[],
  keepdim: boolean,
): Tensor {
  const dims = normalizeDims(dim, A.ndim, name);
  if (dims.length !== 2) {
    throw new ShapeError(
      `${name}: this norm is of matrices, given by two dims; got dims [${dim.join(', ')}] of ` +
        `${showShape(A.shape)}`,
    );
  }
  if (ord === 'fro') return A.norm(2, dims, keepdim);
  const shape = reducedShape(A.shape, dims, keepdim);
  const extreme = (x: Tensor, d: number) =>
    (ord as number) < 0 ? x.amin(d, true) : x.amax(d, true);
  const size = Math.abs(ord as number);
  if (ord === 'nuc' || size === 2) {
    const S = singularValues(name, A.movedim(dims, [-2, -1]));
    return (ord === 'nuc' ? S.sum(-1) : extreme(S, -1)).reshape(shape);
  }
  if (size !== 1 && size !== Number.POSITIVE_INFINITY) {
    throw new ValueError(
      `${name}: ord is 1, -1, 2, -2, Infinity, -Infinity, 'fro' or 'nuc', got ${ord}`,
    );
  }
  const [along, over] = size === 1 ? dims : [dims[1], dims[0]];
  return extreme(A.abs().sum(along, true), over).reshape(shape);
}
