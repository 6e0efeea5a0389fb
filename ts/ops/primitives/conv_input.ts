/** The launches of a convolution's input gradient. */

import { suffix } from '../../core/dtype.js';
import type { Tensor } from '../../tensor.js';
import type { BufferRef, Launcher } from '../row.js';
import { type Geometry, productsOf } from './conv_geometry.js';
import { convFlip, scatterKernel, turnedKernel } from './conv_kernels.js';
import {
  BLOCK,
  DEPTH_BLOCK,
  fine,
  NO_LINES,
  PACKING,
  type Product,
  pad,
  product,
  RUN_WORDS,
  readsInPlace,
  roundUp,
  shapeParams,
  shares,
  TILE,
  UNITS,
  zeroFill,
} from './conv_launch.js';

/** Input channels of a unit of `convFlip`. */
const FLIP_CHANNELS = 8;
/** Rows of results that stay in the cache. */
const MOST_RESULTS = 160;
/** Columns of products, elements of a strip, and filters that may be summed tap by tap. */
const MOST_COLS = 240;
const MOST_STRIP = 1 << 16;
const ALONE = 64;
/** Pixels of g for which turning weights does not pay. */
const FEW = 128;
/** Taps of a block of weights, which are read side by side. */
const TAPS = 128;
/** Rows of pixels that are summed at once. */
const SUM_ROWS = 4;
/** Multiplications that moving a number is worth, and steps of a tile that its call is. */
const SCATTER_COST = 3;
const CALL = 8;

