/** Convolutions of one and two dimensions. */

import { float64 } from '../core/dtype.js';
import { DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { giveBack, lend3, only } from '../core/lend.js';
import { Memo } from '../core/memo.js';
import { applyPrimitive } from '../ops/apply.js';
import { applyCanonical } from '../ops/canonical.js';
import { type ConvAttributes, convOutputSize } from '../ops/primitives/conv_geometry.js';
import { constantPadNd } from '../ops/rearrange.js';
import { op } from '../ops/signature.js';
import type { Tensor } from '../tensor.js';
import { perDimension, writeSizes } from './arguments.js';
import { areIntegers } from './precision.js';

/** A size per dimension, or one for all. */
export type Size = number | readonly number[];
/** Borders of zeros: sizes, 'valid' (none), or 'same' (the output is as large as the input). */
export type ConvPadding = Size | 'same' | 'valid';

const AXES = ['', 'L', 'H, W'];

function checkInput(
  name: string,
  rank: number,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  groups: number,
): void {
  if (weight.ndim !== rank + 2) {
    const sizes = rank === 1 ? 'k' : 'kh, kw';
    throw new ShapeError(
      `${name}: expected a weight [out, in / groups, ${sizes}], got ${showShape(weight.shape)}`,
    );
  }
  const channels = weight.shape[1] * groups;
  const axes = AXES[rank];
  if (x.ndim !== rank + 2 && x.ndim !== rank + 1) {
    throw new ShapeError(
      `${name}: expected input [N, ${channels}, ${axes}] or [${channels}, ${axes}] for weight ` +
        `${showShape(weight.shape)}, got ${showShape(x.shape)}`,
    );
  }
  const given = x.shape[x.ndim - rank - 1];
  if (given !== channels) {
    throw new ShapeError(
      `${name}: expected input [N, ${channels}, ${axes}] for weight ${showShape(weight.shape)} ` +
        `and groups ${groups}, got ${showShape(x.shape)} with ${given} channels. ` +
        'Channels come before the sizes of the image',
    );
  }
  if (x.dtype !== weight.dtype) {
    throw new DtypeError(
      `${name}: input is ${x.dtype}, weight ${weight.dtype}; cast one, ` +
        `for example with to(torch.${weight.dtype.name})`,
    );
  }
  if (bias !== null && bias.dtype !== weight.dtype) {
    throw new DtypeError(`${name}: weight is ${weight.dtype}, bias ${bias.dtype}; cast one`);
  }
}

/** The input with what 'same' needs behind it, and the border on both sides. */
function samePadding(
  name: string,
  x: Tensor,
  kernel: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): [Tensor, readonly number[]] {
  if (stride.some((step) => step !== 1)) {
    throw new ValueError(`${name}: padding 'same' needs stride 1, got ${showShape(stride)}`);
  }
  const totals = kernel.map((size, d) => dilation[d] * (size - 1));
  const border = totals.map((total) => Math.floor(total / 2));
  const extra = totals.flatMap((total) => [total % 2, 0]).reverse();
  return [extra.some((size) => size > 0) ? constantPadNd(x, extra, 0) : x, border];
}

/** Attributes by what they are: [stride, padding, dilation] of both dimensions, then groups. */
const known = new Memo<number[], ConvAttributes>(
  new Array(7).fill(1),
  ([strideH, strideW, padH, padW, dilationH, dilationW, groups]) => ({
    stride: [strideH, strideW],
    padding: [padH, padW],
    dilation: [dilationH, dilationW],
    groups,
  }),
);

function attributesOf(
  name: string,
  rank: number,
  stride: Size,
  padding: Size,
  dilation: Size,
  groups: number,
): ConvAttributes {
  const { key } = known;
  writeSizes(key, 0, name, 'stride', stride, rank, 1);
  writeSizes(key, 2, name, 'padding', padding, rank, 0);
  writeSizes(key, 4, name, 'dilation', dilation, rank, 1);
  key[6] = groups;
  return known.get();
}

function convolve(
  name: string,
  rank: number,
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  stride: Size,
  padding: ConvPadding,
  dilation: Size,
  groups: number,
): Tensor {
  if (!areIntegers(input, weight, bias)) {
    return convolveFloats(name, rank, input, weight, bias, stride, padding, dilation, groups);
  }
  const [x, w, b] = [input.to(float64), weight.to(float64), bias?.to(float64) ?? null];
  const result = convolveFloats(name, rank, x, w, b, stride, padding, dilation, groups);
  return result.to(input.dtype);
}

function convolveFloats(
  name: string,
  rank: number,
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  stride: Size,
  padding: ConvPadding,
  dilation: Size,
  groups: number,
): Tensor {
  checkInput(name, rank, input, weight, bias, groups);
  let x = input;
  let border: Size;
  if (padding === 'same') {
    const steps = perDimension(name, 'stride', stride, rank);
    const spread = perDimension(name, 'dilation', dilation, rank);
    [x, border] = samePadding(name, x, weight.shape.slice(2), steps, spread);
  } else if (typeof padding === 'string' && padding !== 'valid') {
    throw new ValueError(`${name}: padding is a size, 'same' or 'valid', got '${String(padding)}'`);
  } else border = padding === 'valid' ? 0 : padding;
  const attributes = attributesOf(name, rank, stride, border, dilation, groups);
  const b = bias ?? undefined;
  if (rank === 2 && x.ndim === 4) {
    const inputs = lend3<Tensor | undefined>(x, weight, b);
    const outputs = applyPrimitive('conv2d', inputs, attributes);
    giveBack(inputs);
    return only(outputs);
  }
  return reshaped(name, rank, [x, weight, b], attributes);
}

/** One dimension, or one image without a batch: the same convolution of [N, C, H, W]. */
function reshaped(
  name: string,
  rank: number,
  [x, weight, bias]: readonly [Tensor, Tensor, Tensor | undefined],
  attributes: ConvAttributes,
): Tensor {
  const batch = x.ndim === rank + 2 ? [x.shape[0]] : [];
  const [channels, ...sizes] = x.shape.slice(batch.length);
  const [filters, depth, ...kernel] = weight.shape;
  const flat = rank === 1 ? [1] : [];
  const shape = [batch[0] ?? 1, channels, ...flat, ...sizes];
  const { stride, padding, dilation } = attributes;
  const last = 2 - rank;
  const out = sizes.map((size, d) => {
    const at = d + last;
    return convOutputSize(size, kernel[d], stride[at], padding[at], dilation[at]);
  });
  if (out.some((size) => size < 1)) {
    throw new ShapeError(
      `${name}: the kernel of weight ${showShape(weight.shape)} is larger than the padded input ` +
        `${showShape(x.shape)}; add padding, or use a smaller kernel or dilation`,
    );
  }
  const forms = [{ shape }, { shape: [filters, depth, ...flat, ...kernel] }, undefined];
  return applyCanonical(
    'conv2d',
    [x, weight, bias],
    forms,
    [[...batch, filters, ...out]],
    attributes,
  )[0];
}

/**
 * Convolution of [N, C, L] (or [C, L]) with a weight [O, C / groups, k]:
 * [N, O, floor((L + 2 padding - dilation (k - 1) - 1) / stride) + 1].
 */
export const conv1d = op(
  'conv1d',
  'input, weight, bias, stride, padding, dilation, groups',
  (
    input: Tensor,
    weight: Tensor,
    bias: Tensor | null = null,
    stride: Size = 1,
    padding: ConvPadding = 0,
    dilation: Size = 1,
    groups = 1,
  ): Tensor => convolve('conv1d', 1, input, weight, bias, stride, padding, dilation, groups),
);

/**
 * Convolution of [N, C, H, W] (or [C, H, W]) with a weight [O, C / groups, kh, kw]; each size
 * becomes floor((size + 2 padding - dilation (k - 1) - 1) / stride) + 1.
 */
export const conv2d = op(
  'conv2d',
  'input, weight, bias, stride, padding, dilation, groups',
  (
    input: Tensor,
    weight: Tensor,
    bias: Tensor | null = null,
    stride: Size = 1,
    padding: ConvPadding = 0,
    dilation: Size = 1,
    groups = 1,
  ): Tensor => convolve('conv2d', 2, input, weight, bias, stride, padding, dilation, groups),
);
