/** Reading and writing at indices along one dimension, or of the flat tensor. */

import { Category } from '../core/dtype.js';
import { DtypeError, IndexError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { broadcastShapes, normalizeDim, type Shape, sameShape } from '../core/layout.js';
import { checkDense } from '../core/options.js';
import type { Tensor } from '../tensor.js';
import { applyPrimitive } from './apply.js';
import { aroundDim } from './canonical.js';
import { to } from './convert.js';
import { assignFrom } from './inplace.js';
import { isTensor } from './promote.js';
import { viewScatter } from './replace.js';
import { expand, narrow, reshape } from './shape.js';
import { op } from './signature.js';

const WRAP = { wrap: true } as const;

function checkIndex(name: string, index: Tensor): void {
  if (index.dtype.category === Category.Int) return;
  throw new DtypeError(`${name}: indices are integers, got ${index.dtype}; cast with int()`);
}

function checkSource(name: string, input: Tensor, source: Tensor): void {
  if (input.dtype === source.dtype) return;
  throw new DtypeError(
    `${name}: the values have dtype ${source.dtype}, the tensor ${input.dtype}; cast one with to()`,
  );
}

/** The shape with another size along `dim`; a 0-d tensor stays one. */
function resized(shape: Shape, dim: number, size: number): Shape {
  return shape.length === 0 ? shape : shape.with(dim, size);
}

function sizeOf(shape: Shape, dim: number): number {
  return shape.length === 0 ? 1 : shape[dim];
}

function canonical(input: Tensor, dim: number): Tensor {
  return reshape(input, aroundDim(input.shape, dim).shape);
}

// --- Whole slices: a vector of indices along a dimension ---------------------------------------

/** The index as a vector; a 0-d one counts as one index. */
function rowIndex(name: string, input: Tensor, index: Tensor): Tensor {
  checkIndex(name, index);
  if (index.ndim > 1) {
    throw new ShapeError(
      `${name}: the index is a vector, got shape ${showShape(index.shape)}; gather() takes more`,
    );
  }
  const count = index.numel();
  if (input.ndim === 0 && count !== 1) {
    throw new IndexError(`${name}: a 0-d tensor takes exactly one index, got ${count}`);
  }
  return index.ndim === 1 ? index : reshape(index, [1]);
}

/** The slices of `input` at the positions in `index` along `dim`. */
export const indexSelect = op(
  'indexSelect',
  'input, dim, index',
  (input: Tensor, dim: number, index: Tensor): Tensor => {
    const along = normalizeDim(dim, input.ndim, 'indexSelect');
    const rows = rowIndex('indexSelect', input, index);
    const [taken] = applyPrimitive('indexSelect', [canonical(input, along), rows], WRAP);
    return reshape(taken, resized(input.shape, along, rows.shape[0]));
  },
);

/** Values for the rows of `index`, as [outer, count, inner]. */
function rowValues(name: string, input: Tensor, dim: number, rows: Tensor, source: Tensor): Tensor {
  checkSource(name, input, source);
  const count = rows.shape[0];
  const expected = resized(input.shape, dim, count);
  const single = input.ndim <= 1 && source.ndim <= 1 && source.numel() === count;
  if (!single && !sameShape(source.shape, expected)) {
    throw new ShapeError(
      `${name}: expected values of shape ${showShape(expected)} for ${count} indices along ` +
        `dimension ${dim} of shape ${showShape(input.shape)}, got ${showShape(source.shape)}`,
    );
  }
  return reshape(source, aroundDim(expected, dim).shape);
}

/** `input` with `alpha` times the slices of `source` added at the positions in `index`. */
export const indexAdd = op(
  'indexAdd',
  'input, dim, index, source, alpha',
  (input: Tensor, dim: number, index: Tensor, source: Tensor, alpha = 1): Tensor => {
    const along = normalizeDim(dim, input.ndim, 'indexAdd');
    const rows = rowIndex('indexAdd', input, index);
    const values = rowValues('indexAdd', input, along, rows, source);
    const inputs = [canonical(input, along), rows, values];
    return reshape(
      applyPrimitive('indexAdd', inputs, { ...WRAP, alpha: Number(alpha) })[0],
      input.shape,
    );
  },
);

/** `input` with the slices at the positions in `index` replaced by those of `source`. */
export const indexCopy = op(
  'indexCopy',
  'input, dim, index, source',
  (input: Tensor, dim: number, index: Tensor, source: Tensor): Tensor => {
    const along = normalizeDim(dim, input.ndim, 'indexCopy');
    const rows = rowIndex('indexCopy', input, index);
    const values = rowValues('indexCopy', input, along, rows, source);
    const inputs = [canonical(input, along), rows, values];
    return reshape(applyPrimitive('indexCopy', inputs, WRAP)[0], input.shape);
  },
);

/** `input` with the slices at the positions in `index` set to `value`, a number or 0-d tensor. */
export const indexFill = op(
  'indexFill',
  'input, dim, index, value',
  (input: Tensor, dim: number, index: Tensor, value: number | boolean | Tensor): Tensor => {
    const along = normalizeDim(dim, input.ndim, 'indexFill');
    const rows = rowIndex('indexFill', input, index);
    if (isTensor(value)) {
      if (value.ndim > 0) {
        throw new ShapeError(
          `indexFill: the value is a number or a 0-d tensor, got shape ${showShape(value.shape)}`,
        );
      }
      const shape = resized(input.shape, along, rows.shape[0]);
      return indexCopy(input, along, rows, expand(to(value, input.dtype), shape));
    }
    const inputs = [canonical(input, along), rows];
    const filled = applyPrimitive('indexFill', inputs, { ...WRAP, value: Number(value) })[0];
    return reshape(filled, input.shape);
  },
);

export const indexAdd_ = op(
  'indexAdd_',
  'input, dim, index, source, alpha',
  (input: Tensor, dim: number, index: Tensor, source: Tensor, alpha = 1): Tensor =>
    assignFrom('indexAdd_', input, (before) => indexAdd(before, dim, index, source, alpha)),
);
export const indexCopy_ = op(
  'indexCopy_',
  'input, dim, index, source',
  (input: Tensor, dim: number, index: Tensor, source: Tensor): Tensor =>
    assignFrom('indexCopy_', input, (before) => indexCopy(before, dim, index, source)),
);
export const indexFill_ = op(
  'indexFill_',
  'input, dim, index, value',
  (input: Tensor, dim: number, index: Tensor, value: number | boolean | Tensor): Tensor =>
    assignFrom('indexFill_', input, (before) => indexFill(before, dim, index, value)),
);

// --- Single elements along a dimension ---------------------------------------------------------

/** Checks that `index` fits into `other` in every dimension (but `dim`, if given). */
function checkWithin(name: string, index: Tensor, other: Tensor, dim: number, what: string): void {
  const a = index.ndim === 0 ? [1] : index.shape;
  const b = other.ndim === 0 ? [1] : other.shape;
  if (a.length === b.length && a.every((size, d) => d === dim || size <= b[d])) return;
  throw new ShapeError(
    `${name}: an index of shape ${showShape(index.shape)} does not fit ${what} of shape ` +
      `${showShape(other.shape)}: both have as many dimensions, and the index is nowhere larger` +
      (dim >= 0 ? ` except along dimension ${dim}` : ''),
  );
}

/** The corner of `input` that has the sizes of `shape`, except along `dim`. */
function corner(input: Tensor, shape: Shape, dim: number): Tensor {
  let part = input;
  for (let d = 0; d < Math.min(shape.length, input.ndim); d++) {
    if (d !== dim && shape[d] !== part.shape[d]) part = narrow(part, d, 0, shape[d]);
  }
  return part;
}

/** out[i][j] = input[index[i][j]][j] for dim 0, and so for other dimensions. */
export const gather = op(
  'gather',
  'input, dim, index, sparseGrad',
  (input: Tensor, dim: number, index: Tensor, sparseGrad = false): Tensor => {
    checkDense('gather', 'sparseGrad', sparseGrad);
    const along = normalizeDim(dim, input.ndim, 'gather');
    if (index.numel() > 0) checkIndex('gather', index);
    checkWithin('gather', index, input, along, 'a tensor');
    const x = canonical(corner(input, index.shape, along), along);
    const flat = canonical(index, along);
    return reshape(applyPrimitive('gather', [x, flat], WRAP)[0], index.shape);
  },
);

/** gather() where indices and input are broadcast first; over the flat tensor without `dim`. */
export const takeAlongDim = op(
  'takeAlongDim',
  'input, indices, dim',
  (input: Tensor, indices: Tensor, dim: number | null = null): Tensor => {
    checkIndex('takeAlongDim', indices);
    if (dim === null) return gather(reshape(input, [-1]), 0, reshape(indices, [-1]));
    const along = normalizeDim(dim, input.ndim, 'takeAlongDim');
    if (indices.ndim !== input.ndim) {
      throw new ShapeError(
        `takeAlongDim: indices ${showShape(indices.shape)} and tensor ${showShape(input.shape)} ` +
          'have different numbers of dimensions',
      );
    }
    const others = broadcastShapes(
      resized(input.shape, along, 1),
      resized(indices.shape, along, 1),
      'takeAlongDim',
    );
    const x = expand(input, resized(others, along, sizeOf(input.shape, along)));
    const index = expand(indices, resized(others, along, sizeOf(indices.shape, along)));
    return gather(x, along, index);
  },
);

/** Runs a scattering row on the corner of `input` that the index reaches. */
function scatterInto(
  name: string,
  input: Tensor,
  dim: number,
  index: Tensor,
  src: Tensor,
  run: (x: Tensor, index: Tensor, along: number) => Tensor,
): Tensor {
  const along = normalizeDim(dim, input.ndim, name);
  // Nothing is added of the values, which have a gradient of zeros.
  if (index.numel() === 0) {
    if (!src.requiresGrad) return input.clone();
    checkSource(name, input, src);
    return input.sub(reshape(src, [-1]).narrow(0, 0, 0).sum());
  }
  checkIndex(name, index);
  checkWithin(name, index, input, along, 'a tensor');
  const part = corner(input, index.shape, along);
  const done = reshape(run(canonical(part, along), canonical(index, along), along), part.shape);
  return part === input ? done : viewScatter(input, done, (x) => corner(x, index.shape, along));
}

/** The values for each index, as [outer, count, inner]. */
function scatterValues(
  name: string,
  input: Tensor,
  index: Tensor,
  src: Tensor,
  dim: number,
): Tensor {
  checkSource(name, input, src);
  checkWithin(name, index, src, -1, 'values');
  return canonical(corner(src, index.shape, -1), dim);
}

type ScatterReduce = 'add' | 'multiply';

/**
 * out = input, then out[index[i][j]][j] = src[i][j] for dim 0, and so for other dimensions. `src`
 * may be one value. `reduce` 'add' or 'multiply' combines with what is there.
 */
export const scatter = op(
  'scatter',
  'input, dim, index, src, reduce, value',
  (
    input: Tensor,
    dim: number,
    index: Tensor,
    src?: Tensor | number | boolean,
    reduce: ScatterReduce | null = null,
    value?: number | boolean,
  ): Tensor => {
    const given = src ?? value;
    if (given === undefined) throw new ValueError('scatter: give src, a tensor or a number');
    if (reduce !== null && reduce !== 'add' && reduce !== 'multiply') {
      throw new ValueError(`scatter: reduce is 'add' or 'multiply', got '${reduce}'`);
    }
    const values = isTensor(given) ? given : input.newFull(index.shape, Number(given));
    return scatterInto('scatter', input, dim, index, values, (x, flat, along) => {
      const source = scatterValues('scatter', input, index, values, along);
      if (reduce === null) return applyPrimitive('scatter', [x, flat, source], WRAP)[0];
      const mode = reduce === 'add' ? 'sum' : 'prod';
      return applyPrimitive('scatterReduce', [x, flat, source], { ...WRAP, mode })[0];
    });
  },
);

/** out = input, then out[index[i][j]][j] += src[i][j] for dim 0, and so for other dimensions. */
export const scatterAdd = op(
  'scatterAdd',
  'input, dim, index, src',
  (input: Tensor, dim: number, index: Tensor, src: Tensor): Tensor =>
    scatterInto('scatterAdd', input, dim, index, src, (x, flat, along) => {
      const values = scatterValues('scatterAdd', input, index, src, along);
      return applyPrimitive('scatterAdd', [x, flat, values], WRAP)[0];
    }),
);

/** How scatterReduce() combines the values of one place. */
export type ReduceMode = 'sum' | 'prod' | 'mean' | 'amax' | 'amin';

/** What a reduction starts from where the tensor itself is not included. */
function identity(mode: ReduceMode, x: Tensor): number | bigint {
  if (mode === 'sum' || mode === 'mean') return 0;
  if (mode === 'prod') return 1;
  const sign = mode === 'amax' ? -1 : 1;
  if (x.dtype.isFloatingPoint) return sign * Number.POSITIVE_INFINITY;
  const { name, size } = x.dtype;
  if (name === 'bool' || name === 'uint8') return sign < 0 ? 0 : name === 'bool' ? 1 : 255;
  const most = 2n ** BigInt(8 * size - 1);
  return sign < 0 ? -most : most - 1n;
}

/** Sums divided by how many values each place got; rounded down for integers. */
function toMean(sums: Tensor, index: Tensor, includeSelf: boolean): Tensor {
  const ones = sums.detach().onesLike();
  const start = includeSelf ? ones : ones.zerosLike();
  const hits = index.onesLike({ dtype: sums.dtype });
  const counts = applyPrimitive('scatterAdd', [start, index, hits], WRAP)[0].clamp(1);
  return sums.dtype.isFloatingPoint ? sums.div(counts) : sums.div(counts, 'floor');
}

/**
 * As scatterAdd(), with the values of one place combined by `reduce`. Without `includeSelf` the
 * values of `input` do not count where an index points.
 */
export const scatterReduce = op(
  'scatterReduce',
  'input, dim, index, src, reduce, includeSelf',
  (
    input: Tensor,
    dim: number,
    index: Tensor,
    src: Tensor,
    reduce: ReduceMode,
    includeSelf = true,
  ): Tensor => {
    if (!['sum', 'prod', 'mean', 'amax', 'amin'].includes(reduce)) {
      throw new ValueError(
        `scatterReduce: reduce is 'sum', 'prod', 'mean', 'amax' or 'amin', got '${reduce}'`,
      );
    }
    return scatterInto('scatterReduce', input, dim, index, src, (x, flat, along) => {
      const values = scatterValues('scatterReduce', input, index, src, along);
      let start = x;
      if (!includeSelf) {
        const none = values.detach().fullLike(identity(reduce, x));
        start = applyPrimitive('scatter', [x, flat, none], WRAP)[0];
      }
      const mode = reduce === 'mean' ? 'sum' : reduce;
      const [folded] = applyPrimitive('scatterReduce', [start, flat, values], { ...WRAP, mode });
      return reduce === 'mean' ? toMean(folded, flat, includeSelf) : folded;
    });
  },
);

export const scatter_ = op(
  'scatter_',
  'input, dim, index, src, reduce, value',
  (
    input: Tensor,
    dim: number,
    index: Tensor,
    src?: Tensor | number | boolean,
    reduce: ScatterReduce | null = null,
    value?: number | boolean,
  ): Tensor =>
    assignFrom('scatter_', input, (before) => scatter(before, dim, index, src, reduce, value)),
);
export const scatterAdd_ = op(
  'scatterAdd_',
  'input, dim, index, src',
  (input: Tensor, dim: number, index: Tensor, src: Tensor): Tensor =>
    assignFrom('scatterAdd_', input, (before) => scatterAdd(before, dim, index, src)),
);
export const scatterReduce_ = op(
  'scatterReduce_',
  'input, dim, index, src, reduce, includeSelf',
  (
    input: Tensor,
    dim: number,
    index: Tensor,
    src: Tensor,
    reduce: ReduceMode,
    includeSelf = true,
  ): Tensor =>
    assignFrom('scatterReduce_', input, (before) =>
      scatterReduce(before, dim, index, src, reduce, includeSelf),
    ),
);

/**
 * As indexAdd(), with the slices of one place combined by `reduce` ('prod', 'mean', 'amax' or
 * 'amin'). Without `includeSelf` the slices of `input` do not count where an index points.
 */
export const indexReduce = op(
  'indexReduce',
  'input, dim, index, source, reduce, includeSelf',
  (
    input: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor,
    reduce: ReduceMode,
    includeSelf = true,
  ): Tensor => {
    const along = normalizeDim(dim, input.ndim, 'indexReduce');
    const rows = rowIndex('indexReduce', input, index);
    const values = rowValues('indexReduce', input, along, rows, source);
    const places = expand(reshape(rows, [1, -1, 1]), values.shape);
    const x = canonical(input, along);
    return reshape(scatterReduce(x, 1, places, values, reduce, includeSelf), input.shape);
  },
);
export const indexReduce_ = op(
  'indexReduce_',
  'input, dim, index, source, reduce, includeSelf',
  (
    input: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor,
    reduce: ReduceMode,
    includeSelf = true,
  ): Tensor =>
    assignFrom('indexReduce_', input, (before) =>
      indexReduce(before, dim, index, source, reduce, includeSelf),
    ),
);

// --- The flat tensor ---------------------------------------------------------------------------

/** The elements of the flattened tensor at `index`, in the shape of `index`. */
export const take = op('take', 'input, index', (input: Tensor, index: Tensor): Tensor => {
  checkIndex('take', index);
  return applyPrimitive('takeFlat', [input, index], {})[0];
});

/** `input` with the elements of `source` written (or added) at `index` of the flattened tensor. */
export const put = op(
  'put',
  'input, index, source, accumulate',
  (input: Tensor, index: Tensor, source: Tensor, accumulate = false): Tensor => {
    checkIndex('put', index);
    checkSource('put', input, source);
    const row = accumulate ? 'putAddFlat' : 'putFlat';
    return applyPrimitive(row, [input, index, source], {})[0];
  },
);
export const put_ = op(
  'put_',
  'input, index, source, accumulate',
  (input: Tensor, index: Tensor, source: Tensor, accumulate = false): Tensor =>
    assignFrom('put_', input, (before) => put(before, index, source, accumulate)),
);
