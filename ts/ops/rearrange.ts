/** Elements in another order, triangles and diagonals, fills and constant borders. */

import { ShapeError, showShape, ValueError } from '../core/errors.js';
import { contiguousStrides, Geometry, normalizeDim, normalizeDims } from '../core/layout.js';
import { checkOptions, isOptions } from '../core/options.js';
import { emptyTensor, Tensor } from '../tensor.js';
import { applyPrimitive } from './apply.js';
import { to } from './convert.js';
import { assignFrom } from './inplace.js';
import { cat } from './joining.js';
import { contiguousCopy, copyInto, fillWith } from './launch.js';
import { type Pullback, recordLinear } from './linear_node.js';
import { overwrite } from './overwrite.js';
import { isTensor, type Operand } from './promote.js';
import { clone, diagonal, narrow, reshape, type Sizes, transpose } from './shape.js';
import { listOf, op } from './signature.js';
import { embed } from './view_gradients.js';

/** The elements in reverse order along the dimensions given; a copy. */
export const flip = (
  input: Tensor,
  ...dims: (Sizes[number] | { dims: readonly number[] })[]
): Tensor => {
  const last = dims[dims.length - 1];
  if (isOptions(last)) checkOptions('flip', last, ['dims']);
  const given = isOptions(last)
    ? (last as { dims: readonly number[] }).dims
    : listOf(dims as Sizes);
  const along = normalizeDims(given, input.ndim, 'flip');
  if (input.ndim === 0 || input.numel() === 0) return clone(input);
  const strides = input.strides.slice();
  let offset = input.offset;
  for (const dim of along) {
    offset += (input.shape[dim] - 1) * strides[dim];
    strides[dim] = -strides[dim];
  }
  input.assertLive('flip');
  const turned = new Geometry(input.shape, strides);
  const backward = new Tensor(input.storage_, turned, offset, input.dtype);
  const result = contiguousCopy(backward);
  backward.dispose();
  return recordLinear('FlipBackward0', [input], result, (g) => flip(g, along));
};

/** Reversed along dimension 1. */
export const fliplr = (input: Tensor): Tensor => {
  if (input.ndim < 2) {
    throw new ShapeError(`fliplr: expected at least 2 dimensions, got ${showShape(input.shape)}`);
  }
  return flip(input, 1);
};

/** Reversed along dimension 0. */
export const flipud = (input: Tensor): Tensor => {
  if (input.ndim < 1) throw new ShapeError('flipud: expected at least 1 dimension, got shape []');
  return flip(input, 0);
};

function rollOne(input: Tensor, shift: number, dim: number): Tensor {
  const size = input.shape[dim];
  const cut = size === 0 ? 0 : ((shift % size) + size) % size;
  if (cut === 0) return clone(input);
  const plain = input.detach();
  const parts = [narrow(plain, dim, size - cut, cut), narrow(plain, dim, 0, size - cut)];
  const result = cat(parts, dim);
  for (const view of [plain, ...parts]) view.dispose();
  return recordLinear('RollBackward0', [input], result, (g) => rollOne(g, -cut, dim));
}

/** Moved by `shifts` along `dims`, coming in again at the other end; flat without `dims`. */
export const roll = op(
  'roll',
  'input, shifts, dims',
  (
    input: Tensor,
    shifts: number | readonly number[],
    dims: number | readonly number[] | null = null,
  ): Tensor => {
    const steps = [shifts].flat() as number[];
    const along = dims === null ? [] : ([dims].flat() as number[]);
    if (steps.length === 0 || !steps.every(Number.isInteger)) {
      throw new ValueError(`roll: shifts are integers, at least one, got [${steps.join(', ')}]`);
    }
    if (along.length === 0 && steps.length === 1) {
      return reshape(rollOne(reshape(input, [-1]), steps[0], 0), input.shape);
    }
    if (along.length !== steps.length) {
      throw new ValueError(
        `roll: ${steps.length} shifts for ${along.length} dimensions; give one shift for each`,
      );
    }
    return along.reduce(
      (rolled, dim, i) => rollOne(rolled, steps[i], normalizeDim(dim, input.ndim, 'roll')),
      input,
    );
  },
);

/** Turned by `k` quarters in the plane of two dimensions, from the first toward the second. */
export const rot90 = op(
  'rot90',
  'input, k, dims',
  (input: Tensor, k = 1, dims: readonly number[] = [0, 1]): Tensor => {
    if (dims.length !== 2 || input.ndim < 2) {
      throw new ShapeError(
        `rot90: expected two dimensions of a tensor with at least 2, got [${dims.join(', ')}] ` +
          `for shape ${showShape(input.shape)}`,
      );
    }
    const [a, b] = normalizeDims(dims, input.ndim, 'rot90');
    const turns = ((k % 4) + 4) % 4;
    if (turns === 1) return transpose(flip(input, b), a, b);
    if (turns === 2) return flip(input, a, b);
    return turns === 3 ? transpose(flip(input, a), a, b) : clone(input);
  },
);

