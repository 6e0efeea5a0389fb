/** Several tensors as one: concatenation, stacking, and products of lists of tensors. */

import { isGradEnabled } from '../autograd/mode.js';
import { type Grads, Node, setHistory } from '../autograd/node.js';
import type { Dtype } from '../core/dtype.js';
import { DeviceError, DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { geometryOf, normalizeDim, rowMajor, type Shape, sameShape } from '../core/layout.js';
import { giveBack, lend } from '../core/lend.js';
import { checkOptions, isOptions } from '../core/options.js';
import { emptyTensor, Tensor } from '../tensor.js';
import { newEmpty, tensor } from './creation.js';
import { indexSelect } from './gathering.js';
import { copyInto } from './launch.js';
import { isTensor, resultDtype } from './promote.js';
import { constantPadNd } from './rearrange.js';
import { alias, atleast1d, atleast2d, atleast3d, expand, reshape, unsqueeze } from './shape.js';
import { op } from './signature.js';

const isTensorItem = (item: unknown): boolean => isTensor(item);

/** The tensors of a list argument, checked to be such a list and to be on one device. */
function listed(name: string, tensors: unknown): readonly Tensor[] {
  if (!Array.isArray(tensors) || !tensors.every(isTensorItem)) {
    throw new ValueError(`${name}: expected a list of tensors, as in ${name}([a, b])`);
  }
  if (tensors.length === 0) throw new ValueError(`${name}: expected at least one tensor`);
  const [first] = tensors as Tensor[];
  for (const tensor of tensors as Tensor[]) {
    tensor.assertLive(name);
    if (tensor.backend !== first.backend) {
      throw new DeviceError(
        `${name}: tensors are on different devices, '${first.device}' and '${tensor.device}'. ` +
          `Move them to one: x.to('${first.device}')`,
      );
    }
  }
  return tensors;
}

/** Each part gets the slice of the gradient that it filled. */
class CatBackward extends Node {
  private readonly shapes: readonly Shape[];
  private readonly dtypes: readonly Dtype[];

  constructor(
    parts: readonly Tensor[],
    private readonly along: number,
  ) {
    super('CatBackward0', 1);
    this.shapes = parts.map((part) => part.shape);
    this.dtypes = parts.map((part) => part.dtype);
    for (const part of parts) this.connect(part);
  }

  run([g]: Grads): Grads {
    if (g === undefined) return [];
    let start = 0;
    return this.shapes.map((shape, i) => {
      const from = start;
      const size = shape.length < g.ndim ? 0 : shape[this.along];
      start += size;
      if (!this.needs(i)) return undefined;
      const part = g.narrow(this.along, from, size).to(this.dtypes[i]);
      return shape.length < g.ndim ? reshape(part, shape) : part;
    });
  }
}

/** An empty 1-d tensor joins anything, as in PyTorch. */
function isVoid(tensor: Tensor): boolean {
  return tensor.ndim === 1 && tensor.shape[0] === 0;
}

const isFilled = (tensor: Tensor): boolean => !isVoid(tensor);
const isScalar = (tensor: Tensor): boolean => tensor.ndim === 0;

function joinedShape(parts: readonly Tensor[], along: number): Shape {
  const first = parts[0].shape;
  let total = first[along];
  for (let i = 1; i < parts.length; i++) {
    const own = parts[i].shape;
    let agree = own.length === first.length;
    for (let d = 0; d < own.length; d++) agree &&= d === along || own[d] === first[d];
    if (!agree) {
      throw new ShapeError(
        `cat: shapes must agree except along dimension ${along}, got ` +
          `${showShape(parts[0].shape)} and, at position ${i}, ${showShape(own)}`,
      );
    }
    total += own[along];
  }
  const sizes = lend<number>(first.length);
  for (let d = 0; d < first.length; d++) sizes[d] = d === along ? total : first[d];
  const { shape } = rowMajor(sizes);
  giveBack(sizes);
  return shape;
}

/** Joins tensors along an existing dimension. Dtypes are promoted; all other sizes must agree. */
export const cat = op('cat', 'tensors, dim', (tensors: readonly Tensor[], dim = 0): Tensor => {
  const all = listed('cat', tensors);
  const dtype = resultDtype(all);
  const filled = all.some(isVoid) ? all.filter(isFilled) : all;
  const parts = filled.length === 0 ? all : filled;
  if (parts.some(isScalar)) {
    throw new ShapeError('cat: 0-d tensors cannot be joined; use stack(), or unsqueeze(0) first');
  }
  const along = normalizeDim(dim, parts[0].ndim, 'cat');
  const shape = joinedShape(parts, along);
  const result = emptyTensor(shape, dtype, parts[0].backend);
  const { strides } = result;
  let offset = 0;
  for (const part of parts) {
    const geometry = geometryOf(part.shape, strides);
    const place = Tensor.lent(result.storage_, geometry, offset, dtype);
    copyInto(place, part);
    place.recycle();
    offset += part.shape[along] * strides[along];
  }
  if (isGradEnabled() && dtype.isFloatingPoint && all.some((part) => part.requiresGrad)) {
    setHistory(result, new CatBackward(all, along), 0);
  }
  return result;
});
export const concat = cat;
export const concatenate = cat;

/** Joins tensors of one shape along a new dimension. */
export const stack = op('stack', 'tensors, dim', (tensors: readonly Tensor[], dim = 0): Tensor => {
  const all = listed('stack', tensors);
  const shape = all[0].shape;
  all.forEach((tensor, i) => {
    if (sameShape(tensor.shape, shape)) return;
    throw new ShapeError(
      `stack: all tensors have one shape, got ${showShape(shape)} and, at position ${i}, ` +
        `${showShape(tensor.shape)}; cat() joins along an existing dimension`,
    );
  });
  const along = normalizeDim(dim, shape.length + 1, 'stack');
  return cat(
    all.map((tensor) => unsqueeze(tensor, along)),
    along,
  );
});

/** Joins along dimension 1, or 0 for vectors. */
export const hstack = op('hstack', 'tensors', (tensors: readonly Tensor[]): Tensor => {
  const all = atleast1d(listed('hstack', tensors)) as Tensor[];
  return cat(all, all[0].ndim === 1 ? 0 : 1);
});

/** Joins along dimension 0; vectors count as rows. */
export const vstack = op(
  'vstack',
  'tensors',
  (tensors: readonly Tensor[]): Tensor => cat(atleast2d(listed('vstack', tensors)) as Tensor[], 0),
);
export const rowStack = vstack;

/** Joins along dimension 2. */
export const dstack = op(
  'dstack',
  'tensors',
  (tensors: readonly Tensor[]): Tensor => cat(atleast3d(listed('dstack', tensors)) as Tensor[], 2),
);

/** Joins along dimension 1; vectors count as columns. */
export const columnStack = op(
  'columnStack',
  'tensors',
  (tensors: readonly Tensor[]): Tensor =>
    cat(
      listed('columnStack', tensors).map((tensor) =>
        tensor.ndim < 2 ? reshape(tensor, [tensor.numel(), 1]) : tensor,
      ),
      1,
    ),
);

/** Keyword arguments of meshgrid(). */
export interface MeshgridOptions {
  /** 'ij' (default): dimension i follows input i; 'xy' exchanges the first two dimensions. */
  indexing?: 'ij' | 'xy';
}

type TensorArgs = (Tensor | readonly Tensor[])[];

/** Tensors given one by one or as one list. */
function gathered(name: string, args: readonly unknown[]): readonly Tensor[] {
  return listed(name, args.length === 1 && Array.isArray(args[0]) ? args[0] : args);
}

/** The coordinates of a grid spanned by vectors, one tensor of the grid's shape for each. */
export const meshgrid = (...args: (TensorArgs[number] | MeshgridOptions)[]): Tensor[] => {
  const last = args[args.length - 1];
  const options = isOptions(last) ? (last as MeshgridOptions) : {};
  checkOptions('meshgrid', options, ['indexing']);
  const { indexing = 'ij' } = options;
  if (indexing !== 'ij' && indexing !== 'xy') {
    throw new ValueError(`meshgrid: indexing is 'ij' or 'xy', got '${indexing}'`);
  }
  const all = gathered('meshgrid', isOptions(last) ? args.slice(0, -1) : args);
  for (const vector of all) {
    if (vector.ndim > 1) {
      throw new ShapeError(`meshgrid: expected vectors, got shape ${showShape(vector.shape)}`);
    }
    if (vector.dtype !== all[0].dtype) {
      throw new DtypeError(
        `meshgrid: all vectors have one dtype, got ${all[0].dtype} and ${vector.dtype}`,
      );
    }
  }
  const swap = indexing === 'xy' && all.length > 1;
  const order = swap ? [all[1], all[0], ...all.slice(2)] : all;
  const shape = order.map((tensor) => tensor.numel());
  const grids = order.map((tensor, i) =>
    expand(reshape(tensor, [...shape.map((_, d) => (d === i ? -1 : 1))]), shape),
  );
  return swap ? [grids[1], grids[0], ...grids.slice(2)] : grids;
};

/** Every choice of one element from each vector: [product of sizes, number of vectors]. */
export const cartesianProd = (...tensors: TensorArgs): Tensor => {
  const all = gathered('cartesianProd', tensors);
  for (const vector of all) {
    if (vector.ndim !== 1) {
      throw new ShapeError(`cartesianProd: expected vectors, got shape ${showShape(vector.shape)}`);
    }
  }
  if (all.length === 1) return alias(all[0]);
  const columns = meshgrid(all).map((grid) => reshape(grid, [-1]));
  return stack(columns, 1);
};

/** Rows of all ways to pick `r` of `n` positions in order. */
function picks(n: number, r: number, withReplacement: boolean): number[] {
  const result: number[] = [];
  const row: number[] = [];
  const extend = (from: number): void => {
    if (row.length === r) {
      for (const position of row) result.push(position);
      return;
    }
    for (let i = from; i < n; i++) {
      row.push(i);
      extend(withReplacement ? i : i + 1);
      row.pop();
    }
  };
  extend(0);
  return result;
}

/** All combinations of `r` elements of a vector, as rows in lexicographic order. */
export const combinations = op(
  'combinations',
  'input, r, withReplacement',
  (input: Tensor, r = 2, withReplacement = false): Tensor => {
    if (input.ndim !== 1) {
      throw new ShapeError(`combinations: expected a vector, got shape ${showShape(input.shape)}`);
    }
    if (!Number.isInteger(r) || r < 0) {
      throw new ValueError(`combinations: r is an integer >= 0, got ${r}`);
    }
    if (r === 0) return newEmpty(input, [0]);
    const index = Int32Array.from(picks(input.shape[0], r, withReplacement));
    const flat = indexSelect(input, 0, tensor(index, { device: input.device }));
    return reshape(flat, [index.length / r, r]);
  },
);

/** A matrix with the given ones (vectors as rows, numbers as 1 x 1) along its diagonal. */
export const blockDiag = (...tensors: TensorArgs): Tensor => {
  const all = gathered('blockDiag', tensors);
  for (const block of all) {
    if (block.ndim > 2) {
      throw new ShapeError(
        `blockDiag: expected at most 2 dimensions, got shape ${showShape(block.shape)}`,
      );
    }
  }
  const blocks = atleast2d(all) as Tensor[];
  const width = blocks.reduce((sum, block) => sum + block.shape[1], 0);
  let left = 0;
  const rows = blocks.map((block) => {
    const before = left;
    left += block.shape[1];
    return constantPadNd(block, [before, width - left]);
  });
  return cat(rows, 0);
};
