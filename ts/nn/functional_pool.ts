/** Pooling of one and two dimensions. */

import { ShapeError, showShape, ValueError } from '../core/errors.js';
import { applyPrimitive } from '../ops/apply.js';
import { applyCanonical } from '../ops/canonical.js';
import { poolOutputSize } from '../ops/primitives/pool.js';
import { op } from '../ops/signature.js';
import type { AttributesOf, PrimitiveName } from '../ops/table.js';
import type { Tensor } from '../tensor.js';
import { perDimension } from './arguments.js';
import type { Size } from './functional_conv.js';
import { keepingIntegers } from './precision.js';

type Pair = readonly [number, number];

/** A size for each of two dimensions; of one dimension, beside `other` for a height of 1. */
function pair(name: string, what: string, value: Size, rank: number, other: number): Pair {
  const values = perDimension(name, what, value, rank);
  return (rank === 1 ? [other, values[0]] : values) as Pair;
}

/** Windows as the rows take them; the stride is the window's size unless given. */
function windows(
  name: string,
  rank: number,
  kernelSize: Size,
  stride: Size | null,
  padding: Size,
  ceilMode: boolean,
) {
  const steps = stride === null || (Array.isArray(stride) && stride.length === 0);
  return {
    kernelSize: pair(name, 'kernelSize', kernelSize, rank, 1),
    stride: pair(name, 'stride', steps ? kernelSize : (stride as Size), rank, 1),
    padding: pair(name, 'padding', padding, rank, 0),
    ceilMode,
  };
}

function checkInput(name: string, rank: number, x: Tensor): void {
  if (x.ndim === rank + 2 || x.ndim === rank + 1) return;
  const axes = rank === 1 ? 'L' : 'H, W';
  throw new ShapeError(
    `${name}: expected input [N, C, ${axes}] or [C, ${axes}], got ${showShape(x.shape)}`,
  );
}

/** Runs a row of [N, C, H, W] on an input of that rank, of one dimension less, or of one image. */
function pool<K extends PrimitiveName>(
  row: K,
  rank: number,
  x: Tensor,
  size: (shape: readonly number[]) => readonly number[],
  attributes: AttributesOf<K>,
): Tensor[] {
  if (rank === 2 && x.ndim === 4) return applyPrimitive(row, [x], attributes);
  const lead = x.shape.slice(0, x.ndim - rank);
  const [batch, channels] = lead.length === 2 ? lead : [1, lead[0]];
  const plane = rank === 1 ? [1, x.shape[x.ndim - 1]] : x.shape.slice(-2);
  const shape = [...lead, ...size(plane).slice(-rank)];
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
  dilationGiven: Size,
  ceilMode: boolean,
): Tensor[] {
  checkInput(name, rank, input);
  const dilation = pair(name, 'dilation', dilationGiven, rank, 1);
  const base = windows(name, rank, kernelSize, stride, padding, ceilMode);
  const size = (plane: readonly number[]) =>
    plane.map((n, d) => {
      const { kernelSize: k, stride: s, padding: p } = base;
      return poolOutputSize(n, k[d], s[d], p[d], dilation[d], ceilMode);
    });
  return pool('maxPool2d', rank, input, size, { ...base, dilation });
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
      return returnIndices ? results : results[0];
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
  const base = windows(name, rank, kernelSize, stride, padding, ceilMode);
  const size = (plane: readonly number[]) =>
    plane.map((n, d) => {
      const { kernelSize: k, stride: s, padding: p } = base;
      return poolOutputSize(n, k[d], s[d], p[d], 1, ceilMode);
    });
  const attributes = { ...base, countIncludePad, divisorOverride: divisorOverride ?? 0 };
  return pool('avgPool2d', rank, input, size, attributes)[0];
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
  ): Tensor =>
    keepingIntegers([input], ([x]) =>
      avgPool(
        'avgPool2d',
        2,
        x,
        kernelSize,
        stride,
        padding,
        ceilMode,
        countIncludePad,
        divisorOverride,
      ),
    ),
);

/** Sizes of an adaptive pooling's output: null keeps the input's. */
export type OutputSize = number | null | readonly (number | null)[];

function adaptive(name: string, rank: number, input: Tensor, outputSize: OutputSize): Tensor {
  checkInput(name, rank, input);
  const given = Array.isArray(outputSize) ? (outputSize as (number | null)[]) : null;
  const wanted = given ?? new Array<number | null>(rank).fill(outputSize as number | null);
  if (wanted.length !== rank) {
    throw new ValueError(`${name}: outputSize has ${rank} sizes, got [${wanted.join(', ')}]`);
  }
  const sizes = wanted.map((size, d) => size ?? input.shape[input.ndim - rank + d]);
  const pairOf = (rank === 1 ? [1, sizes[0]] : sizes) as unknown as Pair;
  return pool('adaptiveAvgPool2d', rank, input, () => pairOf, { outputSize: pairOf })[0];
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