/** The lower triangle of matrices [..., rows, columns]: columns up to row + `diagonal`. */
export const tril = op(
  'tril',
  'input, diagonal',
  (input: Tensor, offset = 0): Tensor =>
    applyPrimitive('triangle', [input], { diagonal: offset, upper: false })[0],
);

/** The upper triangle of matrices [..., rows, columns]: columns from row + `diagonal` on. */
export const triu = op(
  'triu',
  'input, diagonal',
  (input: Tensor, offset = 0): Tensor =>
    applyPrimitive('triangle', [input], { diagonal: offset, upper: true })[0],
);

export const tril_ = op(
  'tril_',
  'input, diagonal',
  (input: Tensor, offset = 0): Tensor =>
    assignFrom('tril_', input, (before) => tril(before, offset)),
);
export const triu_ = op(
  'triu_',
  'input, diagonal',
  (input: Tensor, offset = 0): Tensor =>
    assignFrom('triu_', input, (before) => triu(before, offset)),
);

/** Zeros but for the last dimension of the input as the diagonal of two new ones. */
export const diagEmbed = op(
  'diagEmbed',
  'input, offset, dim1, dim2',
  (input: Tensor, offset = 0, dim1 = -2, dim2 = -1): Tensor => {
    if (input.ndim === 0) throw new ShapeError('diagEmbed: expected at least 1 dimension');
    const first = normalizeDim(dim1, input.ndim + 1, 'diagEmbed');
    const second = normalizeDim(dim2, input.ndim + 1, 'diagEmbed');
    if (first === second) {
      throw new ShapeError(`diagEmbed: dim1 and dim2 must differ, got ${dim1} and ${dim2}`);
    }
    const side = (input.shape.at(-1) ?? 0) + Math.abs(offset);
    const shape = input.shape.slice(0, -1);
    for (const dim of [first, second].sort((a, b) => a - b)) shape.splice(dim, 0, side);
    return embed(input, 'diagonalView', { offset, dim1: first, dim2: second }, shape);
  },
);

/** A matrix with the vector on its diagonal, or a copy of the diagonal of a matrix. */
export const diag = op('diag', 'input, diagonal', (input: Tensor, offset = 0): Tensor => {
  if (input.ndim === 1) return diagEmbed(input, offset);
  if (input.ndim === 2) return clone(diagonal(input, offset));
  throw new ShapeError(
    `diag: expected a vector or a matrix, got shape ${showShape(input.shape)}; ` +
      'diagonal() and diagEmbed() take more dimensions',
  );
});

/** narrow() into a tensor of its own. */
export const narrowCopy = op(
  'narrowCopy',
  'input, dim, start, length',
  (input: Tensor, dim: number, start: number, length: number): Tensor =>
    clone(narrow(input, dim, start, length)),
);

/** A matrix with all elements, flattened, on its diagonal. */
export const diagflat = op(
  'diagflat',
  'input, offset',
  (input: Tensor, offset = 0): Tensor => diagEmbed(reshape(input, [-1]), offset),
);

/** The last two dimensions exchanged; matrices here are real, so this is their adjoint. */
export const adjoint = (input: Tensor): Tensor => {
  if (input.ndim === 1) {
    throw new ShapeError(`adjoint: expected matrices, got shape ${showShape(input.shape)}`);
  }
  return input.ndim === 0 ? input.alias() : transpose(input, -2, -1);
};

/** Crop (negative) or border (positive) sizes before and after each dimension. */
function borders(name: string, pad: readonly number[], ndim: number): [number, number][] {
  if (pad.length % 2 !== 0 || pad.length > 2 * ndim || !pad.every(Number.isInteger)) {
    throw new ValueError(
      `${name}: expected pairs of integers (before, after), from the last dimension on, at most ` +
        `${ndim}; got [${pad.join(', ')}]`,
    );
  }
  return Array.from({ length: ndim }, (_, d) => {
    const at = 2 * (ndim - 1 - d);
    return at < pad.length ? [pad[at], pad[at + 1]] : [0, 0];
  });
}

/**
 * A border of `value`: `pad` holds the sizes before and after the last dimension, then the one
 * before it, and so on. Negative sizes crop.
 */
