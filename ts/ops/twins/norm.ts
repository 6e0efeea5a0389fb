/** Group, layer and batch norm on the GPU, with their gradients. */

import groupNormSource from '../../../kernels/group_norm.wgsl';
import groupNormBackwardSource from '../../../kernels/group_norm_backward.wgsl';
import groupNormBackwardLinesSource from '../../../kernels/group_norm_backward_lines.wgsl';
import groupNormLinesSource from '../../../kernels/group_norm_lines.wgsl';
import applySource from '../../../kernels/norm_apply.wgsl';
import applyBackwardSource from '../../../kernels/norm_apply_backward.wgsl';
import sumsSource from '../../../kernels/norm_sums.wgsl';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import type { BufferRef, Launcher } from '../row.js';
import { momentKernels, momentLaunches } from './moments.js';
import { emitSum, sumKernel } from './reduce.js';
import { groupsOf, inLines, type Split, split, splitParams, TEAM, teamKernel } from './team.js';
import type { Twins } from './twin.js';

type Maybe = Tensor | undefined;
type Operand = Tensor | BufferRef;

const groupSizes = {
  team: 'u32',
  lines: 'u32',
  groups: 'u32',
  channels: 'u32',
  length: 'u32',
  weighted: 'u32',
} as const;
const places = {
  span: 'u32',
  stats: 'u32',
  length: 'u32',
  channels: 'u32',
  weighted: 'u32',
} as const;

/** Of groups in any layout, and of those that are whole vectors of channels. */
const [groupNormKernel, groupNormLinesKernel] = [groupNormSource, groupNormLinesSource].map(
  (source, wide) =>
    teamKernel({
      source,
      entry: 'group_norm',
      buffers: { x: 'f32', weight: 'f32', bias: 'f32', y: 'f32', mean: 'f32', rstd: 'f32' },
      params: { ...groupSizes, biased: 'u32', eps: 'f64' },
      wide: wide === 1,
    }),
);
const [groupNormBackwardKernel, groupNormBackwardLinesKernel] = [
  groupNormBackwardSource,
  groupNormBackwardLinesSource,
].map((source, wide) =>
  teamKernel({
    source,
    entry: 'group_norm_backward',
    buffers: { g: 'f32', x: 'f32', mean: 'f32', rstd: 'f32', weight: 'f32', gx: 'f32' },
    params: groupSizes,
    wide: wide === 1,
  }),
);
const sumsKernel = teamKernel({
  source: sumsSource,
  entry: 'norm_sums',
  buffers: {
    g: 'f32',
    x: 'f32',
    mean: 'f32',
    rstd: 'f32',
    weight: 'f32',
    sums: 'f32',
    dots: 'f32',
  },
  params: {
    ...splitParams,
    base: 'u32',
    length: 'u32',
    step: 'u32',
    stat_step: 'u32',
    stat_span: 'u32',
    weighted: 'u32',
    groups: 'u32',
    channels: 'u32',
  },
});
const applyKernel = gpuKernel({
  source: applySource,
  entry: 'norm_apply',
  buffers: { x: 'f32', mean: 'f32', spread: 'f32', weight: 'f32', bias: 'f32', y: 'f32' },
  params: { ...places, biased: 'u32', rooted: 'u32', eps: 'f64' },
  perGroup: 1024,
});
const applyBackwardKernel = gpuKernel({
  source: applyBackwardSource,
  entry: 'norm_apply_backward',
  buffers: {
    g: 'f32',
    x: 'f32',
    mean: 'f32',
    rstd: 'f32',
    weight: 'f32',
    sums: 'f32',
    dots: 'f32',
    gx: 'f32',
  },
  params: { ...places, n: 'u32', outside: 'u32' },
  perGroup: 1024,
});

/** Where the elements of x find their statistics, and their weight and bias. */
interface Places {
  readonly span: number;
  readonly stats: number;
  readonly length: number;
  readonly channels: number;
}

