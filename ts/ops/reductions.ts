/** Reductions: sums, extremes, truth and statistics over some or all dimensions. */

import { bool, type Dtype, toFloating, uint8 } from '../core/dtype.js';
import { DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { normalizeDim, sized } from '../core/layout.js';
import { giveBack, lend1, lend2 } from '../core/lend.js';
import { Memo } from '../core/memo.js';
import { scope } from '../core/memory.js';
import type { Tensor } from '../tensor.js';
import { applyCanonical, applySeen, aroundDim } from './canonical.js';
import { elementwise } from './elementwise.js';
import { isTensor, sumDtype } from './promote.js';
import {
  allDims,
  type Dims,
  oneDim,
  reducedDims,
  reducedShape,
  reduceRuns,
} from './reduce_dims.js';
import { op } from './signature.js';

export type { Dims } from './reduce_dims.js';
export * from './statistics.js';

const NONE = Object.freeze({});

/** Values and the positions they were taken from. */
export interface ValuesAndIndices {
  values: Tensor;
  indices: Tensor;
}

function forMean(name: string, input: Tensor, dtype: Dtype | null | undefined): Tensor {
  const result = dtype && dtype !== input.dtype ? input.to(dtype) : input;
  if (!result.dtype.isFloatingPoint) {
    throw new DtypeError(
      `${name}: defined for floating point tensors, got ${result.dtype}; ` +
        'cast with float(), or give a floating point dtype',
    );
  }
  return result;
}

/** Whether no dimension was named: all are reduced. */
function isFull(dim: Dims | undefined): boolean {
  return dim === undefined || dim === null;
}

/** Sum over `dim` (default all). Integers and bools are summed as int32, int64 as itself. */
export const sum = op(
  'sum',
  'input, dim, keepdim, dtype',
  (input: Tensor, dim?: Dims, keepdim = false, dtype?: Dtype | null): Tensor => {
    const dims = reducedDims(dim, input.ndim, 'sum');
    const shown = isFull(dim) ? 'SumBackward0' : 'SumBackward1';
    return reduceRuns('sum', input.to(sumDtype(input.dtype, dtype)), dims, keepdim, NONE, shown);
  },
);

const dividing = new Memo([1], ([divisor]) => ({ divisor }));

/** Mean over `dim` (default all); floating point tensors, or with a floating point `dtype`. */
export const mean = op(
  'mean',
  'input, dim, keepdim, dtype',
  (input: Tensor, dim?: Dims, keepdim = false, dtype?: Dtype | null): Tensor => {
    const x = forMean('mean', input, dtype);
    const dims = reducedDims(dim, x.ndim, 'mean');
    let divisor = 1;
    for (const d of dims) divisor *= x.shape[d];
    const shown = isFull(dim) ? 'MeanBackward0' : 'MeanBackward1';
    dividing.key[0] = divisor;
    return reduceRuns('sum', x, dims, keepdim, dividing.get(), shown);
  },
);

/** Product over `dim` (default all). Integers and bools as int32, int64 as itself. */
export const prod = op(
  'prod',
  'input, dim, keepdim, dtype',
  (input: Tensor, dim?: Dims, keepdim = false, dtype?: Dtype | null): Tensor => {
    const dims = reducedDims(dim, input.ndim, 'prod');
    const shown = isFull(dim) ? 'ProdBackward0' : 'ProdBackward1';
    return reduceRuns('prod', input.to(sumDtype(input.dtype, dtype)), dims, keepdim, NONE, shown);
  },
);

/** Refuses to look for an extreme where there is no element. */
function checkSome(name: string, x: Tensor, dims: readonly number[]): void {
  if (dims.every((d) => x.shape[d] !== 0)) return;
  throw new ShapeError(
    `${name}: expected a reduction over at least one element, got shape ${showShape(x.shape)}, ` +
      'and there is no identity to return; reduce over a dimension that is not empty',
  );
}

function extreme(name: 'amax' | 'amin') {
  return op(name, 'input, dim, keepdim', (input: Tensor, dim?: Dims, keepdim = false): Tensor => {
    const dims = reducedDims(dim, input.ndim, name);
    checkSome(name, input, dims);
    return reduceRuns(name, input, dims, keepdim, NONE);
  });
}

/** Largest value over `dim` (default all); equal ones share the gradient. NaN if there is one. */
export const amax = extreme('amax');
/** Smallest value over `dim` (default all); equal ones share the gradient. NaN if there is one. */
export const amin = extreme('amin');

/** Smallest and largest value over `dim` (default all). */
export const aminmax = op(
  'aminmax',
  'input, dim, keepdim',
  (input: Tensor, dim?: number | null, keepdim = false): { min: Tensor; max: Tensor } => {
    // Here, unlike in amax, a 0-d tensor gets a dimension when it is to keep one.
    const x = input.ndim === 0 && keepdim && !isFull(dim) ? input.reshape([1]) : input;
    return { min: amin(x, dim, keepdim), max: amax(x, dim, keepdim) };
  },
);

function truth(name: 'any' | 'all') {
  return op(name, 'input, dim, keepdim', (input: Tensor, dim?: Dims, keepdim = false): Tensor => {
    const dims = reducedDims(dim, input.ndim, name);
    const result = reduceRuns(name, input, dims, keepdim, NONE);
    return input.dtype === uint8 ? result.to(uint8) : result;
  });
}

/** Whether any element over `dim` (default all) is not zero: bool, or uint8 for uint8. */
export const any = truth('any');
/** Whether all elements over `dim` (default all) are not zero: bool, or uint8 for uint8. */
export const all = truth('all');

function extremeIndex(name: 'argmax' | 'argmin') {
  return op(
    name,
    'input, dim, keepdim',
    (input: Tensor, dim?: number | null, keepdim = false): Tensor => {
      refuseBool(name, input);
      const full = dim === undefined || dim === null;
      const d = full ? 0 : normalizeDim(dim, input.ndim, name);
      const dims = full || input.ndim === 0 ? allDims(input.ndim) : oneDim(d);
      checkSome(name, input, dims);
      const form = full ? sized(1, input.numel(), 1) : aroundDim(input.shape, d);
      return applySeen(name, input, form, reducedShape(input.shape, dims, keepdim), NONE);
    },
  );
}

function refuseBool(name: string, input: Tensor): void {
  if (input.dtype !== bool) return;
  throw new DtypeError(`${name}: not defined for bool tensors; cast with int() first`);
}

/** Position (int32) of the largest element along `dim`, or in the flattened tensor. */
export const argmax = extremeIndex('argmax');
/** Position (int32) of the smallest element along `dim`, or in the flattened tensor. */
export const argmin = extremeIndex('argmin');

/** The three forms of max and min. */
export interface Extreme {
  /** The extreme of all elements; equal ones share the gradient. */
  (input: Tensor): Tensor;
  /** The extremes along a dimension and their positions (int32). */
  (input: Tensor, dim: number, keepdim?: boolean): ValuesAndIndices;
  (input: Tensor, dim: number, options: { keepdim?: boolean }): ValuesAndIndices;
  (input: Tensor, options: { dim: number; keepdim?: boolean }): ValuesAndIndices;
  /** The larger (smaller) of two tensors, element by element. */
  (input: Tensor, other: Tensor): Tensor;
  readonly asMethod: {
    (): Tensor;
    (dim: number, keepdim?: boolean): ValuesAndIndices;
    (dim: number, options: { keepdim?: boolean }): ValuesAndIndices;
    (options: { dim: number; keepdim?: boolean }): ValuesAndIndices;
    (other: Tensor): Tensor;
  };
}

function threeForms(name: 'max' | 'min'): Extreme {
  const [full, row, pair] = (
    { max: ['amax', 'maxDim', 'maximum'], min: ['amin', 'minDim', 'minimum'] } as const
  )[name];
  const choose = op(
    name,
    'input, dim, keepdim, other',
    (input: Tensor, dim?: number | Tensor | null, keepdim = false, other?: Tensor) => {
      const second = isTensor(dim) ? dim : other;
      if (second !== undefined) return elementwise[pair](checkTensor(name, input), second);
      if (dim === undefined || dim === null) {
        checkSome(name, input, allDims(input.ndim));
        const shown = `${name === 'max' ? 'Max' : 'Min'}Backward1`;
        return reduceRuns(full, input, allDims(input.ndim), false, NONE, shown);
      }
      return alongDim(row, name, checkTensor(name, input), dim as number, keepdim);
    },
  );
  return choose as unknown as Extreme;
}

function checkTensor(name: string, input: unknown): Tensor {
  if (isTensor(input)) return input;
  throw new DtypeError(`${name}: expected a tensor as first argument, got ${typeof input}`);
}

function alongDim(
  row: 'maxDim' | 'minDim',
  name: string,
  input: Tensor,
  dim: number,
  keepdim: boolean,
): ValuesAndIndices {
  if (!Number.isInteger(dim)) {
    throw new ValueError(`${name}: expected a dimension or another tensor, got ${dim}`);
  }
  const d = normalizeDim(dim, input.ndim, name);
  const dims = input.ndim === 0 ? [] : oneDim(d);
  checkSome(name, input, dims);
  const shape = reducedShape(input.shape, dims, keepdim);
  const forms = lend1(aroundDim(input.shape, d));
  const outputs = applyCanonical(row, lend1(input), forms, lend2(shape, shape), NONE);
  const [values, indices] = outputs;
  giveBack(outputs);
  return { values, indices };
}

/** Largest element; along a dimension with its position; or the larger of two tensors. */
export const max = threeForms('max');
/** Smallest element; along a dimension with its position; or the smaller of two tensors. */
export const min = threeForms('min');

/** How many elements over `dim` (default all) are not zero, as int32. */
export const countNonzero = op(
  'countNonzero',
  'input, dim',
  (input: Tensor, dim?: Dims): Tensor => sum(elementwise.ne(input, 0), dim ?? null),
);

/** Sum over `dim` with NaN counted as 0. */
export const nansum = op(
  'nansum',
  'input, dim, keepdim, dtype',
  (input: Tensor, dim?: Dims, keepdim = false, dtype?: Dtype | null): Tensor =>
    scope(() => sum(withoutNaN(input), dim, keepdim, dtype)),
);

/** Mean over `dim` of the elements that are not NaN. */
export const nanmean = op(
  'nanmean',
  'input, dim, keepdim, dtype',
  (input: Tensor, dim?: Dims, keepdim = false, dtype?: Dtype | null): Tensor => {
    const x = forMean('nanmean', input, dtype);
    const count = sum(elementwise.logicalNot(elementwise.isnan(x)), dim, keepdim);
    return nansum(x, dim, keepdim).div(count);
  },
);

function withoutNaN(input: Tensor): Tensor {
  return input.dtype.isFloatingPoint ? input.maskedFill(elementwise.isnan(input), 0) : input;
}

/** log(sum(exp(input))) over `dim`, never overflowing. */
export const logsumexp = op(
  'logsumexp',
  'input, dim, keepdim',
  (input: Tensor, dim: Dims, keepdim = false): Tensor => {
    const x = input.dtype.isFloatingPoint ? input : input.to(toFloating(input.dtype));
    const dims = reducedDims(dim, x.ndim, 'logsumexp');
    const shape = reducedShape(x.shape, dims, keepdim);
    if (dims.some((d) => x.shape[d] === 0)) return sum(elementwise.exp(x), dims, keepdim).log();
    return scope(() => {
      const largest = amax(x.detach(), dims, true);
      const shift = largest.maskedFill(largest.isinf(), 0);
      const total = sum(elementwise.exp(x.sub(shift)), dims, keepdim);
      return elementwise.log(total).add(shift.reshape(shape));
    });
  },
);

function normalised(name: 'softmax' | 'logSoftmax') {
  return op(
    name,
    'input, dim, dtype',
    (input: Tensor, dim: number, dtype?: Dtype | null): Tensor => {
      const x = forMean(name, input, dtype);
      const form = aroundDim(x.shape, normalizeDim(dim, x.ndim, name));
      return applySeen(name, x, form, x.shape, NONE);
    },
  );
}

/** exp(x) / sum(exp(x)) along `dim`. */
export const softmax = normalised('softmax');
/** log(softmax(x)) along `dim`. */
export const logSoftmax = normalised('logSoftmax');
/** softmax(-x) along `dim`. */
export const softmin = op(
  'softmin',
  'input, dim, dtype',
  (input: Tensor, dim: number, dtype?: Dtype | null): Tensor =>
    softmax(elementwise.neg(input), dim, dtype),
);
