/** Views, copies and dtype changes: shapes in PyTorch's words. */

import * as dt from '../core/dtype.js';
import {
  AutogradError,
  checkTensor,
  DtypeError,
  IndexError,
  ShapeError,
  showShape,
  ValueError,
} from '../core/errors.js';
import {
  broadcastShapes,
  inferShape,
  normalizeDim,
  normalizeDims,
  numelOf,
  rowMajor,
  type Shape,
  sameShape,
  viewStrides,
} from '../core/layout.js';
import { giveBack, lend } from '../core/lend.js';
import { Tensor } from '../tensor.js';
import { applyView, recordAs } from './apply.js';
import { to } from './convert.js';
import { checkBroadcast, checkWritable } from './inplace.js';
import { afterReading } from './later.js';
import { contiguousCopy, copyInto, denseCopy } from './launch.js';
import { checkFormat, type MemoryFormat } from './memory_format.js';
import { overwrite } from './overwrite.js';
import { isTensor, type Operand } from './promote.js';
import { listOf, op } from './signature.js';

export type Sizes = (number | readonly number[])[];

/** Another handle on the same elements, part of the graph. */
export const alias = (input: Tensor): Tensor => applyView('alias', input, {});

/** Another shape over the same elements, never a copy; one size may be -1. */
export const view = (input: Tensor, ...shape: (Sizes[number] | dt.Dtype)[]): Tensor => {
  if (shape.length === 1 && shape[0] instanceof dt.Dtype) return viewDtype(input, shape[0]);
  const sizes = inferShape(listOf(shape as Sizes), input.numel(), 'view');
  return shaped(input, sizes);
};

/** The bytes read as another dtype of the same size. */
function viewDtype(input: Tensor, dtype: dt.Dtype): Tensor {
  if (dtype.size !== input.dtype.size) {
    throw new DtypeError(
      `view: ${input.dtype} elements cannot be read as ${dtype}: their sizes differ, ` +
        `${input.dtype.size} and ${dtype.size} bytes`,
    );
  }
  input.assertLive('view');
  if (dtype === dt.bool || input.dtype === dt.bool) input.storage_.mixesBools = true;
  const result = new Tensor(input.storage_, input.geometry, input.offset, dtype);
  result.untracked = input.untracked;
  return result;
}

/** Another shape: a view where the layout allows it, else a copy. */
export const reshape = (input: Tensor, ...shape: Sizes): Tensor => {
  const sizes = inferShape(listOf(shape), input.numel(), 'reshape');
  if (sameShape(sizes, input.shape)) return alias(input);
  const fits = input.isContiguous() || viewStrides(input.shape, input.strides, sizes) !== undefined;
  return shaped(fits ? input : clone(input, 'contiguousFormat'), sizes);
};

export const viewAs = (input: Tensor, other: Tensor): Tensor => view(input, other.shape);
export const reshapeAs = (input: Tensor, other: Tensor): Tensor => reshape(input, other.shape);

/** Dimensions `startDim` to `endDim` as one. A 0-d tensor becomes [1]. */
export const flatten = op(
  'flatten',
  'input, startDim, endDim',
  (input: Tensor, startDim = 0, endDim = -1): Tensor => {
    if (input.ndim === 0) return reshape(input, [1]);
    const start = normalizeDim(startDim, input.ndim, 'flatten');
    const end = normalizeDim(endDim, input.ndim, 'flatten');
    if (start > end) {
      throw new ShapeError(`flatten: startDim ${startDim} comes after endDim ${endDim}`);
    }
    if (start === end) return input;
    const middle = numelOf(input.shape.slice(start, end + 1));
    return reshape(input, [...input.shape.slice(0, start), middle, ...input.shape.slice(end + 1)]);
  },
);

export const ravel = (input: Tensor): Tensor => reshape(input, [-1]);

