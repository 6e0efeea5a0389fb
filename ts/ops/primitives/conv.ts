/**
 * Two-dimensional convolution and its gradients. Inputs are copied once into padded planes, where
 * every tap of an output row reads side by side; nothing is gathered into patches.
 */

import { suffix } from '../../core/dtype.js';
import { ShapeError, showShape, ValueError } from '../../core/errors.js';
import type { Tensor } from '../../tensor.js';
import { type BufferRef, type Launcher, primitive } from '../row.js';
import {
  conv2dKernel,
  convFlip,
  convPad,
  inputGradKernel,
  scatterKernel,
  weightGradKernel,
} from './conv_kernels.js';

type Pair = readonly [number, number];

/** Attributes of a convolution, each pair as [vertical, horizontal]. */
export interface ConvAttributes {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

export interface ConvInputGradAttributes extends ConvAttributes {
  /** Height and width of the convolution's input. */
  readonly inputSize: Pair;
}

export interface ConvWeightGradAttributes extends ConvAttributes {
  /** Height and width of the convolution's weight. */
  readonly kernelSize: Pair;
}

/** The widest vector; reads may pass the end of a padded plane by one of them. */
const LANES = 4;
/** Words of one entry of a pixel table, and taps of a unit of the weight gradient. */
const PIXEL_WORDS = 4;
const TAP_BLOCK = 16;
/** Multiplications that make a unit worth a thread, and the most rows of a unit. */
const UNIT = 500_000;
const MOST_ROWS = 32;
/** Shares of a launch, enough for every thread. */
const MOST_SHARES = 96;
/** The largest tile a build may use, and products that stay in the first-level cache. */
const TILE = 16;
const PRODUCTS = 8192;
/** Multiplications that adding one product to its place is worth. */
const SCATTER_COST = 15;

/** Sizes of one convolution. */
interface Geometry {
  readonly batch: number;
  readonly groups: number;
  /** Channels and filters of one group. */
  readonly channels: number;
  readonly filters: number;
  readonly height: number;
  readonly width: number;
  readonly outH: number;
  readonly outW: number;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
}

/** Planes as kernels read them: rows of `phases` runs of `cols` pixels. */
interface Planes {
  readonly buffer: Tensor | BufferRef;
  readonly rows: number;
  readonly cols: number;
  readonly phases: number;
}

/** Length of an output: floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1. */
export function convOutputSize(
  size: number,
  kernelSize: number,
  stride: number,
  padding: number,
  dilation: number,
): number {
  return Math.floor((size + 2 * padding - dilation * (kernelSize - 1) - 1) / stride) + 1;
}

function checkAttributes(name: string, attributes: ConvAttributes): void {
  const { stride, padding, dilation, groups } = attributes;
  const whole = (values: Pair, least: number) =>
    values.length === 2 && values.every((v) => Number.isInteger(v) && v >= least);
  if (!whole(stride, 1))
    throw new ValueError(`${name}: stride must be positive, got ${showShape(stride)}`);
  if (!whole(padding, 0)) {
    throw new ValueError(`${name}: padding must not be negative, got ${showShape(padding)}`);
  }
  if (!whole(dilation, 1)) {
    throw new ValueError(`${name}: dilation must be positive, got ${showShape(dilation)}`);
  }
  if (!Number.isInteger(groups) || groups < 1) {
    throw new ValueError(`${name}: groups must be a positive integer, got ${groups}`);
  }
}

function geometryOf(
  name: string,
  input: readonly number[],
  weight: readonly number[],
  attributes: ConvAttributes,
): Geometry {
  checkAttributes(name, attributes);
  const { stride, padding, dilation, groups } = attributes;
  const given = `for weight ${showShape(weight)} and groups ${groups}, got ${showShape(input)}`;
  if (weight.length !== 4) {
    throw new ShapeError(`${name}: expected a weight [O, C, kh, kw], got ${showShape(weight)}`);
  }
  const [all, channels, kh, kw] = weight;
  const wanted = `${name}: expected input [N, ${channels * groups}, H, W] ${given}`;
  if (input.length !== 4) {
    throw new ShapeError(`${wanted}; a single image needs a batch dimension: x.unsqueeze(0)`);
  }
  const [batch, inputs, height, width] = input;
  if (inputs !== channels * groups) {
    throw new ShapeError(`${wanted}: ${inputs} channels are not ${channels} x ${groups}`);
  }
  if (all % groups !== 0 || all === 0 || channels === 0) {
    throw new ShapeError(`${name}: ${all} filters do not divide into ${groups} groups; ${given}`);
  }
  const outH = convOutputSize(height, kh, stride[0], padding[0], dilation[0]);
  const outW = convOutputSize(width, kw, stride[1], padding[1], dilation[1]);
  if (outH < 1 || outW < 1 || kh < 1 || kw < 1) {
    const padded = showShape([height + 2 * padding[0], width + 2 * padding[1]]);
    const spread = showShape([dilation[0] * (kh - 1) + 1, dilation[1] * (kw - 1) + 1]);
    throw new ShapeError(
      `${name}: the kernel, spread over ${spread}, is larger than the padded input ${padded}; ` +
        `${given}. Add padding, or use a smaller kernel or dilation.`,
    );
  }
  const filters = all / groups;
  const sizes = { batch, groups, channels, filters, height, width, outH, outW };
  return { ...sizes, kernel: [kh, kw], stride, padding, dilation };
}

/** Copies planes [height, width] into padded ones. */
function pad(
  launcher: Launcher,
  x: Tensor,
  planes: Omit<Planes, 'buffer'>,
  top: number,
  left: number,
): Planes {
  const [batch, channels, height, width] = x.shape;
  const { rows, cols, phases } = planes;
  const count = batch * channels;
  const buffer = launcher.scratch(count * rows * cols * phases + LANES, x.dtype);
  const params = { height, width, rows, cols, phases, top, left };
  launcher.launch('convPad', convPad, suffix(x.dtype), [x, buffer], params, count);
  return { ...planes, buffer };
}

/** The input as products and the weight gradient read it: in place if nothing is padded. */
function source(launcher: Launcher, x: Tensor, geometry: Geometry): Planes {
  const { height, width, outH, outW, kernel, stride, padding, dilation } = geometry;
  const plain = padding[0] === 0 && padding[1] === 0 && stride[1] === 1;
  if (plain && outW >= LANES) return { buffer: x, rows: height, cols: width, phases: 1 };
  const rows = (outH - 1) * stride[0] + (kernel[0] - 1) * dilation[0] + 1;
  const span = (outW - 1) * stride[1] + (kernel[1] - 1) * dilation[1] + 1;
  const cols = Math.ceil(span / stride[1]);
  return pad(launcher, x, { rows, cols, phases: stride[1] }, padding[0], padding[1]);
}

function shapeParams(geometry: Geometry) {
  const { groups, channels, filters, kernel, stride, dilation } = geometry;
  return {
    groups,
    channels,
    filters,
    kernel_h: kernel[0],
    kernel_w: kernel[1],
    stride_h: stride[0],
    stride_w: stride[1],
    dilation_h: dilation[0],
    dilation_w: dilation[1],
  };
}

function windowOf(geometry: Geometry, planes: Planes, slice: number) {
  return { ...shapeParams(geometry), rows: planes.rows, cols: planes.cols, slice };
}

/** Units of work dealt out in equal shares, each of which has scratch memory of its own. */
function shares(units: number) {
  const perUnit = Math.ceil(units / MOST_SHARES);
  return { range: Math.ceil(units / perUnit), words: { units, per_unit: perUnit } };
}

/** Rows of a unit: few enough to spread the work, enough to be worth a thread and fill tiles. */
function rowBlock(rows: number, rowWork: number): number {
  return Math.min(rows, Math.max(2, Math.ceil(UNIT / Math.max(1, rowWork))), MOST_ROWS);
}

function slots(rows: number, cols: number): number {
  return rows * Math.ceil(cols / 2) * PIXEL_WORDS;
}

/** `weight` as the input gradient's product wants it. */
function flip(launcher: Launcher, weight: Tensor, geometry: Geometry): BufferRef {
  const { groups, channels, filters, kernel } = geometry;
  const count = groups * channels * filters * kernel[0] * kernel[1];
  const flipped = launcher.scratch(count, weight.dtype);
  const buffers = [weight, flipped];
  const range = groups * channels;
  const params = shapeParams(geometry);
  launcher.launch('convFlip', convFlip, suffix(weight.dtype), buffers, params, range);
  return flipped;
}

function checkGradient(name: string, g: Tensor, geometry: Geometry): void {
  const { batch, groups, filters, outH, outW } = geometry;
  const expected = [batch, groups * filters, outH, outW];
  if (g.shape.length !== 4 || g.shape.some((size, d) => size !== expected[d])) {
    throw new ShapeError(
      `${name}: expected a gradient ${showShape(expected)}, got ${showShape(g.shape)}`,
    );
  }
}

function depthOf(geometry: Geometry): number {
  return geometry.channels * geometry.kernel[0] * geometry.kernel[1];
}

function productsOf(geometry: Geometry): number {
  const { batch, groups, filters, outH, outW } = geometry;
  return batch * groups * filters * outH * outW * depthOf(geometry);
}

export const conv2d = primitive<ConvAttributes>()({
  doc: 'Convolution of [N, C, H, W] with a weight [O, C / groups, kh, kw], and a bias [O] or none.',
  kernels: { convPad, conv2d: conv2dKernel },
  inputs: ['x', 'weight', 'bias?'],
  dtypes: 'real',
  outputs([x, weight, bias], attributes) {
    const { batch, groups, filters, outH, outW } = geometryOf(
      'conv2d',
      x.shape,
      weight.shape,
      attributes,
    );
    const all = groups * filters;
    if (bias && (bias.shape.length !== 1 || bias.shape[0] !== all)) {
      throw new ShapeError(
        `conv2d: expected a bias [${all}] for weight ${showShape(weight.shape)}, got ` +
          showShape(bias.shape),
      );
    }
    return [{ shape: [batch, all, outH, outW], dtype: x.dtype }];
  },
  run(launcher, [x, weight, bias], [out], attributes) {
    const geometry = geometryOf('conv2d', x.shape, weight.shape, attributes);
    const { batch, groups, outH, outW, filters } = geometry;
    const planes = source(launcher, x, geometry);
    const depth = depthOf(geometry);
    const block = rowBlock(outH, outW * filters * depth);
    const { range, words } = shares(batch * groups * Math.ceil(outH / block));
    const slice = depth + slots(block, outW);
    const params = {
      ...windowOf(geometry, planes, slice),
      ...words,
      phases: planes.phases,
      biased: bias ? 1 : 0,
      out_h: outH,
      out_w: outW,
      row_block: block,
    };
    const scratch = launcher.scratch(range * slice, x.dtype);
    const buffers = [planes.buffer, weight, bias ?? weight, out, scratch];
    const products = productsOf(geometry);
    launcher.launch('conv2d', conv2dKernel, suffix(x.dtype), buffers, params, range, products);
  },
});

function inputShape(g: Tensor, weight: Tensor, attributes: ConvInputGradAttributes): number[] {
  return [g.shape[0], weight.shape[1] * attributes.groups, ...attributes.inputSize];
}

/** Reach of the taps to the left and top, and places of the input, both in steps of the stride. */
function gradientGrid(geometry: Geometry) {
  const { height, width, kernel, stride, padding, dilation } = geometry;
  const reach = (d: 0 | 1) => Math.floor(((kernel[d] - 1) * dilation[d]) / stride[d]);
  const places = (size: number, d: 0 | 1) => Math.floor((size - 1 + padding[d]) / stride[d]) + 1;
  return { top: reach(0), left: reach(1), down: places(height, 0), across: places(width, 1) };
}

/** Whether products of the output's pixels, each added where it belongs, are the cheaper way. */
function scatters(geometry: Geometry): boolean {
  const { channels, filters, outH, outW, kernel } = geometry;
  const { down, across } = gradientGrid(geometry);
  const pixels = outH * outW;
  if (pixels < TILE || channels * kernel[0] * kernel[1] < TILE) return false;
  return down * across > 1.2 * pixels * (1 + SCATTER_COST / filters);
}

function scatter(launcher: Launcher, g: Tensor, weight: Tensor, out: Tensor, geo: Geometry): void {
  const { batch, groups, channels, outH, outW, kernel } = geo;
  const each = kernel[0] * kernel[1];
  const most = Math.max(1, Math.floor(PRODUCTS / (each * outH * outW)), Math.ceil(TILE / each));
  // Equal parts, so that the last one has whole tiles too.
  const parts = Math.max(1, Math.floor(channels / Math.min(most, channels)));
  const together = Math.ceil(channels / parts);
  const slice = together * each * outH * outW;
  const { range, words } = shares(batch * groups);
  const params = {
    ...shapeParams(geo),
    ...words,
    pad_h: geo.padding[0],
    pad_w: geo.padding[1],
    height: geo.height,
    width: geo.width,
    out_h: outH,
    out_w: outW,
    together,
    slice,
  };
  const buffers = [g, weight, out, launcher.scratch(range * slice, g.dtype)];
  const dtype = suffix(g.dtype);
  launcher.launch('conv2dScatter', scatterKernel, dtype, buffers, params, range, productsOf(geo));
}

function correlate(
  launcher: Launcher,
  g: Tensor,
  weight: Tensor,
  out: Tensor,
  geometry: Geometry,
): void {
  const { batch, groups, channels, height, width, kernel, padding } = geometry;
  const { top, left, down, across } = gradientGrid(geometry);
  const planes = pad(launcher, g, { rows: down + top, cols: across + left, phases: 1 }, top, left);
  const flipped = flip(launcher, weight, geometry);
  const depth = geometry.filters * kernel[0] * kernel[1];
  const block = rowBlock(down, across * channels * depth);
  const blocks = Math.ceil(down / block);
  const { range, words } = shares(batch * groups * blocks);
  const slice = depth + slots(block, across);
  const params = {
    ...windowOf(geometry, planes, slice),
    ...words,
    height,
    width,
    pad_h: padding[0],
    pad_w: padding[1],
    top,
    left,
    row_block: block,
    blocks,
  };
  const scratch = launcher.scratch(range * slice, g.dtype);
  const buffers = [planes.buffer, flipped, out, scratch];
  const dtype = suffix(g.dtype);
  const products = productsOf(geometry);
  launcher.launch('conv2dInputGrad', inputGradKernel, dtype, buffers, params, range, products);
}

export const conv2dInputGrad = primitive<ConvInputGradAttributes>()({
  doc: 'Gradient of conv2d for its input, from its output; also the transposed convolution.',
  kernels: { convPad, convFlip, conv2dInputGrad: inputGradKernel, conv2dScatter: scatterKernel },
  inputs: ['g', 'weight'],
  dtypes: 'real',
  outputs([g, weight], attributes) {
    const shape = inputShape(g, weight, attributes);
    const geometry = geometryOf('conv2dInputGrad', shape, weight.shape, attributes);
    checkGradient('conv2dInputGrad', g, geometry);
    return [{ shape, dtype: g.dtype }];
  },
  run(launcher, [g, weight], [out], attributes) {
    const geometry = geometryOf('conv2dInputGrad', out.shape, weight.shape, attributes);
    if (scatters(geometry)) scatter(launcher, g, weight, out, geometry);
    else correlate(launcher, g, weight, out, geometry);
  },
});

function weightShape(x: Tensor, g: Tensor, attributes: ConvWeightGradAttributes): number[] {
  const { groups, kernelSize } = attributes;
  const channels = x.shape[1] / groups;
  if (!Number.isInteger(channels)) {
    throw new ShapeError(
      `conv2dWeightGrad: the channels of ${showShape(x.shape)} do not divide into ${groups} groups`,
    );
  }
  return [g.shape[1], channels, ...kernelSize];
}

/** The gradient with rows that a vector fits in. */
function widened(launcher: Launcher, g: Tensor, geometry: Geometry): [Tensor | BufferRef, number] {
  const { outH, outW } = geometry;
  if (outW >= LANES) return [g, outW];
  const planes = pad(launcher, g, { rows: outH, cols: LANES, phases: 1 }, 0, 0);
  return [planes.buffer, LANES];
}

function zeroFill(launcher: Launcher, out: Tensor): void {
  // A plane that lies wholly in its padding.
  const [rows, cols] = [out.shape[0] * out.shape[1], out.shape[2] * out.shape[3]];
  const params = { height: 0, width: 0, rows, cols, phases: 1, top: 0, left: 0 };
  launcher.launch('convPad', convPad, suffix(out.dtype), [out, out], params, 1);
}

export const conv2dWeightGrad = primitive<ConvWeightGradAttributes>()({
  doc: 'Gradient of conv2d for its weight, from its input and the gradient of its output.',
  kernels: { convPad, conv2dWeightGrad: weightGradKernel },
  inputs: ['x', 'g'],
  dtypes: 'real',
  outputs([x, g], attributes) {
    const shape = weightShape(x, g, attributes);
    const geometry = geometryOf('conv2dWeightGrad', x.shape, shape, attributes);
    checkGradient('conv2dWeightGrad', g, geometry);
    return [{ shape, dtype: x.dtype }];
  },
  run(launcher, [x, g], [out], attributes) {
    const geometry = geometryOf('conv2dWeightGrad', x.shape, out.shape, attributes);
    const { batch, groups, filters, outH, outW } = geometry;
    if (batch === 0) return zeroFill(launcher, out);
    const planes = source(launcher, x, geometry);
    const [gradient, gCols] = widened(launcher, g, geometry);
    const depth = depthOf(geometry);
    const tiles = groups * Math.ceil(filters / 4) * Math.ceil(depth / TAP_BLOCK);
    const { range, words } = shares(tiles);
    const slice = depth + slots(outH, outW);
    const params = {
      ...windowOf(geometry, planes, slice),
      ...words,
      phases: planes.phases,
      batch,
      out_h: outH,
      out_w: outW,
      g_cols: gCols,
    };
    const scratch = launcher.scratch(range * slice, x.dtype);
    const buffers = [planes.buffer, gradient, out, scratch];
    const dtype = suffix(x.dtype);
    const products = productsOf(geometry);
    launcher.launch('conv2dWeightGrad', weightGradKernel, dtype, buffers, params, range, products);
  },
});
