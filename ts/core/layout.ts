/** Shapes, strides and offsets: pure arithmetic, no memory. */

import { IndexError, ShapeError, showShape, showValue } from './errors.js';

export type Shape = readonly number[];

/** How a tensor's elements lie in its storage; strides and offset count elements. */
export interface Layout {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

let made = 0;

/** Shape and strides. Many tensors and nodes share one, so nothing in it ever changes. */
export class Geometry {
  readonly elements: number;
  readonly contiguous: boolean;
  /** Whether row-major tensors of the shape share it. */
  shared = false;
  /** Tells geometries apart in tables of what was found for them. */
  readonly id = made++;
  /** Of a matrix, once it was asked for: turnedForm(), and seen as a batch of one. */
  turned: Turned | undefined = undefined;
  batched: Batched | undefined = undefined;

  constructor(
    readonly shape: Shape,
    readonly strides: readonly number[],
  ) {
    this.elements = numelOf(shape);
    this.contiguous = this.elements === 0 || isContiguousLayout(shape, strides);
  }
}

/** A matrix [M, K] as a batch of one, [1, M, K]. */
interface Batched {
  readonly shape: Shape;
  readonly geometry: Geometry;
}

export function batchedForm(matrix: Geometry): Batched {
  if (matrix.batched !== undefined) return matrix.batched;
  const [m, k] = matrix.shape;
  const [row, column] = matrix.strides;
  const geometry = matrix.contiguous
    ? sized(1, m, k)
    : new Geometry([1, m, k], [m * row, row, column]);
  matrix.batched = { shape: geometry.shape, geometry };
  return matrix.batched;
}

/** How a matrix turned, as a batch of one, is made from the matrix, and how it lies. */
interface Turned {
  readonly order: readonly number[];
  readonly shape: Shape;
  readonly geometry: Geometry;
}

/** A matrix [N, K] seen as [1, K, N]. */
export function turnedForm(matrix: Geometry): Turned {
  if (matrix.turned !== undefined) return matrix.turned;
  const [n, k] = matrix.shape;
  const [row, column] = matrix.strides;
  const geometry = new Geometry([1, k, n], [k * column, column, row]);
  matrix.turned = { order: [1, 0], shape: geometry.shape, geometry };
  return matrix.turned;
}

/** Row-major geometries met last, by a hash of their shape of so many bits. */
const known: (Geometry | undefined)[] = new Array(2 ** 9).fill(undefined);
const HASH_SHIFT = 32 - 9;

/** The row-major geometry of a shape. */
export function rowMajor(shape: Shape): Geometry {
  let hash = 0;
  for (let i = 0; i < shape.length; i++) hash = Math.imul(hash ^ (shape[i] + 1), 0x9e3779b1);
  const at = hash >>> HASH_SHIFT;
  let found = known[at];
  if (found === undefined || !sameShape(found.shape, shape)) {
    found = new Geometry(shape.slice(), contiguousStrides(shape));
    found.shared = true;
    known[at] = found;
  }
  return found;
}

/** Other geometries met last, likewise. */
const others: (Geometry | undefined)[] = new Array(2 ** 9).fill(undefined);

/** A geometry that tensors share, of lists that may be used for something else afterwards. */
export function geometryOf(shape: Shape, strides: readonly number[]): Geometry {
  const plain = rowMajor(shape);
  if (sameShape(plain.strides, strides)) return plain;
  let hash = 0;
  for (let i = 0; i < strides.length; i++) {
    hash = Math.imul(hash ^ (shape[i] + 1), 0x9e3779b1);
    hash = Math.imul(hash ^ (strides[i] + 1), 0x85ebca6b);
  }
  const at = hash >>> HASH_SHIFT;
  let found = others[at];
  if (found?.shape !== plain.shape || !sameShape(found.strides, strides)) {
    found = new Geometry(plain.shape, strides.slice());
    others[at] = found;
  }
  return found;
}

const given = [[], [0], [0, 0], [0, 0, 0], [0, 0, 0, 0]];

/** The row-major geometry of one to four sizes. */
export function sized(a: number, b?: number, c?: number, d?: number): Geometry {
  const count = c === undefined ? (b === undefined ? 1 : 2) : d === undefined ? 3 : 4;
  const shape: number[] = given[count];
  shape[0] = a;
  if (count > 1) shape[1] = b as number;
  if (count > 2) shape[2] = c as number;
  if (count > 3) shape[3] = d as number;
  return rowMajor(shape);
}

/** Number of elements of a shape (1 for a 0-d tensor). */
export function numelOf(shape: Shape): number {
  let count = 1;
  for (let i = 0; i < shape.length; i++) count *= shape[i];
  return count;
}

/** Throws ShapeError unless all sizes can be. */
export function checkSizes(shape: Shape): void {
  if (!Array.isArray(shape)) throw new ShapeError(`expected a list of sizes, got ${shape}`);
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0) {
      throw new ShapeError(
        `a tensor cannot have shape ${showValue(shape)}: sizes are integers >= 0`,
      );
    }
  }
}

