/**
 * Gathering and scattering. x is `[outer, n, inner]` and indices (int32) count along n; composites
 * view any dimension as this form. `wrap` lets negative indices count from the end. Where values
 * are only moved, kernels know nothing but the size of an element, so any dtype goes without casts.
 */

import { type Dtype, encodeElement, suffix } from '../../core/dtype.js';
import { ShapeError, showShape } from '../../core/errors.js';
import { numelOf, sized } from '../../core/layout.js';
import type { Tensor } from '../../tensor.js';
import { type KernelDtype, kernel, NUMBERS, WIDTHS } from '../kernel.js';
import { type BufferRef, type Launcher, type OutputSpec, outputsOf, primitive } from '../row.js';

/** Columns and elements that one unit of work owns, as in kernels/index.h. */
const COLUMNS = 128;
const BLOCK = 16384;

const along = { n: 'u32', count: 'u32', inner: 'u32', wrap: 'u32' } as const;

const gatherKernel = kernel({
  dtypes: WIDTHS,
  buffers: ['x', 'index', 'out', 'status'],
  params: along,
});
const scatterKernel = kernel({
  dtypes: WIDTHS,
  buffers: ['x', 'index', 'src', 'out', 'status'],
  params: along,
});
const wideAlong = { ...along, wide: 'u32' } as const;
const pickKernel = kernel({ ...gatherKernel, params: wideAlong });
const placeKernel = kernel({ ...scatterKernel, params: wideAlong });
const indexCopyKernel = kernel({
  ...scatterKernel,
  params: { ...along, fill: 'u32', low: 'u32', high: 'u32' },
});
const scatterReduceKernel = kernel({
  ...scatterKernel,
  dtypes: NUMBERS,
  params: { ...along, mode: 'u32', based: 'u32' },
});
const indexAddKernel = kernel({
  ...scatterKernel,
  dtypes: NUMBERS,
  params: { ...along, based: 'u32', skip: 'i32', alpha: 'f64' },
});
const takeKernel = kernel({ ...gatherKernel, params: { n: 'u32' } });
const putKernel = kernel({ ...scatterKernel, params: { n: 'u32', count: 'u32' } });
const putAddKernel = kernel({
  ...scatterKernel,
  dtypes: NUMBERS,
  params: { n: 'u32', count: 'u32', based: 'u32' },
});
const triangleKernel = kernel({
  dtypes: WIDTHS,
  buffers: ['x', 'out'],
  params: { rows: 'u32', columns: 'u32', diagonal: 'i32', upper: 'u32' },
});

export interface Wrap {
  /** Negative indices count from the end; otherwise they are errors. Default false. */
  wrap?: boolean;
}

export function width(dtype: Dtype): KernelDtype {
  return (dtype.size === 4 ? 'b4' : `b${dtype.size}`) as KernelDtype;
}

/** Runs launches that check indices; throws IndexError if one of them is outside [0, size). */
export function checkingIndices(
  launcher: Launcher,
  name: string,
  index: Tensor,
  size: number,
  launches: (status: BufferRef) => void,
): void {
  const status = launcher.status();
  launches(status);
  launcher.checkIndices(status, name, index, size);
}

function refuse(name: string, form: string, ...given: Tensor[]): never {
  const shapes = given.map((t) => showShape(t.shape)).join(', ');
  throw new ShapeError(`${name}: the kernel takes ${form}, got ${shapes}`);
}

/** Checks x [outer, n, inner] beside others [outer, count, inner]. */
function checkAlong(name: string, x: Tensor, ...others: Tensor[]): void {
  const [first] = others;
  const fits = (t: Tensor) =>
    t.shape.length === 3 && t.shape[0] === x.shape[0] && t.shape[2] === x.shape[2];
  if (![x, ...others].every(fits) || others.some((t) => t.shape[1] !== first.shape[1])) {
    refuse(name, 'x [outer, n, inner] and index, src [outer, count, inner]', x, ...others);
  }
}

/** Checks x [outer, n, inner] beside index [count] and perhaps src [outer, count, inner]. */
function checkRows(name: string, x: Tensor, index: Tensor, src?: Tensor): void {
  const fits =
    src === undefined ||
    (src.shape[0] === x.shape[0] && src.shape[1] === index.shape[0] && src.shape[2] === x.shape[2]);
  if (x.shape.length !== 3 || index.shape.length !== 1 || !fits) {
    const form = 'x [outer, n, inner], index [count] and src [outer, count, inner]';
    refuse(name, form, ...(src ? [x, index, src] : [x, index]));
  }
}

function params(x: readonly number[], count: number, wrap = false) {
  return { n: x[1], count, inner: x[2], wrap: Number(wrap) };
}

const isWide = (index: Tensor): number => Number(index.dtype.size === 8);

