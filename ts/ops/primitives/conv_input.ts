/** The launches of a convolution's input gradient. */

import { suffix } from '../../core/dtype.js';
import type { Tensor } from '../../tensor.js';
import type { BufferRef, Launcher } from '../row.js';
import { type Geometry, productsOf } from './conv_geometry.js';
import { convFlip, scatterKernel } from './conv_kernels.js';
import {
  BLOCK,
  BLOCK_STEP,
  DEPTH_BLOCK,
  fine,
  PACKING,
  pad,
  product,
  RUN_WORDS,
  readsInPlace,
  roundUp,
  shapeParams,
  shares,
  zeroFill,
} from './conv_launch.js';

/** Input channels of a unit of `convFlip`. */
const FLIP_CHANNELS = 8;
/** Rows of results that stay in the cache. */
const MOST_RESULTS = 160;
/** Multiplications that adding one product to its place is worth. */
const SCATTER_COST = 8;

/** `weight` as the input gradient's products want it; for `scatter` with the filters last. */
function flip(launcher: Launcher, weight: Tensor, geometry: Geometry, last = false): BufferRef {
  const { groups, channels, filters, kernel } = geometry;
  const count = groups * channels * filters * kernel[0] * kernel[1];
  const flipped = launcher.scratch(count, weight.dtype);
  const buffers = [weight, flipped];
  const range = groups * Math.ceil(channels / FLIP_CHANNELS);
  const params = { ...shapeParams(geometry), last: last ? 1 : 0 };
  launcher.launch('convFlip', convFlip, suffix(weight.dtype), buffers, params, range);
  return flipped;
}

/** Reach of the taps to the left and top, and places of the input, both in steps of the stride. */
function gradientGrid(geometry: Geometry) {
  const { height, width, kernel, stride, padding, dilation } = geometry;
  const reach = (d: 0 | 1) => Math.floor(((kernel[d] - 1) * dilation[d]) / stride[d]);
  const places = (size: number, d: 0 | 1) => Math.floor((size - 1 + padding[d]) / stride[d]) + 1;
  return { top: reach(0), left: reach(1), down: places(height, 0), across: places(width, 1) };
}

/**
 * In one dimension, what concerns the input's pixels at X = x + padding = X' * stride + phase: these
 * sum taps k with k * dilation = q * stride + phase over the output's pixels X' - q, which is a
 * product of its own, without stride.
 */
function phaseOf(geometry: Geometry, d: 0 | 1, phase: number) {
  const stride = geometry.stride[d];
  const padding = geometry.padding[d];
  const dilation = geometry.dilation[d];
  const kernel = geometry.kernel[d];
  const size = d === 0 ? geometry.height : geometry.width;
  const from = Math.max(0, Math.ceil((padding - phase) / stride));
  const count = Math.max(0, Math.floor((size - 1 + padding - phase) / stride) + 1 - from);
  let first = 0;
  while (first < kernel && (first * dilation) % stride !== phase) first++;
  let step = 1;
  while ((step * dilation) % stride !== 0) step++;
  return {
    from,
    count,
    taps: Math.ceil((kernel - first) / step),
    at: from - Math.floor((first * dilation) / stride),
    back: -(step * dilation) / stride,
    x: from * stride + phase - padding,
  };
}

/** Whether products of the output's pixels, each added where it belongs, are the cheaper way. */
export function scatters(geometry: Geometry): boolean {
  const { batch, channels, filters, height, width, outH, outW, kernel, stride } = geometry;
  const reached = (d: 0 | 1) => {
    const phases = Array.from({ length: stride[d] }, (_, phase) => phaseOf(geometry, d, phase));
    return phases.reduce((sum, { count, taps }) => sum + count * taps, 0);
  };
  const group = fine(width, channels);
  const inPlace = stride[1] === 1 && readsInPlace(channels, width, PACKING, group);
  const cost = inPlace ? (channels * roundUp(width, group)) / width : channels + PACKING;
  const correlated = reached(0) * reached(1) * filters * cost;
  const exact = batch * outW >= BLOCK / 2;
  const rows = exact ? outH * kernel[0] : reached(0);
  const scattered = rows * filters * (channels * kernel[1] + PACKING);
  const added = height * channels * kernel[1] * SCATTER_COST;
  return correlated > (scattered + added) * outW;
}