/** Row-major strides of a shape. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= Math.max(shape[i], 1);
  }
  return strides;
}

/** Whether elements lie row-major without gaps; strides of size-1 dimensions do not matter. */
export function isContiguousLayout(shape: Shape, strides: readonly number[]): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] === 0) return true;
    if (shape[i] !== 1) {
      if (strides[i] !== expected) return false;
      expected *= shape[i];
    }
  }
  return true;
}

/**
 * Dimensions from the innermost to the outermost, as PyTorch's iterators walk operands: the first
 * one that tells two dimensions apart decides; what none does stays as it is.
 */
export function memoryOrder(shape: Shape, strides: readonly (readonly number[])[]): number[] {
  const order = shape.map((_, d) => shape.length - 1 - d);
  const compare = (a: number, b: number): number => {
    for (const own of strides) {
      if (own[a] === 0 || own[b] === 0) continue;
      if (own[a] !== own[b]) return own[a] - own[b];
      if (shape[a] > shape[b]) return 1;
    }
    return 0;
  };
  for (let i = 1; i < order.length; i++) {
    for (let j = i - 1, at = i; j >= 0; j--) {
      const [a, b] = [order[j], order[at]];
      const found = compare(a, b);
      if (found < 0) break;
      if (found === 0) continue;
      order[j] = b;
      order[at] = a;
      at = j;
    }
  }
  return order;
}

/** Strides without gaps of a new tensor whose dimensions lie as memoryOrder() says. */
export function denseStrides(shape: Shape, strides: readonly (readonly number[])[]): number[] {
  const result = new Array<number>(shape.length);
  let stride = 1;
  for (const d of memoryOrder(shape, strides)) {
    result[d] = stride;
    stride *= Math.max(shape[d], 1);
  }
  return result;
}

/** Whether elements fill a piece of memory, in whatever order of dimensions. */
export function isDenseLayout(shape: Shape, strides: readonly number[]): boolean {
  const order = memoryOrder(shape, [strides]).reverse();
  return isContiguousLayout(
    order.map((d) => shape[d]),
    order.map((d) => strides[d]),
  );
}

/** Whether some two indices name the same element for certain (a broadcast dimension). */
export function hasInternalOverlap(shape: Shape, strides: readonly number[]): boolean {
  for (let i = 0; i < shape.length; i++) {
    if (shape[i] > 1 && strides[i] === 0) return !shape.includes(0);
  }
  return false;
}

/** Whether two layouts over one storage could name a common element without being the same. */
export function overlapsPartly(a: Layout, b: Layout): boolean {
  const same = sameShape(a.shape, b.shape) && sameShape(a.strides, b.strides);
  if (same && a.offset === b.offset) return false;
  return a.offset <= lastOffset(b) && b.offset <= lastOffset(a);
}

