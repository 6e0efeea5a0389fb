/** Which dimensions a reduction takes, and how they become the middle of [outer, n, inner]. */

import { type Dtype, float32, float64, int32, int64 } from '../core/dtype.js';
import { ShapeError } from '../core/errors.js';
import {
  isDenseLayout,
  memoryOrder,
  normalizeDim,
  normalizeDims,
  numelOf,
  rowMajor,
  type Shape,
  simplifyLayouts,
} from '../core/layout.js';
import { giveBack, lend } from '../core/lend.js';
import { Memo } from '../core/memo.js';
import type { Tensor } from '../tensor.js';
import { applyCanonical, applySeen, aroundDims, type Form } from './canonical.js';
import type { Spread } from './primitives/reduce.js';
import type { AttributesOf, PrimitiveName } from './table.js';

/** One dimension, several, or null (or an empty list) for all. */
export type Dims = number | readonly number[] | null;

/** As in PyTorch. */
const MOST_DIMS = 64;

const ALL: (readonly number[])[] = [];

/** 0 to ndim - 1. */
export function allDims(ndim: number): readonly number[] {
  ALL[ndim] ??= Array.from({ length: ndim }, (_, i) => i);
  return ALL[ndim];
}

const SINGLE: (readonly number[])[] = [];

/** One dimension as a list. */
export function oneDim(dim: number): readonly number[] {
  SINGLE[dim] ??= [dim];
  return SINGLE[dim];
}

/**
 * The dimensions that are reduced, in ascending order. A 0-d tensor takes 0 and -1, and has none.
 */
export function reducedDims(dim: Dims | undefined, ndim: number, name: string): readonly number[] {
  if (ndim > MOST_DIMS) {
    throw new ShapeError(
      `${name}: a tensor of ${ndim} dimensions cannot be reduced, only of up to ${MOST_DIMS}; ` +
        'flatten() some',
    );
  }
  if (dim === undefined || dim === null) return allDims(ndim);
  if (typeof dim === 'number') {
    const d = normalizeDim(dim, ndim, name);
    return ndim === 0 ? allDims(0) : oneDim(d);
  }
  if (dim.length === 0) return allDims(ndim);
  const dims = normalizeDims(dim, ndim, name);
  return ndim === 0 ? [] : dims.sort((a, b) => a - b);
}

/** The shape without the reduced dimensions, or with 1 in their place. */
export function reducedShape(shape: Shape, dims: readonly number[], keepdim: boolean): Shape {
  const left = keepdim ? shape.length : shape.length - dims.length;
  const sizes = lend<number>(left);
  for (let i = 0, at = 0; i < shape.length; i++) {
    const gone = dims.includes(i);
    if (keepdim || !gone) sizes[at++] = gone ? 1 : shape[i];
  }
  const reduced = rowMajor(sizes).shape;
  giveBack(sizes);
  return reduced;
}

/**
 * Runs of neighbours among the dimensions, [start, end) each. Dimensions of size 1 neither need
 * reducing nor part a run.
 */
function runsOf(shape: Shape, dims: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const dim of dims) {
    if (shape[dim] === 1) continue;
    const last = runs.at(-1);
    if (last !== undefined && shape.slice(last[1], dim).every((size) => size === 1)) {
      last[1] = dim + 1;
    } else runs.push([dim, dim + 1]);
  }
  return runs.length > 0 ? runs : [[0, 0]];
}

/** Rows of fewer elements are copied first: of a whole, and where each has a result of its own. */
const LONG_ROW = 32;
const LONG_ALONE = 128;
/** Sums of so few are those of other lanes (reduce.h). */
const SHORT = 16;

/** Rows that may be applied to one run of dimensions after another. */
type Stepwise = 'sum' | 'prod' | 'amax' | 'amin' | 'any' | 'all';

/** How `dims` are reduced where they lie: one or all of them, if those that are left lie in order. */
function asItLies(x: Tensor, dims: readonly number[]): Form | undefined {
  const count = dims.length;
  if (count !== 1 && count !== x.ndim) return undefined;
  if (x.isContiguous() || !isDenseLayout(x.shape, x.strides)) return undefined;
  const order = memoryOrder(x.shape, [x.strides]).reverse();
  const first = count === 1 ? order.indexOf(dims[0]) : 0;
  const left = order.filter((_, i) => i < first || i >= first + count);
  if (left.some((dim, i) => dim < left[i - 1])) return undefined;
  const shape = order.map((dim) => x.shape[dim]);
  return { order, shape: aroundDims(shape, first, first + count).shape };
}

/** Rows that read what is not contiguous where it lies. */
const SPREADABLE: ReadonlySet<PrimitiveName> = new Set([
  'sum',
  'prod',
  'amax',
  'amin',
  'vectorNorm',
]);
const SPREADABLE_DTYPES: readonly Dtype[] = [float32, float64, int32, int64];

