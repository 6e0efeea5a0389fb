/** Gathering and scattering on the GPU. The forms are those of ts/ops/primitives/index.ts. */

import indexSource from '../../../kernels/index.wgsl';
import baseSource from '../../../kernels/index_base.wgsl';
import foldSource from '../../../kernels/index_fold.wgsl';
import gatherSource from '../../../kernels/index_gather.wgsl';
import moveSource from '../../../kernels/index_move.wgsl';
import scatterSource from '../../../kernels/index_scatter.wgsl';
import triangleSource from '../../../kernels/triangle.wgsl';
import { type Dtype, encodeElement, suffix } from '../../core/dtype.js';
import { numelOf } from '../../core/layout.js';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import { checkingIndices, width } from '../primitives/index.js';
import type { Launcher } from '../row.js';
import { moveKernel } from './moves.js';
import type { Twin, Twins } from './twin.js';

const along = {
  n: 'u32',
  count: 'u32',
  inner: 'u32',
  wrap: 'u32',
  /** Whether an index names a whole row: then there are `count` of them. */
  rows: 'u32',
} as const;
/** Of a scatter: rows that an invocation owns, and an index that is left out. */
const owned = { ...along, block: 'u32', skip: 'i32' } as const;
const scattered = { index: 'i32', src: 'S', out: 'S', status: 'u32' } as const;

const gatherKernel = moveKernel({
  source: `${indexSource}${gatherSource}`,
  entry: 'index_gather',
  buffers: { x: 'S', index: 'i32', out: 'S', status: 'u32' },
  params: along,
  perGroup: 256,
});
const baseKernel = moveKernel({
  source: baseSource,
  entry: 'index_base',
  buffers: { x: 'S', out: 'S' },
  params: { based: 'u32' },
  perGroup: 1024,
});
const moveInto = moveKernel({
  source: `${indexSource}${scatterSource}${moveSource}`,
  entry: 'index_move',
  buffers: scattered,
  params: { ...owned, fill: 'u32', low: 'u32' },
  perGroup: 256,
});
const foldInto = gpuKernel({
  source: `${indexSource}${scatterSource}${foldSource}`,
  entry: 'index_fold',
  dtypes: ['f32', 'i32'],
  buffers: scattered,
  params: { ...owned, mode: 'u32', alpha: 'f64' },
  perGroup: 256,
});
const triangleKernel = moveKernel({
  source: triangleSource,
  entry: 'triangle',
  buffers: { x: 'S', out: 'S' },
  params: { rows: 'u32', columns: 'u32', diagonal: 'i32', upper: 'u32' },
  perGroup: 256,
});

/** Invocations that keep a GPU busy. */
const BUSY = 1024;
/** No index is this: nothing is left out. */
const NONE = -(2 ** 31);
const MODES = { sum: 0, prod: 1, amax: 2, amin: 3 } as const;

interface Places {
  /** [outer, n, inner] of the destination, and indices along n. */
  readonly shape: readonly number[];
  readonly count: number;
  readonly rows: boolean;
  readonly wrap?: boolean;
}

function sizes({ shape, count, rows, wrap }: Places) {
  const [, n, inner] = shape;
  return { n, count, inner, wrap: wrap ? 1 : 0, rows: rows ? 1 : 0 };
}

function gather(
  launcher: Launcher,
  name: string,
  [x, index, out]: readonly [Tensor, Tensor, Tensor],
  places: Places,
): void {
  checkingIndices(launcher, name, index, places.shape[1], (status) => {
    const buffers = [x, index, out, status];
    const params = sizes(places);
    const range = out.numel();
    launcher.launch('gatherMove', gatherKernel, width(x.dtype), buffers, params, range);
  });
}

/** Rows that an invocation owns, and the number of invocations. */
function ownership([outer, n, inner]: readonly number[]): { block: number; range: number } {
  const columns = outer * inner;
  const blocks = Math.max(1, Math.min(n, Math.ceil(BUSY / Math.max(1, columns))));
  const block = Math.max(1, Math.ceil(n / blocks));
  return { block, range: columns * Math.ceil(n / block) };
}

function start(launcher: Launcher, x: Tensor | undefined, out: Tensor): void {
  const params = { based: x === undefined ? 0 : 1 };
  const buffers = [x ?? out, out];
  launcher.launch('indexBase', baseKernel, width(out.dtype), buffers, params, out.numel());
}

function fold(
  launcher: Launcher,
  name: string,
  [x, index, src, out]: readonly [Tensor | undefined, Tensor, Tensor, Tensor],
  places: Places,
  { mode = 0, alpha = 1, skip = NONE },
): void {
  start(launcher, x, out);
  checkingIndices(launcher, name, index, places.shape[1], (status) => {
    const { block, range } = ownership(places.shape);
    const params = { ...sizes(places), block, skip, mode, alpha };
    const buffers = [index, src, out, status];
    launcher.launch('scatterFold', foldInto, suffix(out.dtype), buffers, params, range);
  });
}

function move(
  launcher: Launcher,
  name: string,
  [x, index, src, out]: readonly [Tensor, Tensor, Tensor, Tensor],
  places: Places,
  fill?: number,
): void {
  start(launcher, x, out);
  checkingIndices(launcher, name, index, places.shape[1], (status) => {
    const { block, range } = ownership(places.shape);
    const low = fill === undefined ? 0 : bits(out.dtype, fill);
    const filled = fill === undefined ? 0 : 1;
    const params = { ...sizes(places), block, skip: NONE, fill: filled, low };
    const buffers = [index, src, out, status];
    launcher.launch('scatterMove', moveInto, width(out.dtype), buffers, params, range);
  });
}

