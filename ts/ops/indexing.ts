/** `x.at(...)` and `x.setAt(...)`: Python's square brackets, and index_put. */

import { bool, Category, int32, uint8 } from '../core/dtype.js';
import { DtypeError, IndexError, showShape, ValueError } from '../core/errors.js';
import { broadcastShapes, numelOf, type Shape, sameShape } from '../core/layout.js';
import type { Tensor } from '../tensor.js';
import { applyPrimitive } from './apply.js';
import { to } from './convert.js';
import { tensor } from './creation.js';
import { elementwise } from './elementwise.js';
import { assign, assignFrom, checkBroadcast } from './inplace.js';
import { afterwards } from './later.js';
import { maskedFill_, nonzero } from './masking.js';
import { isTensor } from './promote.js';
import { viewScatter } from './replace.js';
import {
  alias,
  diagonal,
  expand,
  permute,
  reshape,
  select,
  slice,
  unsqueeze,
  view,
} from './shape.js';
import { op } from './signature.js';
import type { TensorData } from './tensor_data.js';

export * from './gathering.js';
export * from './masking.js';

/**
 * One part of an index: a position; a slice such as '2:5', ':' or '::2'; '...' for all dimensions
 * not named; null for a new dimension; positions as an integer tensor or array; a bool mask.
 */
export type Index = number | bigint | boolean | string | null | Tensor | TensorData;

/** A view, and the index tensors that are to be applied to some of its dimensions. */
interface Parsed {
  view: Tensor;
  /** By dimension of the view; holes where a dimension stays whole. */
  advanced: (Tensor | undefined)[];
}

const SLICE = /^\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*)?$/;

/** 'a:b:c' as start, end and step. */
function parseSlice(text: string): [number | null, number | null, number] {
  const match = SLICE.exec(text);
  if (match === null) {
    throw new ValueError(
      `at: '${text}' is not an index; use ':', 'start:end', 'start:end:step' or '...', ` +
        'an argument for each dimension',
    );
  }
  const [, start, end, step] = match;
  const number = (part: string | undefined) => (part === undefined ? null : Number(part));
  return [number(start), number(end), number(step) ?? 1];
}

/** Nested arrays become tensors; everything else stays. */
function normalize(index: Index, like: Tensor): Exclude<Index, readonly TensorData[]> {
  // Small index tensors made on the CPU serve tensors of every device.
  if (isTensor(index)) return index.backend === like.backend ? index : to(index, like.device);
  if (!Array.isArray(index) && !ArrayBuffer.isView(index)) return index as never;
  const made = tensor(index as TensorData, { device: like.device });
  return made.numel() === 0 && made.dtype.isFloatingPoint ? to(made, int32) : made;
}

function isMask(index: Tensor): boolean {
  return index.dtype === bool || index.dtype === uint8;
}

/** How many dimensions of the tensor an index uses up. */
function consumed(index: Index): number {
  if (index === null || index === '...' || typeof index === 'boolean') return 0;
  return isTensor(index) && isMask(index) ? index.ndim : 1;
}

class Parser {
  dim = 0;
  readonly advanced: (Tensor | undefined)[] = [];

  constructor(
    public view: Tensor,
    private readonly op: string,
  ) {}

  /** Takes another view, giving up the handle on the one before. */
  private take(next: Tensor, original: Tensor): void {
    if (this.view !== original) this.view.dispose();
    this.view = next;
  }

  apply(index: Exclude<Index, readonly TensorData[]>, skip: number, original: Tensor): void {
    if (index === null) this.take(unsqueeze(this.view, this.dim++), original);
    else if (index === '...') this.dim += skip;
    else if (typeof index === 'string') {
      const [start, end, step] = parseSlice(index);
      if (start !== null || end !== null || step !== 1) {
        this.take(slice(this.view, this.dim, start, end, step), original);
      }
      this.dim++;
    } else if (typeof index === 'number' || typeof index === 'bigint') {
      this.position(Number(index), original);
    } else if (typeof index === 'boolean') {
      this.take(unsqueeze(this.view, this.dim), original);
      this.advanced[this.dim++] = tensor(index ? [0] : [], {
        dtype: int32,
        device: original.device,
      });
    } else if (isTensor(index)) this.byTensor(index, original);
    else {
      throw new ValueError(
        `${this.op}: ${String(index)} is not an index; use numbers, slices such as '2:5', '...', ` +
          'null, integer tensors or bool masks',
      );
    }
  }

