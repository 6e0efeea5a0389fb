/** The launches of a convolution's weight gradient. */

import { suffix } from '../../core/dtype.js';
import type { Tensor } from '../../tensor.js';
import type { BufferRef, Launcher } from '../row.js';
import { depthOf, type Geometry, productsOf } from './conv_geometry.js';
import { mergeKernel, weightsKernel } from './conv_kernels.js';
import {
  BLOCK,
  BLOCK_STEP,
  DEPTH_BLOCK,
  GROUP,
  GROUP_WORDS,
  inLines,
  LEAST_PLANAR,
  MOST_ROWS,
  NO_LINES,
  PLANAR,
  RUN_WORDS,
  readsInPlace,
  roundUp,
  rowBlock,
  shares,
  source,
  TILE,
  UNIT,
  UNITS,
} from './conv_launch.js';
import { matmulPack, TURN_ROWS } from './matmul.js';

/** Groups of the weight gradient that stay in the cache. */
const GROUPS = 128;
/** Filters of a unit of the weight gradient that is read in place: whole tiles in every build. */
const FILTERS = 12;
/** Packed words of planes that the second cache keeps. */
const MOST_PACKED = 50_000;
/** The most results for each step of the depth, and the least depth of a part that is summed by itself. */
const MOST_SHARE = 32;
const LEAST_DEPTH = 512;
/** Pixels of a plane so few that the sums of all images are taken as one. */
const JOINED = 64;
/** Filters that packing taps is worth. */
const TRANSPOSING = 4;

/**
 * Whether the weight gradient multiplies planes that follow each other: where there are enough to
 * pay for packing the fewer of them, and little to be summed again.
 */
function isPlanes(geometry: Geometry): boolean {
  const { batch, groups, channels, filters, kernel, outH, outW } = geometry;
  const depth = batch * outH * outW;
  return (
    groups * kernel[0] * kernel[1] === 1 &&
    Math.min(channels, filters) >= LEAST_PLANAR &&
    Math.max(channels, filters) >= MOST_ROWS &&
    channels * filters <= MOST_SHARE * depth &&
    productsOf(geometry) >= 2 * UNIT
  );
}

/**
 * How many pixels are summed, and packed, at a time. Where a panel is all that is packed, what follows
 * in memory is read at once, unless units would be too few.
 */
function cutPlanes(pixels: number, batch: number, cols: number, units: number) {
  const part = roundUp(Math.ceil(pixels / Math.ceil(pixels / DEPTH_BLOCK)), 4);
  const parts = Math.ceil(pixels / part);
  const most = cols <= TILE ? parts : Math.floor(MOST_PACKED / roundUp(cols, TILE) / part);
  const blocks = Math.max(Math.ceil(parts / Math.max(1, most)), Math.floor(units / batch));
  return { part, block: Math.ceil(parts / blocks) * part };
}

/** The product of planes, the fewer of which are packed, in parts of the depth that are then summed. */
function planesGradient(
  launcher: Launcher,
  x: Tensor | BufferRef,
  g: Tensor,
  out: Tensor,
  geometry: Geometry,
): void {
  const { batch, channels, filters, outH, outW } = geometry;
  const products = productsOf(geometry);
  const turned = filters < channels;
  const [rows, cols] = turned ? [channels, filters] : [filters, channels];
  const plane = outH * outW;
  const most = Math.min(
    UNITS,
    Math.ceil(products / UNIT),
    Math.ceil((batch * plane) / LEAST_DEPTH),
  );
  const { part, block } = cutPlanes(plane, batch, cols, most);
  const units = Math.min(most, batch * Math.ceil(plane / block));
  const { range, words } = shares(units);
  const slice = block * roundUp(cols, TILE) + cols;
  const own = {
    groups: 1,
    channels: cols,
    filters: rows,
    taps_h: 1,
    taps_w: 1,
    plane,
    cols: plane,
    tap_row: 0,
    tap_step: 0,
    phases: 1,
    source_row: plane,
    grid_h: 1,
    grid_w: plane,
    direct: PLANAR,
    row_block: part,
    col_block: block,
    slice,
    batch,
    together: 1,
  };
  const whole = units === 1 && !turned;
  const sums = whole ? out : launcher.scratch(units * rows * cols, out.dtype);
  const scratch = launcher.scratch(range * slice, out.dtype);
  const buffers = [turned ? g : x, turned ? x : g, sums, scratch];
  const params = Object.assign(own, NO_LINES, words);
  launcher.launch('convWeights', weightsKernel, 'f32', buffers, params, range, products);
  if (whole) return;
  const places = { row_step: turned ? 1 : cols, col_step: turned ? rows : 1 };
  const merged = { units, size: rows * cols, cols, ...places };
  launcher.launch('convMerge', mergeKernel, 'f32', [sums, out], merged, rows);
}