/** A value as stored in `dtype`, in the low bits of a word. */
function bits(dtype: Dtype, value: number): number {
  const raw = new dtype.array(4 / dtype.size);
  raw[0] = encodeElement(dtype, value);
  return new Uint32Array(raw.buffer)[0];
}

const flat = (x: Tensor, count: number): Places => ({
  shape: [1, numelOf(x.shape), 1],
  count,
  rows: true,
  wrap: true,
});

const gathers = { gatherMove: gatherKernel };
const folds = { indexBase: baseKernel, scatterFold: foldInto };
const moves = { indexBase: baseKernel, scatterMove: moveInto };

const scatterFold = (
  name: 'scatterAdd' | 'scatterReduce',
): Twin<'scatterAdd' | 'scatterReduce'> => ({
  kernels: folds,
  run(launcher, [x, index, src], [out], { wrap, mode = 'sum' }) {
    const places = { shape: x.shape, count: index.shape[1], rows: false, wrap };
    const kind = name === 'scatterAdd' ? 0 : MODES[mode];
    fold(launcher, name, [x, index, src, out], places, { mode: kind });
  },
});

type IndexName =
  | 'gather'
  | 'scatter'
  | 'scatterAdd'
  | 'scatterReduce'
  | 'gatherBackward'
  | 'indexSelect'
  | 'indexAdd'
  | 'indexSelectBackward'
  | 'indexCopy'
  | 'indexFill'
  | 'takeFlat'
  | 'putFlat'
  | 'putAddFlat'
  | 'takeBackward'
  | 'triangle';

export const indexTwins: Twins<IndexName> = {
  gather: {
    kernels: gathers,
    run(launcher, [x, index], [out], { wrap }) {
      const places = { shape: x.shape, count: index.shape[1], rows: false, wrap };
      gather(launcher, 'gather', [x, index, out], places);
    },
  },
  scatter: {
    kernels: moves,
    run(launcher, [x, index, src], [out], { wrap }) {
      const places = { shape: x.shape, count: index.shape[1], rows: false, wrap };
      move(launcher, 'scatter', [x, index, src, out], places);
    },
  },
  scatterAdd: scatterFold('scatterAdd'),
  scatterReduce: scatterFold('scatterReduce'),
  gatherBackward: {
    kernels: folds,
    run(launcher, [g, index], [out], { wrap }) {
      const places = { shape: out.shape, count: index.shape[1], rows: false, wrap };
      fold(launcher, 'gatherBackward', [undefined, index, g, out], places, {});
    },
  },
  indexSelect: {
    kernels: gathers,
    run(launcher, [x, index], [out], { wrap }) {
      const places = { shape: x.shape, count: index.shape[0], rows: true, wrap };
      gather(launcher, 'indexSelect', [x, index, out], places);
    },
  },
  indexAdd: {
    kernels: folds,
    run(launcher, [x, index, src], [out], { wrap, alpha }) {
      const places = { shape: x.shape, count: index.shape[0], rows: true, wrap };
      fold(launcher, 'indexAdd', [x, index, src, out], places, { alpha });
    },
  },
  indexSelectBackward: {
    kernels: folds,
    run(launcher, [g, index], [out], { wrap, skip = -1 }) {
      const places = { shape: out.shape, count: index.shape[0], rows: true, wrap };
      const left = { skip: wrap ? NONE : skip };
      fold(launcher, 'indexSelectBackward', [undefined, index, g, out], places, left);
    },
  },
  indexCopy: {
    kernels: moves,
    run(launcher, [x, index, src], [out], { wrap }) {
      const places = { shape: x.shape, count: index.shape[0], rows: true, wrap };
      move(launcher, 'indexCopy', [x, index, src, out], places);
    },
  },
  indexFill: {
    kernels: moves,
    run(launcher, [x, index], [out], { wrap, value }) {
      const places = { shape: x.shape, count: index.shape[0], rows: true, wrap };
      move(launcher, 'indexFill', [x, index, x, out], places, value);
    },
  },
  takeFlat: {
    kernels: gathers,
    run(launcher, [x, index], [out]) {
      gather(launcher, 'take', [x, index, out], flat(x, index.numel()));
    },
  },
  putFlat: {
    kernels: moves,
    run(launcher, [x, index, src], [out]) {
      move(launcher, 'put', [x, index, src, out], flat(x, index.numel()));
    },
  },
  putAddFlat: {
    kernels: folds,
    run(launcher, [x, index, src], [out]) {
      fold(launcher, 'put', [x, index, src, out], flat(x, index.numel()), {});
    },
  },
  takeBackward: {
    kernels: folds,
    run(launcher, [g, index], [out]) {
      fold(launcher, 'take', [undefined, index, g, out], flat(out, index.numel()), {});
    },
  },
  triangle: {
    kernels: { triangle: triangleKernel },
    run(launcher, [x], [out], { diagonal, upper }) {
      const [rows, columns] = x.shape.slice(-2);
      const params = { rows, columns, diagonal, upper: upper ? 1 : 0 };
      const range = out.numel();
      launcher.launch('triangle', triangleKernel, width(x.dtype), [x, out], params, range);
    },
  },
};
