/** Running totals along a dimension, and differences of neighbours. */

import { bool, type Dtype, toFloating } from '../core/dtype.js';
import { ShapeError, ValueError } from '../core/errors.js';
import { normalizeDim } from '../core/layout.js';
import type { Tensor } from '../tensor.js';
import { applyCanonical, applySeen, aroundDim } from './canonical.js';
import { elementwise } from './elementwise.js';
import { assignFrom } from './inplace.js';
import { cat } from './joining.js';
import { sumDtype } from './promote.js';
import { op } from './signature.js';

function runningTotal(name: 'cumsum' | 'cumprod') {
  return op(
    name,
    'input, dim, dtype',
    (input: Tensor, dim: number, dtype?: Dtype | null): Tensor => {
      const x = input.to(sumDtype(input.dtype, dtype));
      const form = aroundDim(x.shape, normalizeDim(dim, x.ndim, name));
      return applySeen(name, x, form, x.shape, {});
    },
  );
}

/** Sums of the elements up to each one along `dim`. */
export const cumsum = runningTotal('cumsum');
/** Products of the elements up to each one along `dim`. */
export const cumprod = runningTotal('cumprod');

export const cumsum_ = op(
  'cumsum_',
  'input, dim, dtype',
  (input: Tensor, dim: number, dtype?: Dtype | null): Tensor =>
    assignFrom('cumsum_', input, (before) => cumsum(before, dim, dtype ?? input.dtype)),
);
export const cumprod_ = op(
  'cumprod_',
  'input, dim, dtype',
  (input: Tensor, dim: number, dtype?: Dtype | null): Tensor =>
    assignFrom('cumprod_', input, (before) => cumprod(before, dim, dtype ?? input.dtype)),
);

function runningExtreme(name: 'cummax' | 'cummin') {
  return op(
    name,
    'input, dim',
    (input: Tensor, dim: number): { values: Tensor; indices: Tensor } => {
      const form = aroundDim(input.shape, normalizeDim(dim, input.ndim, name));
      const shapes = [input.shape, input.shape];
      const [values, indices] = applyCanonical(name, [input], [form], shapes, {});
      return { values, indices };
    },
  );
}

/** The largest element up to each one along `dim`, and its position: the last of equals. */
export const cummax = runningExtreme('cummax');
/** The smallest element up to each one along `dim`, and its position: the last of equals. */
export const cummin = runningExtreme('cummin');

/** log(sum(exp(x))) of the elements up to each one along `dim`, never overflowing. */
export const logcumsumexp = op(
  'logcumsumexp',
  'input, dim',
  (input: Tensor, dim: number): Tensor => {
    const x = input.dtype.isFloatingPoint ? input : input.to(toFloating(input.dtype));
    const form = aroundDim(x.shape, normalizeDim(dim, x.ndim, 'logcumsumexp'));
    return applySeen('logcumsumexp', x, form, x.shape, {});
  },
);

/**
 * Differences of neighbours along `dim`, taken `n` times, after `prepend` and `append` were joined
 * to the ends. Bools give whether neighbours differ.
 */
export const diff = op(
  'diff',
  'input, n, dim, prepend, append',
  (
    input: Tensor,
    n = 1,
    dim = -1,
    prepend: Tensor | null = null,
    append: Tensor | null = null,
  ): Tensor => {
    if (input.ndim === 0) {
      throw new ShapeError(
        'diff: a 0-d tensor has no neighbours; give one of at least 1 dimension',
      );
    }
    if (!Number.isInteger(n) || n < 0) {
      throw new ValueError(`diff: n is an integer >= 0, got ${n}`);
    }
    const d = normalizeDim(dim, input.ndim, 'diff');
    if (n === 0) return input.clone();
    const parts = [prepend, input, append].filter((part) => part !== null);
    let result = parts.length === 1 ? input : cat(parts, d);
    for (let i = 0; i < n; i++) {
      const count = Math.max(0, result.shape[d] - 1);
      const after = result.narrow(d, result.shape[d] - count, count);
      const before = result.narrow(d, 0, count);
      result = result.dtype === bool ? elementwise.logicalXor(after, before) : after.sub(before);
    }
    return result;
  },
);