/** Units of work that own columns. */
function chunks(shape: readonly number[]): number {
  return shape[0] * Math.ceil(shape[2] / COLUMNS);
}

/** x [outer, n, inner], index [outer, count, inner]: out[o, i, c] = x[o, index[o, i, c], c]. */
export const gather = primitive<Wrap>()({
  kernels: { gather: pickKernel },
  inputs: ['x', 'index'],
  dtypes: 'any',
  fixed: true,
  index: [1],
  wideIndex: true,
  outputs([x, index]) {
    checkAlong('gather', x, index);
    return [{ shape: index.shape, dtype: x.dtype }];
  },
  run(launcher, [x, index], [out], { wrap }) {
    const [outer, count] = index.shape;
    checkingIndices(launcher, 'gather', index, x.shape[1], (status) => {
      const buffers = [x, index, out, status];
      const sizes = { ...params(x.shape, count, wrap), wide: isWide(index) };
      launcher.launch('gather', pickKernel, width(x.dtype), buffers, sizes, outer * count);
    });
  },
});

/**
 * x [outer, n, inner] with src [outer, count, inner] written where index says.
 * out = x, then out[o, index[o, i, c], c] = src[o, i, c]; of equal indices the last wins.
 */
export const scatter = primitive<Wrap>()({
  kernels: { scatter: placeKernel },
  inputs: ['x', 'index', 'src'],
  dtypes: 'any',
  index: [1],
  wideIndex: true,
  outputs([x, index, src]) {
    checkAlong('scatter', x, index, src);
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  run(launcher, [x, index, src], [out], { wrap }) {
    checkingIndices(launcher, 'scatter', index, x.shape[1], (status) => {
      const buffers = [x, index, src, out, status];
      const sizes = { ...params(x.shape, index.shape[1], wrap), wide: isWide(index) };
      launcher.launch('scatter', placeKernel, width(x.dtype), buffers, sizes, chunks(x.shape));
    });
  },
});

const modes = { sum: 0, prod: 1, amax: 2, amin: 3 } as const;

/** Emits scatterReduce on x, or on zeros if x is undefined. */
function emitScatterReduce(
  launcher: Launcher,
  name: string,
  x: Tensor | undefined,
  index: Tensor,
  src: Tensor,
  out: Tensor,
  attributes: Wrap & { mode: keyof typeof modes },
): void {
  checkingIndices(launcher, name, index, out.shape[1], (status) => {
    const values = {
      ...params(out.shape, index.shape[1], attributes.wrap),
      mode: modes[attributes.mode],
      based: Number(x !== undefined),
    };
    const buffers = [x ?? src, index, src, out, status];
    const dtype = suffix(src.dtype);
    const range = chunks(out.shape);
    launcher.launch('scatterReduce', scatterReduceKernel, dtype, buffers, values, range);
  });
}

function scatterFold(name: string, fixed?: 'sum') {
  /** x [outer, n, inner] meeting src [outer, count, inner] where index says, in order. */
  return primitive<Wrap & { mode?: keyof typeof modes }>()({
    kernels: { scatterReduce: scatterReduceKernel },
    inputs: ['x', 'index', 'src'],
    dtypes: 'number',
    index: [1],
    outputs([x, index, src]) {
      checkAlong(name, x, index, src);
      return [{ shape: x.shape, dtype: x.dtype }];
    },
    run(launcher, [x, index, src], [out], { wrap, mode = 'sum' }) {
      emitScatterReduce(launcher, name, x, index, src, out, { wrap, mode: fixed ?? mode });
    },
  });
}

/** out = x, then out[o, index[o, i, c], c] += src[o, i, c]. */
export const scatterAdd = scatterFold('scatterAdd', 'sum');
/** The same with `mode` 'sum', 'prod', 'amax' or 'amin'; x itself takes part. */
export const scatterReduce = scatterFold('scatterReduce');

/** Gradient through gather: g [outer, count, inner] added into zeros [outer, n, inner] at index. */
export const gatherBackward = primitive<Wrap & { n: number }>()({
  kernels: { scatterReduce: scatterReduceKernel },
  inputs: ['g', 'index'],
  dtypes: 'number',
  index: [1],
  outputs([g, index], { n }) {
    checkAlong('gatherBackward', g, index);
    return [{ shape: [g.shape[0], n, g.shape[2]], dtype: g.dtype }];
  },
  run(launcher, [g, index], [out], { wrap }) {
    const attributes = { wrap, mode: 'sum' as const };
    emitScatterReduce(launcher, 'gatherBackward', undefined, index, g, out, attributes);
  },
});

/**
 * x [outer, n, inner], index [count] -> [outer, count, inner].
 * out[o, i, :] = x[o, index[i], :]. Embedding lookup is this with outer = 1; rows of index `skip`
 * get no gradient.
 */
export const indexSelect = primitive<Wrap & { skip?: number }>()({
  kernels: { indexSelect: gatherKernel },
  inputs: ['x', 'index'],
  dtypes: 'any',
  fixed: true,
  index: [1],
  outputs([x, index]) {
    checkRows('indexSelect', x, index);
    return outputsOf(x.dtype, sized(x.shape[0], index.shape[0], x.shape[2]).shape);
  },
  run(launcher, [x, index], [out], { wrap }) {
    const [count] = index.shape;
    checkingIndices(launcher, 'indexSelect', index, x.shape[1], (status) => {
      const buffers = [x, index, out, status];
      const sizes = params(x.shape, count, wrap);
      const range = x.shape[0] * count;
      launcher.launch('indexSelect', gatherKernel, width(x.dtype), buffers, sizes, range);
    });
  },
});

function emitIndexAdd(
  launcher: Launcher,
  name: string,
  [x, index, src]: readonly [Tensor | undefined, Tensor, Tensor],
  out: Tensor,
  { wrap = false, alpha = 1, skip = -1 },
): void {
  checkingIndices(launcher, name, index, out.shape[1], (status) => {
    const based = Number(x !== undefined);
    const sizes = params(out.shape, index.shape[0], wrap);
    const buffers = [x ?? src, index, src, out, status];
    const values = { ...sizes, based, alpha, skip: wrap ? -(2 ** 31) : skip };
    const dtype = suffix(src.dtype);
    launcher.launch('indexAdd', indexAddKernel, dtype, buffers, values, chunks(out.shape));
  });
}

/**
 * x [outer, n, inner] plus alpha times src [outer, count, inner] at the rows of index.
 * out = x, then out[o, index[i], :] += alpha * src[o, i, :].
 */
export const indexAdd = primitive<Wrap & { alpha?: number }>()({
  kernels: { indexAdd: indexAddKernel },
  inputs: ['x', 'index', 'src'],
  dtypes: 'number',
  index: [1],
  outputs([x, index, src]) {
    checkRows('indexAdd', x, index, src);
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  run(launcher, [x, index, src], [out], { wrap, alpha }) {
    emitIndexAdd(launcher, 'indexAdd', [x, index, src], out, { wrap, alpha });
  },
});

/**
 * Gradient through indexSelect (and embedding): g [outer, count, inner] added into zeros
 * [outer, n, inner] at the rows of index; those of index `skip` are left.
 */
export const indexSelectBackward = primitive<Wrap & { n: number; skip?: number }>()({
  kernels: { indexAdd: indexAddKernel },
  inputs: ['g', 'index'],
  dtypes: 'number',
  fixed: true,
  index: [1],
  outputs([g, index], { n }) {
    checkRows('indexSelectBackward', g, index, g);
    return [{ shape: [g.shape[0], n, g.shape[2]], dtype: g.dtype }];
  },
  run(launcher, [g, index], [out], { wrap, skip }) {
    emitIndexAdd(launcher, 'indexSelectBackward', [undefined, index, g], out, { wrap, skip });
  },
});

/**
 * x [outer, n, inner] with src [outer, count, inner] written at the rows of index.
 * out = x, then out[o, index[i], :] = src[o, i, :]; of equal indices the last wins.
 */
export const indexCopy = primitive<Wrap>()({
  kernels: { indexCopy: indexCopyKernel },
  inputs: ['x', 'index', 'src'],
  dtypes: 'any',
  index: [1],
  outputs([x, index, src]) {
    checkRows('indexCopy', x, index, src);
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  run(launcher, [x, index, src], [out], { wrap }) {
    checkingIndices(launcher, 'indexCopy', index, x.shape[1], (status) => {
      const values = { ...params(x.shape, index.shape[0], wrap), fill: 0, low: 0, high: 0 };
      const buffers = [x, index, src, out, status];
      const range = chunks(x.shape);
      launcher.launch('indexCopy', indexCopyKernel, width(x.dtype), buffers, values, range);
    });
  },
});

/** The bits of a value as stored in `dtype`, as two words. */
function valueBits(dtype: Dtype, value: number): { low: number; high: number } {
  const raw = new dtype.array(8 / dtype.size);
  raw[0] = encodeElement(dtype, value);
  const [low, high] = new Uint32Array(raw.buffer);
  return { low, high };
}

/**
 * x [outer, n, inner] with the rows of index [count] set to `value`.
 * out = x, then out[o, index[i], :] = value.
 */
export const indexFill = primitive<Wrap & { value: number }>()({
  kernels: { indexCopy: indexCopyKernel },
  inputs: ['x', 'index'],
  dtypes: 'any',
  index: [1],
  outputs([x, index]) {
    checkRows('indexFill', x, index);
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  run(launcher, [x, index], [out], { wrap, value }) {
    checkingIndices(launcher, 'indexFill', index, x.shape[1], (status) => {
      const sizes = params(x.shape, index.shape[0], wrap);
      const values = { ...sizes, fill: 1, ...valueBits(x.dtype, value) };
      const buffers = [x, index, x, out, status];
      const range = chunks(x.shape);
      launcher.launch('indexCopy', indexCopyKernel, width(x.dtype), buffers, values, range);
    });
  },
});

/**
 * The elements of x (any shape, flat) at index; shape of index.
 * out[i] = x[index[i]] in the flat x; negative indices count from the end.
 */
export const takeFlat = primitive<Record<never, never>>()({
  kernels: { take: takeKernel },
  inputs: ['x', 'index'],
  dtypes: 'any',
  index: [1],
  outputs: ([x, index]) => [{ shape: index.shape, dtype: x.dtype }],
  run(launcher, [x, index], [out]) {
    const n = numelOf(x.shape);
    checkingIndices(launcher, 'take', index, n, (status) => {
      const buffers = [x, index, out, status];
      launcher.launch('take', takeKernel, width(x.dtype), buffers, { n }, numelOf(index.shape));
    });
  },
});

function checkPut(name: string, index: Tensor, src: Tensor): void {
  if (numelOf(index.shape) !== numelOf(src.shape)) {
    refuse(name, 'as many indices as values', index, src);
  }
}

/**
 * x (any shape, flat) with src written at index; negative indices count from the end.
 * out = x, then out[index[i]] = src[i] in the flat out; of equal indices the last wins.
 */
export const putFlat = primitive<Record<never, never>>()({
  kernels: { put: putKernel },
  inputs: ['x', 'index', 'src'],
  dtypes: 'any',
  index: [1],
  outputs([x, index, src]) {
    checkPut('put', index, src);
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  run(launcher, [x, index, src], [out]) {
    const values = { n: numelOf(x.shape), count: numelOf(index.shape) };
    checkingIndices(launcher, 'put', index, values.n, (status) => {
      const buffers = [x, index, src, out, status];
      const range = Math.ceil(values.n / BLOCK);
      launcher.launch('put', putKernel, width(x.dtype), buffers, values, range);
    });
  },
});

/**
 * x (any shape, flat) with src added at index; negative indices count from the end.
 * out = x, then out[index[i]] += src[i] in the flat out.
 */
export const putAddFlat = primitive<Record<never, never>>()({
  kernels: { putAdd: putAddKernel },
  inputs: ['x', 'index', 'src'],
  dtypes: 'number',
  index: [1],
  outputs([x, index, src]) {
    checkPut('put', index, src);
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  run(launcher, [x, index, src], [out]) {
    const values = { n: numelOf(x.shape), count: numelOf(index.shape), based: 1 };
    checkingIndices(launcher, 'put', index, values.n, (status) => {
      const buffers = [x, index, src, out, status];
      const range = Math.ceil(values.n / BLOCK);
      launcher.launch('putAdd', putAddKernel, suffix(x.dtype), buffers, values, range);
    });
  },
});

/** Gradient through takeFlat: g (shape of index) added into zeros of `shape`, flat, at index. */
export const takeBackward = primitive<{ shape: readonly number[] }>()({
  kernels: { putAdd: putAddKernel },
  inputs: ['g', 'index'],
  dtypes: 'number',
  index: [1],
  outputs([g, index], { shape }): OutputSpec[] {
    checkPut('take', index, g);
    return [{ shape, dtype: g.dtype }];
  },
  run(launcher, [g, index], [out]) {
    const values = { n: numelOf(out.shape), count: numelOf(index.shape), based: 0 };
    checkingIndices(launcher, 'take', index, values.n, (status) => {
      const buffers = [g, index, g, out, status];
      const range = Math.ceil(values.n / BLOCK);
      launcher.launch('putAdd', putAddKernel, suffix(g.dtype), buffers, values, range);
    });
  },
});

/**
 * The upper or lower triangle of matrices [..., rows, columns]; zeros elsewhere.
 * Keeps the elements with column - row >= diagonal (upper) or <= diagonal (lower).
 */
export const triangle = primitive<{ diagonal: number; upper: boolean }>()({
  kernels: { triangle: triangleKernel },
  inputs: ['x'],
  dtypes: 'any',
  outputs([x], { upper }) {
    if (x.shape.length < 2) {
      const name = upper ? 'triu' : 'tril';
      throw new ShapeError(
        `${name}: expected at least 2 dimensions [..., rows, columns], got ${showShape(x.shape)}`,
      );
    }
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  run(launcher, [x], [out], { diagonal, upper }) {
    const [rows, columns] = x.shape.slice(-2);
    const values = { rows, columns, diagonal, upper: Number(upper) };
    const range = numelOf(x.shape) / columns;
    launcher.launch('triangle', triangleKernel, width(x.dtype), [x, out], values, range);
  },
});
