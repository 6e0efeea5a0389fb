/** Reductions of `[outer, n, inner]` over its middle. Composites view any dims as this form. */

import { bool, type Dtype, int32, suffix } from '../../core/dtype.js';
import { ShapeError, showShape, ValueError } from '../../core/errors.js';
import { sized } from '../../core/layout.js';
import { lend2 } from '../../core/lend.js';
import type { Tensor } from '../../tensor.js';
import { kernel, NUMBERS, REALS, WIDTHS } from '../kernel.js';
import { type BufferRef, type Launcher, type OutputSpec, outputsOf, primitive } from '../row.js';
import { width } from './index.js';
import { truthMask } from './mask.js';

/** Values per unit of work (kernels/reduce.h) where these are neighbours, and rows where not. */
const BLOCK = 4096;
const ROWS = 512;
const VARIANCE_ROWS = 128;
/** Columns per unit of work, as in kernels/reduce.h. */
const COLUMNS = 128;

const tree = { n: 'u32', inner: 'u32', block: 'u32', blocks: 'u32' } as const;
const spreadTree = { ...tree, width: 'u32', pitch: 'u32', step: 'u32' } as const;

export const sumKernel = kernel({
  dtypes: NUMBERS,
  buffers: ['x', 'out'],
  params: { ...spreadTree, divisor: 'f64', power: 'f64' },
});
const termKernel = kernel({ ...sumKernel, dtypes: REALS });
const powerKernel = kernel({
  ...termKernel,
  params: { ...termKernel.params, exponent: 'f64' },
});
const foldKernel = kernel({ dtypes: NUMBERS, buffers: ['x', 'out'], params: spreadTree });
const foldAbsKernel = kernel({ ...foldKernel, dtypes: REALS });
const truthKernel = kernel({
  dtypes: WIDTHS,
  buffers: ['x', 'out'],
  params: { ...tree, maskLow: 'u32', maskHigh: 'u32' },
});

type Operand = Tensor | BufferRef;

/** Elements `step` apart, in rows of `width` that lie `pitch` apart; of width 0 they follow one another. */
export interface Spread {
  readonly width: number;
  readonly pitch: number;
  readonly step: number;
}

const SIDE_BY_SIDE: Spread = { width: 0, pitch: 0, step: 0 };

type Tree = { n: number; inner: number; block: number; blocks: number } & Spread;

/**
 * One launch of a reduction: from `x` to `out`, `last` if `out` holds the results. `option` is what
 * the call was given, so that no call makes functions.
 */
type Level = (
  launcher: Launcher,
  x: Operand,
  out: Operand,
  params: Readonly<Tree>,
  range: number,
  last: boolean,
  depth: number,
  option: number,
) => void;

/** The sizes of an input in its canonical form. */
function sizes(name: string, x: Tensor): [number, number, number] {
  if (x.shape.length !== 3) {
    throw new ShapeError(`${name}: the kernel takes [outer, n, inner], got ${showShape(x.shape)}`);
  }
  return x.shape as unknown as [number, number, number];
}

/** Two results, the second of another dtype. */
function pair(name: string, x: Tensor, dtype: Dtype): readonly OutputSpec[] {
  const [outer, , inner] = sizes(name, x);
  const { shape } = sized(outer, inner);
  const specs = outputsOf(x.dtype, shape, shape);
  specs[1].dtype = dtype;
  return specs;
}

function oneReduced(name: string, x: Tensor, dtype: Dtype = x.dtype): readonly OutputSpec[] {
  const [outer, , inner] = sizes(name, x);
  return outputsOf(dtype, sized(outer, inner).shape);
}

function refuseEmpty(name: string, x: Tensor): void {
  const [outer, n, inner] = sizes(name, x);
  if (n === 0 && outer * inner > 0) {
    throw new ShapeError(
      `${name}: the reduced dimension has size 0 and there is no identity to return; ` +
        'give a non-empty tensor or reduce over another dimension',
    );
  }
}

function chunksOf(inner: number): number {
  return inner === 1 ? 1 : Math.ceil(inner / COLUMNS);
}

/**
 * The levels of a reduction tree. Its form depends on the sizes only: blocks of the reduced
 * dimension give partial results, which are reduced likewise until one block is left.
 */
function reduceTree(
  launcher: Launcher,
  x: Operand,
  out: Operand,
  [outer, size, inner]: readonly number[],
  partial: Dtype,
  level: Level,
  option = 0,
  spread = SIDE_BY_SIDE,
): void {
  const block = inner === 1 ? BLOCK : ROWS;
  let n = size;
  let from = x;
  for (let depth = 0; ; depth++) {
    const blocks = Math.max(1, Math.ceil(n / block));
    const last = blocks === 1;
    const to = last ? out : launcher.scratch(outer * blocks * inner, partial);
    const range = outer * blocks * chunksOf(inner);
    const { width, pitch, step } = depth === 0 ? spread : SIDE_BY_SIDE;
    const params = { n, inner, block, blocks, width, pitch, step };
    level(launcher, from, to, params, range, last, depth, option);
    if (last) return;
    from = to;
    n = blocks;
  }
}

