/**
 * The launches of convolutions: how planes are padded, how the work is cut. Inputs are copied once
 * into padded planes, where every tap of an output row reads side by side.
 */

import { suffix } from '../../core/dtype.js';
import type { Tensor } from '../../tensor.js';
import type { BufferRef, Launcher } from '../row.js';
import { depthOf, type Geometry, type Pair, productsOf } from './conv_geometry.js';
import { convPad, productKernel } from './conv_kernels.js';

/** Columns and depth of a block of pixels or taps, and how far its rows are apart. */
export const BLOCK = 64;
export const DEPTH_BLOCK = 256;
export const BLOCK_STEP = 80;
/** Words of a run of pixels. */
export const RUN_WORDS = 4;
/** Pixels of a group that is read in place, and words of it; the longest sum, and the most rows. */
export const GROUP = 8;
export const GROUP_WORDS = 2;
const LONG = 640;
/** Pixels of an image whose rows may be laid end to end. */
const MOST_LINE = 1024;
export const MOST_ROWS = 32;
/** Elements of bands of padded rows, and of how many rows of pixels these are at least. */
const MOST_BAND = 1 << 15;
const BAND_ROWS = 8;
/** Filters that packing pixels is worth. */
export const PACKING = 4;
/**
 * What `direct` is for planes read as they lie, the most depth that always is, the most elements
 * otherwise, and the fewest filters: rows of the largest tile.
 */
export const PLANAR = 3;
const PLANAR_DEPTH = 32;
const MOST_PLANAR = 600_000;
export const LEAST_PLANAR = 6;
/** Results of planes read as they lie that wait for their places, and the most rows of them. */
const MOST_STAGED = 1 << 16;
const STAGED_ROWS = 60;
/** Multiplications that make a unit worth a thread, and units that threads may want, or do with. */
export const UNIT = 500_000;
export const UNITS = 12;
const FEW_UNITS = 4;
/** Shares of a launch, each with scratch memory of its own. */
const MOST_SHARES = 32;
/** The largest tile a build may use. */
export const TILE = 16;
/** Rows of a unit: a multiple of this, the fewest, and as many as packing much depth is worth. */
const ROW_GRAIN = 8;
const LEAST_ROWS = 40;
const DEEP_ROWS = 128;

/** Planes as kernels read them: taps and rows of pixels are so many elements apart. */
interface Planes {
  /** The input, padded unless the kernel does that by itself. */
  buffer(banded?: boolean): Tensor | BufferRef;
  /** Words of bands of so many rows of pixels, of so many planes, which the kernel pads. */
  readonly band?: (rows: number, planes: number) => Band;
  readonly words: {
    readonly plane: number;
    readonly cols: number;
    readonly phases: number;
    readonly tap_row: number;
    readonly tap_step: number;
    readonly source_row: number;
    readonly line_rows: number;
    readonly line_plane: number;
    readonly line_row: number;
    readonly line_words: number;
  };
}

type Band = typeof NO_BAND & { readonly plane: number; readonly line_words: number };

const NO_BAND = { band: 0, pad_h: 0, pad_w: 0, height: 0, width: 0 };
export const NO_LINES = { line_rows: 0, line_plane: 0, line_row: 0, line_words: 0 };

/** Copies planes [height, width] into padded ones, for `products`: kernels/conv.c says how. */
export function pad(
  launcher: Launcher,
  x: Tensor,
  form: { rows: number; cols: number; phases: number; kept: number; row_step: number },
  top: number,
  left: number,
  products: number,
): BufferRef {
  const [batch, channels, height, width] = x.shape;
  const count = batch * channels;
  const buffer = launcher.scratch(count * form.rows * form.cols * form.kept, x.dtype);
  const params = { height, width, top, left, ...form };
  launcher.launch('convPad', convPad, suffix(x.dtype), [x, buffer], params, count, products);
  return buffer;
}

