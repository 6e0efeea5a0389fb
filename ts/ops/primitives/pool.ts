/** Two-dimensional pooling: maxima with their places, averages of windows, and their gradients. */

import { int32, suffix } from '../../core/dtype.js';
import { ShapeError, showShape, ValueError } from '../../core/errors.js';
import { sized } from '../../core/layout.js';
import type { Tensor } from '../../tensor.js';
import { kernel, REALS } from '../kernel.js';
import { type Launcher, outputsOf, primitive } from '../row.js';

type Pair = readonly [number, number];

/** Windows of a pooling, each pair as [vertical, horizontal]. */
export interface PoolAttributes {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  /** Whether windows that start inside but end outside count. */
  readonly ceilMode: boolean;
}

export interface MaxPoolAttributes extends PoolAttributes {
  readonly dilation: Pair;
}

export interface AvgPoolAttributes extends PoolAttributes {
  /** Whether padding counts in the divisor. */
  readonly countIncludePad: boolean;
  /** Divides instead of the window's size, unless 0. */
  readonly divisorOverride: number;
}

/** Height and width of the pooling's input, for its gradient. */
export interface InputSize {
  readonly inputSize: Pair;
}

export interface AdaptiveAttributes {
  /** Height and width of the output. */
  readonly outputSize: Pair;
}

const windowParams = {
  height: 'u32',
  width: 'u32',
  out_h: 'u32',
  out_w: 'u32',
  kernel_h: 'u32',
  kernel_w: 'u32',
  stride_h: 'u32',
  stride_w: 'u32',
  pad_h: 'u32',
  pad_w: 'u32',
} as const;
/** What a launch says of its windows, on every device. */
export const maxParams = { ...windowParams, dilation_h: 'u32', dilation_w: 'u32' } as const;

const maxPoolKernel = kernel({
  dtypes: REALS,
  buffers: ['x', 'out', 'indices'],
  params: maxParams,
});

const maxPoolBackwardKernel = kernel({
  dtypes: REALS,
  buffers: ['g', 'indices', 'out'],
  params: { outputs: 'u32', size: 'u32' },
});

export const averageParams = {
  ...windowParams,
  adaptive: 'u32',
  count_padding: 'u32',
  divisor: 'i32',
} as const;

const averageKernel = kernel({ dtypes: REALS, buffers: ['x', 'out'], params: averageParams });
const averageBackwardKernel = kernel({
  dtypes: REALS,
  buffers: ['g', 'out'],
  params: averageParams,
});

/** Length of a pooling's output: with `ceilMode`, as in PyTorch, a last window starts inside. */
export function poolOutputSize(
  size: number,
  kernelSize: number,
  stride: number,
  padding: number,
  dilation: number,
  ceilMode: boolean,
): number {
  const room = size + 2 * padding - dilation * (kernelSize - 1) - 1;
  const count = Math.floor((room + (ceilMode ? stride - 1 : 0)) / stride) + 1;
  return ceilMode && (count - 1) * stride >= size + padding ? count - 1 : count;
}

function checkPair(name: string, what: string, values: Pair, least: number): void {
  if (values.length === 2 && values.every((v) => Number.isInteger(v) && v >= least)) return;
  const bound = least === 1 ? 'positive' : 'not negative';
  throw new ValueError(`${name}: ${what} must be two integers, ${bound}, got ${showShape(values)}`);
}

function checkImages(name: string, shape: readonly number[]): void {
  if (shape.length !== 4) {
    throw new ShapeError(
      `${name}: expected images [N, C, H, W], got ${showShape(shape)}; ` +
        'a single image needs a batch dimension: x.unsqueeze(0)',
    );
  }
  if (shape[1] * shape[2] * shape[3] === 0) {
    throw new ShapeError(`${name}: only the batch may be empty, got ${showShape(shape)}`);
  }
}

const UNSPREAD: Pair = [1, 1];