function lastOffset({ shape, strides, offset }: Layout): number {
  return shape.reduce((last, size, i) => last + (size - 1) * strides[i], offset);
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A dimension counted from either end, as 0 <= dim < ndim. A 0-d tensor takes 0 and -1. */
export function normalizeDim(dim: number, ndim: number, op: string): number {
  const count = Math.max(ndim, 1);
  if (!Number.isInteger(dim) || dim < -count || dim >= count) {
    throw new IndexError(
      `${op}: dimension ${dim} is out of range, expected ${-count} <= dim <= ${count - 1} ` +
        `for a tensor with ${ndim} dimensions`,
    );
  }
  return dim < 0 ? dim + count : dim;
}

/** Several dimensions, normalised and checked for repeats. */
export function normalizeDims(dims: readonly number[], ndim: number, op: string): number[] {
  const result = dims.map((dim) => normalizeDim(dim, ndim, op));
  if (new Set(result).size !== result.length) {
    throw new ShapeError(
      `${op}: a dimension appears twice in [${dims.join(', ')}]; name each one once`,
    );
  }
  return result;
}

/** Whether a shape can be repeated to give `target`. */
export function fits(shape: Shape, target: Shape): boolean {
  const lead = target.length - shape.length;
  if (lead < 0) return false;
  for (let i = 0; i < shape.length; i++) {
    if (shape[i] !== target[lead + i] && shape[i] !== 1) return false;
  }
  return true;
}

/** NumPy and PyTorch broadcasting of two shapes. */
export function broadcastShapes(a: Shape, b: Shape, op: string): Shape {
  if (a === b || fits(b, a)) return a;
  if (fits(a, b)) return b;
  const ndim = Math.max(a.length, b.length);
  const result = new Array<number>(ndim);
  for (let i = 1; i <= ndim; i++) {
    const m = i <= a.length ? a[a.length - i] : 1;
    const n = i <= b.length ? b[b.length - i] : 1;
    if (m !== n && m !== 1 && n !== 1) {
      throw new ShapeError(
        `${op}: shapes ${showShape(a)} and ${showShape(b)} cannot be broadcast together: ` +
          `size ${m} against ${n} at dimension ${ndim - i}. Sizes must match or be 1; ` +
          'use view(), unsqueeze() or expand() to line them up',
      );
    }
    result[ndim - i] = m === 1 ? n : m;
  }
  return result;
}

/** Strides that read `shape` as `target` (broadcast dimensions get stride 0). */
export function broadcastStrides(
  shape: Shape,
  strides: readonly number[],
  target: Shape,
): number[] {
  const result = new Array<number>(target.length).fill(0);
  const lead = target.length - shape.length;
  for (let i = 0; i < shape.length; i++) {
    result[lead + i] = shape[i] === 1 && target[lead + i] !== 1 ? 0 : strides[i];
  }
  return result;
}

/** Fills in one -1 of a requested shape and checks the element count. */
export function inferShape(requested: Shape, count: number, op: string): Shape {
  const shape = requested.includes(-1) ? requested.slice() : (requested as number[]);
  let known = 1;
  let unknown = -1;
  for (let i = 0; i < shape.length; i++) {
    if (shape[i] === -1) {
      if (unknown >= 0) throw new ShapeError(`${op}: only one dimension can be inferred (-1)`);
      unknown = i;
    } else if (!Number.isInteger(shape[i]) || shape[i] < 0) {
      throw new ShapeError(`${op}: invalid size ${shape[i]} in shape ${showShape(requested)}`);
    } else known *= shape[i];
  }
  if (unknown >= 0) {
    if (known === 0) {
      throw new ShapeError(
        `${op}: cannot infer the -1 of ${showShape(requested)} for a tensor of ${count} ` +
          'elements: any size would do; give it explicitly',
      );
    }
    shape[unknown] = count / known;
  }
  if (!Number.isInteger(count / Math.max(known, 1)) || numelOf(shape) !== count) {
    throw new ShapeError(
      `${op}: shape ${showShape(requested)} is invalid for a tensor of ${count} elements`,
    );
  }
  return shape;
}

/**
 * Strides under which a view of `shape` shows the same elements, or undefined if it needs a copy.
 * Both shapes have the same number of elements.
 */
export function viewStrides(
  shape: Shape,
  strides: readonly number[],
  target: Shape,
): number[] | undefined {
  if (numelOf(shape) === 0) return contiguousStrides(target);
  const result = new Array<number>(target.length);
  let t = target.length - 1;
  let chunk = 1;
  let chunkStride = shape.length > 0 ? strides[shape.length - 1] : 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    chunk *= shape[d];
    const breaks = d === 0 || (shape[d - 1] !== 1 && strides[d - 1] !== chunk * chunkStride);
    if (!breaks) continue;
    let covered = 1;
    while (t >= 0 && (covered < chunk || target[t] === 1)) {
      result[t] = covered * chunkStride;
      covered *= target[t];
      t--;
    }
    if (covered !== chunk) return undefined;
    if (d > 0) {
      chunk = 1;
      chunkStride = strides[d - 1];
    }
  }
  for (; t >= 0; t--) result[t] = t + 1 < target.length ? result[t + 1] * target[t + 1] : 1;
  return result;
}

/** A shape with the strides of several operands, fit for a loop. */
export interface LoopLayout {
  readonly shape: number[];
  /** One list of strides per operand. */
  readonly strides: number[][];
}

/** Drops size-1 dimensions and merges neighbours that every operand walks as one. */
export function simplifyLayouts(shape: Shape, strides: readonly (readonly number[])[]): LoopLayout {
  const sizes: number[] = [];
  const out: number[][] = strides.map(() => []);
  for (let d = 0; d < shape.length; d++) {
    if (shape[d] === 1) continue;
    const last = sizes.length - 1;
    let merges = last >= 0;
    for (let k = 0; merges && k < strides.length; k++) {
      merges = out[k][last] === strides[k][d] * shape[d];
    }
    if (merges) {
      sizes[last] *= shape[d];
      for (let k = 0; k < strides.length; k++) out[k][last] = strides[k][d];
    } else {
      sizes.push(shape[d]);
      for (let k = 0; k < strides.length; k++) out[k].push(strides[k][d]);
    }
  }
  return { shape: sizes, strides: out };
}
