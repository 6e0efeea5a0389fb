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

function without<T>(list: readonly T[], index: number): T[] {
  return list.filter((_, i) => i !== index);
}

function replaced<T>(list: readonly T[], index: number, value: T): T[] {
  const copy = list.slice();
  copy[index] = value;
  return copy;
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
    return { shape, strides, offset: input.offset };
  }),

  /** Dimensions in another order. */
  permute: view<{ dims: readonly number[] }>((input, { dims }) => ({
    shape: dims.map((dim) => input.shape[dim]),
    strides: dims.map((dim) => input.strides[dim]),
    offset: input.offset,
  })),

  /** Size-1 dimensions repeated by stride 0. */
  expand: view<{ shape: Shape }>((input, { shape }) => {
    const lead = shape.length - input.shape.length;
    if (lead < 0) {
      throw new ShapeError(
        `expand: ${showShape(shape)} has fewer dimensions than the tensor's ` +
          showShape(input.shape),
      );
    }
    const sizes: number[] = [];
    const strides: number[] = [];
    for (let i = 0; i < shape.length; i++) {
      const own = i >= lead ? input.shape[i - lead] : 1;
      const size = shape[i] === -1 && i >= lead ? own : shape[i];
      if (size < 0 || (own !== 1 && size !== own)) {
        throw new ShapeError(
          `expand: cannot expand ${showShape(input.shape)} to ${showShape(shape)}: ` +
            `dimension ${i} has size ${own}, only size 1 expands`,
        );
      }
      sizes.push(size);
      strides.push(i < lead || (own === 1 && size !== 1) ? 0 : input.strides[i - lead]);
    }
    return { shape: sizes, strides, offset: input.offset };
  }),

  /**
   * Every step-th index from start to end along one dimension.
   * start, end already within 0..size; step >= 1.
   */
  sliceDim: view<{ dim: number; start: number; end: number; step: number }>(
    (input, { dim, start, end, step }) => ({
      shape: replaced(input.shape, dim, Math.max(0, Math.ceil((end - start) / step))),
      strides: replaced(input.strides, dim, input.strides[dim] * step),
      offset: input.offset + start * input.strides[dim],
    }),
  ),

  /** One index along a dimension, which goes. */
  selectDim: view<{ dim: number; index: number }>((input, { dim, index }) => ({
    shape: without(input.shape, dim),
    strides: without(input.strides, dim),
    offset: input.offset + index * input.strides[dim],
  })),

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
      shape: [...replaced(input.shape, dim, Math.floor((have - size) / step) + 1), size],
      strides: [...replaced(input.strides, dim, input.strides[dim] * step), input.strides[dim]],
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
