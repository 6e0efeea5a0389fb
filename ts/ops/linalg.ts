/** torch.linalg: linear algebra under NumPy's names. */

import type { Dtype } from '../core/dtype.js';
import type { Tensor } from '../tensor.js';
import type { Dims } from './reduce_dims.js';
import { norm as anyNorm } from './reductions.js';
import { op } from './signature.js';
import {
  decompose,
  type MatrixNorm,
  matrixNorm as normOf,
  type Svd,
  singularValues,
} from './singular.js';

/**
 * Singular value decomposition A = U diag(S) Vh of matrices [..., M, N]: U [..., M, M], S
 * [..., min(M, N)] descending, Vh [..., N, N]. Unless `fullMatrices`, min(M, N) columns of U and
 * rows of Vh. Matrices that hold NaN or infinity are a ValueError. Vectors of equal singular
 * values, and the signs of all, are not unique; nor is then their gradient.
 */
export const svd = op(
  'linalg.svd',
  'A, fullMatrices',
  (A: Tensor, fullMatrices = true): Svd => decompose('linalg.svd', A, fullMatrices),
);

/** The singular values [..., min(M, N)] of matrices [..., M, N], descending. */
export const svdvals = op(
  'linalg.svdvals',
  'A',
  (A: Tensor): Tensor => singularValues('linalg.svdvals', A),
);

/**
 * The norm of the matrices in the dimensions `dim` = [rows, columns]: 'fro' sqrt(sum A^2), 'nuc'
 * the sum of the singular values, 2 and -2 the largest and the smallest of these, 1 and -1 the
 * largest and the smallest sum |A| of a column, Infinity and -Infinity of a row.
 */
export const matrixNorm = op(
  'linalg.matrixNorm',
  'A, ord, dim, keepdim, dtype',
  (
    A: Tensor,
    ord: MatrixNorm = 'fro',
    dim: readonly number[] = [-2, -1],
    keepdim = false,
    dtype: Dtype | null = null,
  ): Tensor => normOf('linalg.matrixNorm', dtype ? A.to(dtype) : A, ord, dim, keepdim),
);

/** The `ord`-norm of the elements over `dim` (default all), as torch.norm. */
export const vectorNorm = op(
  'linalg.vectorNorm',
  'x, ord, dim, keepdim, dtype',
  (x: Tensor, ord = 2, dim?: Dims, keepdim = false, dtype?: Dtype | null): Tensor =>
    anyNorm(x, ord, dim, keepdim, dtype),
);

/**
 * The matrix norm `ord` over two dims, the vector norm over one; without `ord` the square root of
 * the sum of squares over all of them. `dim` are by default all dims of A.
 */
export const norm = op(
  'linalg.norm',
  'A, ord, dim, keepdim, dtype',
  (
    A: Tensor,
    ord: MatrixNorm | null = null,
    dim: Dims = null,
    keepdim = false,
    dtype: Dtype | null = null,
  ): Tensor => {
    const dims = typeof dim === 'number' ? [dim] : (dim ?? [...A.shape.keys()]);
    if (ord !== null && (dims.length !== 1 || typeof ord !== 'number')) {
      return normOf('linalg.norm', dtype ? A.to(dtype) : A, ord, dims, keepdim);
    }
    return anyNorm(A, ord, dim, keepdim, dtype);
  },
);
