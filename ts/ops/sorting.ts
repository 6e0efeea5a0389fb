/** Sorting, the largest k, and searching and counting in what is sorted. */

import { bool, getDefaultDtype, int32 } from '../core/dtype.js';
import { DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { normalizeDim, type Shape, sameShape } from '../core/layout.js';
import type { Tensor } from '../tensor.js';
import { applyPrimitive } from './apply.js';
import { applyCanonical, aroundDim } from './canonical.js';
import { tensor } from './creation.js';
import { cat } from './joining.js';
import { afterReading } from './later.js';
import { isTensor } from './promote.js';
import { reducedShape } from './reduce_dims.js';
import { op } from './signature.js';

export * from './unique.js';

/** Sorted values and where they were. */
export interface Sorted {
  values: Tensor;
  indices: Tensor;
}

/**
 * Sorted along `dim`, with the positions (int32) the values came from. Equal values keep their
 * order; a NaN is the greatest.
 */
export const sort = op(
  'sort',
  'input, dim, descending, stable',
  (input: Tensor, dim = -1, descending = false, _stable?: boolean | null): Sorted => {
    const form = aroundDim(input.shape, normalizeDim(dim, input.ndim, 'sort'));
    const shapes = [input.shape, input.shape];
    const [values, indices] = applyCanonical('sort', [input], [form], shapes, { descending });
    return { values, indices };
  },
);

/** Positions (int32) that sort `input` along `dim`. */
export const argsort = op(
  'argsort',
  'input, dim, descending, stable',
  (input: Tensor, dim = -1, descending = false, _stable?: boolean | null): Tensor =>
    sort(input.detach(), dim, descending).indices,
);

/** The values sorted along the first dimension. */
export const msort = op('msort', 'input', (input: Tensor): Tensor => {
  const { values, indices } = sort(input, 0);
  indices.dispose();
  return values;
});

/** The k largest (or smallest) along `dim` in order, and their positions (int32). */
export const topk = op(
  'topk',
  'input, k, dim, largest, sorted',
  (input: Tensor, k: number, dim = -1, largest = true, _sorted = true): Sorted => {
    const d = normalizeDim(dim, input.ndim, 'topk');
    const form = aroundDim(input.shape, d);
    checkCount('topk', input, k, d, 0);
    const shape = input.ndim === 0 ? [] : input.shape.with(d, k);
    const attributes = { k, largest };
    const [values, indices] = applyCanonical('topk', [input], [form], [shape, shape], attributes);
    return { values, indices };
  },
);

function checkCount(name: string, input: Tensor, k: number, dim: number, least: number): void {
  const size = input.ndim === 0 ? 1 : input.shape[dim];
  if (Number.isInteger(k) && k >= least && k <= size) return;
  throw new ValueError(
    `${name}: k = ${k} is out of range for dimension ${dim} of size ${size} ` +
      `(shape ${showShape(input.shape)}); expected ${least} <= k <= ${size}`,
  );
}

/** The k-th smallest along `dim` and its position (int32). k counts from 1. */
export const kthvalue = op(
  'kthvalue',
  'input, k, dim, keepdim',
  (input: Tensor, k: number, dim = -1, keepdim = false): Sorted => {
    const d = normalizeDim(dim, input.ndim, 'kthvalue');
    checkCount('kthvalue', input, k, d, 1);
    const form = aroundDim(input.shape, d).shape;
    const lines = input.detach().reshape(form);
    const [, place] = applyPrimitive('topk', [lines], { k, largest: false, first: k - 1 });
    const shape = reducedShape(input.shape, input.ndim === 0 ? [] : [d], keepdim);
    const forms = [{ shape: form }, undefined];
    const shown = 'KthvalueBackward0';
    const [values] = applyCanonical('gather', [input, place], forms, [shape], {}, shown);
    return { values, indices: place.reshape(shape) };
  },
);

/**
 * Where each value belongs in the sorted innermost rows of `sortedSequence`: how many elements are
 * smaller, or with `right` (or `side` 'right') smaller or equal. int32.
 */
export const searchsorted = op(
  'searchsorted',
  'sortedSequence, input, outInt32, right, side, sorter',
  (
    sortedSequence: Tensor,
    input: Tensor | number,
    _outInt32 = false,
    right = false,
    side: 'left' | 'right' | null = null,
    sorter: Tensor | null = null,
  ): Tensor => {
    if (side !== null && side !== 'left' && side !== 'right') {
      throw new ValueError(`searchsorted: side is 'left' or 'right', got '${side}'`);
    }
    if (side === 'left' && right) {
      throw new ValueError("searchsorted: side 'left' and right = true contradict each other");
    }
    const { dtype, device } = sortedSequence;
    const values = isTensor(input) ? input : tensor(input, { dtype, device });
    checkSearch(sortedSequence, values, sorter);
    const sorted = sorter === null ? sortedSequence : sortedSequence.gather(-1, sorter);
    const inputs = [sorted.detach(), values.detach()];
    return applyPrimitive('searchsorted', inputs, { right: right || side === 'right' })[0];
  },
);

function checkSearch(sorted: Tensor, values: Tensor, sorter: Tensor | null): void {
  const given = `got ${showShape(sorted.shape)} and ${showShape(values.shape)}`;
  if (sorted.dtype !== values.dtype) {
    throw new DtypeError(
      `searchsorted: boundaries and values have one dtype, got ${sorted.dtype} and ` +
        `${values.dtype}; cast one`,
    );
  }
  const rows = (shape: Shape) => shape.slice(0, -1);
  if (sorted.ndim === 0)
    throw new ShapeError(`searchsorted: boundaries have a dimension, ${given}`);
  if (sorted.ndim > 1 && !sameShape(rows(sorted.shape), rows(values.shape))) {
    throw new ShapeError(
      'searchsorted: boundaries have 1 dimension, or the dimensions of the values but for the ' +
        `last one, ${given}`,
    );
  }
  if (sorter === null) return;
  if (!sameShape(sorter.shape, sorted.shape)) {
    throw new ShapeError(
      `searchsorted: sorter has the shape of the boundaries, ${showShape(sorted.shape)}, got ` +
        showShape(sorter.shape),
    );
  }
  if (sorter.dtype.isFloatingPoint) {
    throw new DtypeError(`searchsorted: sorter holds positions, got ${sorter.dtype}`);
  }
}

/** Which of the buckets between the sorted 1-d `boundaries` each value falls into. int32. */
export const bucketize = op(
  'bucketize',
  'input, boundaries, outInt32, right',
  (input: Tensor | number, boundaries: Tensor, outInt32 = false, right = false): Tensor => {
    if (boundaries.ndim !== 1) {
      throw new ShapeError(
        `bucketize: boundaries have 1 dimension, got shape ${showShape(boundaries.shape)}`,
      );
    }
    return searchsorted(boundaries, input, outInt32, right);
  },
);

/**
 * How often each of 0, 1, ... up to the largest value (or `minlength` - 1) occurs in a 1-d tensor
 * of integers, as int32; with `weights` the sum of theirs.
 */
export const bincount = op(
  'bincount',
  'input, weights, minlength',
  (input: Tensor, weights: Tensor | null = null, minlength = 0): Tensor => {
    checkBins(input, weights, minlength);
    const count = (least: number, largest: number): Tensor => {
      if (least < 0) {
        throw new ValueError('bincount: the values count from 0, got a negative one');
      }
      const size = Math.max(minlength, largest + 1);
      if (weights === null) {
        const ones = input.onesLike({ dtype: int32 });
        return ones.newZeros([size]).scatterAdd(0, input.to(int32), ones);
      }
      const values = weights.dtype.isFloatingPoint ? weights : weights.to(getDefaultDtype());
      return values.newZeros([size]).scatterAdd(0, input.to(int32), values.detach());
    };
    if (input.numel() === 0) return count(0, -1);
    return afterReading(
      'bincount',
      cat([input.min(), input.max()].map((x) => x.reshape([1]))),
      (v) => count(Number(v[0]), Number(v[1])),
    );
  },
);

function checkBins(input: Tensor, weights: Tensor | null, minlength: number): void {
  if (input.dtype.isFloatingPoint || input.dtype === bool) {
    throw new DtypeError(`bincount: counts integers, got ${input.dtype}; cast with int()`);
  }
  if (input.ndim !== 1) {
    throw new ShapeError(
      `bincount: expected a tensor of 1 dimension, got shape ${showShape(input.shape)}; ` +
        `flatten() it`,
    );
  }
  if (weights !== null && !sameShape(weights.shape, input.shape)) {
    throw new ShapeError(
      `bincount: weights have the shape of the input, ${showShape(input.shape)}, got ` +
        showShape(weights.shape),
    );
  }
  if (!Number.isInteger(minlength) || minlength < 0) {
    throw new ValueError(`bincount: minlength is an integer >= 0, got ${minlength}`);
  }
}

/**
 * How many elements fall into each of `bins` equal parts of min to max (both 0: the range of the
 * elements). What lies outside is not counted.
 */
export const histc = op(
  'histc',
  'input, bins, min, max',
  (input: Tensor, bins = 100, min = 0, max = 0): Tensor => {
    if (!input.dtype.isFloatingPoint) {
      throw new DtypeError(
        `histc: counts floating point values, got ${input.dtype}; use bincount()`,
      );
    }
    if (!Number.isInteger(bins) || bins <= 0) {
      throw new ValueError(`histc: bins is a positive integer, got ${bins}`);
    }
    const x = input.detach().reshape([-1]);
    const given = min !== 0 || max !== 0 || x.numel() === 0;
    if (given) return histogram(x, bins, range(min, max));
    const ends = cat([x.min(), x.max()].map((end) => end.reshape([1])));
    return afterReading('histc', ends, (v) =>
      histogram(x, bins, range(Number(v[0]), Number(v[1]))),
    );
  },
);

/** How many of the elements of `x` lie in each of `bins` equal parts of a range. */
function histogram(x: Tensor, bins: number, [low, high]: readonly [number, number]): Tensor {
  const inside = x.ge(low).logicalAnd(x.le(high));
  const place = x
    .sub(low)
    .div(high - low)
    .mul(bins)
    .maskedFill(inside.logicalNot(), 0);
  const bin = place
    .floor()
    .clamp(0, bins - 1)
    .to(int32);
  return x.newZeros([bins]).scatterAdd(0, bin, inside.to(x.dtype));
}

function range(low: number, high: number): [number, number] {
  if (!Number.isFinite(low) || !Number.isFinite(high)) {
    throw new ValueError(`histc: the range ${low} to ${high} is not finite; give min and max`);
  }
  if (low > high) throw new ValueError(`histc: max must be above min, got ${low} and ${high}`);
  return low === high ? [low - 1, high + 1] : [low, high];
}
