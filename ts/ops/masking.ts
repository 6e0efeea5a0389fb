/** Reading and writing under a bool mask, and the positions of true elements. */

import { bool, Category, uint8 } from '../core/dtype.js';
import { DtypeError, ShapeError, showShape } from '../core/errors.js';
import { broadcastShapes, sameShape } from '../core/layout.js';
import type { Tensor } from '../tensor.js';
import { applyPointwise, applyPrimitive } from './apply.js';
import { to } from './convert.js';
import { elementwise } from './elementwise.js';
import { assignFrom, assignInPlace } from './inplace.js';
import { afterReading } from './later.js';
import { isTensor, type Operand } from './promote.js';
import { expand, reshape } from './shape.js';
import { op } from './signature.js';
import { unbind } from './splitting.js';

/** The mask as bool: PyTorch's older uint8 masks are taken too. */
function maskOf(name: string, mask: Tensor): Tensor {
  if (mask.dtype === bool) return mask;
  if (mask.dtype === uint8) return elementwise.ne(mask, 0);
  throw new DtypeError(`${name}: the mask is a bool tensor, got ${mask.dtype}; use ne(0)`);
}

/** Calls `use` with the starts of all blocks of true elements, and how many there are in all. */
function counted<R>(op: string, x: Tensor, use: (starts: Tensor, count: number) => R): R {
  const [starts] = applyPrimitive('countTrue', [x], {});
  const total = starts.select(0, starts.numel() - 1);
  return afterReading(op, total, ([count]) => use(starts, Number(count)));
}

/**
 * Coordinates of the elements that are not zero, [count, ndim]; `asTuple`: one vector per dim. To
 * be awaited on a device that cannot be read at once.
 */
export const nonzero: {
  (input: Tensor, options: { asTuple: true }): Tensor[];
  (input: Tensor, options?: { asTuple?: false }): Tensor;
} = op('nonzero', 'input, asTuple', (input: Tensor, asTuple = false): Tensor | Tensor[] => {
  return counted('nonzero', input, (starts, count): Tensor | Tensor[] => {
    if (!asTuple) return applyPrimitive('nonzeroFill', [input, starts], { count })[0];
    const x = input.ndim === 0 ? reshape(input, [1]) : input;
    return unbind(applyPrimitive('nonzeroFill', [x, starts], { count })[0], 1);
  });
}) as never;

/** Coordinates of the elements that are not zero, [count, ndim]. */
export const argwhere = (input: Tensor): Tensor => nonzero(input);

/**
 * The elements where `mask` (broadcast with the tensor) is true, as a vector. To be awaited on a
 * device that cannot be read at once.
 */
export const maskedSelect = op(
  'maskedSelect',
  'input, mask',
  (input: Tensor, mask: Tensor): Tensor => {
    const truth = maskOf('maskedSelect', mask);
    const shape = broadcastShapes(input.shape, mask.shape, 'maskedSelect');
    const wide = expand(truth, shape);
    return counted('maskedSelect', wide, (starts, count) => {
      const x = expand(input, shape);
      return applyPrimitive('maskedSelect', [x, wide, starts], { count })[0];
    });
  },
);

/** The fill value, checked to fit the tensor's dtype. */
function fillValue(name: string, input: Tensor, value: Operand): Operand {
  if (isTensor(value) && value.ndim > 0) {
    throw new ShapeError(
      `${name}: the value is a number or a 0-d tensor, got shape ${showShape(value.shape)}; ` +
        'where() chooses between whole tensors',
    );
  }
  const fraction = isTensor(value)
    ? value.dtype.isFloatingPoint
    : typeof value === 'number' && !Number.isInteger(value);
  if (fraction && input.dtype.category !== Category.Float) {
    throw new DtypeError(`${name}: a float value does not fit a ${input.dtype} tensor; cast one`);
  }
  if (input.dtype === bool && !isTensor(value)) return Boolean(value);
  return isTensor(value) && value.dtype !== input.dtype ? to(value, input.dtype) : value;
}

/** `value` where `mask` (broadcast with the tensor) is true, the tensor elsewhere. */
export const maskedFill = op(
  'maskedFill',
  'input, mask, value',
  (input: Tensor, mask: Tensor, value: Operand): Tensor => {
    const chosen = fillValue('maskedFill', input, value);
    return applyPointwise('select3', [maskOf('maskedFill', mask), chosen, input]);
  },
);

export const maskedFill_ = op(
  'maskedFill_',
  'input, mask, value',
  (input: Tensor, mask: Tensor, value: Operand): Tensor => {
    const chosen = fillValue('maskedFill_', input, value);
    const operands = [maskOf('maskedFill_', mask), chosen, input];
    return assignInPlace('maskedFill_', input, 'select3', operands);
  },
);

/** The tensor with its elements under `mask` replaced, in order, by those of `source`. */
export const maskedScatter = op(
  'maskedScatter',
  'input, mask, source',
  (input: Tensor, mask: Tensor, source: Tensor): Tensor => {
    if (source.dtype !== input.dtype) {
      throw new DtypeError(
        `maskedScatter: the values have dtype ${source.dtype}, the tensor ${input.dtype}; cast one`,
      );
    }
    const shape = broadcastShapes(input.shape, mask.shape, 'maskedScatter');
    const wide = expand(maskOf('maskedScatter', mask), shape);
    const x = sameShape(shape, input.shape) ? input : expand(input, shape);
    if (!wide.backend.synchronous) {
      // The kernel finds out itself whether the source has too few.
      const [starts] = applyPrimitive('countTrue', [wide], {});
      return applyPrimitive('maskedScatter', [x, wide, starts, source], { count: 0 })[0];
    }
    return counted('maskedScatter', wide, (starts, count) => {
      return applyPrimitive('maskedScatter', [x, wide, starts, source], { count })[0];
    });
  },
);

export const maskedScatter_ = op(
  'maskedScatter_',
  'input, mask, source',
  (input: Tensor, mask: Tensor, source: Tensor): Tensor =>
    assignFrom('maskedScatter_', input, (before) => maskedScatter(before, mask, source)),
);