  private position(index: number, original: Tensor): void {
    const size = this.view.shape[this.dim];
    if (!Number.isInteger(index) || index < -size || index >= size) {
      throw new IndexError(
        `${this.op}: index ${index} is out of range for dimension ${this.dim} of size ${size} ` +
          `(shape ${showShape(original.shape)})`,
      );
    }
    this.take(select(this.view, this.dim, index), original);
  }

  private byTensor(index: Tensor, original: Tensor): void {
    if (isMask(index)) {
      if (index.ndim === 0) this.apply(index.itemSync() !== 0, 0, original);
      else this.byMask(index, original);
    } else if (index.dtype.category !== Category.Int) {
      throw new DtypeError(
        `${this.op}: indices are integer or bool tensors, got ${index.dtype}; cast with int()`,
      );
    } else if (index.ndim === 0 && index.backend.synchronous)
      this.position(index.itemSync(), original);
    else this.advanced[this.dim++] = index;
  }

  /** A mask stands for one index vector per dimension it covers. */
  private byMask(mask: Tensor, original: Tensor): void {
    const covered = this.view.shape.slice(this.dim, this.dim + mask.ndim);
    if (!sameShape(covered, mask.shape)) {
      throw new IndexError(
        `${this.op}: a mask of shape ${showShape(mask.shape)} does not fit dimensions ` +
          `${showShape(covered)} of shape ${showShape(original.shape)}`,
      );
    }
    for (const positions of nonzero(mask, { asTuple: true })) this.advanced[this.dim++] = positions;
  }
}

/** Applies numbers, slices, '...' and null as views; collects index tensors by dimension. */
function parse(name: string, input: Tensor, given: readonly Index[]): Parsed {
  const indices = given.map((index) => normalize(index, input));
  const used = indices.reduce<number>((sum, index) => sum + consumed(index), 0);
  if (used > input.ndim) {
    throw new IndexError(
      `${name}: ${used} indices for a tensor of shape ${showShape(input.shape)}`,
    );
  }
  if (indices.filter((index) => index === '...').length > 1) {
    throw new IndexError(`${name}: '...' may stand only once in an index`);
  }
  const parser = new Parser(input, name);
  for (const index of indices) parser.apply(index, input.ndim - used, input);
  const { view: seen, advanced } = parser;
  return { view: seen === input ? alias(input) : seen, advanced };
}

/** Index tensors brought to [outer, n, inner] form with one vector of positions along n. */
interface Plan {
  /** Dimensions in the order in which the indexed ones lie together. */
  order: number[];
  /** The indexed dimensions as one. */
  rows: Shape;
  index: Tensor;
  /** The shape of the result: the broadcast index shape in place of the indexed dimensions. */
  result: Shape;
  /** Where the index shape starts in the result, and that shape. */
  at: number;
  indexShape: Shape;
}

/** Throws if a position lies outside the dimension; only where it can be read at once. */
function checkPositions(name: string, index: Tensor, size: number, dim: number): void {
  if (!index.backend.synchronous) return;
  for (const value of index.dataSync()) {
    if (value >= -size && value < size) continue;
    throw new IndexError(
      `${name}: index ${value} is out of range for dimension ${dim} of size ${size}`,
    );
  }
}

/** Several index tensors as positions in their dimensions taken as one. */
function linearIndex(
  name: string,
  indices: readonly Tensor[],
  sizes: Shape,
  dims: number[],
): Tensor {
  let linear: Tensor | undefined;
  indices.forEach((index, i) => {
    checkPositions(name, index, sizes[i], dims[i]);
    const own = to(index, int32);
    const wrapped = own.where(elementwise.ge(own, 0), own.add(sizes[i]));
    linear = linear === undefined ? wrapped : linear.mul(sizes[i]).add(wrapped);
  });
  return linear as Tensor;
}

function planOf(name: string, shape: Shape, advanced: readonly (Tensor | undefined)[]): Plan {
  const dims = shape.map((_, d) => d).filter((d) => advanced[d] !== undefined);
  const indices = dims.map((d) => advanced[d] as Tensor);
  const indexShape = indices
    .map((index) => index.shape)
    .reduce((a, b) => broadcastShapes(a, b, name));
  const adjacent = dims[dims.length - 1] - dims[0] === dims.length - 1;
  const at = adjacent ? dims[0] : 0;
  const others = shape.map((_, d) => d).filter((d) => advanced[d] === undefined);
  const order = [...others.slice(0, at), ...dims, ...others.slice(at)];
  const sizes = dims.map((d) => shape[d]);
  const before = others.slice(0, at).map((d) => shape[d]);
  const after = others.slice(at).map((d) => shape[d]);
  const wide = indices.map((index) => expand(index, indexShape));
  const single = wide.length === 1;
  const index = single ? wide[0] : linearIndex(name, wide, sizes, dims);
  return {
    order,
    rows: [numelOf(before), numelOf(sizes), numelOf(after)],
    index: reshape(index, [-1]),
    result: [...before, ...indexShape, ...after],
    at,
    indexShape,
  };
}