/** Rows of g [groups * filters, batch * pixels]. */
function joinImages(launcher: Launcher, g: Tensor, geometry: Geometry): BufferRef {
  const { batch, groups, filters, outH, outW } = geometry;
  const [rows, pixels] = [groups * filters, outH * outW];
  const joined = launcher.scratch(rows * batch * pixels, g.dtype);
  const lines = { a_batch: pixels, a_row: rows * pixels, a_depth: 1, out_row: pixels };
  const params = { rows: batch, depth: pixels, ...lines };
  const range = rows * Math.ceil(batch / TURN_ROWS);
  const products = productsOf(geometry);
  launcher.launch('matmulPack', matmulPack, suffix(g.dtype), [g, joined], params, range, products);
  return joined;
}

export function weightGradient(
  launcher: Launcher,
  x: Tensor,
  g: Tensor,
  out: Tensor,
  geometry: Geometry,
): void {
  const { batch, groups, channels, filters, kernel, outH, outW } = geometry;
  const planes = source(launcher, x, geometry);
  const real = out.dtype.name === 'float32';
  if (real && planes.words.plane === outH * outW && isPlanes(geometry)) {
    planesGradient(launcher, planes.buffer(), g, out, geometry);
    return;
  }
  const depth = depthOf(geometry);
  const products = productsOf(geometry);
  const lined = real ? inLines(planes.words, geometry, TRANSPOSING) : undefined;
  const flat = lined || planes.words.source_row === outW;
  const [gridH, gridW] = flat ? [1, outH * outW] : [outH, outW];
  const direct = lined || (real && readsInPlace(filters, gridW, TRANSPOSING));
  const places =
    lined?.(Math.min(batch, Math.ceil(GROUPS / Math.ceil(gridW / GROUP)))) ?? planes.words;
  // Enough blocks of taps for threads, if the work is worth it.
  const blocks = Math.min(UNITS, Math.ceil(products / UNIT)) / groups;
  const most = direct ? 12 : Math.min(BLOCK, Math.floor(depth / blocks / TILE) * TILE);
  const colBlock = Math.max(direct ? 12 : TILE, most);
  const columns = groups * Math.ceil(depth / colBlock);
  const rows = direct ? Math.min(FILTERS, filters) : rowBlock(filters, columns, products);
  const { range, words } = shares(columns * Math.ceil(filters / rows));
  const joins = !direct && batch > 1 && outH * outW <= JOINED;
  const together = joins ? batch : 1;
  const slice = direct
    ? depth + outH * Math.ceil(outW / 4) * GROUP_WORDS + places.line_words
    : Math.min(together * outH * outW, DEPTH_BLOCK) * (BLOCK_STEP + RUN_WORDS) + BLOCK;
  const own = {
    groups,
    channels,
    filters,
    taps_h: kernel[0],
    taps_w: kernel[1],
    grid_h: gridH,
    grid_w: gridW,
    row_block: rows,
    col_block: colBlock,
    slice,
    batch: batch / together,
    together,
    direct: direct ? 1 : 0,
  };
  const params = Object.assign(own, places, words);
  const rowsOfG = joins ? joinImages(launcher, g, geometry) : g;
  const scratch = launcher.scratch(range * slice, x.dtype);
  const buffers = [planes.buffer(), rowsOfG, out, scratch];
  const dtype = suffix(x.dtype);
  launcher.launch('convWeights', weightsKernel, dtype, buffers, params, range, products);
}