/** One dimension as several; one of `sizes` may be -1. */
export const unflatten = op(
  'unflatten',
  'input, dim, sizes',
  (input: Tensor, dim: number, sizes: readonly number[]): Tensor => {
    const d = normalizeDim(dim, input.ndim, 'unflatten');
    const split = inferShape(sizes, input.shape[d], 'unflatten');
    return view(input, [...input.shape.slice(0, d), ...split, ...input.shape.slice(d + 1)]);
  },
);

/** Without dimensions of size 1: all, or the one (or those) named, if they have size 1. */
export const squeeze = op(
  'squeeze',
  'input, dim',
  (input: Tensor, dim?: number | readonly number[]): Tensor => shaped(input, squeezed(input, dim)),
);

function squeezed(input: Tensor, dim: number | readonly number[] | undefined): Shape {
  if (dim === undefined || dim === null) return input.shape.filter((size) => size !== 1);
  const dims = (Array.isArray(dim) ? dim : [dim]).map((d) =>
    normalizeDim(d, input.ndim, 'squeeze'),
  );
  return input.shape.filter((size, i) => size !== 1 || !dims.includes(i));
}

/** A new dimension of size 1 at `dim`. */
export const unsqueeze = op('unsqueeze', 'input, dim', (input: Tensor, dim: number): Tensor => {
  const { shape } = input;
  const d = normalizeDim(dim, shape.length + 1, 'unsqueeze');
  const sizes = lend<number>(shape.length + 1);
  for (let i = 0; i < sizes.length; i++) sizes[i] = i === d ? 1 : shape[i < d ? i : i - 1];
  const target = rowMajor(sizes).shape;
  giveBack(sizes);
  return shaped(input, target);
});

/** Dimensions in the order given. */
export const permute = (input: Tensor, ...dims: Sizes): Tensor => {
  const list = listOf(dims);
  if (list.length !== input.ndim) {
    throw new ShapeError(
      `permute: ${list.length} dimensions given for a tensor of shape ${showShape(input.shape)}; ` +
        'name each of its dimensions once',
    );
  }
  return applyView('permute', input, { dims: normalizeDims(list, input.ndim, 'permute') });
};

/** Orders with two dimensions exchanged, by the dimensions and how many there are. */
const swaps: { dims: readonly number[] }[] = [];

function swapped(input: Tensor, dim0: number, dim1: number, name: string) {
  const { ndim } = input;
  const a = normalizeDim(dim0, ndim, name);
  const b = normalizeDim(dim1, ndim, name);
  const key = (ndim * ndim + a) * ndim + b;
  const known = swaps[key];
  if (known !== undefined) return known;
  const dims = input.shape.map((_, i) => i);
  if (ndim > 0) [dims[a], dims[b]] = [b, a];
  const swap = { dims };
  if (ndim < 8) swaps[key] = swap;
  return swap;
}

/** Two dimensions exchanged. */
export const transpose = op(
  'transpose',
  'input, dim0, dim1',
  (input: Tensor, dim0: number, dim1: number): Tensor =>
    applyView('permute', input, swapped(input, dim0, dim1, 'transpose')),
);
export const swapaxes = transpose;
export const swapdims = transpose;

/** The transpose of a matrix; a tensor of fewer dimensions as it is. */
export const t = (input: Tensor): Tensor => {
  if (input.ndim > 2) {
    throw new ShapeError(
      `t: expected at most 2 dimensions, got shape ${showShape(input.shape)}; ` +
        'use transpose(-2, -1)',
    );
  }
  return input.ndim < 2 ? alias(input) : transpose(input, 0, 1);
};