/** How the elements of a CPU tensor are spread, if a row need not copy them first. */
function spreadOf(
  row: PrimitiveName,
  x: Tensor,
  { order, shape: [outer, n, inner] }: Form,
): Spread | undefined {
  if (order || x.isContiguous() || x.device !== 'cpu') return undefined;
  if (!SPREADABLE.has(row) || !SPREADABLE_DTYPES.includes(x.dtype)) return undefined;
  const { shape, strides } = simplifyLayouts(x.shape, [x.strides]);
  const step = strides[0][shape.length - 1];
  // Rows that follow each other in their steps were merged.
  const isOne = shape.length === 1 && inner > 1 && shape[0] % inner === 0;
  const width = isOne ? inner : shape[shape.length - 1];
  const pitch = shape.length > 1 ? strides[0][0] : width * step;
  // Rows may be one row again and again; in steps it is read past its end.
  const apart = pitch >= width * step || (pitch === 0 && step === 1);
  const least = outer > 1 && inner === 1 ? LONG_ALONE : LONG_ROW;
  if (shape.length > 2 || width < least || step < 0 || !apart) return undefined;
  // What repeats may have more elements than kernels count.
  if (x.numel() >= 2 ** 32) return undefined;
  const readable = inner > 1 ? width === inner && (step === 1 || row === 'sum') : n > SHORT;
  return readable ? { width, pitch, step } : undefined;
}

const NONE = Object.freeze({});

/** Attributes with how elements are spread. */
const spreading = new Memo<[object, width: number, pitch: number, step: number], object>(
  [NONE, 0, 0, 0],
  ([attributes, width, pitch, step]) => ({ ...attributes, spread: { width, pitch, step } }),
);

/** Runs a row on its only input, which it reads where it lies if it can. */
function applyWhereItLies<K extends PrimitiveName>(
  row: K,
  x: Tensor,
  form: Form,
  final: Shape,
  attributes: AttributesOf<K>,
  shown?: string,
): Tensor {
  const spread = spreadOf(row, x, form);
  if (spread === undefined) return applySeen(row, x, form, final, attributes, shown);
  const { shape } = form;
  spreading.key[0] = attributes;
  spreading.key[1] = spread.width;
  spreading.key[2] = spread.pitch;
  spreading.key[3] = spread.step;
  const given = spreading.get() as AttributesOf<K>;
  return applySeen(row, x, { shape, geometry: rowMajor(shape) }, final, given, shown);
}

/** Reduces one run of neighbouring dimensions after another; `attributes` go to the last step. */
export function reduceRuns<K extends Stepwise>(
  row: K,
  x: Tensor,
  dims: readonly number[],
  keepdim: boolean,
  attributes: AttributesOf<K>,
  shown?: string,
): Tensor {
  const final = reducedShape(x.shape, dims, keepdim);
  const count = dims.length;
  if (count === 1 || count === x.ndim) {
    const start = count === 1 ? dims[0] : 0;
    const form: Form = asItLies(x, dims) ?? aroundDims(x.shape, start, start + count);
    return applyWhereItLies(row, x, form, final, attributes, shown);
  }
  const runs = runsOf(x.shape, dims);
  let current = x;
  for (let i = runs.length - 1; i >= 0; i--) {
    const [start, end] = runs[i];
    const form = aroundDims(current.shape, start, end);
    const shape = current.shape.map((size, d) => (d >= start && d < end ? 1 : size));
    const last = i === 0;
    const given = last ? attributes : (NONE as AttributesOf<K>);
    const result = applySeen(row, current, form, last ? final : shape, given, shown);
    if (current !== x) current.dispose();
    current = result;
  }
  return current;
}

/** Reduces all dimensions in one step, moving them to the end where they are not neighbours. */
export function reduceJointly<K extends PrimitiveName>(
  row: K,
  x: Tensor,
  dims: readonly number[],
  keepdim: boolean,
  attributes: AttributesOf<K>,
  outputs: number,
  shown?: string,
): Tensor[] {
  const shape = reducedShape(x.shape, dims, keepdim);
  const shapes = Array.from({ length: outputs }, () => shape);
  const [run, ...more] = runsOf(x.shape, dims);
  if (more.length === 0) {
    const form: Form = asItLies(x, dims) ?? aroundDims(x.shape, run[0], run[1]);
    if (outputs === 1) return [applyWhereItLies(row, x, form, shape, attributes, shown)];
    return applyCanonical(row, [x], [form], shapes, attributes, shown);
  }
  const kept = allDims(x.ndim).filter((d) => !dims.includes(d));
  const size = numelOf(dims.map((d) => x.shape[d]));
  const form = {
    order: [...kept, ...dims],
    shape: [numelOf(kept.map((d) => x.shape[d])), size, 1],
  };
  return applyCanonical(row, [x], [form], shapes, attributes, shown);
}
