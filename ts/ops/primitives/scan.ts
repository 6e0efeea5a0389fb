/** Running totals of `[outer, n, inner]` along n. */

import { int32, suffix } from '../../core/dtype.js';
import { ShapeError, showShape } from '../../core/errors.js';
import { sameShape } from '../../core/layout.js';
import type { Tensor } from '../../tensor.js';
import { kernel, NUMBERS } from '../kernel.js';
import { type OutputSpec, primitive } from '../row.js';

/** Lines per unit of work, as in kernels/scan.c. */
const COLUMNS = 64;

const scanKernel = kernel({
  dtypes: NUMBERS,
  buffers: ['x', 'out'],
  params: { n: 'u32', inner: 'u32', reverse: 'u32', exclusive: 'u32' },
});
const realScanKernel = kernel({ ...scanKernel, dtypes: ['f32', 'f64'] });
const recurrenceKernel = kernel({
  dtypes: ['f32', 'f64'],
  buffers: ['x', 'factor', 'out'],
  params: { n: 'u32', inner: 'u32', reverse: 'u32', lag: 'u32' },
});
const extremeKernel = kernel({
  dtypes: NUMBERS,
  buffers: ['x', 'values', 'indices'],
  params: { n: 'u32', inner: 'u32', least: 'u32' },
});

export interface Direction {
  /** From the last element to the first. Default false. */
  reverse?: boolean;
}
export interface Scanned extends Direction {
  /** Of the elements before each one only. Default false. */
  exclusive?: boolean;
}

function like(name: string, x: Tensor): OutputSpec {
  if (x.shape.length !== 3) {
    throw new ShapeError(`${name}: the kernel takes [outer, n, inner], got ${showShape(x.shape)}`);
  }
  return { shape: x.shape, dtype: x.dtype };
}

function units([outer, , inner]: readonly number[]): number {
  return outer * Math.ceil(inner / COLUMNS);
}

function scan<A extends Direction>(
  name: 'cumsum' | 'cumprod' | 'logcumsumexp',
  dtypes: 'real' | 'number',
) {
  const declaration = dtypes === 'real' ? realScanKernel : scanKernel;
  return primitive<A>()({
    kernels: { [name]: declaration },
    inputs: ['x'],
    dtypes,
    outputs: ([x]) => [like(name, x)],
    run(launcher, [x], [out], attributes) {
      const [, n, inner] = x.shape;
      const { reverse = false, exclusive = false }: Scanned = attributes;
      const values = { n, inner, reverse: Number(reverse), exclusive: Number(exclusive) };
      launcher.launch(name, declaration, suffix(x.dtype), [x, out], values, units(x.shape));
    },
  });
}

/** Sums of x[..i] (or x[i..] in reverse) along n. */
export const cumsum = scan<Direction>('cumsum', 'number');
/** Products of x[..i] (or x[i..] in reverse), without x[i] if `exclusive`. */
export const cumprod = scan<Scanned>('cumprod', 'number');
/** log(sum(exp(x[..i]))) (or of x[i..] in reverse) along n, without overflow. */
export const logcumsumexp = scan<Direction>('logcumsumexp', 'real');

/**
 * out[i] = x[i] + factor[i - lag] out[i - 1] along n, or out[i] = x[i] + factor[i + lag] out[i + 1] in
 * reverse; the first is x itself. `lag` is 0 (default) or 1.
 */
export const recurrence = primitive<Direction & { lag?: number }>()({
  kernels: { recurrence: recurrenceKernel },
  inputs: ['x', 'factor'],
  dtypes: 'real',
  outputs: ([x, factor]) => {
    if (!sameShape(x.shape, factor.shape)) {
      throw new ShapeError(
        `recurrence: x is ${showShape(x.shape)}, factor ${showShape(factor.shape)}`,
      );
    }
    return [like('recurrence', x)];
  },
  run(launcher, [x, factor], [out], { reverse = false, lag = 0 }) {
    const [, n, inner] = x.shape;
    const values = { n, inner, reverse: Number(reverse), lag };
    const buffers = [x, factor, out];
    const dtype = suffix(x.dtype);
    launcher.launch('recurrence', recurrenceKernel, dtype, buffers, values, units(x.shape));
  },
});

/** The largest (or least) of x[..i] and its place (int32), the last of equals. */
function cumExtreme(name: 'cummax' | 'cummin', least: number) {
  return primitive<Record<never, never>>()({
    kernels: { cumExtreme: extremeKernel },
    inputs: ['x'],
    dtypes: 'number',
    positions: [1],
    outputs: ([x]) => [like(name, x), { shape: x.shape, dtype: int32 }],
    run(launcher, [x], outputs) {
      const [, n, inner] = x.shape;
      const buffers = [x, ...outputs];
      const dtype = suffix(x.dtype);
      const range = units(x.shape);
      launcher.launch('cumExtreme', extremeKernel, dtype, buffers, { n, inner, least }, range);
    },
  });
}

export const cummax = cumExtreme('cummax', 0);
export const cummin = cumExtreme('cummin', 1);
