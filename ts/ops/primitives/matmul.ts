/** Batched matrix product: what is read in place, what is packed, and how the work is cut. */

import { type Dtype, suffix } from '../../core/dtype.js';
import { ShapeError, showShape } from '../../core/errors.js';
import { type Geometry, sized } from '../../core/layout.js';
import { lend2, lendAll } from '../../core/lend.js';
import type { Tensor } from '../../tensor.js';
import { kernel, NUMBERS, type ParamsOf } from '../kernel.js';
import { type BufferRef, type Launcher, outputsOf, primitive } from '../row.js';

/** Copies A into rows for `matmul`, `out_row` apart; a unit is some rows of one matrix. */
export const matmulPack = kernel({
  dtypes: NUMBERS,
  buffers: ['a', 'out'],
  params: {
    rows: 'u32',
    depth: 'u32',
    a_batch: 'u32',
    a_row: 'u32',
    a_depth: 'u32',
    out_row: 'u32',
  },
});

export const matmulKernel = kernel({
  dtypes: NUMBERS,
  buffers: ['a', 'b', 'bias', 'out', 'scratch'],
  params: {
    batch: 'u32',
    rows: 'u32',
    cols: 'u32',
    depth: 'u32',
    a_mode: 'u32',
    a_batch: 'u32',
    a_row: 'u32',
    a_depth: 'u32',
    b_mode: 'u32',
    b_batch: 'u32',
    b_depth: 'u32',
    b_col: 'u32',
    out_row: 'u32',
    out_col: 'u32',
    biased: 'u32',
    relu: 'u32',
    depth_block: 'u32',
    row_block: 'u32',
    col_block: 'u32',
    per_unit: 'u32',
    slice: 'u32',
  },
});

/** The largest tile a build may use: scratch sizes follow from it. */
const TILE_ROWS = 8;
const TILE_COLS = 16;
/**
 * The most depth that is summed before it is added to the output, where B is packed, and read in
 * place; blocks are equally deep.
 */
const DEPTH_BLOCK = 1024;
const DEPTH_IN_PLACE = 512;
/** The same of dot products, which sum it in eight parts, read once. */
const LONG_BLOCK = 2048;
/** Rows that a unit of `matmulPack` copies. */
export const TURN_ROWS = 8;
/** A block of A and one of B share the second-level cache; blocks are a multiple of most tiles. */
const ROW_BLOCK = 84;
const GRAIN = 12;
const COL_BLOCK = 64;
/** Depth that a tile has soon summed: what surrounds it then takes as long. */
const SOON = 32;
/** Products of fewer multiplications are read in place: packing would cost more than it saves. */
const SMALL = 48 ** 3;
/**
 * Rows, columns and depth of the smallest product that is done whole, the most rows and depth, and
 * floats of B to be turned.
 */
const LEAST_WHOLE = 4;
const WHOLE_ROWS = 132;
const WHOLE_DEPTH = 512;
const WHOLE_SPACE = 4096;
/** Elements of matrices that are multiplied in lanes. */
const TINY = 64;
/** Depth so short that storing takes longer than multiplying. */
const SHALLOW = 12;
/** Columns that the narrowest tile takes. */
const LEAST_COLS = 8;
/** Rows up to which B is read in place if the first-level cache keeps a panel: sets and lines. */
const SOME_ROWS = 128;
const CACHE_SETS = 64;
const CACHE_LINE = 64;
const CACHE_WAYS = 8;
/** Rows (or columns) so few, and so long, that dot products beat packing either operand. */
const FEW_DOTS = 12;
const LONG_DOT = 128;
/** Depth from which three rows or fewer are worth making rows of. */
const DOT_DEPTH = 16;
/** Depth so short that columns of A are read in place, if those of B are. */
const SHORT = 64;
/** Rows so few that packing B costs more than it saves. */
const FEW_ROWS = 12;
/** Multiplications that make a unit worth a thread, and the most units of a launch. */
const UNIT = 250_000;
const MOST_UNITS = 64;

