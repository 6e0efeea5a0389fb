/** Losses against class indices: logits `[outer, classes, inner]`, target `[outer, inner]`. */

import { suffix } from '../../core/dtype.js';
import { ShapeError, showShape } from '../../core/errors.js';
import { numelOf } from '../../core/layout.js';
import type { Tensor } from '../../tensor.js';
import { type KernelDeclaration, kernel, REALS } from '../kernel.js';
import { type BufferRef, type Launcher, type OutputSpec, outputsOf, primitive } from '../row.js';
import { checkingIndices } from './index.js';
import { emitSum, sumKernel } from './reduce.js';

/** Columns per unit of work where inner > 1, as in kernels/loss.c. */
const COLUMNS = 64;

const sizes = { classes: 'u32', inner: 'u32', weighted: 'u32', ignore: 'i32' } as const;

export const shared = { step: 'u32', mean: 'u32' } as const;

const crossEntropyKernel = kernel({
  dtypes: REALS,
  buffers: ['x', 'target', 'weight', 'loss', 'scale', 'most', 'logSum', 'status'],
  params: { ...sizes, smoothing: 'f64' },
});
const crossEntropyBackwardKernel = kernel({
  dtypes: REALS,
  buffers: ['g', 'x', 'target', 'most', 'logSum', 'weight', 'total', 'gx'],
  params: { ...sizes, ...shared, smoothing: 'f64' },
});
const nllLossKernel = kernel({
  dtypes: REALS,
  buffers: ['x', 'target', 'weight', 'loss', 'scale', 'status'],
  params: sizes,
});
const nllLossBackwardKernel = kernel({
  dtypes: REALS,
  buffers: ['g', 'target', 'weight', 'total', 'gx'],
  params: { ...sizes, ...shared },
});
const lossTotalKernel = kernel({
  dtypes: REALS,
  buffers: ['totals', 'loss', 'scale'],
  params: { mean: 'u32' },
});

export interface Classes {
  /** A target that takes no part: loss, scale and gradient are 0 there. Default -100. */
  ignoreIndex?: number;
  /** All losses as one, which divided by all scales is the mean. Default: each for itself. */
  reduction?: 'mean' | 'sum';
}
export interface Smoothing extends Classes {
  /** Weight of the even distribution over classes in the target, 0 to 1. Default 0. */
  labelSmoothing?: number;
}

/** Checks [outer, classes, inner] beside a target [outer, inner] and one weight per class. */
function check(name: string, shape: readonly number[], target: Tensor, weight?: Tensor): void {
  const [outer, classes, inner] = shape;
  const fits = shape.length === 3 && target.shape.length === 2;
  if (!fits || target.shape[0] !== outer || target.shape[1] !== inner) {
    throw new ShapeError(
      `${name}: the kernel takes scores [outer, classes, inner] and target [outer, inner], got ` +
        `${showShape(shape)} and ${showShape(target.shape)}`,
    );
  }
  if (weight !== undefined && numelOf(weight.shape) !== classes) {
    throw new ShapeError(
      `${name}: expected a weight for each of the ${classes} classes, got ` +
        showShape(weight.shape),
    );
  }
}

function params(shape: readonly number[], weight: Tensor | undefined, ignore = -100) {
  return { classes: shape[1], inner: shape[2], weighted: Number(weight !== undefined), ignore };
}

/** Whether a gradient is one of all positions, and whether of their mean. */
export function sharing(g: Tensor, total: Tensor | undefined) {
  return { step: Number(g.numel() > 1), mean: Number(total !== undefined) };
}

const ONE = [1];

/** Losses and scales, each for itself or as one. */
function lossesOf(x: Tensor, target: Tensor, { reduction }: Classes): OutputSpec[] {
  const each = { shape: reduction === undefined ? target.shape : ONE, dtype: x.dtype };
  return [each, each];
}

/** Has `emit` launch losses and scales of `count` positions, and sums them if asked to. */
export function emitLosses(
  launcher: Launcher,
  [loss, scale]: readonly Tensor[],
  count: number,
  { reduction }: Classes,
  emit: (losses: Tensor | BufferRef, scales: Tensor | BufferRef) => void,
  sums = emitSum,
  kernel: KernelDeclaration & { readonly params: { readonly mean: 'u32' } } = lossTotalKernel,
): void {
  if (reduction === undefined) {
    emit(loss, scale);
    return;
  }
  const { dtype } = loss;
  const parts = launcher.scratch(2 * count || 1, dtype);
  if (count > 0) emit(parts, { ...parts, offset: parts.offset + count });
  const totals = launcher.scratch(2, dtype);
  sums(launcher, parts, totals, [2, count, 1]);
  const mean = Number(reduction === 'mean');
  launcher.launch('lossTotal', kernel, suffix(dtype), [totals, loss, scale], { mean }, 1);
}

const reducing = { lossTotal: lossTotalKernel, sum: sumKernel };

function units(shape: readonly number[]): number {
  return shape[2] === 1 ? shape[0] : shape[0] * Math.ceil(shape[2] / COLUMNS);
}