/** Emits out = sum(x) / divisor over the middle of `sizes`; float32, float64, int32 or int64. */
export function emitSum(
  launcher: Launcher,
  x: Operand,
  out: Operand,
  sizes: readonly number[],
  divisor = 1,
): void {
  reduceTree(launcher, x, out, sizes, x.dtype, sumLevel, divisor);
}

const sumLevel: Level = (launcher, from, to, tree, range, last, _, divisor) => {
  const params = { ...tree, divisor: last ? divisor : 1, power: 1 };
  launcher.launch('sum', sumKernel, suffix(from.dtype), lend2(from, to), params, range);
};

/** How the elements of an input lie, where they do not follow one another; on the CPU. */
export interface Spreadable {
  spread?: Spread;
}

/**
 * Sum of [outer, n, inner] over n, divided by `divisor` (default 1).
 * out = sum(x) / divisor: `divisor` = n gives the mean. Integers wrap and ignore the divisor.
 * On the CPU the elements of `x` may lie as `spread` says: one row of inner values (if more than
 * one) after the other, or any rows. Of pitch 0 it is one row.
 */
export const sum = primitive<{ divisor?: number } & Spreadable>()({
  kernels: { sum: sumKernel },
  inputs: ['x'],
  dtypes: 'number',
  fixed: true,
  outputs: ([x]) => oneReduced('sum', x),
  run(launcher, [x], [out], { divisor = 1, spread }) {
    reduceTree(launcher, x, out, x.shape, x.dtype, sumLevel, divisor, spread);
  },
});

function fold(name: 'prod' | 'amax' | 'amin') {
  const level: Level = (launcher, from, to, params, range) => {
    launcher.launch(name, foldKernel, suffix(from.dtype), lend2(from, to), params, range);
  };
  return primitive<Spreadable>()({
    kernels: { [name]: foldKernel },
    inputs: ['x'],
    dtypes: 'number',
    fixed: true,
    outputs([x]) {
      if (name !== 'prod') refuseEmpty(name, x);
      return oneReduced(name, x);
    },
    run(launcher, [x], [out], { spread }) {
      reduceTree(launcher, x, out, x.shape, x.dtype, level, 0, spread);
    },
  });
}

/** Product of [outer, n, inner] over n; 1 if n is 0. */
export const prod = fold('prod');
/** Largest value of [outer, n, inner] over n; NaN if there is one. */
export const amax = fold('amax');
/** Smallest value of [outer, n, inner] over n; NaN if there is one. */
export const amin = fold('amin');

function truth(name: 'any' | 'all') {
  const level: Level = (launcher, from, to, params, range) => {
    const values = { ...params, ...truthMask(from.dtype) };
    launcher.launch(name, truthKernel, width(from.dtype), [from, to], values, range);
  };
  return primitive<Record<never, never>>()({
    kernels: { [name]: truthKernel },
    inputs: ['x'],
    dtypes: 'any',
    fixed: true,
    outputs: ([x]) => oneReduced(name, x, bool),
    run(launcher, [x], [out]) {
      reduceTree(launcher, x, out, x.shape, bool, level);
    },
  });
}

/** Whether any of n is not zero (NaN is not), as bool; any dtype. */
export const any = truth('any');
/** Whether all of n are not zero (NaN is not), as bool; any dtype. */
export const all = truth('all');

const extremeKernels = {
  extreme: kernel({
    dtypes: NUMBERS,
    buffers: ['x', 'values', 'indices'],
    params: { n: 'u32', inner: 'u32', least: 'u32' },
  }),
  extremeBlock: kernel({
    dtypes: NUMBERS,
    buffers: ['x', 'best'],
    params: { n: 'u32', block: 'u32', blocks: 'u32', least: 'u32' },
  }),
  extremeFind: kernel({
    dtypes: NUMBERS,
    buffers: ['x', 'best', 'values', 'indices'],
    params: { n: 'u32', block: 'u32', blocks: 'u32', least: 'u32' },
  }),
};

/** Fills values and positions of the largest (or least) of n. */
function emitExtreme(
  launcher: Launcher,
  x: Tensor,
  values: Operand,
  indices: Operand,
  least: number,
): void {
  const [outer, n, inner] = x.shape;
  const dtype = suffix(x.dtype);
  if (inner === 1 && n > 4 * BLOCK) {
    const blocks = Math.ceil(n / BLOCK);
    const best = launcher.scratch(outer * blocks, x.dtype);
    const params = { n, block: BLOCK, blocks, least };
    const { extremeBlock, extremeFind } = extremeKernels;
    launcher.launch('extremeBlock', extremeBlock, dtype, [x, best], params, outer * blocks);
    const buffers = [x, best, values, indices];
    launcher.launch('extremeFind', extremeFind, dtype, buffers, params, outer);
    return;
  }
  const { extreme } = extremeKernels;
  const params = { n, inner, least };
  const buffers = [x, values, indices];
  launcher.launch('extreme', extreme, dtype, buffers, params, outer * chunksOf(inner));
}

