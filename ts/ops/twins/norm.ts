/** Group, layer and batch norm on the GPU, with their gradients. */

import groupNormSource from '../../../kernels/group_norm.wgsl';
import groupNormBackwardSource from '../../../kernels/group_norm_backward.wgsl';
import groupNormBackwardLinesSource from '../../../kernels/group_norm_backward_lines.wgsl';
import groupNormLinesSource from '../../../kernels/group_norm_lines.wgsl';
import applySource from '../../../kernels/norm_apply.wgsl';
import applyBackwardSource from '../../../kernels/norm_apply_backward.wgsl';
import applyBackwardLinesSource from '../../../kernels/norm_apply_backward_lines.wgsl';
import applyLinesSource from '../../../kernels/norm_apply_lines.wgsl';
import sumsSource from '../../../kernels/norm_sums.wgsl';
import sumsLinesSource from '../../../kernels/norm_sums_lines.wgsl';
import mergeSource from '../../../kernels/norm_sums_merge.wgsl';
import { gpuKernel } from '../../device/webgpu/kernel.js';
import type { Tensor } from '../../tensor.js';
import type { BufferRef, Launcher } from '../row.js';
import { inPieces, momentKernels, momentLaunches, RECORD } from './moments.js';
import {
  aligned,
  groupsOf,
  inLines,
  type Split,
  split,
  splitParams,
  TEAM,
  teamKernel,
  teamOf,
} from './team.js';
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
const summed = { g: 'f32', x: 'f32', mean: 'f32', rstd: 'f32', weight: 'f32' } as const;
const sumsParams = {
  ...splitParams,
  base: 'u32',
  length: 'u32',
  step: 'u32',
  stat_step: 'u32',
  stat_span: 'u32',
  weighted: 'u32',
  groups: 'u32',
  channels: 'u32',
} as const;
const sumKernels = {
  normSums: teamKernel({
    source: sumsSource,
    entry: 'norm_sums',
    buffers: { ...summed, sums: 'f32', dots: 'f32' },
    params: sumsParams,
  }),
  normSumsLines: teamKernel({
    source: sumsLinesSource,
    entry: 'norm_sums',
    buffers: { ...summed, parts: 'f32' },
    params: sumsParams,
    wide: true,
  }),
  normSumsMerge: teamKernel({
    source: mergeSource,
    entry: 'norm_sums_merge',
    buffers: { parts: 'f32', sums: 'f32', dots: 'f32' },
    params: { ...splitParams, record: 'u32', second: 'u32' },
  }),
};

/** By elements, and by whole vectors of one channel and one pair of statistics. */
const [applyKernel, applyLinesKernel] = [applySource, applyLinesSource].map((source, wide) =>
  gpuKernel({
    source,
    entry: 'norm_apply',
    buffers: { x: 'f32', mean: 'f32', spread: 'f32', weight: 'f32', bias: 'f32', y: 'f32' },
    params: { ...places, biased: 'u32', rooted: 'u32', eps: 'f64' },
    perGroup: wide === 1 ? 4096 : 1024,
    wide: wide === 1,
  }),
);
const [applyBackwardKernel, applyBackwardLinesKernel] = [
  applyBackwardSource,
  applyBackwardLinesSource,
].map((source, wide) =>
  gpuKernel({
    source,
    entry: 'norm_apply_backward',
    buffers: { ...summed, sums: 'f32', dots: 'f32', gx: 'f32' },
    params: { ...places, n: 'u32', outside: 'u32' },
    perGroup: wide === 1 ? 4096 : 1024,
    wide: wide === 1,
  }),
);
const applyKernels = { normApply: applyKernel, normApplyLines: applyLinesKernel };
const applyBackwardKernels = {
  normApplyBackward: applyBackwardKernel,
  normApplyBackwardLines: applyBackwardLinesKernel,
};

/** Where the elements of x find their statistics, and their weight and bias. */
interface Places {
  readonly span: number;
  readonly stats: number;
  readonly length: number;
  readonly channels: number;
}

/** Whether the elements of each vector share statistics and channel. */
function sharing({ span, length }: Places, tensors: readonly Operand[]): boolean {
  return span % 4 === 0 && length % 4 === 0 && tensors.every(aligned);
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
  const [name, kernel] = sharing(where, [x, y])
    ? (['normApplyLines', applyLinesKernel] as const)
    : (['normApply', applyKernel] as const);
  launcher.launch(name, kernel, 'f32', buffers, values, y.numel());
}

/** gx from g, x, mean, rstd, weight (or anything, if there is none), and both sums. */
function emitApplyBackward(
  launcher: Launcher,
  given: readonly Operand[],
  gx: Tensor,
  values: Places & { readonly weighted: number; readonly n: number; readonly outside: number },
): void {
  const [name, kernel] = sharing(values, [given[0], given[1], gx])
    ? (['normApplyBackwardLines', applyBackwardLinesKernel] as const)
    : (['normApplyBackward', applyBackwardKernel] as const);
  launcher.launch(name, kernel, 'f32', [...given, gx], { ...values }, gx.numel());
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
  const { blocks, inner, results, team } = split;
  const read = [g, x, mean, rstd, weight ?? x];
  const values = { ...split, ...where, weighted: Number(weight !== undefined) };
  const groups = groupsOf(results, team);
  const { normSums, normSumsLines, normSumsMerge } = sumKernels;
  if (blocks === 1) {
    launcher.launch('normSums', normSums, 'f32', [...read, ...outputs], values, groups);
    return;
  }
  const lines = results / blocks;
  const merging = { ...split, results: lines, team: teamOf(lines, blocks, inner) };
  const vectors = inPieces(split, where, [g, x]);
  const parts = launcher.scratch((vectors ? RECORD : 2) * results, x.dtype);
  const [record, second] = vectors ? [RECORD, 1] : [1, results];
  if (vectors) {
    launcher.launch('normSumsLines', normSumsLines, 'f32', [...read, parts], values, groups);
  } else {
    const dots = { ...parts, offset: parts.offset + results };
    launcher.launch('normSums', normSums, 'f32', [...read, parts, dots], values, groups);
  }
  const all = { ...merging, record, second };
  const range = groupsOf(lines, merging.team);
  launcher.launch('normSumsMerge', normSumsMerge, 'f32', [parts, ...outputs], all, range);
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
      ...applyKernels,
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
      ...sumKernels,
      ...applyBackwardKernels,
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
        const all = { ...where, weighted, n, outside: 0 };
        emitApplyBackward(launcher, [...given, weight ?? x, ...sums], gx, all);
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
    kernels: { ...applyKernels, ...momentKernels },
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
    kernels: { ...sumKernels, ...applyBackwardKernels },
    run(launcher, [g, x, mean, rstd, weight], [gx, gweight, gbias]) {
      const [outer, channels, length] = x.shape;
      const form = channelLines(x.shape, 0, 1);
      emitSums(launcher, [g, x, mean, rstd], [gbias, gweight], form);
      const where = { span: length, stats: channels, length, channels };
      const given = { weighted: Number(weight !== undefined), n: outer * length, outside: 1 };
      const operands = [g, x, mean, rstd, weight ?? x, gbias, gweight];
      emitApplyBackward(launcher, operands, gx, { ...where, ...given });
    },
  },
  batchNormInference: {
    kernels: applyKernels,
    run(launcher, [x, mean, variance, weight, bias], [y], { eps }) {
      const [, channels, length] = x.shape;
      const where = { span: length, stats: channels, length, channels };
      emitApply(launcher, [x, mean, variance, weight, bias], y, where, { rooted: 1, eps });
    },
  },
};