/** How an operand is read, as gemm.c numbers it: rows or columns contiguous, packed, or whole. */
enum Mode {
  Rows = 0,
  Columns = 1,
  Packed = 2,
  Whole = 3,
  Abreast = 4,
}

/** What the bias belongs to, likewise. */
enum Bias {
  None = 0,
  Columns = 1,
  Rows = 2,
}

/** One operand: strides of the batch, of its side (rows of A, columns of B) and of the depth. */
interface Operand {
  readonly batch: number;
  readonly side: number;
  readonly depth: number;
}

export interface Product {
  readonly a: Operand;
  readonly b: Operand;
  readonly rows: number;
  readonly cols: number;
  readonly depth: number;
  readonly batch: number;
  /** The operands are exchanged: out is written transposed. */
  readonly swapped: boolean;
  /** How B is read; integers are packed. */
  mode: Mode;
}

/** Whether the last two dimensions can be read in place: one of them has unit stride. */
export function isMatrixReadable(shape: readonly number[], strides: readonly number[]): boolean {
  const last = shape.length - 1;
  return [last, last - 1].some((dim) => shape[dim] === 1 || strides[dim] === 1);
}

type Matrices = Pick<Geometry, 'shape' | 'strides'>;

/** The stride of a dimension, 1 where it has one element and so no stride that matters. */
function strideOf(x: Matrices, dim: number): number {
  return x.shape[dim] === 1 ? 1 : x.strides[dim];
}

/** The product of two batches of matrices, read by their strides. */
export function describe(a: Matrices, b: Matrices): Product {
  const [batch, rows, depth] = a.shape;
  const left = { batch: a.strides[0], side: strideOf(a, 1), depth: strideOf(a, 2) };
  const right = { batch: b.strides[0], side: strideOf(b, 2), depth: strideOf(b, 1) };
  const cols = b.shape[2];
  return { a: left, b: right, rows, cols, depth, batch, swapped: false, mode: Mode.Packed };
}

/** The same as the transpose of the product of the transposes. */
export function swap(p: Product): Product {
  return { ...p, a: p.b, b: p.a, rows: p.cols, cols: p.rows, swapped: !p.swapped };
}

function productsOf({ batch, rows, cols, depth }: Product): number {
  return batch * rows * cols * depth;
}

/** Whether the product is too small, or too thin, for packing to pay. */
function isSmall(p: Product): boolean {
  return p.rows * p.cols * p.depth <= SMALL;
}

/** Whether the first-level cache holds a panel of B as it lies: its rows may share few sets. */
function isCached({ b, depth }: Product, bytes: number): boolean {
  const step = (b.depth * bytes) / CACHE_LINE;
  let sets = CACHE_SETS;
  for (let n = step; Number.isInteger(n) && sets > 1 && n % 2 === 0; n /= 2) sets /= 2;
  return depth <= sets * CACHE_WAYS;
}

/** Whether dot products along the depth beat packing: their operands are rows, A's few. */
function isDotted(a: Operand, b: Operand, rows: number, cols: number, depth: number): boolean {
  if (b.depth !== 1 || rows > cols || (a.depth !== 1 && a.side !== 1)) return false;
  if (rows < 4 && (a.depth === 1 || depth >= DOT_DEPTH)) return true;
  return rows <= FEW_DOTS && depth >= (rows <= LEAST_WHOLE ? SHORT : LONG_DOT);
}

/** Whether small matrices are multiplied whole, and turned before where they lie otherwise. */
function isWhole(p: Product): boolean {
  const { a, b, rows, cols, depth } = p;
  if (!isSmall(p) || Math.min(rows, cols) < LEAST_WHOLE || rows > WHOLE_ROWS) return false;
  // The kernel ends where B does, so B must not repeat one row.
  if (depth > WHOLE_DEPTH || b.depth === 0) return false;
  // Four columns are one vector of sums a row, which waits for itself: long rows make dots.
  const few = cols === LEAST_WHOLE && depth >= SHORT && rows * depth > SHORT * SHORT;
  if (few && a.depth === 1) return false;
  if (b.side === 1) return true;
  if (rows < TILE_ROWS && depth >= SHORT && a.depth === 1) return false;
  return depth >= LEAST_WHOLE && cols * depth <= WHOLE_SPACE;
}

