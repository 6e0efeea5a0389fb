/**
 * Normalisations with their gradients. Group norm takes x `[outer, groups, channels, length]`
 * (layer norm: groups 1, channels n, length 1), batch norm `[outer, channels, length]`. Statistics
 * are added up in blocks and then in double precision.
 */

import { suffix } from '../../core/dtype.js';
import { ShapeError, showShape } from '../../core/errors.js';
import { numelOf, sized } from '../../core/layout.js';
import type { Tensor } from '../../tensor.js';
import { kernel, REALS } from '../kernel.js';
import { type OutputSpec, outputsOf, primitive } from '../row.js';
import { emitSum, sumKernel } from './reduce.js';

/** As in kernels/norm.h. */
const COLUMNS = 256;
/** Rows whose sums for weight and bias are one unit's: the most, the least, and units otherwise. */
const ROWS = 64;
const LEAST_ROWS = 4;
const UNITS = 16;

const groupSizes = { groups: 'u32', channels: 'u32', length: 'u32' } as const;
const batchSizes = { outer: 'u32', channels: 'u32', length: 'u32' } as const;

const groupNormKernels = {
  groupNorm: kernel({
    dtypes: REALS,
    buffers: ['x', 'weight', 'bias', 'y', 'mean', 'rstd'],
    params: { ...groupSizes, weighted: 'u32', biased: 'u32', eps: 'f64' },
  }),
};
const groupNormBackwardKernels = {
  groupNormBackward: kernel({
    dtypes: REALS,
    buffers: ['g', 'x', 'mean', 'rstd', 'weight', 'gx'],
    params: { ...groupSizes, weighted: 'u32' },
  }),
  groupNormAffine: kernel({
    dtypes: REALS,
    buffers: ['g', 'x', 'mean', 'rstd', 'gweight', 'gbias'],
    params: { outer: 'u32', ...groupSizes },
  }),
  layerNormBackward: kernel({
    dtypes: REALS,
    buffers: ['g', 'x', 'mean', 'rstd', 'weight', 'gx', 'gweight', 'gbias'],
    params: { outer: 'u32', groups: 'u32', channels: 'u32', rows: 'u32', weighted: 'u32' },
  }),
  sum: sumKernel,
};
const batchNormKernel = kernel({
  dtypes: REALS,
  buffers: ['x', 'weight', 'bias', 'y', 'mean', 'var', 'rstd'],
  params: { ...batchSizes, weighted: 'u32', biased: 'u32', eps: 'f64' },
});
const batchNormBackwardKernel = kernel({
  dtypes: REALS,
  buffers: ['g', 'x', 'mean', 'rstd', 'weight', 'gx', 'gweight', 'gbias'],
  params: { ...batchSizes, weighted: 'u32' },
});
const batchNormInferenceKernel = kernel({
  dtypes: REALS,
  buffers: ['x', 'mean', 'var', 'weight', 'bias', 'y'],
  params: { ...batchSizes, weighted: 'u32', biased: 'u32', eps: 'f64' },
});

type Maybe = Tensor | undefined;

/** Refuses x of another rank, and vectors that do not have one value per channel. */
function check(name: string, x: Tensor, rank: number, size: number, ...vectors: Maybe[]): void {
  if (x.shape.length !== rank) {
    const form = rank === 3 ? '[outer, channels, length]' : '[outer, groups, channels, length]';
    throw new ShapeError(`${name}: the kernel takes x ${form}, got ${showShape(x.shape)}`);
  }
  for (const vector of vectors) {
    if (vector === undefined || numelOf(vector.shape) === size) continue;
    throw new ShapeError(
      `${name}: expected one value per channel (${size}) in weight, bias and statistics, got ` +
        showShape(vector.shape),
    );
  }
}

function groupParams(x: Tensor) {
  const [outer, groups, channels, length] = x.shape;
  return { outer, groups, channels, length };
}

/**
 * x [outer, groups, channels, length], weight?, bias? [groups * channels] -> y, mean, rstd.
 * y = (x - mean) / sqrt(var + eps) * weight + bias over each group; var divided by its size.
 */
export const groupNorm = primitive<{ eps: number }>()({
  kernels: groupNormKernels,
  inputs: ['x', 'weight?', 'bias?'],
  dtypes: 'real',
  fixed: true,
  outputs([x, weight, bias]: readonly Maybe[] & readonly [Tensor]) {
    check('groupNorm', x, 4, x.shape[1] * x.shape[2], weight, bias);
    const { shape } = sized(x.shape[0], x.shape[1]);
    return outputsOf(x.dtype, x.shape, shape, shape);
  },
  run(launcher, [x, weight, bias], [y, mean, rstd], { eps }) {
    const { groupNorm } = groupNormKernels;
    const { outer, ...sizes } = groupParams(x);
    const given = { weighted: Number(weight !== undefined), biased: Number(bias !== undefined) };
    const buffers = [x, weight ?? x, bias ?? x, y, mean, rstd];
    const params = { ...sizes, ...given, eps };
    const range = outer * sizes.groups;
    launcher.launch('groupNorm', groupNorm, suffix(x.dtype), buffers, params, range);
  },
});

/**
 * g, x, mean, rstd, weight? -> gx, gweight, gbias ([groups * channels] or [0]).
 * Gradients of groupNorm; those of weight and bias are left out (size 0) unless `affine`.
 */