/** The tensor as [outer, n, inner], the indexed dimensions in the middle. */
function gatherRows(x: Tensor, plan: Plan): Tensor {
  const ordered = plan.order.every((dim, i) => dim === i) ? x : permute(x, plan.order);
  return reshape(ordered, plan.rows);
}

const WRAP = { wrap: true } as const;

function takeAt(name: string, x: Tensor, advanced: readonly (Tensor | undefined)[]): Tensor {
  const plan = planOf(name, x.shape, advanced);
  const [taken] = applyPrimitive('indexSelect', [gatherRows(x, plan), plan.index], WRAP);
  return reshape(taken, plan.result);
}

/**
 * Where masks cannot be read at once, the promise of the indices with positions in their place;
 * undefined if there is nothing to wait for.
 */
function withPositions(input: Tensor, given: readonly Index[]): Index[] | undefined {
  if (input.backend.synchronous) return undefined;
  const indices = given.map((index) => normalize(index, input));
  const waits = (index: Index): index is Tensor =>
    isTensor(index) && isMask(index) && index.ndim > 0;
  if (!indices.some(waits)) return undefined;
  const found = indices.map(
    async (index): Promise<Index[]> =>
      waits(index) ? await nonzero(index, { asTuple: true }) : [index as Index],
  );
  return Promise.all(found).then((lists) => lists.flat()) as unknown as Index[];
}

/**
 * The part of the tensor that Python's `x[...]` names: numbers, slices such as '1:5' and '::2',
 * '...', null for a new dimension, integer tensors or arrays, bool masks. Without tensors a view.
 */
export const at = (input: Tensor, ...indices: Index[]): Tensor => {
  input.assertLive('at');
  const masked = withPositions(input, indices);
  if (masked !== undefined) return afterwards('at', masked, (found) => at(input, ...found));
  const { view: seen, advanced } = parse('at', input, indices);
  return advanced.length === 0 ? seen : takeAt('at', seen, advanced);
};

/** `x` with `values` (of the index's result shape, after broadcasting) written or added. */
function putAt(x: Tensor, plan: Plan, values: Tensor, accumulate: boolean): Tensor {
  const [outer, , inner] = plan.rows;
  const wide = reshape(expand(values, plan.result), [outer, plan.index.numel(), inner]);
  const rows = gatherRows(x, plan);
  const row = accumulate ? 'indexAdd' : 'indexCopy';
  const [written] = applyPrimitive(row, [rows, plan.index, wide], WRAP);
  const ordered = reshape(
    written,
    plan.order.map((dim) => x.shape[dim]),
  );
  const back = plan.order.map((_, d) => plan.order.indexOf(d));
  return back.every((dim, i) => dim === i) ? ordered : permute(ordered, back);
}

/** The shape without dimensions of size 1 in front, as many as are too many. */
function withoutLeadingOnes(value: Tensor, ndim: number): Tensor {
  let start = 0;
  while (value.ndim - start > ndim && value.shape[start] === 1) start++;
  return start === 0 ? value : view(value, value.shape.slice(start));
}

function checkValue(name: string, value: Tensor, target: Tensor): void {
  if (value.dtype === target.dtype || value.ndim === 0) return;
  throw new DtypeError(
    `${name}: the values have dtype ${value.dtype}, the tensor ${target.dtype}; cast one with to()`,
  );
}

/** Whether the only index tensors are those of one mask over the whole view, with its mask. */
function wholeMask(indices: readonly Index[], target: Tensor): Tensor | undefined {
  const [mask] = indices;
  if (indices.length !== 1 || !isTensor(mask) || mask.dtype !== bool || mask.ndim === 0) return;
  if (!sameShape(mask.shape, target.shape.slice(0, mask.ndim))) return;
  const rest = new Array<number>(target.ndim - mask.ndim).fill(1);
  return view(mask, [...mask.shape, ...rest]);
}

/**
 * Writes `value` (a tensor, number or nested arrays, broadcast) into the part of the tensor that
 * `index` names, as Python's `x[index] = value`. An array is a list of indices, one per dimension.
 */
