/** Mean and variance of lines on the GPU, for varMean and batch norm. */

import source from '../../../kernels/moments.wgsl';
import finish from '../../../kernels/moments_finish.wgsl';
import mergeSource from '../../../kernels/moments_merge.wgsl';
import type { Tensor } from '../../tensor.js';
import type { BufferRef, Launcher } from '../row.js';
import { groupsOf, type Split, splitParams, teamKernel, teamOf } from './team.js';

const ending = { last: 'u32', rooted: 'u32', divisor: 'f64', eps: 'f64' } as const;
const results = { mean: 'f32', spread: 'f32', rstd: 'f32' } as const;

export const momentKernels = {
  moments: teamKernel({
    source: `${source}\n${finish}`,
    entry: 'moments',
    buffers: { x: 'f32', ...results },
    params: { ...splitParams, base: 'u32', length: 'u32', step: 'u32', ...ending },
  }),
  momentsMerge: teamKernel({
    source: `${mergeSource}\n${finish}`,
    entry: 'moments_merge',
    buffers: { means: 'f32', squares: 'f32', ...results },
    params: { ...splitParams, ...ending },
  }),
};

/** Where the elements of a line lie; see kernels/moments.wgsl. */
interface Walk {
  readonly base: number;
  readonly length: number;
  readonly step: number;
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
  const { moments, momentsMerge } = momentKernels;
  const ends = { last: 1, rooted: Number(rstd !== undefined), divisor, eps };
  const last = [mean, variance, rstd ?? mean];
  const single = blocks === 1;
  const parts: (Tensor | BufferRef)[] = single
    ? last
    : [0, 1].map(() => launcher.scratch(results, x.dtype));
  if (!single) parts.push(parts[0]);
  const values = { ...split, ...walk, ...ends, last: Number(single) };
  const groups = groupsOf(results, split.team);
  launcher.launch('moments', moments, 'f32', [x, ...parts], values, groups);
  if (single) return;
  const lines = results / blocks;
  const team = teamOf(lines, blocks, inner);
  const merge = { n, inner, block, blocks, results: lines, team, ...ends };
  const buffers = [parts[0], parts[1], ...last];
  launcher.launch('momentsMerge', momentsMerge, 'f32', buffers, merge, groupsOf(lines, team));
}
