/** Mean and variance of lines on the GPU, for varMean and batch norm. */

import source from '../../../kernels/moments.wgsl';
import finish from '../../../kernels/moments_finish.wgsl';
import linesSource from '../../../kernels/moments_lines.wgsl';
import mergeSource from '../../../kernels/moments_merge.wgsl';
import type { Tensor } from '../../tensor.js';
import type { BufferRef, Launcher } from '../row.js';
import { aligned, groupsOf, type Split, splitParams, teamKernel, teamOf } from './team.js';

const ending = { last: 'u32', rooted: 'u32', divisor: 'f64', eps: 'f64' } as const;
const results = { mean: 'f32', spread: 'f32', rstd: 'f32' } as const;

const walkParams = { ...splitParams, base: 'u32', length: 'u32', step: 'u32' } as const;

export const momentKernels = {
  moments: teamKernel({
    source: `${source}\n${finish}`,
    entry: 'moments',
    buffers: { x: 'f32', ...results },
    params: { ...walkParams, ...ending },
  }),
  momentsLines: teamKernel({
    source: linesSource,
    entry: 'moments',
    buffers: { x: 'f32', parts: 'f32' },
    params: walkParams,
    wide: true,
  }),
  momentsMerge: teamKernel({
    source: `${mergeSource}\n${finish}`,
    entry: 'moments_merge',
    buffers: { means: 'f32', squares: 'f32', ...results },
    params: { ...splitParams, record: 'u32', ...ending },
  }),
};

/** Where the elements of a line lie; see kernels/moments.wgsl. */
export interface Walk {
  readonly base: number;
  readonly length: number;
  readonly step: number;
}

/** Words of a vector that a block of whole vectors leaves behind. */
export const RECORD = 4;

/** Whether lines come in blocks, and these in pieces that are whole vectors of all tensors. */
export function inPieces(
  { inner, block, blocks }: Split,
  { base, length, step }: Walk,
  tensors: readonly Tensor[],
): boolean {
  if (blocks === 1 || inner !== 1) return false;
  return [base, length, step, block].every((n) => n % 4 === 0) && tensors.every(aligned);
}

interface Outputs {
  readonly variance: Tensor | BufferRef;
  readonly mean: Tensor;
  readonly divisor: number;
  /** 1 / sqrt(variance + eps), if it is wanted. */
  readonly rstd?: Tensor;
  readonly eps?: number;
}

/** Fills mean and variance (squared deviations / divisor) of the lines of x. */
export function momentLaunches(
  launcher: Launcher,
  x: Tensor,
  split: Split,
  walk: Walk,
  { variance, mean, divisor, rstd, eps = 0 }: Outputs,
): void {
  const { n, inner, block, blocks, results } = split;
  const { moments, momentsLines, momentsMerge } = momentKernels;
  const ends = { last: 1, rooted: Number(rstd !== undefined), divisor, eps };
  const last = [mean, variance, rstd ?? mean];
  const groups = groupsOf(results, split.team);
  let parts: readonly BufferRef[];
  let record = 1;
  if (inPieces(split, walk, [x])) {
    const all = launcher.scratch(RECORD * results, x.dtype);
    const values = { ...split, ...walk };
    launcher.launch('momentsLines', momentsLines, 'f32', [x, all], values, groups);
    parts = [all, { ...all, offset: all.offset + 1 }];
    record = RECORD;
  } else {
    const single = blocks === 1;
    parts = single ? [] : [0, 1].map(() => launcher.scratch(results, x.dtype));
    const values = { ...split, ...walk, ...ends, last: Number(single) };
    const buffers = [x, ...(single ? last : [...parts, parts[0]])];
    launcher.launch('moments', moments, 'f32', buffers, values, groups);
    if (single) return;
  }
  const lines = results / blocks;
  const team = teamOf(lines, blocks, inner);
  const merge = { n, inner, block, blocks, results: lines, team, record, ...ends };
  const buffers = [...parts, ...last];
  launcher.launch('momentsMerge', momentsMerge, 'f32', buffers, merge, groupsOf(lines, team));
}
