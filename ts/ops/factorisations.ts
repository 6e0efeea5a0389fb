/** Factorisations of matrices under their names in `torch`. */

import type { Tensor } from '../tensor.js';
import { op } from './signature.js';
import { decompose } from './singular.js';

/**
 * Singular value decomposition of matrices [..., M, N] as U diag(S) V^T, with K = min(M, N): U
 * [..., M, K], S [..., K] descending, V [..., N, K]. Without `some`, U is [..., M, M] and V
 * [..., N, N]; without `computeUv` these are zeros.
 */
export const svd = op(
  'svd',
  'input, some, computeUv',
  (input: Tensor, some = true, computeUv = true): { U: Tensor; S: Tensor; V: Tensor } => {
    const { U, S, Vh } = decompose('svd', input, !some || !computeUv);
    if (computeUv) return { U, S, V: Vh.transpose(-2, -1) };
    return { U: U.zerosLike(), S, V: Vh.zerosLike() };
  },
);
