/** Pooling of one and two dimensions. */

import { float64 } from '../core/dtype.js';
import { ShapeError, showShape, ValueError } from '../core/errors.js';
import type { Shape } from '../core/layout.js';
import { giveBack, lend1, only } from '../core/lend.js';
import { Memo } from '../core/memo.js';
import { applyPrimitive } from '../ops/apply.js';
import { applyCanonical, firstOf } from '../ops/canonical.js';
import {
  type AdaptiveAttributes,
  type AvgPoolAttributes,
  type MaxPoolAttributes,
  type PoolAttributes,
  poolOutputSize,
} from '../ops/primitives/pool.js';
import { op } from '../ops/signature.js';
import type { AttributesOf, PrimitiveName } from '../ops/table.js';
import type { Tensor } from '../tensor.js';
import { writeSizes } from './arguments.js';
import type { Size } from './functional_conv.js';
import { areIntegers } from './precision.js';

/** Attributes by what they are: [kernelSize, stride, padding, dilation] of both dimensions... */
const maxima = new Memo<number[], MaxPoolAttributes>(new Array(9).fill(1), (key) => ({
  ...windowsOf(key),
  dilation: [key[6], key[7]],
  ceilMode: key[8] === 1,
}));
const averages = new Memo<number[], AvgPoolAttributes>(new Array(9).fill(1), (key) => ({
  ...windowsOf(key),
  ceilMode: key[6] === 1,
  countIncludePad: key[7] === 1,
  divisorOverride: key[8],
}));
const adaptives = new Memo<number[], AdaptiveAttributes>([1, 1], ([height, width]) => ({
  outputSize: [height, width],
}));

function windowsOf([kernelH, kernelW, strideH, strideW, padH, padW]: readonly number[]) {
  return {
    kernelSize: [kernelH, kernelW],
    stride: [strideH, strideW],
    padding: [padH, padW],
  } as const;
}

/** Writes the windows into a key; of one dimension, beside a height of 1. */
function writeWindows(
  key: number[],
  name: string,
  rank: number,
  kernelSize: Size,
  stride: Size | null,
  padding: Size,
): void {
  const none = stride === null || (typeof stride !== 'number' && stride.length === 0);
  writeSizes(key, 0, name, 'kernelSize', kernelSize, rank, 1);
  writeSizes(key, 2, name, 'stride', none ? kernelSize : stride, rank, 1);
  writeSizes(key, 4, name, 'padding', padding, rank, 0);
}

function checkInput(name: string, rank: number, x: Tensor): void {
  if (x.ndim === rank + 2 || x.ndim === rank + 1) return;
  const axes = rank === 1 ? 'L' : 'H, W';
  throw new ShapeError(
    `${name}: expected input [N, C, ${axes}] or [C, ${axes}], got ${showShape(x.shape)}`,
  );
}

/** Height and width that windows give. */
function windowedSize(
  shape: Shape,
  attributes: PoolAttributes & { readonly dilation?: readonly number[] },
): readonly number[] {
  const { kernelSize: k, stride: s, padding: p, dilation, ceilMode } = attributes;
  return shape.map((n, d) => poolOutputSize(n, k[d], s[d], p[d], dilation?.[d] ?? 1, ceilMode));
}

/** Runs a row of [N, C, H, W] on an input of that rank, of one dimension less, or of one image. */
function pool<K extends PrimitiveName>(
  row: K,
  rank: number,
  x: Tensor,
  size: (plane: Shape, attributes: AttributesOf<K>) => readonly number[],
  attributes: AttributesOf<K>,
): Tensor[] {
  if (rank === 2 && x.ndim === 4) {
    const inputs = lend1(x);
    const outputs = applyPrimitive(row, inputs, attributes);
    giveBack(inputs);
    return outputs;
  }
  const lead = x.shape.slice(0, x.ndim - rank);
  const [batch, channels] = lead.length === 2 ? lead : [1, lead[0]];
  const plane = rank === 1 ? [1, x.shape[x.ndim - 1]] : x.shape.slice(-2);
  const shape = [...lead, ...size(plane, attributes).slice(-rank)];
  const form = { shape: [batch, channels, ...plane] };
  return applyCanonical(row, [x], [form], [shape, shape], attributes);
}

function maxPool(
  name: string,
  rank: number,
  input: Tensor,
  kernelSize: Size,
  stride: Size | null,
  padding: Size,
  dilation: Size,
  ceilMode: boolean,
): Tensor[] {
  checkInput(name, rank, input);
  const { key } = maxima;
  writeSizes(key, 6, name, 'dilation', dilation, rank, 1);
  writeWindows(key, name, rank, kernelSize, stride, padding);
  key[8] = ceilMode ? 1 : 0;
  return pool('maxPool2d', rank, input, windowedSize, maxima.get());
}

/** The maxima, and with `returnIndices: true` also their places in the plane. */
export interface MaxPoolFunction {
  (
    input: Tensor,
    kernelSize: Size,
    stride: Size | null | undefined,
    padding: Size | undefined,
    dilation: Size | undefined,
    ceilMode: boolean | undefined,
    returnIndices: true,
  ): [Tensor, Tensor];
  (
    input: Tensor,
    kernelSize: Size,
    options: MaxPoolOptions & { returnIndices: true },
  ): [Tensor, Tensor];
  (
    input: Tensor,
    options: MaxPoolOptions & { kernelSize: Size; returnIndices: true },
  ): [Tensor, Tensor];
  (
    input: Tensor,
    kernelSize: Size,
    stride?: Size | null,
    padding?: Size,
    dilation?: Size,
    ceilMode?: boolean,
    returnIndices?: false,
  ): Tensor;
  (input: Tensor, kernelSize: Size, options?: MaxPoolOptions): Tensor;
  (input: Tensor, kernelSize: Size, stride: Size | null, options?: MaxPoolOptions): Tensor;
  (input: Tensor, options: MaxPoolOptions & { kernelSize: Size }): Tensor;
}