/** Whether tiny matrices, each without gaps, are multiplied in lanes: not where tiles fit as well. */
function isAbreast(p: Product): boolean {
  const { a, b, batch, rows, cols, depth } = p;
  if (batch < LEAST_WHOLE) return false;
  const [left, right, result] = [rows * depth, depth * cols, rows * cols];
  if (Math.min(left, right, result) < LEAST_WHOLE) return false;
  if (Math.max(left, right, result) > TINY) return false;
  if (!isDense(a, rows, depth) || !isDense(b, cols, depth)) return false;
  return !isWhole(p);
}

/** Whether a matrix is without gaps, by rows or by columns. */
function isDense({ side, depth: step }: Operand, sides: number, depth: number): boolean {
  return (step === 1 && side === depth) || (side === 1 && step === sides);
}

/** A product of little depth as products of some of its rows each, small ones. */
function split(p: Product): Product {
  const { a, b, batch, rows, cols, depth } = p;
  if (batch !== 1 || depth > SHALLOW) return p;
  const space = cols < LEAST_WHOLE ? TINY / Math.max(cols, depth) : SMALL / (cols * depth);
  let part = Math.min(rows, SOME_ROWS, Math.floor(space));
  while (part > TILE_ROWS && rows % part !== 0) part--;
  if (part < TILE_ROWS || part === rows || rows % part !== 0) return p;
  const parts = { a: { ...a, batch: part * a.side }, b: { ...b, batch: 0 } };
  return { ...p, ...parts, rows: part, batch: rows / part };
}

/** The cheaper of the product and its transpose. */
function orient(p: Product, dtype: Dtype, plain: boolean): Product {
  if (!dtype.isFloatingPoint) return p;
  if (plain && dtype.size === 4) {
    const parts = split(p);
    if (isAbreast(parts)) return as(Mode.Abreast, parts);
    if (isWhole(parts)) return as(Mode.Whole, parts);
  }
  const { a, b, rows, cols, depth } = p;
  if (isDotted(a, b, rows, cols, depth)) return as(Mode.Columns, p);
  if (isDotted(b, a, cols, rows, depth)) return as(Mode.Columns, swap(p));
  // Exchanged, a transposed A becomes a B that is read in place; of two, the smaller is turned.
  const vector = p.cols === 1 && p.b.depth === 1;
  const exchange =
    p.a.depth !== 1
      ? vector || p.b.side !== 1 || (p.rows >= 2 * p.cols && (p.cols < LEAST_COLS || !isSmall(p)))
      : p.b.side !== 1 && p.rows < p.cols;
  const product = exchange ? swap(p) : p;
  const some = product.rows <= SOME_ROWS && isCached(product, dtype.size);
  const few = product.rows <= FEW_ROWS || some;
  const readable = product.b.side === 1 && product.cols >= LEAST_COLS;
  return as(readable && (isSmall(product) || few) ? Mode.Rows : Mode.Packed, product);
}

function as(mode: Mode, p: Product): Product {
  p.mode = mode;
  return p;
}

/** How A is read: in place, or copied into rows. */
function readAs(p: Product, dtype: Dtype): Operand {
  const { a, rows, depth, mode } = p;
  if (a.depth === 1) return a;
  const short = isSmall(p) || (mode === Mode.Rows && depth <= SHORT);
  const inPlace = dtype.isFloatingPoint && mode !== Mode.Columns && short;
  const enough = rows >= TILE_ROWS || mode >= Mode.Whole;
  if (a.side === 1 && inPlace && enough) return a;
  // Rows a multiple of 1 KiB apart would share few sets of the first-level cache.
  const step = depth % 256 === 0 ? depth + 16 : depth;
  return { batch: a.batch === 0 ? 0 : rows * step, side: step, depth: 1 };
}