export const groupNormBackward = primitive<{ affine: boolean }>()({
  kernels: groupNormBackwardKernels,
  inputs: ['g', 'x', 'mean', 'rstd', 'weight?'],
  dtypes: 'real',
  fixed: true,
  outputs([, x, , , weight], { affine }): OutputSpec[] {
    const channels = x.shape[1] * x.shape[2];
    check('groupNormBackward', x, 4, channels, weight);
    const vector = { shape: [affine ? channels : 0], dtype: x.dtype };
    return [{ shape: x.shape, dtype: x.dtype }, vector, vector];
  },
  run(launcher, [g, x, mean, rstd, weight], [gx, gweight, gbias], { affine }) {
    const { outer, ...sizes } = groupParams(x);
    const dtype = suffix(x.dtype);
    const { groupNormBackward, groupNormAffine, layerNormBackward } = groupNormBackwardKernels;
    const weighted = Number(weight !== undefined);
    const given = [g, x, mean, rstd];
    const channels = sizes.groups * sizes.channels;
    if (!affine || sizes.length !== 1) {
      const buffers = [...given, weight ?? x, gx];
      const range = outer * sizes.groups;
      const values = { ...sizes, weighted };
      launcher.launch('groupNormBackward', groupNormBackward, dtype, buffers, values, range);
      if (!affine) return;
      const whole = [...given, gweight, gbias];
      const all = { outer, ...sizes };
      launcher.launch('groupNormAffine', groupNormAffine, dtype, whole, all, channels);
      return;
    }
    const rows = Math.min(ROWS, Math.max(LEAST_ROWS, Math.ceil(outer / UNITS)));
    const units = Math.ceil(outer / rows);
    const sums = [gweight, gbias].map((sum) =>
      units === 1 ? sum : launcher.scratch(units * channels, x.dtype),
    );
    const { length: _, ...shape } = sizes;
    const values = { outer, ...shape, rows, weighted };
    const buffers = [...given, weight ?? x, gx, ...sums];
    launcher.launch('layerNormBackward', layerNormBackward, dtype, buffers, values, units);
    if (units === 1) return;
    emitSum(launcher, sums[0], gweight, [1, units, channels]);
    emitSum(launcher, sums[1], gbias, [1, units, channels]);
  },
});

function batchParams(x: Tensor) {
  const [outer, channels, length] = x.shape;
  return { outer, channels, length };
}

function channelUnits(x: Tensor): number {
  return x.shape[2] === 1 ? Math.ceil(x.shape[1] / COLUMNS) : x.shape[1];
}

/**
 * x [outer, channels, length], weight?, bias? -> y, mean, var (over outer * length), rstd.
 * y = (x - mean) / sqrt(var + eps) * weight + bias with the statistics of the batch.
 */
export const batchNorm = primitive<{ eps: number }>()({
  kernels: { batchNorm: batchNormKernel },
  inputs: ['x', 'weight?', 'bias?'],
  dtypes: 'real',
  fixed: true,
  outputs([x, weight, bias]: readonly Maybe[] & readonly [Tensor]) {
    check('batchNorm', x, 3, x.shape[1], weight, bias);
    const statistic = { shape: [x.shape[1]], dtype: x.dtype };
    return [{ shape: x.shape, dtype: x.dtype }, statistic, statistic, statistic];
  },
  run(launcher, [x, weight, bias], [y, mean, variance, rstd], { eps }) {
    const given = { weighted: Number(weight !== undefined), biased: Number(bias !== undefined) };
    const values = { ...batchParams(x), ...given, eps };
    const buffers = [x, weight ?? x, bias ?? x, y, mean, variance, rstd];
    const dtype = suffix(x.dtype);
    launcher.launch('batchNorm', batchNormKernel, dtype, buffers, values, channelUnits(x));
  },
});

/**
 * g, x, mean, rstd, weight? -> gx, gweight [channels], gbias [channels].
 * Gradients of batchNorm through its statistics.
 */
export const batchNormBackward = primitive<Record<never, never>>()({
  kernels: { batchNormBackward: batchNormBackwardKernel },
  inputs: ['g', 'x', 'mean', 'rstd', 'weight?'],
  dtypes: 'real',
  fixed: true,
  outputs([, x, mean, rstd, weight]): OutputSpec[] {
    check('batchNormBackward', x, 3, x.shape[1], mean, rstd, weight);
    const vector = { shape: [x.shape[1]], dtype: x.dtype };
    return [{ shape: x.shape, dtype: x.dtype }, vector, vector];
  },
  run(launcher, [g, x, mean, rstd, weight], [gx, gweight, gbias]) {
    const values = { ...batchParams(x), weighted: Number(weight !== undefined) };
    const buffers = [g, x, mean, rstd, weight ?? x, gx, gweight, gbias];
    const dtype = suffix(x.dtype);
    const range = channelUnits(x);
    launcher.launch('batchNormBackward', batchNormBackwardKernel, dtype, buffers, values, range);
  },
});

/**
 * x [outer, channels, length], mean, var, weight?, bias? [channels] -> y.
 * y = (x - mean) / sqrt(var + eps) * weight + bias with given statistics.
 */
export const batchNormInference = primitive<{ eps: number }>()({
  kernels: { batchNormInference: batchNormInferenceKernel },
  inputs: ['x', 'mean', 'var', 'weight?', 'bias?'],
  dtypes: 'real',
  fixed: true,
  outputs([x, ...vectors]) {
    check('batchNorm', x, 3, x.shape[1], ...vectors);
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  run(launcher, [x, mean, variance, weight, bias], [y], { eps }) {
    const given = { weighted: Number(weight !== undefined), biased: Number(bias !== undefined) };
    const values = { ...batchParams(x), ...given, eps };
    const buffers = [x, mean, variance, weight ?? x, bias ?? x, y];
    const name = 'batchNormInference';
    const dtype = suffix(x.dtype);
    launcher.launch(name, batchNormInferenceKernel, dtype, buffers, values, values.outer);
  },
});
