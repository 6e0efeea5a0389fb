/** Sorting `[outer, n, inner]` along n, the largest k, and searching in what is sorted. */

import { bool, int32, suffix } from '../../core/dtype.js';
import { ShapeError, showShape, ValueError } from '../../core/errors.js';
import { numelOf } from '../../core/layout.js';
import type { Tensor } from '../../tensor.js';
import { kernel, NUMBERS } from '../kernel.js';
import { type Launcher, primitive } from '../row.js';

/** The most that are found in one pass, as in kernels/sort.c; more are taken from a whole sort. */
const TOP_LIMIT = 64;

const line = { n: 'u32', inner: 'u32', first: 'u32', keep: 'u32', descending: 'u32' } as const;

const sortKernel = kernel({
  dtypes: NUMBERS,
  buffers: ['x', 'values', 'indices', 'keys', 'order'],
  params: line,
});
const topkKernel = kernel({
  dtypes: NUMBERS,
  buffers: ['x', 'values', 'indices'],
  params: line,
});
const searchsortedKernel = kernel({
  dtypes: NUMBERS,
  buffers: ['sorted', 'values', 'out'],
  params: { n: 'u32', count: 'u32', right: 'u32' },
});
const runStartsKernel = kernel({ dtypes: NUMBERS, buffers: ['x', 'out'], params: {} });

function check(name: string, x: Tensor): void {
  if (x.shape.length === 3) return;
  throw new ShapeError(`${name}: the kernel takes [outer, n, inner], got ${showShape(x.shape)}`);
}

/** Fills values and positions with the places from `first` up to `keep` of every sorted line. */
function emitSort(
  launcher: Launcher,
  x: Tensor,
  [values, indices]: readonly Tensor[],
  first: number,
  keep: number,
  descending: boolean,
): void {
  const [outer, n, inner] = x.shape;
  const total = 2 * numelOf(x.shape);
  const scratch = [launcher.scratch(total, x.dtype), launcher.scratch(total, int32)];
  const params = { n, inner, first, keep, descending: Number(descending) };
  const buffers = [x, values, indices, ...scratch];
  launcher.launch('sort', sortKernel, suffix(x.dtype), buffers, params, outer * inner);
}

/**
 * x [outer, n, inner] sorted along n, and where each value was (int32).
 * Stable; a NaN counts as the greatest, so it stands last (first if descending).
 */
export const sort = primitive<{ descending: boolean }>()({
  kernels: { sort: sortKernel },
  inputs: ['x'],
  dtypes: 'number',
  positions: [1],
  outputs([x]) {
    check('sort', x);
    return [
      { shape: x.shape, dtype: x.dtype },
      { shape: x.shape, dtype: int32 },
    ];
  },
  run(launcher, [x], outputs, { descending }) {
    emitSort(launcher, x, outputs, 0, x.shape[1], descending);
  },
});

/**
 * The k largest (or smallest) of n in order, and their positions (int32), without the first `first`.
 * Of a sort (descending if `largest`), [outer, k - first, inner]; equals by position.
 */
export const topk = primitive<{ k: number; largest: boolean; first?: number }>()({
  kernels: { sort: sortKernel, topk: topkKernel },
  inputs: ['x'],
  dtypes: 'number',
  positions: [1],
  outputs([x], { k, first = 0 }) {
    check('topk', x);
    const [outer, n, inner] = x.shape;
    if (!(k >= 0 && k <= n)) {
      throw new ValueError(`topk: k = ${k} is out of range for a dimension of size ${n}`);
    }
    const shape = [outer, k - first, inner];
    return [
      { shape, dtype: x.dtype },
      { shape, dtype: int32 },
    ];
  },
  run(launcher, [x], outputs, { k, largest, first = 0 }) {
    const [outer, n, inner] = x.shape;
    if (k > TOP_LIMIT) {
      emitSort(launcher, x, outputs, first, k, largest);
      return;
    }
    const params = { n, inner, first, keep: k, descending: Number(largest) };
    const buffers = [x, ...outputs];
    launcher.launch('topk', topkKernel, suffix(x.dtype), buffers, params, outer * inner);
  },
});

/**
 * Where values [rows, count] belong in sorted [rows, n], or any values in sorted [n]; int32.
 * How many elements of the sorted row are < value, or <= value if `right`.
 */
export const searchsorted = primitive<{ right: boolean }>()({
  kernels: { searchsorted: searchsortedKernel },
  inputs: ['sorted', 'values'],
  dtypes: 'number',
  positions: [0],
  outputs([sorted, values]) {
    const rows = (t: Tensor) => numelOf(t.shape.slice(0, -1));
    const fits = sorted.shape.length === 1 || rows(sorted) === rows(values);
    if (sorted.shape.length === 0 || !fits) {
      throw new ShapeError(
        'searchsorted: expected one sorted row [n], or as many rows as values has, got ' +
          `${showShape(sorted.shape)} for values ${showShape(values.shape)}`,
      );
    }
    return [{ shape: values.shape, dtype: int32 }];
  },
  run(launcher, [sorted, values], [out], { right }) {
    const total = numelOf(values.shape);
    const count = sorted.shape.length === 1 ? total : values.shape[values.shape.length - 1];
    const n = sorted.shape[sorted.shape.length - 1];
    const params = { n, count, right: Number(right) };
    const buffers = [sorted, values, out];
    const dtype = suffix(sorted.dtype);
    launcher.launch('searchsorted', searchsortedKernel, dtype, buffers, params, total);
  },
});

/** Marks where a run of equal elements starts in the flat x (bool); the first always does. */
export const runStarts = primitive<Record<never, never>>()({
  kernels: { runStarts: runStartsKernel },
  inputs: ['x'],
  dtypes: 'number',
  outputs: ([x]) => [{ shape: x.shape, dtype: bool }],
  run(launcher, [x], [out]) {
    const range = numelOf(x.shape);
    launcher.launch('runStarts', runStartsKernel, suffix(x.dtype), [x, out], {}, range);
  },
});