/** The input as products and the weight gradient read it: in place if nothing is padded. */
export function source(launcher: Launcher, x: Tensor, geometry: Geometry): Planes {
  const { height, width, outH, outW, kernel, stride, padding, dilation } = geometry;
  const words = (rows: number, cols: number, phases: number, rowStep: number) => ({
    plane: rows * cols * phases,
    cols,
    phases,
    tap_row: dilation[0] * cols * phases,
    tap_step: dilation[1],
    source_row: rowStep * cols * phases,
    line_rows: 0,
    line_plane: 0,
    line_row: 0,
    line_words: 0,
  });
  if (padding[0] === 0 && padding[1] === 0 && stride[1] === 1) {
    return { buffer: () => x, words: words(height, width, 1, stride[0]) };
  }
  // What a single tap does not reach is left out.
  const rowStep = kernel[0] === 1 ? stride[0] : 1;
  const phases = stride[1];
  const kept = kernel[1] === 1 ? 1 : phases;
  const rows = ((outH - 1) * stride[0] + (kernel[0] - 1) * dilation[0]) / rowStep + 1;
  const span = (outW - 1) * stride[1] + (kernel[1] - 1) * dilation[1] + 1;
  const cols = Math.ceil(span / phases);
  const form = { rows, cols, phases, kept, row_step: rowStep };
  const reach = (kernel[0] - 1) * dilation[0];
  const band = (count: number, planes: number): Band => {
    const plane = ((count - 1) * stride[0] + reach + 1) * cols * kept;
    const [pad_h, pad_w] = padding;
    return { band: count, pad_h, pad_w, height, width, plane, line_words: plane * planes };
  };
  return {
    buffer: (banded) =>
      banded ? x : pad(launcher, x, form, padding[0], padding[1], productsOf(geometry)),
    band: kernel[0] > 1 && kernel[1] > 1 ? band : undefined,
    words: words(rows, cols, kept, stride[0] / rowStep),
  };
}

