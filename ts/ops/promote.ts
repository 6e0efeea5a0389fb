/** PyTorch's promotion among tensors and plain numbers. */

import { bool, type Dtype, getDefaultDtype, int32, int64, promote } from '../core/dtype.js';
import { DtypeError, showValue, ValueError } from '../core/errors.js';
import { isTensor, type Tensor } from '../tensor.js';

export { isTensor };

/** What stands where PyTorch takes a tensor or a scalar. */
export type Operand = Tensor | number | bigint | boolean;

/** The dtype a plain number takes by itself. Whole numbers are integers. */
export function scalarDtype(value: number | bigint | boolean): Dtype {
  if (typeof value === 'number') return Number.isInteger(value) ? int32 : getDefaultDtype();
  if (typeof value === 'boolean') return bool;
  if (typeof value === 'bigint') return int64;
  throw new ValueError(
    `expected a tensor, a number or a boolean as operand, got ${showValue(value)}`,
  );
}

/**
 * The dtype of a result. Tensors with dimensions come before 0-d tensors, and those before plain
 * numbers: a lower rank decides only if its category (bool < int < float) is higher.
 */
export function resultDtype(operands: readonly Operand[]): Dtype {
  let dims: Dtype | undefined;
  let zeros: Dtype | undefined;
  let numbers: Dtype | undefined;
  for (const operand of operands) {
    if (!isTensor(operand)) {
      const own = scalarDtype(operand);
      numbers = numbers === undefined ? own : promote(numbers, own);
    } else if (operand.shape.length > 0) {
      dims = dims === undefined ? operand.dtype : promote(dims, operand.dtype);
    } else zeros = zeros === undefined ? operand.dtype : promote(zeros, operand.dtype);
  }
  let result = dims;
  // A float number by itself has the default dtype.
  if (zeros !== undefined && zeros.category > (result?.category ?? -1)) result = zeros;
  if (numbers !== undefined && numbers.category > (result?.category ?? -1)) result = numbers;
  if (result === undefined) throw new DtypeError('resultDtype: no operands');
  return result;
}

/** The dtype of running and whole sums: the one asked for, else int32 for small integers. */
export function sumDtype(dtype: Dtype, asked: Dtype | null | undefined): Dtype {
  return asked ?? (dtype.isFloatingPoint || dtype === int64 ? dtype : int32);
}