/** Dimensions moved from `source` to `destination`, the others in their order. */
export const movedim = op(
  'movedim',
  'input, source, destination',
  (
    input: Tensor,
    source: number | readonly number[],
    destination: number | readonly number[],
  ): Tensor => {
    const from = normalizeDims([source].flat() as number[], input.ndim, 'movedim');
    const to = normalizeDims([destination].flat() as number[], input.ndim, 'movedim');
    if (from.length !== to.length) {
      throw new ShapeError(
        `movedim: ${from.length} source dimensions but ${to.length} destinations; give as many`,
      );
    }
    if (input.ndim === 0) return alias(input);
    const order = new Array<number>(input.ndim).fill(-1);
    from.forEach((dim, i) => {
      order[to[i]] = dim;
    });
    const rest = input.shape.map((_, i) => i).filter((i) => !from.includes(i));
    return applyView('permute', input, {
      dims: order.map((dim) => (dim < 0 ? (rest.shift() as number) : dim)),
    });
  },
);
export const moveaxis = movedim;

/** Size-1 dimensions repeated without a copy; -1 keeps a size. */
export const expand = (input: Tensor, ...shape: Sizes): Tensor =>
  applyView('expand', input, { shape: listOf(shape) });
export const expandAs = (input: Tensor, other: Tensor): Tensor => expand(input, other.shape);
export const broadcastTo = op(
  'broadcastTo',
  'input, size',
  (input: Tensor, size: readonly number[]): Tensor => expand(input, size),
);

/** Tensors expanded to their common shape. */
export const broadcastTensors = (...tensors: (Tensor | readonly Tensor[])[]): Tensor[] => {
  const list = tensors.flat() as Tensor[];
  const shape = list
    .map((tensor) => tensor.shape)
    .reduce((a, b) => broadcastShapes(a, b, 'broadcastTensors'), [] as Shape);
  return list.map((tensor) => expand(tensor, shape));
};

/** `length` indices along `dim` from `start` on. */
export const narrow = op(
  'narrow',
  'input, dim, start, length',
  (input: Tensor, dim: number, start: number | Tensor, length: number): Tensor => {
    normalizeDim(dim, input.ndim, 'narrow');
    if (!isTensor(start)) return narrowed(input, dim, start, length);
    return afterReading('narrow', start, ([first]) => narrowed(input, dim, Number(first), length));
  },
);

function narrowed(input: Tensor, dim: number, given: number, length: number): Tensor {
  const d = normalizeDim(dim, input.ndim, 'narrow');
  const size = input.shape[d];
  const first = given < 0 ? given + size : given;
  const whole = Number.isInteger(first) && Number.isInteger(length);
  if (input.ndim === 0 || !whole || first < 0 || length < 0 || first + length > size) {
    throw new IndexError(
      `narrow: start ${given} and length ${length} do not fit dimension ${dim} of shape ` +
        showShape(input.shape),
    );
  }
  return sliced(input, d, first, first + length, 1);
}

// The attributes of the view that is made just now.
const slicing = { dim: 0, start: 0, end: 0, step: 1 };
const selecting = { dim: 0, index: 0 };
const shaping: { shape: Shape } = { shape: [] };

function sliced(input: Tensor, dim: number, start: number, end: number, step: number): Tensor {
  slicing.dim = dim;
  slicing.start = start;
  slicing.end = end;
  slicing.step = step;
  return applyView('sliceDim', input, slicing);
}

/** Another shape of as many elements, if they lie so that there is one. */
function shaped(input: Tensor, shape: Shape): Tensor {
  shaping.shape = shape;
  return applyView('view', input, shaping);
}

/**
 * Python's slice along one dimension: negative positions count from the end, out of range is cut.
 */
export const slice = op(
  'slice',
  'input, dim, start, end, step',
  (
    input: Tensor,
    dim = 0,
    start: number | null = null,
    end: number | null = null,
    step = 1,
  ): Tensor => {
    if (input.ndim === 0) throw new IndexError('slice: a 0-d tensor has no dimension to slice');
    const d = normalizeDim(dim, input.ndim, 'slice');
    if (!(step > 0)) throw new ValueError(`slice: step must be positive, got ${step}`);
    const size = input.shape[d];
    const from = clampPosition(start ?? 0, size);
    const to = Math.max(from, clampPosition(end ?? size, size));
    return sliced(input, d, from, to, step);
  },
);