export function shapeParams(geometry: Geometry) {
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

/** Units of work dealt out in equal shares, each of which has scratch memory of its own. */
export function shares(units: number) {
  const perUnit = Math.ceil(units / MOST_SHARES);
  return { range: Math.ceil(units / perUnit), words: { units, per_unit: perUnit } };
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/**
 * How many rows (filters) are a unit, where blocks of columns alone are too few for threads: equally
 * many in each, and at least `enough` unless there would be too few units.
 */
export function rowBlock(
  filters: number,
  blocks: number,
  products: number,
  enough = LEAST_ROWS,
): number {
  // Of several blocks the last may be short.
  const few = (blocks > 1 ? 2 * FEW_UNITS : FEW_UNITS) / blocks;
  const most = Math.max(filters / enough, Math.min(few, filters / LEAST_ROWS));
  const wanted = Math.ceil(Math.min(UNITS, products / UNIT) / blocks);
  const parts = Math.max(1, Math.floor(Math.min(wanted, most)));
  return Math.min(filters, roundUp(filters / parts, ROW_GRAIN));
}

/**
 * Whether pixels are read where they lie, in groups of one row. Packing costs as much as so many
 * filters; groups cost where rows do not divide.
 */
export function readsInPlace(
  filters: number,
  width: number,
  packing: number,
  group = GROUP,
): boolean {
  const used = (0.92 * width) / roundUp(width, group);
  return width >= group && filters < used * (filters + packing);
}

/** A convolution, or a phase of an input gradient, as `convProduct` computes it. */
export interface Product {
  readonly batch: number;
  readonly groups: number;
  readonly channels: number;
  readonly filters: number;
  readonly taps: Pair;
  /** Pixels of an image of the result, their places, and the first one's in the source. */
  readonly grid: Pair;
  readonly out: {
    out_at: number;
    out_plane: number;
    out_row: number;
    out_step: number;
    apart: number;
  };
  readonly sourceAt: number;
  readonly weightAt: number;
  readonly weightGroup: number;
}

/** Pixels of a group: fewer where rows would leave half of one unused. */
export function fine(width: number, filters: number): number {
  const over = width % GROUP;
  return filters > 2 && width > GROUP && over > 0 && over <= GROUP / 2 ? GROUP / 2 : GROUP;
}

/**
 * Words of unpadded planes without stride whose short rows are laid end to end, a line for each
 * channel and column of the kernel; none where that does not pay.
 */
export function inLines(
  words: Planes['words'],
  { groups, channels, filters, kernel, outH, outW }: Geometry,
  packing: number,
) {
  const rows = outH + ((kernel[0] - 1) * words.tap_row) / words.cols;
  const cost = (size: number, group: number) => (filters * roundUp(size, group)) / (0.92 * size);
  const pixels = outH * outW;
  const group = fine(outW, filters);
  const other = Math.min(filters + packing, outW < group ? Infinity : cost(outW, group));
  const plain = words.source_row === words.cols && words.tap_step === 1 && words.phases === 1;
  if (!plain || kernel[1] === 1 || pixels > MOST_LINE || outW < GROUP / 2) return;
  if (groups > 1 || cost(pixels, GROUP) + (packing * rows) / outH / kernel[0] > other) return;
  return (images: number) => {
    const pitch = images * rows * outW;
    return {
      plane: kernel[1] * pitch,
      cols: outW,
      phases: 1,
      tap_row: (words.tap_row / words.cols) * outW,
      tap_step: pitch,
      source_row: rows * outW,
      line_rows: rows,
      line_plane: words.plane,
      line_row: words.cols,
      line_words: channels * kernel[1] * (pitch + 1) + images * rows * RUN_WORDS,
    };
  };
}

/** Units of rows of pixels that are read in place, of `planes` if the kernel may pad them. */
function cutRows(
  p: Product,
  planes: Planes | undefined,
  height: number,
  width: number,
  products: number,
) {
  const images = p.batch * p.groups;
  const few = Math.min(
    height,
    Math.max(2, Math.ceil((images * height * UNIT) / products)),
    MOST_ROWS,
  );
  const most = Math.max(few, Math.min(height, BAND_ROWS));
  const band = planes && bandOf(planes, most, p.channels);
  const rows = band ? most : few;
  const direct = fine(width, p.filters) < GROUP ? 2 : 1;
  const words = { direct, row_block: 0, col_block: rows, together: 1, staged: 0 };
  // Taps and weights in steps of a tile's rows, the last of which may be repeated.
  const steps = (p.channels * p.taps[0] * p.taps[1] + 1) * (1.5 * p.filters + TILE);
  const scratch =
    rows * Math.ceil(width / 4) * GROUP_WORDS + Math.ceil(steps) + (band?.line_words ?? 0);
  return { words, units: images * Math.ceil(height / rows), scratch, band };
}

/** Bands that the kernel pads, if the cache keeps them and few of their rows are in two of them. */
function bandOf({ words, band }: Planes, rows: number, planes: number): Band | undefined {
  const own = band?.(rows, planes);
  if (!own || own.line_words > MOST_BAND) return undefined;
  return own.plane > 4 * (own.plane - rows * words.source_row) ? own : undefined;
}

/** Units of blocks that are packed, or `planar`; `flat` pixels follow each other in the result. */
function cutBlocks(p: Product, each: number, flat: boolean, products: number, planar: boolean) {
  const { batch, groups, filters, taps } = p;
  const depth = p.channels * taps[0] * taps[1];
  // Images that fill tiles badly are one line of pixels.
  const short = each < BLOCK / 2 || roundUp(each, TILE / 2) > 1.1 * each;
  const joined = batch > 1 && short && !planar;
  const together = joined ? batch : 1;
  const pixels = together * each;
  const few = Math.floor(Math.min(UNITS, products / UNIT) / (batch * groups));
  const staged = joined || !flat;
  const room = Math.min(MOST_STAGED / filters, STAGED_ROWS * p.grid[1]);
  const least = planar ? (staged ? each / room : 1) : pixels / BLOCK;
  const parts = Math.ceil(planar ? Math.max(few, least) : least);
  let colBlock = roundUp(Math.ceil(pixels / parts), TILE);
  // The last block has at least the columns of a tile.
  while (planar && pixels % colBlock > 0 && pixels % colBlock < TILE) colBlock += TILE;
  const blocks = (batch / together) * groups * Math.ceil(pixels / colBlock);
  const enough = depth > DEPTH_BLOCK ? DEEP_ROWS : LEAST_ROWS;
  const rows = planar ? filters : rowBlock(filters, blocks, products, enough);
  const words = {
    direct: planar ? PLANAR : 0,
    row_block: rows,
    col_block: colBlock,
    together,
    staged: staged ? 1 : 0,
  };
  const results = staged ? (planar ? colBlock : BLOCK) * rows : 0;
  const scratch = Math.min(depth, DEPTH_BLOCK) * BLOCK_STEP + results + BLOCK * RUN_WORDS;
  return { words, units: blocks * Math.ceil(filters / rows), scratch, band: undefined };
}

/**
 * Whether planes are read as they lie, after they were fetched in their order: where packing costs
 * much because the depth is little, or groups of pixels (`grouped`) would fetch them anew.
 */
function isPlanar({ channels, filters, grid, out }: Product, grouped: boolean): boolean {
  const size = grid[0] * grid[1];
  if (size < BLOCK || filters < LEAST_PLANAR) return false;
  if (channels > PLANAR_DEPTH && out.apart > 0) return true;
  const few = filters <= TILE || channels * size <= MOST_PLANAR;
  return size % TILE === 0 && (channels <= PLANAR_DEPTH || (grouped && few));
}

export function product(
  launcher: Launcher,
  planes: Planes,
  weight: Tensor | BufferRef,
  bias: Tensor | undefined,
  out: Tensor,
  p: Product,
  products: number,
  lined?: (images: number) => Planes['words'],
): void {
  const { groups, channels, filters, taps, grid } = p;
  const { source_row } = planes.words;
  const depth = channels * taps[0] * taps[1];
  const flat = p.out.out_step === 1 && p.out.out_row === grid[1];
  // Rows that fill groups stay rows where they are read in place: a block of them fits the cache.
  const short = out.dtype.name === 'float32' && depth <= LONG;
  const direct = short && p.out.out_step === 1;
  const line: Pair = flat && source_row === grid[1] ? [1, grid[0] * grid[1]] : grid;
  const rows = grid[1] % (GROUP / 2) === 0 && grid[1] > BLOCK / 2 ? grid : line;
  const group = fine(rows[1], filters);
  const grouped = direct && readsInPlace(filters, rows[1], PACKING, group);
  const size = grid[0] * grid[1];
  const single = short && source_row === grid[1] && taps[0] * taps[1] === 1;
  const planar = single && (flat || p.out.apart > 0) && isPlanar(p, grouped && !bias);
  const inPlace = lined || (grouped && !planar);
  const [gridH, gridW] = lined ? grid : inPlace ? rows : line;
  const cut = inPlace
    ? cutRows(p, lined || rows !== grid ? undefined : planes, gridH, gridW, products)
    : cutBlocks(p, size, flat, products, planar);
  const { range, words } = shares(cut.units);
  const places = lined?.(cut.words.col_block) ?? planes.words;
  const slice = depth + cut.scratch + places.line_words;
  const own = {
    groups,
    channels,
    filters,
    taps_h: taps[0],
    taps_w: taps[1],
    grid_h: gridH,
    grid_w: gridW,
    slice,
    source_at: p.sourceAt,
    weight_at: p.weightAt,
    weight_group: p.weightGroup,
    biased: bias ? 1 : 0,
  };
  const params = Object.assign(own, places, cut.band ?? NO_BAND, cut.words, words, p.out);
  const scratch = launcher.scratch(range * slice, out.dtype);
  const added = bias ?? weight;
  const buffers = [planes.buffer(cut.band !== undefined), weight, added, out, scratch];
  launcher.launch(
    'convProduct',
    productKernel,
    suffix(out.dtype),
    buffers,
    params,
    range,
    products,
  );
}

export function zeroFill(launcher: Launcher, out: Tensor): void {
  // A plane that lies wholly in its padding.
  const [rows, cols] = [out.shape[0] * out.shape[1], out.shape[2] * out.shape[3]];
  const form = { rows, cols, phases: 1, kept: 1, row_step: 1 };
  const params = { height: 0, width: 0, ...form, top: 0, left: 0 };
  launcher.launch('convPad', convPad, suffix(out.dtype), [out, out], params, 1);
}

export function convolve(
  launcher: Launcher,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  out: Tensor,
  geometry: Geometry,
): void {
  const { batch, groups, channels, filters, outH, outW, kernel } = geometry;
  const planes = source(launcher, x, geometry);
  const size = outH * outW;
  const depth = depthOf(geometry);
  const short = out.dtype.name === 'float32' && depth <= LONG;
  const lined = short ? inLines(planes.words, geometry, PACKING) : undefined;
  const form = {
    batch: lined ? 1 : batch,
    groups,
    channels,
    filters,
    taps: kernel,
    grid: lined ? ([batch, size] as const) : ([outH, outW] as const),
    out: {
      out_at: 0,
      out_plane: size,
      out_row: lined ? filters * size : outW,
      out_step: 1,
      apart: 0,
    },
    sourceAt: 0,
    weightAt: 0,
    weightGroup: filters * depth,
  };
  product(launcher, planes, weight, bias, out, form, productsOf(geometry), lined);
}