/** y = (x - mean) * rstd * weight + bias. `rooted`: spread is a variance, else it is rstd. */
function emitApply(
  launcher: Launcher,
  [x, mean, spread, weight, bias]: readonly [Tensor, Tensor, Tensor, Maybe, Maybe],
  y: Tensor,
  where: Places,
  { rooted = 0, eps = 0 } = {},
): void {
  const given = { weighted: Number(weight !== undefined), biased: Number(bias !== undefined) };
  const buffers = [x, mean, spread, weight ?? x, bias ?? x, y];
  const values = { ...where, ...given, rooted, eps };
  launcher.launch('normApply', applyKernel, 'f32', buffers, values, y.numel());
}

/** Lines over which a norm adds up, as in kernels/norm_sums.wgsl. */
interface Lines {
  readonly split: Split;
  readonly base: number;
  readonly length: number;
  readonly step: number;
  readonly stat_step: number;
  readonly stat_span: number;
  readonly groups: number;
  readonly channels: number;
}

/** Sums of g w and g w xhat over lines. */
function emitSums(
  launcher: Launcher,
  [g, x, mean, rstd, weight]: readonly [Tensor, Tensor, Tensor, Tensor, Tensor?],
  outputs: readonly Operand[],
  { split, ...where }: Lines,
): void {
  const { blocks, inner, results } = split;
  const single = blocks === 1;
  const parts = single ? outputs : [0, 1].map(() => launcher.scratch(results, x.dtype));
  const buffers = [g, x, mean, rstd, weight ?? x, ...parts];
  const values = { ...split, ...where, weighted: Number(weight !== undefined) };
  const groups = groupsOf(results, split.team);
  launcher.launch('normSums', sumsKernel, 'f32', buffers, values, groups);
  if (single) return;
  const sizes = [results / blocks / inner, blocks, inner];
  outputs.forEach((out, i) => {
    emitSum(launcher, parts[i], out, sizes);
  });
}

/** Lines of a channel of [outer, all, length], the statistics of which lie as said. */
function channelLines([outer, all, length]: readonly number[], stat_step: number, span: number) {
  const where = { length, step: all * length, stat_step, stat_span: span, groups: 1, channels: 0 };
  if (length === 1) return { split: split(1, outer, all), base: 0, ...where };
  return { split: split(all, outer * length, 1), base: length, ...where };
}

function groupParams(x: Tensor, weight: Maybe) {
  const [outer, groups, channels, length] = x.shape;
  const lines = split(outer * groups, channels * length, 1);
  const values = { groups, channels, length, weighted: Number(weight !== undefined) };
  const n = channels * length;
  const where = { span: n, stats: outer * groups, length, channels: groups * channels };
  return { outer, n, lines, values, where };
}

type Name =
  | 'groupNorm'
  | 'groupNormBackward'
  | 'batchNorm'
  | 'batchNormBackward'
  | 'batchNormInference';