function clampPosition(position: number, size: number): number {
  return Math.min(Math.max(position < 0 ? position + size : position, 0), size);
}

/** The elements at one index along `dim`, which goes. */
export const select = op(
  'select',
  'input, dim, index',
  (input: Tensor, dim: number, index: number): Tensor => {
    if (input.ndim === 0) throw new IndexError('select: a 0-d tensor has no dimension to index');
    const d = normalizeDim(dim, input.ndim, 'select');
    const size = input.shape[d];
    if (!Number.isInteger(index) || index < -size || index >= size) {
      throw new IndexError(
        `select: index ${index} is out of range for dimension ${dim} of size ${size} ` +
          `(shape ${showShape(input.shape)})`,
      );
    }
    selecting.dim = d;
    selecting.index = index < 0 ? index + size : index;
    return applyView('selectDim', input, selecting);
  },
);

/**
 * The diagonal over dim1 and dim2, `offset` above (or below) the main one, as the last dimension.
 */
export const diagonal = op(
  'diagonal',
  'input, offset, dim1, dim2',
  (input: Tensor, offset = 0, dim1 = 0, dim2 = 1): Tensor => {
    const a = normalizeDim(dim1, input.ndim, 'diagonal');
    const b = normalizeDim(dim2, input.ndim, 'diagonal');
    if (a === b || input.ndim < 2) {
      throw new ShapeError(
        `diagonal: dim1 and dim2 must be two different dimensions, got ${dim1} and ${dim2} for ` +
          `shape ${showShape(input.shape)}`,
      );
    }
    return applyView('diagonalView', input, { offset, dim1: a, dim2: b });
  },
);

/** Windows of `size` every `step` along `dimension`, as a new last dimension; a view. */
export const unfold = op(
  'unfold',
  'input, dimension, size, step',
  (input: Tensor, dimension: number, size: number, step: number): Tensor => {
    const dim = normalizeDim(dimension, input.ndim, 'unfold');
    return applyView('unfoldView', input, { dim, size, step });
  },
);

/** Any view of the storage. The offset defaults to the tensor's own. */
export const asStrided = op(
  'asStrided',
  'input, size, stride, storageOffset',
  (
    input: Tensor,
    size: readonly number[],
    stride: readonly number[],
    storageOffset: number | null = null,
  ): Tensor =>
    applyView('asStridedView', input, {
      shape: size.slice(),
      strides: stride.slice(),
      offset: storageOffset ?? input.offset,
      elements: Math.floor(input.storage_.bytes / input.dtype.size),
      of: { shape: input.shape, strides: input.strides, offset: input.offset },
    }),
);

/**
 * A copy of the elements in a storage of their own, part of the graph. Dimensions lie in the order
 * of the input's unless `memoryFormat` is 'contiguousFormat'.
 */
export const clone = op(
  'clone',
  'input, memoryFormat',
  (input: Tensor, memoryFormat?: MemoryFormat): Tensor => {
    input.assertLive('clone');
    checkFormat('clone', memoryFormat);
    const copy = memoryFormat === 'contiguousFormat' ? contiguousCopy : denseCopy;
    return recordAs('alias', input, copy(input), {}, 'CloneBackward0');
  },
);

/** The tensor itself if its elements lie in row-major order, else a copy that does. */
export const contiguous = op(
  'contiguous',
  'input, memoryFormat',
  (input: Tensor, memoryFormat?: MemoryFormat): Tensor => {
    checkFormat('contiguous', memoryFormat);
    return input.isContiguous() ? input : clone(input, 'contiguousFormat');
  },
);

/** The same elements outside the graph, over the same memory. */
export const detach = (input: Tensor): Tensor => {
  input.assertLive('detach');
  const result = input.bare();
  result.untracked = input.untracked;
  return result;
};

