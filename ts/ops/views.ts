/** Rows of the view operators: a new layout over the same storage, nothing moves. */

import { IndexError, ShapeError, showShape, ValueError } from '../core/errors.js';
import {
  type Layout,
  numelOf,
  rowMajor,
  type Shape,
  sameShape,
  viewStrides,
} from '../core/layout.js';

export interface ViewRow<Attributes> {
  readonly kind: 'view';
  /** The layout of the result. Dimensions in `attributes` are normalised. */
  layout(input: Layout, attributes: Attributes): Layout;
}

export interface StridedView {
  readonly shape: Shape;
  readonly strides: readonly number[];
  /** Counts from the start of the storage. */
  readonly offset: number;
  /** Elements of the storage. */
  readonly elements: number;
  /** The layout of the tensor it is taken of, for the gradient. */
  readonly of: Layout;
}

function view<Attributes>(layout: ViewRow<Attributes>['layout']): ViewRow<Attributes> {
  return { kind: 'view', layout };
}

// A layout is read before another one is asked for: sizes and steps are lists that all share.

function room(lists: number[][], length: number): number[] {
  lists[length] ??= new Array<number>(length);
  return lists[length];
}

/** Of the entries of a list those named, in that order. */
function picked(into: number[][], list: readonly number[], indices: readonly number[]): number[] {
  const result = room(into, indices.length);
  for (let i = 0; i < indices.length; i++) result[i] = list[indices[i]];
  return result;
}

function without(into: number[][], list: readonly number[], index: number): number[] {
  const length = list.length - 1;
  const result = room(into, length);
  for (let i = 0; i < length; i++) result[i] = list[i < index ? i : i + 1];
  return result;
}

function replaced(
  into: number[][],
  list: readonly number[],
  index: number,
  value: number,
): number[] {
  const result = room(into, list.length);
  for (let i = 0; i < list.length; i++) result[i] = i === index ? value : list[i];
  return result;
}

const sizes: number[][] = [];
const steps: number[][] = [];
const now = { shape: [] as Shape, strides: [] as readonly number[], offset: 0 };

function laid(shape: Shape, strides: readonly number[], offset: number): Layout {
  now.shape = shape;
  now.strides = strides;
  now.offset = offset;
  return now;
}

/** viewStrides(), which for row-major tensors are known. */
function stridesOf({ shape, strides }: Layout, target: Shape): readonly number[] | undefined {
  const plain = sameShape(rowMajor(shape).strides, strides);
  return plain ? rowMajor(target).strides : viewStrides(shape, strides, target);
}