export interface MaxPoolOptions {
  stride?: Size | null;
  padding?: Size;
  dilation?: Size;
  ceilMode?: boolean;
  returnIndices?: boolean;
}

function maxPoolOf(name: string, rank: number): MaxPoolFunction {
  return op(
    name,
    'input, kernelSize, stride, padding, dilation, ceilMode, returnIndices',
    (
      input: Tensor,
      kernelSize: Size,
      stride: Size | null = null,
      padding: Size = 0,
      dilation: Size = 1,
      ceilMode = false,
      returnIndices = false,
    ): Tensor | Tensor[] => {
      const results = maxPool(name, rank, input, kernelSize, stride, padding, dilation, ceilMode);
      return returnIndices ? results : firstOf(results);
    },
  ) as never;
}

/** Maxima of windows of [N, C, L] (or [C, L]). NaN wins. */
export const maxPool1d = maxPoolOf('maxPool1d', 1);
/** Maxima of windows of [N, C, H, W] (or [C, H, W]). NaN wins. */
export const maxPool2d = maxPoolOf('maxPool2d', 2);

function avgPool(
  name: string,
  rank: number,
  input: Tensor,
  kernelSize: Size,
  stride: Size | null,
  padding: Size,
  ceilMode: boolean,
  countIncludePad: boolean,
  divisorOverride: number | null,
): Tensor {
  checkInput(name, rank, input);
  if (divisorOverride === 0) throw new ValueError(`${name}: divisorOverride cannot be 0`);
  const { key } = averages;
  writeWindows(key, name, rank, kernelSize, stride, padding);
  key[6] = ceilMode ? 1 : 0;
  key[7] = countIncludePad ? 1 : 0;
  key[8] = divisorOverride ?? 0;
  return only(pool('avgPool2d', rank, input, windowedSize, averages.get()));
}

/** Averages of windows of [N, C, L] (or [C, L]). */
export const avgPool1d = op(
  'avgPool1d',
  'input, kernelSize, stride, padding, ceilMode, countIncludePad',
  (
    input: Tensor,
    kernelSize: Size,
    stride: Size | null = null,
    padding: Size = 0,
    ceilMode = false,
    countIncludePad = true,
  ): Tensor =>
    avgPool('avgPool1d', 1, input, kernelSize, stride, padding, ceilMode, countIncludePad, null),
);

/**
 * Averages of windows of [N, C, H, W] (or [C, H, W]). Padding counts in the divisor unless
 * `countIncludePad` is false; `divisorOverride` divides instead.
 */
export const avgPool2d = op(
  'avgPool2d',
  'input, kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride',
  (
    input: Tensor,
    kernelSize: Size,
    stride: Size | null = null,
    padding: Size = 0,
    ceilMode = false,
    countIncludePad = true,
    divisorOverride: number | null = null,
  ): Tensor => {
    const whole = areIntegers(input);
    const result = avgPool(
      'avgPool2d',
      2,
      whole ? input.to(float64) : input,
      kernelSize,
      stride,
      padding,
      ceilMode,
      countIncludePad,
      divisorOverride,
    );
    return whole ? result.to(input.dtype) : result;
  },
);

/** Sizes of an adaptive pooling's output: null keeps the input's. */
export type OutputSize = number | null | readonly (number | null)[];

const sizeGiven = (_: Shape, { outputSize }: AdaptiveAttributes) => outputSize;

function adaptive(name: string, rank: number, input: Tensor, outputSize: OutputSize): Tensor {
  checkInput(name, rank, input);
  const given = Array.isArray(outputSize) ? (outputSize as (number | null)[]) : null;
  const wanted = given ?? new Array<number | null>(rank).fill(outputSize as number | null);
  if (wanted.length !== rank) {
    throw new ValueError(`${name}: outputSize has ${rank} sizes, got [${wanted.join(', ')}]`);
  }
  const sizes = wanted.map((size, d) => size ?? input.shape[input.ndim - rank + d]);
  adaptives.key[0] = rank === 1 ? 1 : sizes[0];
  adaptives.key[1] = sizes[rank - 1];
  return only(pool('adaptiveAvgPool2d', rank, input, sizeGiven, adaptives.get()));
}

/** Averages that give `outputSize` values whatever the length of [N, C, L] is. */
export const adaptiveAvgPool1d = op(
  'adaptiveAvgPool1d',
  'input, outputSize',
  (input: Tensor, outputSize: OutputSize): Tensor =>
    adaptive('adaptiveAvgPool1d', 1, input, outputSize),
);

/** Averages that give `outputSize` whatever the size of [N, C, H, W]; null keeps a size. */
export const adaptiveAvgPool2d = op(
  'adaptiveAvgPool2d',
  'input, outputSize',
  (input: Tensor, outputSize: OutputSize): Tensor =>
    adaptive('adaptiveAvgPool2d', 2, input, outputSize),
);