/** Takes the tensor itself out of the graph. */
export const detach_ = (input: Tensor): Tensor => {
  input.assertLive('detach_');
  if (input.meta?.base?.requiresGrad) {
    throw new AutogradError(
      `detach_: the tensor of shape ${showShape(input.shape)} is a view and stays tied to its ` +
        'base; use detach() for a tensor outside the graph',
    );
  }
  if (input.meta !== undefined) {
    input.meta.gradFn = undefined;
    input.meta.requiresGrad = false;
  }
  return input;
};

// --- In place ----------------------------------------------------------------------------------

/** Replaces the layout of `input` by that of a view of it. */
function relayout(name: string, input: Tensor, changed: Tensor): Tensor {
  checkWritable(name, input);
  const history = changed.gradFn;
  input.setLayout(changed.geometry, changed.offset);
  if (history !== undefined) {
    const meta = input.autograd();
    meta.gradFn = history;
    meta.outputIndex = changed.meta?.outputIndex ?? 0;
  }
  return input;
}

export const t_ = (input: Tensor): Tensor => relayout('t_', input, t(input));
export const transpose_ = op(
  'transpose_',
  'input, dim0, dim1',
  (input: Tensor, dim0: number, dim1: number): Tensor =>
    relayout('transpose_', input, transpose(input, dim0, dim1)),
);
export const swapaxes_ = transpose_;
export const swapdims_ = transpose_;
export const squeeze_ = op(
  'squeeze_',
  'input, dim',
  (input: Tensor, dim?: number | readonly number[]): Tensor =>
    relayout('squeeze_', input, squeeze(input, dim)),
);
export const unsqueeze_ = op(
  'unsqueeze_',
  'input, dim',
  (input: Tensor, dim: number): Tensor => relayout('unsqueeze_', input, unsqueeze(input, dim)),
);

export const asStrided_ = op(
  'asStrided_',
  'input, size, stride, storageOffset',
  (
    input: Tensor,
    size: readonly number[],
    stride: readonly number[],
    storageOffset: number | null = null,
  ): Tensor => relayout('asStrided_', input, asStrided(input, size, stride, storageOffset)),
);

/** Writes the elements of `src` (broadcast, cast, of any device), or one number, into the tensor. */
export const copy_ = op('copy_', 'input, src', (input: Tensor, src: Operand): Tensor => {
  if (typeof src === 'number' || typeof src === 'boolean') return input.fill_(src);
  checkTensor('copy_', src, 'a tensor to copy');
  checkBroadcast('copy_', src.shape, input.shape);
  const value = expand(to(to(src, input.dtype), input.device), input.shape);
  return overwrite('copy_', input, () => copyInto(input, value), value);
});

/** At least 1, 2 or 3 dimensions, new ones of size 1. */
export const atleast1d = (...tensors: (Tensor | readonly Tensor[])[]): Tensor | Tensor[] =>
  eachOf(tensors, (x) => (x.ndim === 0 ? reshape(x, [1]) : x));
export const atleast2d = (...tensors: (Tensor | readonly Tensor[])[]): Tensor | Tensor[] =>
  eachOf(tensors, (x) => {
    if (x.ndim === 0) return reshape(x, [1, 1]);
    return x.ndim === 1 ? unsqueeze(x, 0) : x;
  });
export const atleast3d = (...tensors: (Tensor | readonly Tensor[])[]): Tensor | Tensor[] =>
  eachOf(tensors, (x) => {
    if (x.ndim === 0) return reshape(x, [1, 1, 1]);
    if (x.ndim === 1) return unsqueeze(unsqueeze(x, 0), 2);
    return x.ndim === 2 ? unsqueeze(x, 2) : x;
  });

function eachOf(
  tensors: readonly (Tensor | readonly Tensor[])[],
  change: (x: Tensor) => Tensor,
): Tensor | Tensor[] {
  if (tensors.length === 1 && isTensor(tensors[0])) return change(tensors[0]);
  return (tensors.flat() as Tensor[]).map(change);
}
