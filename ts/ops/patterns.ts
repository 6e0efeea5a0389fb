/** Tensors of a fixed pattern: indices of triangles, powers. Functions without a method. */

import { type Dtype, int32 } from '../core/dtype.js';
import { DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import type { DeviceType } from '../device/device.js';
import type { Tensor } from '../tensor.js';
import { tensor } from './creation.js';
import { unsqueeze } from './shape.js';
import { op } from './signature.js';

function triangleIndices(
  name: string,
  [row, col, offset]: readonly [number, number, number],
  keep: (distance: number) => boolean,
  dtype: Dtype,
  device: DeviceType | null,
): Tensor {
  if (!(row >= 0) || !(col >= 0)) {
    throw new ValueError(`${name}: rows and columns are not negative, got ${row} and ${col}`);
  }
  if (dtype.isFloatingPoint) throw new DtypeError(`${name}: indices are integers, got ${dtype}`);
  const rows: number[] = [];
  const columns: number[] = [];
  for (let r = 0; r < row; r++) {
    for (let c = 0; c < col; c++) {
      if (!keep(c - r - offset)) continue;
      rows.push(r);
      columns.push(c);
    }
  }
  return tensor([rows, columns], { dtype, device });
}

/** Rows and columns [2, count] of the lower triangle of a `row` x `col` matrix. */
export const trilIndices = op(
  'trilIndices',
  'row, col, offset, dtype, device, layout',
  (
    row: number,
    col: number,
    offset = 0,
    dtype: Dtype | null = null,
    device: DeviceType | null = null,
    _layout?: unknown,
  ): Tensor =>
    triangleIndices('trilIndices', [row, col, offset], (d) => d <= 0, dtype ?? int32, device),
);

/** Rows and columns [2, count] of the upper triangle of a `row` x `col` matrix. */
export const triuIndices = op(
  'triuIndices',
  'row, col, offset, dtype, device, layout',
  (
    row: number,
    col: number,
    offset = 0,
    dtype: Dtype | null = null,
    device: DeviceType | null = null,
    _layout?: unknown,
  ): Tensor =>
    triangleIndices('triuIndices', [row, col, offset], (d) => d >= 0, dtype ?? int32, device),
);

/** Powers of the elements x of a vector as columns: x^(N-1) ... x^0, or rising. */
export const vander = op(
  'vander',
  'x, N, increasing',
  (x: Tensor, N: number | null = null, increasing = false): Tensor => {
    if (x.ndim !== 1) {
      throw new ShapeError(`vander: expected a vector, got shape ${showShape(x.shape)}`);
    }
    const count = N ?? x.shape[0];
    if (!Number.isInteger(count) || count < 0) {
      throw new ValueError(`vander: N is an integer >= 0, got ${count}`);
    }
    const powers = Int32Array.from({ length: count }, (_, i) => (increasing ? i : count - 1 - i));
    return unsqueeze(x, 1).pow(tensor(powers, { device: x.device }));
  },
);