/** Position of the largest (or least) of n (int32): the first of equals; a NaN wins. */
function extremeIndex(name: 'argmax' | 'argmin', least: number) {
  return primitive<Record<never, never>>()({
    kernels: extremeKernels,
    inputs: ['x'],
    dtypes: 'number',
    fixed: true,
    positions: [0],
    outputs([x]) {
      refuseEmpty(name, x);
      return oneReduced(name, x, int32);
    },
    run(launcher, [x], [indices]) {
      const values = launcher.scratch(x.shape[0] * x.shape[2], x.dtype);
      emitExtreme(launcher, x, values, indices, least);
    },
  });
}

/** The largest (or least) of n and its position (int32): the first of equals; a NaN wins. */
function extremeDim(name: 'maxDim' | 'minDim', least: number) {
  return primitive<Record<never, never>>()({
    kernels: extremeKernels,
    inputs: ['x'],
    dtypes: 'number',
    fixed: true,
    positions: [1],
    outputs([x]) {
      refuseEmpty(name, x);
      return pair(name, x, int32);
    },
    run(launcher, [x], [values, indices]) {
      emitExtreme(launcher, x, values, indices, least);
    },
  });
}

export const argmax = extremeIndex('argmax', 0);
export const argmin = extremeIndex('argmin', 1);
export const maxDim = extremeDim('maxDim', 0);
export const minDim = extremeDim('minDim', 1);

const varianceKernels = {
  varBlock: kernel({ dtypes: REALS, buffers: ['x', 'mean', 'm2'], params: tree }),
  varMerge: kernel({
    dtypes: REALS,
    buffers: ['means', 'm2s', 'var', 'mean'],
    params: { ...tree, correction: 'f64' },
  }),
};

/**
 * Variance (divided by n - correction) and mean of [outer, n, inner] over n.
 * var = sum((x - mean)^2) / max(0, n - correction), mean = sum(x) / n.
 */
export const varMean = primitive<{ correction: number }>()({
  kernels: varianceKernels,
  inputs: ['x'],
  dtypes: 'real',
  outputs: ([x]) => pair('varMean', x, x.dtype),
  run(launcher, [x], [variance, mean], { correction }) {
    const [outer, n, inner] = x.shape;
    const dtype = suffix(x.dtype);
    const block = inner === 1 ? BLOCK : VARIANCE_ROWS;
    const blocks = Math.max(1, Math.ceil(n / block));
    const count = outer * blocks * inner;
    const means = launcher.scratch(count, x.dtype);
    const m2s = launcher.scratch(count, x.dtype);
    const params = { n, inner, block, blocks };
    const range = outer * blocks * chunksOf(inner);
    launcher.launch('varBlock', varianceKernels.varBlock, dtype, [x, means, m2s], params, range);
    const buffers = [means, m2s, variance, mean];
    const merge = { ...params, correction };
    launcher.launch('varMerge', varianceKernels.varMerge, dtype, buffers, merge, outer * inner);
  },
});

const normKernels = {
  sum: sumKernel,
  amax: foldKernel,
  amin: foldKernel,
  sumAbs: termKernel,
  sumSquares: termKernel,
  sumPowers: powerKernel,
  amaxAbs: foldAbsKernel,
  aminAbs: foldAbsKernel,
};

const extremeNorm: Level = (launcher, from, to, params, range, _, depth, p) => {
  const name = p > 0 ? 'amax' : 'amin';
  const kernelName = depth === 0 ? (`${name}Abs` as const) : name;
  launcher.launch(
    kernelName,
    normKernels[kernelName],
    suffix(from.dtype),
    [from, to],
    params,
    range,
  );
};

const powerNorm: Level = (launcher, from, to, params, range, last, depth, p) => {
  const dtype = suffix(from.dtype);
  const values = { ...params, divisor: 1, power: last && p !== 0 ? 1 / p : 1 };
  const buffers = [from, to];
  if (depth > 0) return launcher.launch('sum', sumKernel, dtype, buffers, values, range);
  const common = ({ 1: 'sumAbs', 2: 'sumSquares' } as const)[p];
  if (common) return launcher.launch(common, termKernel, dtype, buffers, values, range);
  const raised = { ...values, exponent: p };
  launcher.launch('sumPowers', powerKernel, dtype, buffers, raised, range);
};

/**
 * The p-norm of [outer, n, inner] over n, for any real p and 0, inf, -inf.
 * The p-norm: sum(|x|^p)^(1/p); p = 0 counts, p = inf and -inf take the extremes of |x|.
 */
export const vectorNorm = primitive<{ p: number } & Spreadable>()({
  kernels: normKernels,
  inputs: ['x'],
  dtypes: 'real',
  outputs([x], { p }) {
    if (Number.isNaN(p)) throw new ValueError('norm: p must be a number, got NaN');
    if (p < 0) refuseEmpty('norm', x);
    return oneReduced('norm', x);
  },
  run(launcher, [x], [out], { p, spread }) {
    const level = Math.abs(p) === Number.POSITIVE_INFINITY ? extremeNorm : powerNorm;
    reduceTree(launcher, x, out, x.shape, x.dtype, level, p, spread);
  },
});