/**
 * x [outer, classes, inner], target, weight? -> loss, scale, most, logSum [outer, inner].
 * With e = labelSmoothing and w the weights: loss = -(1 - e) w[t] logSoftmax(x)[t] - e / classes *
 * sum(w * logSoftmax(x)), and scale = w[t], by which the mean divides.
 * logSoftmax(x) = x - most - logSum.
 */
export const crossEntropy = primitive<Smoothing>()({
  kernels: { crossEntropy: crossEntropyKernel, ...reducing },
  inputs: ['x', 'target', 'weight?'],
  dtypes: 'real',
  fixed: true,
  index: [1],
  outputs([x, target, weight], attributes): readonly OutputSpec[] {
    check('crossEntropy', x.shape, target, weight);
    const { shape } = target;
    const losses = attributes.reduction === undefined ? shape : ONE;
    return outputsOf(x.dtype, losses, losses, shape, shape);
  },
  run(launcher, [x, target, weight], outputs, attributes) {
    const { ignoreIndex, labelSmoothing = 0 } = attributes;
    const count = numelOf(target.shape);
    emitLosses(launcher, outputs, count, attributes, (losses, scales) => {
      checkingIndices(launcher, 'crossEntropy', target, x.shape[1], (status) => {
        const values = { ...params(x.shape, weight, ignoreIndex), smoothing: labelSmoothing };
        const [, , most, logSum] = outputs;
        const buffers = [x, target, weight ?? x, losses, scales, most, logSum, status];
        const dtype = suffix(x.dtype);
        launcher.launch('crossEntropy', crossEntropyKernel, dtype, buffers, values, units(x.shape));
      });
    });
  },
});

/**
 * g, x, target, most, logSum, weight? -> gx, shape of x.
 * Gradient of the losses of crossEntropy with respect to the logits; g [outer, inner].
 */
export const crossEntropyBackward = primitive<Smoothing>()({
  kernels: { crossEntropyBackward: crossEntropyBackwardKernel },
  inputs: ['g', 'x', 'target', 'most', 'logSum', 'weight?', 'total?'],
  dtypes: 'real',
  fixed: true,
  index: [2],
  outputs([, x, target, , , weight]): OutputSpec[] {
    check('crossEntropyBackward', x.shape, target, weight);
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  run(launcher, inputs, [gx], { ignoreIndex, labelSmoothing: smoothing = 0 }) {
    const [g, x, target, most, logSum, weight, total] = inputs;
    const values = { ...params(x.shape, weight, ignoreIndex), ...sharing(g, total), smoothing };
    const buffers = [g, x, target, most, logSum, weight ?? x, total ?? x, gx];
    const name = 'crossEntropyBackward';
    const range = units(x.shape);
    launcher.launch(name, crossEntropyBackwardKernel, suffix(x.dtype), buffers, values, range);
  },
});

/**
 * x [outer, classes, inner], target [outer, inner], weight? -> loss, scale [outer, inner].
 * loss = -w[t] x[t] for log-probabilities x, scale = w[t]; both 0 where target is ignored.
 */
export const nllLoss = primitive<Classes>()({
  kernels: { nllLoss: nllLossKernel, ...reducing },
  inputs: ['x', 'target', 'weight?'],
  dtypes: 'real',
  fixed: true,
  index: [1],
  outputs([x, target, weight], attributes): OutputSpec[] {
    check('nllLoss', x.shape, target, weight);
    return lossesOf(x, target, attributes);
  },
  run(launcher, [x, target, weight], outputs, attributes) {
    const { ignoreIndex } = attributes;
    const count = numelOf(target.shape);
    emitLosses(launcher, outputs, count, attributes, (losses, scales) => {
      checkingIndices(launcher, 'nllLoss', target, x.shape[1], (status) => {
        const values = params(x.shape, weight, ignoreIndex);
        const buffers = [x, target, weight ?? x, losses, scales, status];
        launcher.launch('nllLoss', nllLossKernel, suffix(x.dtype), buffers, values, count);
      });
    });
  },
});

/**
 * g [outer, inner], target [outer, inner], weight? -> gx [outer, classes, inner].
 * Gradient of the losses of nllLoss: -w[t] g at the target, 0 elsewhere.
 */
export const nllLossBackward = primitive<Classes & { classes: number }>()({
  kernels: { nllLossBackward: nllLossBackwardKernel },
  inputs: ['g', 'target', 'weight?', 'total?'],
  dtypes: 'real',
  fixed: true,
  index: [1],
  outputs([g, target, weight], { classes }): OutputSpec[] {
    const shape = [target.shape[0], classes, target.shape[1]];
    check('nllLossBackward', shape, target, weight);
    return [{ shape, dtype: g.dtype }];
  },
  run(launcher, [g, target, weight, total], [gx], { ignoreIndex }) {
    const values = { ...params(gx.shape, weight, ignoreIndex), ...sharing(g, total) };
    const buffers = [g, target, weight ?? g, total ?? g, gx];
    const name = 'nllLossBackward';
    const range = gx.shape[0];
    launcher.launch(name, nllLossBackwardKernel, suffix(g.dtype), buffers, values, range);
  },
});