/** Copies A into the rows of `left`. */
function pack(launcher: Launcher, plan: Plan, tensor: Tensor): BufferRef {
  const { dtype } = tensor;
  const packed = launcher.scratch(plan.packed, dtype);
  const buffers = lend2<Tensor | BufferRef>(tensor, packed);
  const { packing, packRange, products } = plan;
  const kind = suffix(dtype);
  launcher.launch('matmulPack', matmulPack, kind, buffers, packing, packRange, products);
  return packed;
}

/** A product of two layouts, as it is done. */
interface Plan {
  readonly of: readonly [a: Geometry, b: Geometry, dtype: Dtype, finish: number];
  readonly swapped: boolean;
  /** Elements of A as it is packed, of scratch, and the parameters of both launches. */
  readonly packed: number;
  readonly packing: readonly number[];
  readonly packRange: number;
  readonly scratch: number;
  readonly words: readonly number[];
  readonly range: number;
  readonly products: number;
}

/** What follows the sums: a bias, relu, or both. */
const BIASED = 1;
const RELU = 2;

/** Plans made last: the shapes of a program are few. */
const plans: (Plan | undefined)[] = new Array(64).fill(undefined);

function planOf(a: Geometry, b: Geometry, dtype: Dtype, finish: number): Plan {
  const at = (a.id * 31 + 2 * b.id + finish) & 63;
  const known = plans[at];
  if (
    known !== undefined &&
    known.of[0] === a &&
    known.of[1] === b &&
    known.of[2] === dtype &&
    known.of[3] === finish
  ) {
    return known;
  }
  const product = orient(describe(a, b), dtype, finish === 0);
  const of = [a, b, dtype, finish] as const;
  const left = readAs(product, dtype);
  const plan = { of, ...packingOf(product, left), ...multiplyingOf(product, left, finish) };
  plans[at] = plan;
  return plan;
}

