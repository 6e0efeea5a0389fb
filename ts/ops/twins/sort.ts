/**
 * Sorting [outer, n, inner] along n on the GPU: short lines by ranks, others in blocks in workgroup
 * memory, which are merged.
 */

import runStartsSource from '../../../kernels/run_starts.wgsl';
import searchsortedSource from '../../../kernels/searchsorted.wgsl';
import blockSource from '../../../kernels/sort_block.wgsl';
import lineSource from '../../../kernels/sort_line.wgsl';
import mergeSource from '../../../kernels/sort_merge.wgsl';
import rankSource from '../../../kernels/sort_rank.wgsl';
import { int32, suffix } from '../../core/dtype.js';
import { numelOf } from '../../core/layout.js';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import type { BufferRef, Launcher } from '../row.js';
import { powerOfTwo } from './team.js';
import type { Twins } from './twin.js';

/** Pairs a workgroup sorts, as in kernels/sort_block.wgsl. */
const BLOCK = 1024;
/** Up to here the first of each block are sorted on; more are taken from whole sorted lines. */
const FEW = 256;

/** Elements of a line up to which each is compared with all. */
const SHORT = 64;

const dtypes = ['f32', 'i32'] as const;
const buffers = {
  x: 'S',
  from_keys: 'u32',
  from_places: 'u32',
  keys: 'u32',
  order: 'u32',
  values: 'S',
  places: 'i32',
} as const;
const line = { size: 'u32', inner: 'u32', first: 'u32', keep: 'u32', last: 'u32' } as const;

const blockKernel = gpuKernel({
  source: `${lineSource}\n${blockSource}`,
  entry: 'sort_block',
  dtypes,
  buffers,
  params: {
    ...line,
    n: 'u32',
    width: 'u32',
    blocks: 'u32',
    units: 'u32',
    stride: 'u32',
    level: 'u32',
    descending: 'u32',
  },
});
const mergeKernel = gpuKernel({
  source: `${lineSource}\n${mergeSource}`,
  entry: 'sort_merge',
  dtypes,
  buffers,
  params: { ...line, run: 'u32' },
  perGroup: 256,
});
const rankKernel = gpuKernel({
  source: `${lineSource}\n${rankSource}`,
  entry: 'sort_rank',
  dtypes,
  buffers: { x: 'S', values: 'S', places: 'i32' },
  params: { size: 'u32', inner: 'u32', first: 'u32', keep: 'u32', descending: 'u32' },
  perGroup: 256,
});
const searchsortedKernel = gpuKernel({
  source: searchsortedSource,
  entry: 'searchsorted',
  dtypes,
  buffers: { sorted: 'S', values: 'S', out: 'i32' },
  params: { n: 'u32', count: 'u32', right: 'u32' },
  perGroup: 256,
});
const runStartsKernel = gpuKernel({
  source: runStartsSource,
  entry: 'run_starts',
  dtypes,
  buffers: { x: 'S', out: 'u8' },
  params: {},
  perGroup: 1024,
});

type Pairs = readonly [Tensor | BufferRef, Tensor | BufferRef];

/** One sort of lines: what all its launches share. */
class Sort {
  private readonly lines: number;
  private readonly size: number;
  private readonly inner: number;

  constructor(
    private readonly launcher: Launcher,
    private readonly x: Tensor,
    private readonly outputs: readonly Tensor[],
    private readonly descending: boolean,
    private readonly skip = 0,
  ) {
    const [outer, n, inner] = x.shape;
    this.lines = outer * inner;
    this.size = n;
    this.inner = inner;
  }

  private pairs(count: number): Pairs {
    const size = this.lines * count;
    return [this.launcher.scratch(size, int32), this.launcher.scratch(size, int32)];
  }

  /** Sorts the blocks of lines of n pairs. Without `to` they are the results. */
  private blocks(n: number, keep: number, level: number, pairs: Pairs, stride = 0, to?: Pairs) {
    const { x, size, inner, outputs, skip: first } = this;
    const width = Math.min(BLOCK, powerOfTwo(n));
    const blocks = Math.ceil(n / width);
    const units = this.lines * blocks;
    const last = Number(to === undefined);
    const values = { size, inner, first, keep, last, n, width, blocks, units, stride, level };
    const params = { ...values, descending: Number(this.descending) };
    const given = [x, ...pairs, ...(to ?? pairs), ...outputs];
    const groups = Math.ceil((units * width) / BLOCK);
    this.launcher.launch('sortBlock', blockKernel, suffix(x.dtype), given, params, groups);
  }

  /** The first `keep` of every line: those of every block, again until one block is left. */
  private first(keep: number): void {
    let pairs: Pairs = [this.x, this.x];
    let n = this.size;
    let level = 0;
    for (; n > BLOCK; level++) {
      const stride = Math.ceil(n / BLOCK) * keep;
      const to = this.pairs(stride);
      this.blocks(n, keep, level, pairs, stride, to);
      pairs = to;
      n = stride;
    }
    this.blocks(n, keep, level, pairs);
  }

  /** Whole lines: sorted blocks are merged two by two. */
  private all(keep: number): void {
    const { x, size, inner, outputs, launcher, skip: first } = this;
    let pairs = this.pairs(size);
    let other = this.pairs(size);
    this.blocks(size, BLOCK, 0, [x, x], size, pairs);
    for (let run = BLOCK; run < size; run *= 2) {
      const params = { size, inner, first, keep, last: Number(2 * run >= size), run };
      const given = [x, ...pairs, ...other, ...outputs];
      const range = this.lines * size;
      launcher.launch('sortMerge', mergeKernel, suffix(x.dtype), given, params, range);
      [pairs, other] = [other, pairs];
    }
  }

  /** Short lines: every element finds its rank. */
  private ranks(keep: number): void {
    const { x, size, inner, outputs, launcher, lines, skip: first } = this;
    const params = { size, inner, first, keep, descending: Number(this.descending) };
    const given = [x, ...outputs];
    launcher.launch('sortRank', rankKernel, suffix(x.dtype), given, params, lines * size);
  }

  run(keep: number): void {
    if (this.size <= SHORT) this.ranks(keep);
    else if (this.size <= BLOCK || keep <= FEW) this.first(keep);
    else this.all(keep);
  }
}

const kernels = { sortBlock: blockKernel, sortMerge: mergeKernel, sortRank: rankKernel };

export const sortTwins: Twins<'sort' | 'topk' | 'searchsorted' | 'runStarts'> = {
  sort: {
    kernels,
    run(launcher, [x], outputs, { descending }) {
      new Sort(launcher, x, outputs, descending).run(x.shape[1]);
    },
  },
  topk: {
    kernels,
    run(launcher, [x], outputs, { k, largest, first }) {
      new Sort(launcher, x, outputs, largest, first).run(k);
    },
  },
  searchsorted: {
    kernels: { searchsorted: searchsortedKernel },
    run(launcher, [sorted, values], [out], { right }) {
      const total = numelOf(values.shape);
      const count = sorted.ndim === 1 ? total : values.shape[values.ndim - 1];
      const n = sorted.shape[sorted.ndim - 1];
      const params = { n, count, right: Number(right) };
      const given = [sorted, values, out];
      const dtype = suffix(sorted.dtype);
      launcher.launch('searchsorted', searchsortedKernel, dtype, given, params, total);
    },
  },
  runStarts: {
    kernels: { runStarts: runStartsKernel },
    run(launcher, [x], [out]) {
      const range = numelOf(x.shape);
      launcher.launch('runStarts', runStartsKernel, suffix(x.dtype), [x, out], {}, range);
    },
  },
};