function outputSize(
  name: string,
  shape: readonly number[],
  attributes: PoolAttributes & { readonly dilation?: Pair },
): Pair {
  const { kernelSize, stride, padding, ceilMode, dilation = UNSPREAD } = attributes;
  checkPair(name, 'kernelSize', kernelSize, 1);
  checkPair(name, 'stride', stride, 1);
  checkPair(name, 'padding', padding, 0);
  checkPair(name, 'dilation', dilation, 1);
  checkImages(name, shape);
  const sizes: [number, number] = [0, 0];
  for (let d = 0; d < 2; d++) {
    const spread = dilation[d] * (kernelSize[d] - 1) + 1;
    if (padding[d] > spread / 2) {
      throw new ValueError(
        `${name}: padding must be at most half of the kernel, got padding ` +
          `${showShape(padding)} for kernelSize ${showShape(kernelSize)} and dilation ` +
          showShape(dilation),
      );
    }
    const [k, s, p] = [kernelSize[d], stride[d], padding[d]];
    sizes[d] = poolOutputSize(shape[2 + d], k, s, p, dilation[d], ceilMode);
  }
  if (sizes[0] < 1 || sizes[1] < 1) {
    throw new ShapeError(
      `${name}: the output would be ${showShape(sizes)}: kernelSize ${showShape(kernelSize)} ` +
        `with dilation ${showShape(dilation)} is larger than ${showShape(shape)} padded by ` +
        `${showShape(padding)}. ` +
        'Use a smaller kernel, or padding.',
    );
  }
  return sizes;
}

function checkGradient(name: string, g: Tensor, size: Pair): void {
  if (g.shape.length === 4 && g.shape[2] === size[0] && g.shape[3] === size[1]) return;
  throw new ShapeError(
    `${name}: expected a gradient [N, C, ${size[0]}, ${size[1]}], got ${showShape(g.shape)}`,
  );
}

function planes(x: Tensor): number {
  return x.shape[0] * x.shape[1];
}

/** The words of `maxParams`. */
export function maxWindows(
  input: readonly number[],
  output: readonly number[],
  { kernelSize, stride, padding, dilation }: MaxPoolAttributes,
) {
  return {
    height: input[2],
    width: input[3],
    out_h: output[2],
    out_w: output[3],
    kernel_h: kernelSize[0],
    kernel_w: kernelSize[1],
    stride_h: stride[0],
    stride_w: stride[1],
    pad_h: padding[0],
    pad_w: padding[1],
    dilation_h: dilation[0],
    dilation_w: dilation[1],
  };
}

/** Maxima of windows of [N, C, H, W], and their places in the plane. NaN wins. */
export const maxPool2d = primitive<MaxPoolAttributes>()({
  kernels: { maxPool2d: maxPoolKernel },
  inputs: ['x'],
  dtypes: 'real',
  fixed: true,
  outputs([x], attributes) {
    const [height, width] = outputSize('maxPool2d', x.shape, attributes);
    const { shape } = sized(x.shape[0], x.shape[1], height, width);
    const specs = outputsOf(x.dtype, shape, shape);
    specs[1].dtype = int32;
    return specs;
  },
  run(launcher, [x], [out, indices], attributes) {
    const params = maxWindows(x.shape, out.shape, attributes);
    const buffers = [x, out, indices];
    launcher.launch('maxPool2d', maxPoolKernel, suffix(x.dtype), buffers, params, planes(x));
  },
});

/** Gradient of maxPool2d: each value goes to the place its maximum came from. */
export const maxPool2dBackward = primitive<MaxPoolAttributes & InputSize>()({
  kernels: { maxPool2dBackward: maxPoolBackwardKernel },
  inputs: ['g', 'indices'],
  dtypes: 'real',
  fixed: true,
  index: [1],
  outputs([g, indices], { inputSize }) {
    if (showShape(g.shape) !== showShape(indices.shape)) {
      const given = `${showShape(g.shape)} and ${showShape(indices.shape)}`;
      throw new ShapeError(`maxPool2dBackward: gradient and indices differ in shape: ${given}`);
    }
    return [{ shape: [g.shape[0], g.shape[1], ...inputSize], dtype: g.dtype }];
  },
  run(launcher, [g, indices], [out]) {
    const params = { outputs: g.shape[2] * g.shape[3], size: out.shape[2] * out.shape[3] };
    const buffers = [g, indices, out];
    const [name, dtype] = ['maxPool2dBackward', suffix(g.dtype)];
    launcher.launch(name, maxPoolBackwardKernel, dtype, buffers, params, planes(g));
  },
});