function packingOf(p: Product, into: Operand) {
  const { a, rows, depth } = p;
  if (into === a) return { packed: 0, packing: [], packRange: 0 };
  const matrices = a.batch === 0 ? 1 : p.batch;
  const packing = Object.values<number>({
    rows,
    depth,
    a_batch: a.batch,
    a_row: a.side,
    a_depth: a.depth,
    out_row: into.side,
  } satisfies ParamsOf<typeof matmulPack>);
  const packRange = matrices * Math.ceil(rows / TURN_ROWS);
  return { packed: matrices * rows * into.side, packing, packRange };
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** The size of equal blocks of about `most` or less: an even number of them, for two threads. */
function blockOf(size: number, most: number): number {
  return size <= most ? Math.max(size, 1) : roundUp(size / roundUp(size / most, 2), GRAIN);
}

/** Columns of a job: all of them for tiles soon done. */
function columnsOf({ rows, cols, depth, mode }: Product): number {
  if (mode >= Mode.Whole) return cols;
  if (mode !== Mode.Rows) return COL_BLOCK;
  return depth <= SOON && rows * cols * depth < 2 * UNIT ? cols : COL_BLOCK;
}

/** The most depth of a block. */
function depthOf(mode: Mode): number {
  if (mode === Mode.Packed) return DEPTH_BLOCK;
  return mode === Mode.Columns ? LONG_BLOCK : DEPTH_IN_PLACE;
}

function multiplyingOf(p: Product, a: Operand, finish: number) {
  const { batch, rows, cols, depth, b, swapped, mode } = p;
  const colBlock = columnsOf(p);
  const rowBlock = mode >= Mode.Whole ? rows : blockOf(rows, ROW_BLOCK);
  const depthBlock = blockOf(depth, depthOf(mode));
  const jobs = batch * Math.ceil(rows / rowBlock) * Math.ceil(cols / colBlock);
  const products = productsOf(p);
  const worth = Math.floor(products / UNIT);
  const units = Math.max(1, Math.min(jobs, worth, MOST_UNITS));
  const perUnit = Math.ceil(jobs / units);
  const packs = mode === Mode.Packed;
  const slice = packs ? depthBlock * roundUp(Math.min(cols, COL_BLOCK), TILE_COLS) : 0;
  const biased = finish & BIASED ? (swapped ? Bias.Rows : Bias.Columns) : Bias.None;
  const words = Object.values<number>({
    batch,
    rows,
    cols,
    depth,
    a_mode: a.depth === 1 ? Mode.Rows : Mode.Columns,
    a_batch: a.batch,
    a_row: a.side,
    a_depth: a.depth,
    b_mode: mode,
    b_batch: b.batch,
    b_depth: b.depth,
    b_col: b.side,
    out_row: swapped ? 1 : cols,
    out_col: swapped ? rows : 1,
    biased,
    relu: Number(finish >= RELU),
    depth_block: depthBlock,
    row_block: rowBlock,
    col_block: colBlock,
    per_unit: perUnit,
    slice,
  } satisfies ParamsOf<typeof matmulKernel>);
  return { swapped, scratch: units * slice, words, range: Math.ceil(jobs / perUnit), products };
}

/** Emits out = x · y (+ bias): batches of matrices that lie in the memory of two tensors as `a` and `b` say. */
export function multiply(
  launcher: Launcher,
  x: Tensor,
  a: Geometry,
  y: Tensor,
  b: Geometry,
  bias: Tensor | undefined,
  out: Tensor,
  finish = 0,
): void {
  const plan = planOf(a, b, out.dtype, Number(!!bias) + finish);
  const [left, right] = plan.swapped ? [y, x] : [x, y];
  const read = plan.packed ? pack(launcher, plan, left) : left;
  const scratch = plan.scratch ? launcher.scratch(plan.scratch, out.dtype) : out;
  const { words, range, products } = plan;
  const buffers = lendAll<Tensor | BufferRef>(read, right, bias ?? out, out, scratch);
  launcher.launch('matmul', matmulKernel, suffix(out.dtype), buffers, words, range, products);
}

function shapes(a: Tensor, b: Tensor): string {
  return `${showShape(a.shape)} and ${showShape(b.shape)}`;
}

function checkShapes(a: Tensor, b: Tensor, bias: Tensor | undefined): void {
  if (a.shape.length !== 3 || b.shape.length !== 3) {
    throw new ShapeError(`matmul: expected matrices [B, M, K] and [B, K, N], got ${shapes(a, b)}`);
  }
  if (a.shape[0] !== b.shape[0]) {
    throw new ShapeError(`matmul: the batch sizes differ, got ${shapes(a, b)}`);
  }
  if (a.shape[2] !== b.shape[1]) {
    throw new ShapeError(
      `matmul: the columns of the first matrix must be as many as the rows of the second, got ` +
        `${shapes(a, b)}: ${a.shape[2]} is not ${b.shape[1]}. Transpose one of them?`,
    );
  }
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== b.shape[2])) {
    throw new ShapeError(
      `matmul: expected a bias [${b.shape[2]}] for matrices ${shapes(a, b)}, got ${showShape(bias.shape)}`,
    );
  }
}

export interface Epilogue {
  /** What the kernel does to the sums, the bias among them; a node of its own behind the row's. */
  activation?: 'relu';
}

/** Product of each pair of matrices [B, M, K] and [B, K, N], plus a bias [N], activated: [B, M, N]. */
export const matmul = primitive<Epilogue>()({
  kernels: { matmulPack, matmul: matmulKernel },
  inputs: ['a', 'b', 'bias?'],
  dtypes: 'number',
  fixed: true,
  strided: [0, 1],
  readable: isMatrixReadable,
  outputs([a, b, bias]) {
    checkShapes(a, b, bias);
    return outputsOf(a.dtype, sized(a.shape[0], a.shape[1], b.shape[2]).shape);
  },
  run(launcher, [a, b, bias], [out], { activation }) {
    multiply(launcher, a, a.geometry, b, b.geometry, bias, out, activation ? RELU : 0);
  },
});
