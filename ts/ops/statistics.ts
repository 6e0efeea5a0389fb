/** Variance, norms, and what sorting tells of a distribution: medians, modes and quantiles. */

import { type Dtype, int32 } from '../core/dtype.js';
import { DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { normalizeDim, type Shape } from '../core/layout.js';
import type { Tensor } from '../tensor.js';
import { applyPrimitive } from './apply.js';
import { applyCanonical, aroundDim } from './canonical.js';
import { arange, tensor } from './creation.js';
import { elementwise } from './elementwise.js';
import { isTensor } from './promote.js';
import { type Dims, reducedDims, reducedShape, reduceJointly } from './reduce_dims.js';
import { op } from './signature.js';
import { matrixNorm } from './singular.js';

function checkFloat(name: string, input: Tensor): void {
  if (input.dtype.isFloatingPoint) return;
  throw new DtypeError(
    `${name}: defined for floating point tensors, got ${input.dtype}; cast with float()`,
  );
}

/** `var(x, unbiased)` and `var(x, dim, unbiased, keepdim)`, or by name with a correction. */
type VarianceArgs = [
  input: Tensor,
  dim?: Dims | boolean,
  unbiased?: boolean,
  keepdim?: boolean,
  correction?: number | null,
];
const VARIANCE = 'input, dim, unbiased, keepdim, correction';

/** Variance and mean over the dims, from one pass. */
function moments(name: string, args: VarianceArgs, shown: string): [Tensor, Tensor] {
  const [input, first, second = true, keepdim = false, correction] = args;
  checkFloat(name, input);
  const dim = typeof first === 'boolean' ? undefined : first;
  const unbiased = typeof first === 'boolean' ? first : second;
  const dims = reducedDims(dim, input.ndim, name);
  const attributes = { correction: correction ?? (unbiased ? 1 : 0) };
  const both = reduceJointly('varMean', input, dims, keepdim, attributes, 2, shown);
  return both as [Tensor, Tensor];
}

/** The square root, with gradient 0 (not infinite) where a deviation is 0. */
function deviation(variance: Tensor): Tensor {
  if (!variance.requiresGrad) return elementwise.sqrt(variance);
  const none = variance.eq(0);
  return elementwise.sqrt(variance.maskedFill(none, 1)).maskedFill(none, 0);
}

/**
 * Variance over `dim` (default all): the sum of squared distances from the mean, divided by
 * n - correction (default 1, or 0 with `unbiased` false).
 */
export const var_ = op('var', VARIANCE, (...args: VarianceArgs): Tensor => {
  const [variance, mean] = moments('var', args, 'VarBackward0');
  mean.dispose();
  return variance;
});

/** Square root of the variance over `dim` (default all). */
export const std = op('std', VARIANCE, (...args: VarianceArgs): Tensor => {
  const [variance, mean] = moments('std', args, 'StdBackward0');
  mean.dispose();
  return deviation(variance);
});

/** Variance and mean over `dim` (default all). */
export const varMean = op('varMean', VARIANCE, (...args: VarianceArgs): [Tensor, Tensor] =>
  moments('varMean', args, 'VarMeanBackward0'),
);

/** Standard deviation and mean over `dim` (default all). */
export const stdMean = op('stdMean', VARIANCE, (...args: VarianceArgs): [Tensor, Tensor] => {
  const [variance, mean] = moments('stdMean', args, 'StdMeanBackward0');
  return [deviation(variance), mean];
});

/**
 * The p-norm over `dim` (default all): sum(|x|^p)^(1/p). p = 0 counts what is not zero, p =
 * Infinity and -Infinity take the largest and smallest |x|, 'fro' is 2, and 'nuc' the sum of the
 * singular values of the matrices in two dims.
 */
export const norm = op(
  'norm',
  'input, p, dim, keepdim, dtype',
  (
    input: Tensor,
    p: number | 'fro' | 'nuc' | null = 'fro',
    dim?: Dims,
    keepdim = false,
    dtype?: Dtype | null,
  ): Tensor => {
    const x = dtype && dtype !== input.dtype ? input.to(dtype) : input;
    checkFloat('norm', x);
    const dims = reducedDims(dim, x.ndim, 'norm');
    if (p === 'nuc') return matrixNorm('norm', x, p, dims, keepdim);
    const attributes = { p: exponent(p) };
    return reduceJointly('vectorNorm', x, dims, keepdim, attributes, 1, 'NormBackward1')[0];
  },
);

function exponent(p: number | 'fro' | null): number {
  if (p === null || p === 'fro') return 2;
  if (typeof p === 'number') return p;
  throw new ValueError(`norm: p is a number, Infinity, -Infinity, 'fro' or 'nuc', got '${p}'`);
}

// --- By sorting --------------------------------------------------------------------------------

/** x as [outer, n, inner] around `dim`, sorted along n: values and where they were. */
function sortedAround(x: Tensor, shape: Shape): [Tensor, Tensor] {
  const lines = x.detach().reshape(shape);
  return applyPrimitive('sort', [lines], { descending: false }) as [Tensor, Tensor];
}

/** Values at one position of each line (positions [outer, 1, inner]), and the positions. */
function pick(
  x: Tensor,
  form: Shape,
  positions: Tensor,
  shape: Shape,
  shown: string,
): { values: Tensor; indices: Tensor } {
  const forms = [{ shape: form }, undefined];
  const [values] = applyCanonical('gather', [x, positions], forms, [shape], {}, shown);
  return { values, indices: positions.reshape(shape) };
}

/** Which place of a sorted line holds its median: [outer, 1, inner]. */
function medianPlace(sorted: Tensor, skipNaN: boolean): Tensor {
  const n = sorted.shape[1];
  const middle = (n - 1) >> 1;
  const counted = sorted.isnan().logicalNot().sum(1, true);
  if (skipNaN) return counted.sub(1).clampMin(0).div(2, 'floor');
  // A NaN is the greatest: where there is one, the first stands behind all numbers.
  return counted.where(counted.lt(n), middle);
}

/** Whether there is none for certain: false where reading waits. */
function withoutNaN(x: Tensor): boolean {
  if (!x.dtype.isFloatingPoint) return true;
  return x.backend.synchronous && !Number.isNaN(x.amax().itemSync());
}

function medianPositions(x: Tensor, form: Shape, skipNaN: boolean): Tensor {
  if (form[1] > 0 && x.numel() > 0 && withoutNaN(x.detach())) {
    const first = (form[1] - 1) >> 1;
    const attributes = { k: first + 1, largest: false, first };
    return applyPrimitive('topk', [x.detach().reshape(form)], attributes)[1];
  }
  const [sorted, order] = sortedAround(x, form);
  return applyPrimitive('gather', [order, medianPlace(sorted, skipNaN)], {})[0];
}

interface Median {
  /** The median of all elements. */
  (input: Tensor): Tensor;
  /** The medians along a dimension and where they are. */
  (input: Tensor, dim: number, keepdim?: boolean): { values: Tensor; indices: Tensor };
  (input: Tensor, options: { dim: number; keepdim?: boolean }): { values: Tensor; indices: Tensor };
  readonly asMethod: {
    (): Tensor;
    (dim: number, keepdim?: boolean): { values: Tensor; indices: Tensor };
    (options: { dim: number; keepdim?: boolean }): { values: Tensor; indices: Tensor };
  };
}

function medianOf(name: 'median' | 'nanmedian', skipNaN: boolean): Median {
  const shown = skipNaN ? 'NanmedianBackward' : 'MedianBackward';
  const choose = op(
    name,
    'input, dim, keepdim',
    (input: Tensor, dim?: number | null, keepdim = false) => {
      if (dim === undefined || dim === null) return medianOfAll(input, skipNaN, `${shown}0`);
      const d = normalizeDim(dim, input.ndim, name);
      const form = aroundDim(input.shape, d).shape;
      checkLine(name, input, form, d);
      const shape = reducedShape(input.shape, input.ndim === 0 ? [] : [d], keepdim);
      const positions = medianPositions(input, form, skipNaN);
      return pick(input, form, positions, shape, `${shown}1`);
    },
  );
  return choose as unknown as Median;
}

function checkLine(name: string, input: Tensor, form: Shape, dim: number): void {
  if (form[1] > 0) return;
  throw new ShapeError(
    `${name}: dimension ${dim} of shape ${showShape(input.shape)} is empty; ` +
      'choose one that has elements',
  );
}

/** As for amax, elements equal to the median share its gradient. */
function medianOfAll(input: Tensor, skipNaN: boolean, shown: string): Tensor {
  const n = input.numel();
  if (n === 0) return input.newFull([], input.dtype.isFloatingPoint ? Number.NaN : 0);
  const form = [1, n, 1];
  const compute = ([x]: readonly (Tensor | undefined)[]): Tensor[] => {
    const line = x as Tensor;
    const place = medianPositions(line, form, skipNaN);
    return [applyPrimitive('gather', [line, place], {})[0].reshape([1, 1])];
  };
  return applyCanonical('amax', [input], [{ shape: form }], [[]], {}, shown, compute)[0];
}

/** The lower median, of all elements or along `dim` with its position; NaN if there is one. */
export const median = medianOf('median', false);
/** As median(), of the elements that are not NaN. */
export const nanmedian = medianOf('nanmedian', true);

/** The most frequent value along `dim` (of equally frequent ones the smallest) and a position. */
export const mode = op(
  'mode',
  'input, dim, keepdim',
  (input: Tensor, dim = -1, keepdim = false): { values: Tensor; indices: Tensor } => {
    const d = normalizeDim(dim, input.ndim, 'mode');
    const form = aroundDim(input.shape, d).shape;
    checkLine('mode', input, form, d);
    const [sorted, order] = sortedAround(input, form);
    const place = applyPrimitive('argmax', [runLengths(sorted)], {})[0].unsqueeze(1);
    const positions = applyPrimitive('gather', [order, place], {})[0];
    const shape = reducedShape(input.shape, input.ndim === 0 ? [] : [d], keepdim);
    return pick(input, form, positions, shape, 'ModeBackward0');
  },
);

/** For each element of sorted lines [outer, n, inner], how many equal ones stand before it. */
function runLengths(sorted: Tensor): Tensor {
  const n = sorted.shape[1];
  const place = arange(n, { dtype: int32, device: sorted.device }).view(1, n, 1);
  const changes = sorted.narrow(1, 1, n - 1).ne(sorted.narrow(1, 0, n - 1));
  const starts = place.narrow(1, 1, n - 1).mul(changes.to(int32));
  const first = sorted.narrow(1, 0, 1).zerosLike({ dtype: int32 });
  const padded = first.expand(sorted.shape).clone();
  padded.narrow(1, 1, n - 1).copy_(starts);
  return place.sub(applyPrimitive('cummax', [padded], {})[0]);
}

export type Interpolation = 'linear' | 'lower' | 'higher' | 'midpoint' | 'nearest';

function quantileOf(name: 'quantile' | 'nanquantile', skipNaN: boolean) {
  return op(
    name,
    'input, q, dim, keepdim, interpolation',
    (
      input: Tensor,
      q: number | Tensor,
      dim?: number | null,
      keepdim = false,
      interpolation: Interpolation = 'linear',
    ): Tensor => {
      checkFloat(name, input);
      const levels = checkLevels(name, input, q);
      const full = dim === undefined || dim === null;
      const d = full ? 0 : normalizeDim(dim, input.ndim, name);
      const lines = full || input.ndim === 0 ? input.reshape([-1]) : input.movedim(d, -1);
      if (lines.shape[lines.ndim - 1] === 0) {
        throw new ShapeError(`${name}: the input is empty, got shape ${showShape(input.shape)}`);
      }
      const found = interpolate(name, lines, levels.reshape([-1]), skipNaN, interpolation);
      const dims = reducedDims(full ? null : d, input.ndim, name);
      const shape = reducedShape(input.shape, dims, keepdim);
      const first = found.movedim(-1, 0);
      return first.reshape(levels.ndim === 0 ? shape : [levels.numel(), ...shape]);
    },
  );
}

function checkLevels(name: string, input: Tensor, q: number | Tensor): Tensor {
  const levels = isTensor(q) ? q : tensor(q, { dtype: input.dtype, device: input.device });
  if (levels.ndim > 1) {
    throw new ShapeError(
      `${name}: q is a number or a tensor of at most 1 dimension, got ${showShape(levels.shape)}`,
    );
  }
  if (levels.dtype !== input.dtype) {
    throw new DtypeError(
      `${name}: q has the dtype of the input, ${input.dtype}, got ${levels.dtype}; cast it`,
    );
  }
  const inside = () => levels.ge(0).logicalAnd(levels.le(1)).all().itemSync();
  if (levels.backend.synchronous && !inside()) {
    throw new ValueError(`${name}: q lies between 0 and 1`);
  }
  return levels;
}

/** Quantiles of the last dimension, as the last dimension. */
function interpolate(
  name: string,
  x: Tensor,
  levels: Tensor,
  skipNaN: boolean,
  interpolation: Interpolation,
): Tensor {
  const last = x.shape[x.ndim - 1] - 1;
  const sorted = x.sort(-1).values;
  const missing = x.isnan();
  const shape = [...x.shape.slice(0, -1), levels.numel()];
  const highest = missing.logicalNot().sum(-1, true).sub(1).clampMin(0).to(x.dtype);
  // A NaN is the greatest: where it counts, every quantile is the last element.
  const ranks = skipNaN
    ? levels.mul(highest)
    : levels.mul(last).expand(shape).maskedFill(missing.any(-1, true), last);
  const at = (rank: Tensor): Tensor => sorted.gather(-1, rank.detach().to(int32));
  if (interpolation === 'lower') return at(ranks.floor());
  if (interpolation === 'higher') return at(ranks.ceil());
  if (interpolation === 'nearest') return at(ranks.round());
  const below = ranks.detach().floor();
  if (interpolation === 'linear') return at(below).lerp(at(ranks.ceil()), ranks.sub(below));
  if (interpolation === 'midpoint') {
    return at(below).lerp(at(ranks.ceil()), ranks.mul(0).add(0.5));
  }
  throw new ValueError(
    `${name}: interpolation is 'linear', 'lower', 'higher', 'midpoint' or 'nearest', ` +
      `got '${interpolation}'`,
  );
}

/** The value below which a fraction q of the elements lies; NaN if there is one. */
export const quantile = quantileOf('quantile', false);
/** As quantile(), of the elements that are not NaN. */
export const nanquantile = quantileOf('nanquantile', true);