export const constantPadNd = op(
  'constantPadNd',
  'input, pad, value',
  (input: Tensor, pad: readonly number[], value = 0): Tensor => {
    input.assertLive('constantPadNd');
    const sides = borders('pad', pad, input.ndim);
    const shape = input.shape.map((size, d) => size + sides[d][0] + sides[d][1]);
    const kept = input.shape.map(
      (size, d) => size + Math.min(0, sides[d][0]) + Math.min(0, sides[d][1]),
    );
    if (kept.some((size) => size < 0)) {
      throw new ShapeError(
        `pad: [${pad.join(', ')}] crops more than shape ${showShape(input.shape)} has`,
      );
    }
    const result = emptyTensor(shape, input.dtype, input.backend);
    if (sides.some(([before, after]) => before > 0 || after > 0)) fillWith(result, value);
    const strides = contiguousStrides(shape);
    let from = input.offset;
    let into = 0;
    sides.forEach(([before], d) => {
      from += Math.max(0, -before) * input.strides[d];
      into += Math.max(0, before) * strides[d];
    });
    const { storage_, dtype } = input;
    const source = new Tensor(storage_, new Geometry(kept, input.strides), from, dtype);
    const place = new Tensor(result.storage_, new Geometry(kept, strides), into, dtype);
    copyInto(place, source);
    source.dispose();
    place.dispose();
    const back = pad.map((size) => -size);
    return recordLinear('ConstantPadNdBackward0', [input], result, (g) => constantPadNd(g, back));
  },
);

function checkFill(name: string, value: Operand): void {
  if (!isTensor(value)) {
    if (['number', 'bigint', 'boolean'].includes(typeof value)) return;
    throw new ValueError(`${name}: expected a number or a 0-d tensor, got ${String(value)}`);
  }
  if (value.ndim === 0) return;
  throw new ShapeError(
    `${name}: expected a number or a 0-d tensor, got shape ${showShape(value.shape)}; copy_() ` +
      'writes whole tensors',
  );
}

function writeFill(target: Tensor, value: Operand): void {
  if (isTensor(value)) copyInto(target, value);
  else fillWith(target, value);
}

/** A tensor of the same shape and dtype with `value` (a number or a 0-d tensor) everywhere. */
export const fill = op('fill', 'input, value', (input: Tensor, value: Operand): Tensor => {
  checkFill('fill', value);
  input.assertLive('fill');
  const result = emptyTensor(input.shape, input.dtype, input.backend);
  writeFill(result, value);
  return recordLinear(
    'FillBackward0',
    [input, isTensor(value) ? value : undefined],
    result,
    (g) => g.zerosLike(),
    sumAs(value),
  );
});

/** The gradient of the one value that all elements took. */
function sumAs(value: Operand): Pullback {
  return (g) => (isTensor(value) ? to(g.sum(), value.dtype) : g);
}

function fillInPlace(name: string, input: Tensor, value: Operand): Tensor {
  checkFill(name, value);
  const source = isTensor(value) ? value : undefined;
  return overwrite(name, input, () => writeFill(input, value), source, sumAs(value));
}

/** Sets all elements to `value`, a number or a 0-d tensor. */
export const fill_ = op(
  'fill_',
  'input, value',
  (input: Tensor, value: Operand): Tensor => fillInPlace('fill_', input, value),
);

/** Sets all elements to 0. */
export const zero_ = (input: Tensor): Tensor => fillInPlace('zero_', input, 0);

/** Writes `fillValue` on the diagonal, in place; with `wrap` again after each square block. */
export const fillDiagonal_ = op(
  'fillDiagonal_',
  'input, fillValue, wrap',
  (input: Tensor, fillValue: number, wrap = false): Tensor => {
    const { shape, strides } = input;
    if (input.ndim < 2 || (input.ndim > 2 && shape.some((size) => size !== shape[0]))) {
      throw new ShapeError(
        `fillDiagonal_: expected a matrix, or dimensions of one size, got ${showShape(shape)}`,
      );
    }
    const step = strides.reduce((a, b) => a + b, 0);
    const least = Math.min(...shape);
    if (least === 0) return input;
    fillInPlace('fillDiagonal_', input.asStrided([least], [step]), fillValue);
    const [rows, columns] = shape;
    if (wrap && input.ndim === 2 && rows > columns + 1) {
      const count = Math.ceil(rows / (columns + 1));
      for (let block = 1; block < count; block++) {
        const start = block * (columns + 1);
        const length = Math.min(columns, rows - start);
        const offset = input.offset + start * strides[0];
        fillInPlace('fillDiagonal_', input.asStrided([length], [step], offset), fillValue);
      }
    }
    return input;
  },
);
