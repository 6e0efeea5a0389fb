/** Convolutions of one and two dimensions. */

import { DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { giveBack, lend3, only } from '../core/lend.js';
import { applyPrimitive } from '../ops/apply.js';
import { applyCanonical } from '../ops/canonical.js';
import { type ConvAttributes, convOutputSize } from '../ops/primitives/conv_geometry.js';
import { constantPadNd } from '../ops/rearrange.js';
import { op } from '../ops/signature.js';
import type { Tensor } from '../tensor.js';
import { perDimension } from './arguments.js';
import { keepingIntegers } from './precision.js';

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

/** Sizes of two dimensions; of one, with another in front. */
function pairOf(values: readonly number[], other: number): [number, number] {
  return (values.length === 1 ? [other, values[0]] : values) as [number, number];
}

function convolve(
  name: string,
  rank: number,
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  strideGiven: Size,
  paddingGiven: ConvPadding,
  dilationGiven: Size,
  groups: number,
): Tensor {
  checkInput(name, rank, input, weight, bias, groups);
  const stride = perDimension(name, 'stride', strideGiven, rank);
  const dilation = perDimension(name, 'dilation', dilationGiven, rank);
  let x = input;
  let padding: readonly number[];
  if (paddingGiven === 'same') {
    [x, padding] = samePadding(name, x, weight.shape.slice(2), stride, dilation);
  } else if (typeof paddingGiven === 'string' && paddingGiven !== 'valid') {
    throw new ValueError(
      `${name}: padding is a size, 'same' or 'valid', got '${String(paddingGiven)}'`,
    );
  } else {
    padding = perDimension(name, 'padding', paddingGiven === 'valid' ? 0 : paddingGiven, rank);
  }
  const attributes: ConvAttributes = {
    stride: pairOf(stride, 1),
    padding: pairOf(padding, 0),
    dilation: pairOf(dilation, 1),
    groups,
  };
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
  ): Tensor =>
    keepingIntegers(bias === null ? [input, weight] : [input, weight, bias], ([x, w, b = null]) =>
      convolve('conv1d', 1, x, w, b, stride, padding, dilation, groups),
    ),
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
  ): Tensor =>
    keepingIntegers(bias === null ? [input, weight] : [input, weight, bias], ([x, w, b = null]) =>
      convolve('conv2d', 2, x, w, b, stride, padding, dilation, groups),
    ),
);