export const views = {
  /** The same layout. */
  alias: view<Record<string, never>>((input) => input),

  /** Another shape over the same elements. */
  view: view<{ shape: Shape }>((input, { shape }) => {
    const strides = stridesOf(input, shape);
    if (strides === undefined) {
      throw new ShapeError(
        `view: shape ${showShape(shape)} cannot be laid over a tensor of shape ` +
          `${showShape(input.shape)} and strides ${showShape(input.strides)}: its elements do ` +
          'not lie in order. Use reshape(), or contiguous() first',
      );
    }
    return laid(shape, strides, input.offset);
  }),

  /** Dimensions in another order. */
  permute: view<{ dims: readonly number[] }>(({ shape, strides, offset }, { dims }) =>
    laid(picked(sizes, shape, dims), picked(steps, strides, dims), offset),
  ),

  /** Size-1 dimensions repeated by stride 0. */
  expand: view<{ shape: Shape }>((input, { shape }) => {
    const lead = shape.length - input.shape.length;
    if (lead < 0) {
      throw new ShapeError(
        `expand: ${showShape(shape)} has fewer dimensions than the tensor's ` +
          showShape(input.shape),
      );
    }
    const shown = room(sizes, shape.length);
    const strides = room(steps, shape.length);
    for (let i = 0; i < shape.length; i++) {
      const own = i >= lead ? input.shape[i - lead] : 1;
      const size = shape[i] === -1 && i >= lead ? own : shape[i];
      if (size < 0 || (own !== 1 && size !== own)) {
        throw new ShapeError(
          `expand: cannot expand ${showShape(input.shape)} to ${showShape(shape)}: ` +
            `dimension ${i} has size ${own}, only size 1 expands`,
        );
      }
      shown[i] = size;
      strides[i] = i < lead || (own === 1 && size !== 1) ? 0 : input.strides[i - lead];
    }
    return laid(shown, strides, input.offset);
  }),

  /**
   * Every step-th index from start to end along one dimension.
   * start, end already within 0..size; step >= 1.
   */
  sliceDim: view<{ dim: number; start: number; end: number; step: number }>(
    ({ shape, strides, offset }, { dim, start, end, step }) =>
      laid(
        replaced(sizes, shape, dim, Math.max(0, Math.ceil((end - start) / step))),
        replaced(steps, strides, dim, strides[dim] * step),
        offset + start * strides[dim],
      ),
  ),

  /** One index along a dimension, which goes. */
  selectDim: view<{ dim: number; index: number }>(({ shape, strides, offset }, { dim, index }) =>
    laid(without(sizes, shape, dim), without(steps, strides, dim), offset + index * strides[dim]),
  ),

  /** The diagonal of two dimensions as a last dimension. */
  diagonalView: view<{ offset: number; dim1: number; dim2: number }>(
    (input, { offset, dim1, dim2 }) => {
      const rows = input.shape[dim1];
      const columns = input.shape[dim2];
      const length =
        offset >= 0 ? Math.min(rows, columns - offset) : Math.min(rows + offset, columns);
      const rest = input.shape.map((_, i) => i).filter((i) => i !== dim1 && i !== dim2);
      const start =
        length <= 0
          ? 0
          : offset >= 0
            ? offset * input.strides[dim2]
            : -offset * input.strides[dim1];
      return {
        shape: [...rest.map((i) => input.shape[i]), Math.max(length, 0)],
        strides: [...rest.map((i) => input.strides[i]), input.strides[dim1] + input.strides[dim2]],
        offset: input.offset + start,
      };
    },
  ),

  /** Sliding windows along a dimension, as a last dimension. */
  unfoldView: view<{ dim: number; size: number; step: number }>((input, { dim, size, step }) => {
    if (input.shape.length === 0) {
      if (size > 1) throw new ShapeError(`unfold: window ${size} is larger than the 0-d tensor`);
      return { shape: [size], strides: [1], offset: input.offset };
    }
    const have = input.shape[dim];
    if (size > have || size < 0) {
      throw new ShapeError(`unfold: window ${size} does not fit dimension ${dim} of size ${have}`);
    }
    if (step <= 0) throw new ValueError(`unfold: step must be positive, got ${step}`);
    return {
      shape: [...replaced(sizes, input.shape, dim, Math.floor((have - size) / step) + 1), size],
      strides: [
        ...replaced(steps, input.strides, dim, input.strides[dim] * step),
        input.strides[dim],
      ],
      offset: input.offset,
    };
  }),

  /** Any shape, strides and offset over the storage. */
  asStridedView: view<StridedView>((_input, { shape, strides, offset, elements }) => {
    if (shape.length !== strides.length) {
      throw new ShapeError(
        `asStrided: ${shape.length} sizes but ${strides.length} strides; give one stride per ` +
          `size`,
      );
    }
    let last = offset;
    for (let i = 0; i < shape.length; i++) {
      if (strides[i] < 0 || shape[i] < 0) {
        throw new ValueError(
          `asStrided: negative sizes or strides are not supported, got ${showShape(shape)} ` +
            `with strides ${showShape(strides)}`,
        );
      }
      last += (shape[i] - 1) * strides[i];
    }
    if (offset < 0 || (numelOf(shape) > 0 && last >= elements)) {
      throw new IndexError(
        `asStrided: shape ${showShape(shape)}, strides ${showShape(strides)} and offset ` +
          `${offset} ` +
          `reach element ${last}, but the storage has ${elements}`,
      );
    }
    return { shape, strides, offset };
  }),
} as const;

export type ViewName = keyof typeof views;