const groupTwins: Twins<'groupNorm' | 'groupNormBackward'> = {
  groupNorm: {
    kernels: {
      groupNorm: groupNormKernel,
      groupNormLines: groupNormLinesKernel,
      normApply: applyKernel,
      ...momentKernels,
    },
    run(launcher, [x, weight, bias], [y, mean, rstd], { eps }) {
      const { n, lines, values, where } = groupParams(x, weight);
      if (lines.blocks === 1) {
        const buffers = [x, weight ?? x, bias ?? x, y, mean, rstd];
        const vectors = inLines({ n: values.channels, inner: values.length }, buffers);
        // Four lines have a vector of statistics.
        const team = vectors ? Math.min(lines.team, TEAM / 4) : lines.team;
        const groups = groupsOf(lines.results, team);
        const biased = Number(bias !== undefined);
        const given = { ...values, team, lines: lines.results, biased, eps };
        const [name, kernel] = vectors
          ? (['groupNormLines', groupNormLinesKernel] as const)
          : (['groupNorm', groupNormKernel] as const);
        launcher.launch(name, kernel, 'f32', buffers, given, groups);
        return;
      }
      const walk = { base: n, length: n, step: 0 };
      const variance = launcher.scratch(lines.results / lines.blocks, x.dtype);
      momentLaunches(launcher, x, lines, walk, { variance, mean, divisor: n, rstd, eps });
      emitApply(launcher, [x, mean, rstd, weight, bias], y, where);
    },
  },
  groupNormBackward: {
    kernels: {
      groupNormBackward: groupNormBackwardKernel,
      groupNormBackwardLines: groupNormBackwardLinesKernel,
      normSums: sumsKernel,
      normApplyBackward: applyBackwardKernel,
      sum: sumKernel,
    },
    run(launcher, [g, x, mean, rstd, weight], [gx, gweight, gbias], { affine }) {
      const { outer, n, lines, values, where } = groupParams(x, weight);
      const { groups, channels, length, weighted } = values;
      const given = [g, x, mean, rstd] as const;
      if (lines.blocks === 1) {
        const all = { ...values, team: lines.team, lines: lines.results };
        const buffers = [...given, weight ?? x, gx];
        const [name, kernel] = inLines({ n: channels, inner: length }, buffers)
          ? (['groupNormBackwardLines', groupNormBackwardLinesKernel] as const)
          : (['groupNormBackward', groupNormBackwardKernel] as const);
        const range = groupsOf(lines.results, lines.team);
        launcher.launch(name, kernel, 'f32', buffers, all, range);
      } else {
        const sums = [0, 1].map(() => launcher.scratch(outer * groups, x.dtype));
        const walk = { base: n, length, step: length, stat_step: 0, stat_span: 1 };
        emitSums(launcher, [...given, weight], sums, { split: lines, ...walk, groups, channels });
        const buffers = [...given, weight ?? x, ...sums, gx];
        const all = { ...where, weighted, n, outside: 0 };
        launcher.launch('normApplyBackward', applyBackwardKernel, 'f32', buffers, all, gx.numel());
      }
      if (!affine) return;
      const form = channelLines([outer, groups * channels, length], groups, channels);
      emitSums(launcher, given, [gbias, gweight], form);
    },
  },
};

export const normTwins: Twins<Name> = {
  ...groupTwins,
  batchNorm: {
    kernels: { normApply: applyKernel, ...momentKernels },
    run(launcher, [x, weight, bias], [y, mean, variance, rstd], { eps }) {
      const [outer, channels, length] = x.shape;
      const divisor = outer * length;
      const outputs = { variance, mean, divisor, rstd, eps };
      if (length === 1) {
        const walk = { base: 0, length: Math.max(outer, 1), step: 0 };
        momentLaunches(launcher, x, split(1, outer, channels), walk, outputs);
      } else {
        const walk = { base: length, length: Math.max(length, 1), step: channels * length };
        momentLaunches(launcher, x, split(channels, divisor, 1), walk, outputs);
      }
      const where = { span: length, stats: channels, length, channels };
      emitApply(launcher, [x, mean, rstd, weight, bias], y, where);
    },
  },
  batchNormBackward: {
    kernels: { normSums: sumsKernel, normApplyBackward: applyBackwardKernel, sum: sumKernel },
    run(launcher, [g, x, mean, rstd, weight], [gx, gweight, gbias]) {
      const [outer, channels, length] = x.shape;
      const form = channelLines(x.shape, 0, 1);
      emitSums(launcher, [g, x, mean, rstd], [gbias, gweight], form);
      const buffers = [g, x, mean, rstd, weight ?? x, gbias, gweight, gx];
      const where = { span: length, stats: channels, length, channels };
      const given = { weighted: Number(weight !== undefined), n: outer * length, outside: 1 };
      const values = { ...where, ...given };
      const name = 'normApplyBackward';
      launcher.launch(name, applyBackwardKernel, 'f32', buffers, values, gx.numel());
    },
  },
  batchNormInference: {
    kernels: { normApply: applyKernel },
    run(launcher, [x, mean, variance, weight, bias], [y], { eps }) {
      const [, channels, length] = x.shape;
      const where = { span: length, stats: channels, length, channels };
      emitApply(launcher, [x, mean, variance, weight, bias], y, where, { rooted: 1, eps });
    },
  },
};