export const setAt = (
  input: Tensor,
  index: Index | readonly Index[],
  value: TensorData,
): Tensor => {
  input.assertLive('setAt');
  const indices = (Array.isArray(index) ? index : [index]) as readonly Index[];
  const plain = typeof value === 'number' || typeof value === 'boolean';
  const mask = plain ? wholeMask(indices, input) : undefined;
  if (mask !== undefined) return maskedFill_(input, mask, value as number);
  const masked = withPositions(input, indices);
  if (masked !== undefined) {
    return afterwards('setAt', masked, (found) => setAt(input, found, value));
  }
  const { view: target, advanced } = parse('setAt', input, indices);
  if (advanced.length === 0 && plain) {
    target.fill_(value as number);
    return input;
  }
  const given = isTensor(value)
    ? value
    : tensor(value, { dtype: input.dtype, device: input.device });
  if (advanced.length === 0) {
    const values = withoutLeadingOnes(given, target.ndim);
    checkBroadcast('setAt', values.shape, target.shape);
    target.copy_(values);
    return input;
  }
  checkValue('setAt', given, input);
  const plan = planOf('setAt', target.shape, advanced);
  const values = withoutLeadingOnes(to(given, input.dtype), plan.result.length);
  assign('setAt', target, putAt(target, plan, values, false));
  return input;
};

type PutIndices = readonly (Tensor | null)[];

/** The index tensors of indexPut by dimension: null leaves a dimension whole. */
function putIndices(name: string, input: Tensor, indices: PutIndices): Parsed {
  if (!Array.isArray(indices)) {
    throw new ValueError(`${name}: indices are a list of tensors (null for a whole dimension)`);
  }
  const given = indices.map((index) => {
    if (index === null) return ':';
    return isTensor(index) && index.ndim === 0 && !isMask(index) ? view(index, [1]) : index;
  });
  return parse(name, input, given);
}

/** As withPositions, of indices where null leaves a dimension whole. */
function positionsOrNull(input: Tensor, indices: PutIndices): PutIndices | undefined {
  const whole = Array.isArray(indices) ? indices.map((index) => index ?? ':') : [];
  const found = withPositions(input, whole);
  return (
    found &&
    afterwards('indexPut', found, (list) => list.map((index) => (isTensor(index) ? index : null)))
  );
}

function put(input: Tensor, indices: PutIndices, values: Tensor, accumulate = false): Tensor {
  if (values.dtype !== input.dtype) {
    throw new DtypeError(
      `indexPut: the values have dtype ${values.dtype}, the tensor ${input.dtype}; cast one`,
    );
  }
  const masked = positionsOrNull(input, indices);
  if (masked !== undefined) {
    return afterwards('indexPut', masked, (found) => put(input, found, values, accumulate));
  }
  const { view: seen, advanced } = putIndices('indexPut', input, indices);
  if (advanced.length === 0) {
    const wide = expand(values, input.shape);
    return accumulate ? input.add(wide) : wide.clone();
  }
  return putAt(seen, planOf('indexPut', seen.shape, advanced), values, accumulate);
}

function putInPlace(
  input: Tensor,
  indices: PutIndices,
  values: Tensor,
  accumulate = false,
): Tensor {
  const masked = positionsOrNull(input, indices);
  if (masked !== undefined) {
    return afterwards('indexPut_', masked, (found) => putInPlace(input, found, values, accumulate));
  }
  return assignFrom('indexPut_', input, (before) => put(before, indices, values, accumulate));
}

/**
 * `input` with `values` (broadcast) at the positions that the index tensors name together;
 * `accumulate` adds them.
 */
export const indexPut = op('indexPut', 'input, indices, values, accumulate', put);
export const indexPut_ = op('indexPut_', 'input, indices, values, accumulate', putInPlace);

/** `input` with `src` as its slice at `index` along `dim`. */
export const selectScatter = op(
  'selectScatter',
  'input, src, dim, index',
  (input: Tensor, src: Tensor, dim: number, index: number): Tensor =>
    viewScatter(input, src, (x) => select(x, dim, index), 'selectScatter'),
);

/** `input` with `src` as its slice from `start` to `end` in steps along `dim`. */
export const sliceScatter = op(
  'sliceScatter',
  'input, src, dim, start, end, step',
  (
    input: Tensor,
    src: Tensor,
    dim = 0,
    start: number | null = null,
    end: number | null = null,
    step = 1,
  ): Tensor => viewScatter(input, src, (x) => slice(x, dim, start, end, step), 'sliceScatter'),
);

/** `input` with `src` as its diagonal over dim1 and dim2. */
export const diagonalScatter = op(
  'diagonalScatter',
  'input, src, offset, dim1, dim2',
  (input: Tensor, src: Tensor, offset = 0, dim1 = 0, dim2 = 1): Tensor =>
    viewScatter(input, src, (x) => diagonal(x, offset, dim1, dim2), 'diagonalScatter'),
);