/** The words of `averageParams`; adaptive windows have no attributes. */
export function averageWindows(
  input: readonly number[],
  output: readonly number[],
  a?: AvgPoolAttributes,
) {
  return {
    height: input[2],
    width: input[3],
    out_h: output[2],
    out_w: output[3],
    kernel_h: a?.kernelSize[0] ?? 1,
    kernel_w: a?.kernelSize[1] ?? 1,
    stride_h: a?.stride[0] ?? 1,
    stride_w: a?.stride[1] ?? 1,
    pad_h: a?.padding[0] ?? 0,
    pad_w: a?.padding[1] ?? 0,
    adaptive: a ? 0 : 1,
    count_padding: a?.countIncludePad ? 1 : 0,
    divisor: a?.divisorOverride ?? 0,
  };
}

function average(launcher: Launcher, x: Tensor, out: Tensor, a?: AvgPoolAttributes): void {
  const params = averageWindows(x.shape, out.shape, a);
  launcher.launch('avgPool2d', averageKernel, suffix(x.dtype), [x, out], params, planes(x));
}

function averageBackward(launcher: Launcher, g: Tensor, out: Tensor, a?: AvgPoolAttributes): void {
  const params = averageWindows(out.shape, g.shape, a);
  const [name, dtype] = ['avgPool2dBackward', suffix(g.dtype)];
  launcher.launch(name, averageBackwardKernel, dtype, [g, out], params, planes(g));
}

function checkDivisor(name: string, divisor: number): void {
  if (Number.isInteger(divisor)) return;
  throw new ValueError(`${name}: divisorOverride must be an integer other than 0, got ${divisor}`);
}

/** Averages of windows of [N, C, H, W]. */
export const avgPool2d = primitive<AvgPoolAttributes>()({
  kernels: { avgPool2d: averageKernel },
  inputs: ['x'],
  dtypes: 'real',
  fixed: true,
  outputs([x], attributes) {
    checkDivisor('avgPool2d', attributes.divisorOverride);
    const size = outputSize('avgPool2d', x.shape, attributes);
    return [{ shape: [x.shape[0], x.shape[1], ...size], dtype: x.dtype }];
  },
  run(launcher, [x], [out], attributes) {
    average(launcher, x, out, attributes);
  },
});

/** Gradient of avgPool2d: each value, divided as the average was, spreads over its window. */
export const avgPool2dBackward = primitive<AvgPoolAttributes & InputSize>()({
  kernels: { avgPool2dBackward: averageBackwardKernel },
  inputs: ['g'],
  dtypes: 'real',
  fixed: true,
  outputs([g], attributes) {
    const shape = [g.shape[0], g.shape[1], ...attributes.inputSize];
    checkDivisor('avgPool2dBackward', attributes.divisorOverride);
    checkGradient('avgPool2dBackward', g, outputSize('avgPool2dBackward', shape, attributes));
    return [{ shape, dtype: g.dtype }];
  },
  run(launcher, [g], [out], attributes) {
    averageBackward(launcher, g, out, attributes);
  },
});

/** Averages of [N, C, H, W] in windows that share it out: the i-th of n is [iH/n, (i+1)H/n). */
export const adaptiveAvgPool2d = primitive<AdaptiveAttributes>()({
  kernels: { avgPool2d: averageKernel },
  inputs: ['x'],
  dtypes: 'real',
  fixed: true,
  outputs([x], attributes) {
    checkPair('adaptiveAvgPool2d', 'outputSize', attributes.outputSize, 0);
    checkImages('adaptiveAvgPool2d', x.shape);
    return [{ shape: [x.shape[0], x.shape[1], ...attributes.outputSize], dtype: x.dtype }];
  },
  run(launcher, [x], [out]) {
    average(launcher, x, out);
  },
});

/** Gradient of adaptiveAvgPool2d. */
export const adaptiveAvgPool2dBackward = primitive<InputSize>()({
  kernels: { avgPool2dBackward: averageBackwardKernel },
  inputs: ['g'],
  dtypes: 'real',
  fixed: true,
  outputs([g], { inputSize }) {
    checkImages('adaptiveAvgPool2dBackward', [1, 1, ...inputSize]);
    return [{ shape: [g.shape[0], g.shape[1], ...inputSize], dtype: g.dtype }];
  },
  run(launcher, [g], [out]) {
    averageBackward(launcher, g, out);
  },
});