export function scatter(
  launcher: Launcher,
  g: Tensor,
  weight: Tensor,
  out: Tensor,
  geo: Geometry,
): void {
  const { batch, groups, channels, filters, height, width, outH, outW } = geo;
  const { kernel, stride, padding, dilation } = geo;
  const flipped = flip(launcher, weight, geo, true);
  // Few enough for the cache; equal parts, so that the last one has whole tiles too.
  const parts = Math.ceil((channels * kernel[1]) / MOST_RESULTS);
  const together = Math.ceil(channels / Math.min(parts, channels));
  const images = Math.max(1, Math.min(batch, Math.floor(BLOCK / outW)));
  const places = Math.floor((height - 1 + padding[0]) / stride[0]) + 1;
  const down = places - Math.floor(padding[0] / stride[0]);
  const downs = Math.max(1, Math.min(down, Math.floor(BLOCK / outW / images)));
  const line = Math.max(
    outW + Math.floor(((kernel[1] - 1) * dilation[1]) / stride[1]),
    Math.floor((width - 1 + padding[1]) / stride[1]) + 1,
  );
  const lines = together * images * downs * stride[1] * line;
  const results = DEPTH_BLOCK * BLOCK_STEP + BLOCK * together * kernel[1];
  const slice = results + lines + filters + kernel[0] + images * RUN_WORDS;
  const blocks = Math.ceil(down / downs) * Math.ceil(channels / together);
  const { range, words } = shares(Math.ceil(batch / images) * groups * stride[0] * blocks);
  const params = {
    ...shapeParams(geo),
    ...words,
    pad_h: padding[0],
    pad_w: padding[1],
    ...{ height, width, out_h: outH, out_w: outW },
    ...{ batch, together, images, downs, line, slice },
  };
  const buffers = [g, flipped, out, launcher.scratch(range * slice, g.dtype)];
  const dtype = suffix(g.dtype);
  launcher.launch('convScatter', scatterKernel, dtype, buffers, params, range, productsOf(geo));
}

export function correlate(
  launcher: Launcher,
  g: Tensor,
  weight: Tensor,
  out: Tensor,
  geometry: Geometry,
): void {
  const { batch, groups, channels, filters, height, width, kernel, stride, outH, outW } = geometry;
  const { top, left, down, across } = gradientGrid(geometry);
  const [rows, cols] = [down + top, across + left];
  const form = { rows, cols, phases: 1, kept: 1, row_step: 1 };
  const inPlace = rows === outH && cols === outW;
  const buffer = inPlace ? g : pad(launcher, g, form, top, left);
  const flipped = flip(launcher, weight, geometry);
  const all = Array.from({ length: stride[0] * stride[1] }, (_, at) => ({
    y: phaseOf(geometry, 0, Math.floor(at / stride[1])),
    x: phaseOf(geometry, 1, at % stride[1]),
  }));
  if (all.some(({ x, y }) => x.taps * y.taps === 0)) zeroFill(launcher, out);
  let weightAt = 0;
  for (const { x, y } of all) {
    const depth = filters * y.taps * x.taps;
    const words = {
      ...{ plane: rows * cols, cols, phases: 1 },
      ...{ tap_row: y.back * cols, tap_step: x.back, source_row: cols },
    };
    const form = {
      ...{ batch, groups, channels: filters, filters: channels },
      taps: [y.taps, x.taps] as const,
      grid: [y.count, x.count] as const,
      out: {
        out_at: y.x * width + x.x,
        out_plane: height * width,
        out_row: stride[0] * width,
        out_step: stride[1],
      },
      sourceAt: (y.at + top) * cols + x.at + left,
      weightAt,
      weightGroup: channels * filters * kernel[0] * kernel[1],
    };
    weightAt += channels * depth;
    const products = batch * groups * channels * y.count * x.count * depth;
    if (products > 0) product(launcher, { buffer, words }, flipped, undefined, out, form, products);
  }
}