/** `weight` as the input gradient's products want it; for `scatter` with the filters last. */
function flip(launcher: Launcher, weight: Tensor, geometry: Geometry, last = false): BufferRef {
  const { groups, channels, filters, kernel } = geometry;
  const count = groups * channels * filters * kernel[0] * kernel[1];
  const flipped = launcher.scratch(count, weight.dtype);
  const buffers = [weight, flipped];
  const range = groups * Math.ceil(channels / FLIP_CHANNELS);
  const params = Object.assign(shapeParams(geometry), { last: last ? 1 : 0 });
  const products = productsOf(geometry);
  launcher.launch('convFlip', convFlip, suffix(weight.dtype), buffers, params, range, products);
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

/**
 * Whether products of the output's pixels, each added where it belongs, are the cheaper way; in
 * multiplications, of which a tile's call is worth some steps, and a copied pixel a few.
 */
export function scatters(geometry: Geometry): boolean {
  const { channels, filters, height, width, outH, outW, kernel, stride } = geometry;
  const reached = (d: 0 | 1) => {
    const phases = Array.from({ length: stride[d] }, (_, phase) => phaseOf(geometry, d, phase));
    return phases.reduce((sum, { count, taps }) => sum + count * taps, 0);
  };
  const group = fine(width, channels);
  const inPlace = stride[1] === 1 && readsInPlace(channels, width, PACKING, group);
  // A single row of a tile reads as much as two.
  const direct = ((1.08 * channels + 0.8 * (channels % 2)) * roundUp(width, group)) / width;
  const cost = inPlace ? direct : channels + PACKING;
  const copied = kernel[0] * kernel[1] > 1 ? 4 * outH * filters * outW : 0;
  const correlated = reached(0) * reached(1) * filters * cost + copied;
  const depth = (kernel[0] * filters) / stride[0];
  const rows = columns(geometry, 2).rows > 1 ? reached(0) : outH * kernel[0];
  const products = rows * (filters + (CALL * filters) / depth) * channels * kernel[1];
  const moved = outH * filters + height * channels * kernel[1];
  return correlated > (products + SCATTER_COST * moved) * outW;
}

/**
 * Columns of `scatter`'s products: a row of g of `images` images, or `rows` rows of one image; which
 * fill tiles best.
 */
function columns({ batch, filters, outW }: Geometry, places: number) {
  const cost = (n: number) => (roundUp(n * outW, TILE) + TILE / 4) / (n * outW);
  const best = (most: number) => {
    let best = 1;
    for (let n = 2; n <= most && n * outW <= MOST_COLS; n++) {
      if (cost(n) < cost(best) - 0.02) best = n;
    }
    return best;
  };
  const images = best(batch);
  if (images > 1 || filters < ALONE || cost(1) < 1.05) return { images, rows: 1 };
  return { images, rows: best(Math.min(places, BLOCK / outW)) };
}

/** Of `convScatter`: no images mean tiles of all phases. */
const NEAR = {
  together: 0,
  images: 0,
  rows: 0,
  part: 0,
  pitch: 0,
  strip: 0,
  space: 0,
  line: 0,
  spots: 0,
  downs: 0,
  slice: 0,
};
/** Rows of g that are touched at once. */
const AHEAD = 8;

/** Elements of an odd number of cache lines, in which so many fit. */
function oddLines(count: number): number {
  return TILE * (Math.ceil(count / TILE) | 1);
}

function gradientParams(geo: Geometry) {
  const { padding, height, width, outH, outW, batch } = geo;
  const [pad_h, pad_w] = padding;
  return Object.assign(shapeParams(geo), {
    pad_h,
    pad_w,
    height,
    width,
    out_h: outH,
    out_w: outW,
    batch,
  });
}

/** Whether weights, which are used for few pixels, are better read as they lie. */
export function turns({ batch, filters, outH, outW, kernel }: Geometry): boolean {
  const taps = kernel[0] * kernel[1];
  const most = taps > 1 && filters >= DEPTH_BLOCK ? 2 * FEW : FEW;
  return batch * outH * outW <= most && filters >= ALONE && taps <= TAPS;
}

export function turn(
  launcher: Launcher,
  g: Tensor,
  weight: Tensor,
  out: Tensor,
  geo: Geometry,
): void {
  const { batch, groups, channels, filters, outH, outW, kernel } = geo;
  const taps = kernel[0] * kernel[1];
  const together = Math.min(channels, Math.floor(TAPS / taps));
  const pitch = oddLines(together * taps);
  const { range, words } = shares(groups * Math.ceil(channels / together));
  const rows = batch * outH * outW;
  const step = oddLines(filters);
  const blocks = (Math.min(filters, DEPTH_BLOCK) + rows + TILE) * pitch;
  const slice = rows * step + blocks + filters + batch * RUN_WORDS;
  const params = Object.assign(gradientParams(geo), words, { together, step, pitch, slice });
  const buffers = [g, weight, out, launcher.scratch(range * slice, g.dtype)];
  const dtype = suffix(g.dtype);
  launcher.launch('convTurned', turnedKernel, dtype, buffers, params, range, productsOf(geo));
}

export function scatter(
  launcher: Launcher,
  g: Tensor,
  weight: Tensor,
  out: Tensor,
  geo: Geometry,
): void {
  const { batch, groups, channels, filters, height, width, outW } = geo;
  const { kernel, stride, padding, dilation } = geo;
  const flipped = flip(launcher, weight, geo, true);
  // Few enough for the cache; equal parts, so that the last one has whole tiles too.
  const parts = Math.ceil((channels * kernel[1]) / MOST_RESULTS);
  const together = Math.ceil(channels / Math.min(parts, channels));
  const last = Math.floor((height - 1 + padding[0]) / stride[0]);
  const places = last + 1 - Math.floor(padding[0] / stride[0]);
  const { images, rows } = columns(geo, places);
  const reach = (d: 0 | 1) => Math.floor(((kernel[d] - 1) * dilation[d]) / stride[d]);
  const pitch = oddLines((rows > 1 ? rows + reach(0) : images) * outW);
  const lines = rows > 1 ? 1 : reach(0) + 1;
  const part = Math.ceil(
    filters / Math.ceil(Math.min(filters, (lines * pitch * filters) / MOST_STRIP)),
  );
  const blocksOf = (count: number) => Math.ceil(places / count);
  const others = Math.ceil(batch / images) * groups;
  const most = Math.floor(MOST_STRIP / (part * pitch)) - reach(0);
  const few = Math.ceil((places * others) / UNITS);
  const downs = rows > 1 || part < filters ? rows : Math.max(1, Math.min(places, most, few));
  const strip = part * pitch * (rows > 1 ? 1 : downs + reach(0));
  const line = Math.max(outW + reach(1), Math.floor((width - 1 + padding[1]) / stride[1]) + 1);
  const space = (together * kernel[1] + TILE) * pitch;
  const spots = kernel[1] * Math.ceil(Math.max(line, width) / 4);
  const words = kernel[0] + 2 * kernel[1] + stride[1];
  const slice =
    strip + space + SUM_ROWS * stride[1] * line + 9 * spots + words + filters + images * RUN_WORDS;
  const units = others * blocksOf(downs) * Math.ceil(channels / together);
  const sizes = { together, images, downs, rows, part, pitch, strip, space, line, spots, slice };
  launchScatter(launcher, g, flipped, out, geo, units, sizes);
}

/** Launches `convScatter`, with `slice` elements of scratch memory for each share of the units. */
function launchScatter(
  launcher: Launcher,
  g: Tensor,
  weight: Tensor | BufferRef,
  out: Tensor,
  geo: Geometry,
  units: number,
  sizes: typeof NEAR,
): void {
  const { range, words } = shares(units);
  const params = Object.assign(gradientParams(geo), words, sizes);
  const buffers = [g, weight, out, launcher.scratch(range * sizes.slice, g.dtype)];
  const dtype = suffix(g.dtype);
  launcher.launch('convScatter', scatterKernel, dtype, buffers, params, range, productsOf(geo));
}

/** Whether all phases of the gradient of a strided layer are one tile: kernels/conv_near.h. */
export function isNear({ channels, kernel, stride, padding, dilation, width, outW }: Geometry) {
  if (channels !== 3 || width !== 2 * outW || outW < TILE) return false;
  const both = (sizes: readonly number[], size: number) => sizes[0] === size && sizes[1] === size;
  return both(kernel, 3) && both(stride, 2) && both(padding, 1) && both(dilation, 1);
}

export function scatterNear(
  launcher: Launcher,
  g: Tensor,
  weight: Tensor,
  out: Tensor,
  geo: Geometry,
): void {
  const { batch, groups, filters, outH, outW } = geo;
  const images = batch * groups;
  const downs = roundUp((images * outH) / UNITS / 2, AHEAD);
  const pitch = roundUp(outW + 1, 4);
  const slice = 2 * pitch * filters;
  const units = images * Math.ceil(outH / downs);
  launchScatter(launcher, g, weight, out, geo, units, { ...NEAR, downs, pitch, slice });
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
  const inPlace = top + left === 0 && rows === outH && cols === outW;
  const buffer = inPlace ? g : pad(launcher, g, form, top, left, productsOf(geometry));
  const flipped = flip(launcher, weight, geometry);
  const all = Array.from({ length: stride[0] * stride[1] }, (_, at) => ({
    y: phaseOf(geometry, 0, Math.floor(at / stride[1])),
    x: phaseOf(geometry, 1, at % stride[1]),
  }));
  // A single tap leaves zeros between its pixels, which are put with them.
  const whole = height === outH * stride[0] && width === outW * stride[1];
  const lone = whole && kernel[0] * kernel[1] === 1;
  if (!lone && all.some(({ x, y }) => x.taps * y.taps === 0)) zeroFill(launcher, out);
  let weightAt = 0;
  for (const { x, y } of all) {
    const depth = filters * y.taps * x.taps;
    const products = batch * groups * channels * y.count * x.count * depth;
    if (products > 0) {
      const words = {
        plane: rows * cols,
        cols,
        phases: 1,
        tap_row: y.back * cols,
        tap_step: x.back,
        source_row: cols,
        ...NO_LINES,
      };
      const form: Product = {
        batch,
        groups,
        channels: filters,
        filters: channels,
        taps: [y.taps, x.taps],
        grid: [y.count, x.count],
        out: {
          out_at: y.x * width + x.x,
          out_plane: height * width,
          out_row: stride[0] * width,
          out_step: stride[1],
          apart: lone && stride[0] * stride[1] > 1 ? stride[0] : 0,
        },
        sourceAt: (y.at + top) * cols + x.at + left,
        weightAt,
        weightGroup: channels * filters * kernel[0] * kernel[1],
      };
      product(launcher, { buffer: () => buffer, words }, flipped, undefined, out, form, products);
    }
    weightAt += channels * depth;
  }
}
