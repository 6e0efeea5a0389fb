/** What tensors are made from: nested arrays, typed arrays and plain values. */

import {
  bool,
  type DataArray,
  type Dtype,
  dtypes,
  encodeFitting,
  getDefaultDtype,
  int32,
  int64,
} from '../core/dtype.js';
import { ShapeError, showShape, showValue, ValueError } from '../core/errors.js';
import { isTensor, type Tensor } from '../tensor.js';

/** Nested arrays of numbers, or a typed array, or a plain value. */
export type TensorData =
  | number
  | bigint
  | boolean
  | DataArray
  | Uint8ClampedArray
  | Tensor
  | readonly TensorData[];

/** The dtype a typed array holds. */
export function dtypeOfArray(array: ArrayBufferView): Dtype {
  if (array instanceof Float32Array) return dtypes.float32;
  if (array instanceof Float64Array) return dtypes.float64;
  if (array instanceof Int32Array) return int32;
  if (array instanceof BigInt64Array) return int64;
  if (array instanceof Uint8Array || array instanceof Uint8ClampedArray) return dtypes.uint8;
  if (array instanceof Int8Array) return dtypes.int8;
  if (array instanceof Int16Array) return dtypes.int16;
  throw new ValueError(
    `tensor: a ${array.constructor.name} has no dtype here; convert it, for example to ` +
      `Float32Array`,
  );
}

/** The shape of nested arrays; throws if they are ragged. */
export function shapeOf(data: TensorData): number[] {
  if (isTensor(data)) return [...data.shape];
  if (ArrayBuffer.isView(data)) return [data.length];
  if (!Array.isArray(data)) return [];
  if (data.length === 0) return [0];
  const first = shapeOf(data[0]);
  for (const item of data) {
    if (typeof item !== 'object' && first.length === 0) continue;
    const shape = shapeOf(item);
    if (shape.length !== first.length || shape.some((size, i) => size !== first[i])) {
      throw new ShapeError(
        `tensor: nested arrays are ragged: one row has shape ${showShape(first)}, another ` +
          `${showShape(shape)}; pad them to one length`,
      );
    }
  }
  return [data.length, ...first];
}

/** The dtype nested plain values have: bool, int32, int64 (wider or bigint), the default float. */
export function inferDtype(data: TensorData): Dtype {
  let rank = -1;
  const kinds = [bool, int32, int64, getDefaultDtype()];
  const visit = (item: TensorData): void => {
    if (typeof item === 'number') {
      if (rank < 3) rank = Math.max(rank, rankOf(item));
    } else if (isTensor(item)) rank = Math.max(rank, kinds.indexOf(kindOf(item.dtype)));
    else if (ArrayBuffer.isView(item))
      rank = Math.max(rank, kinds.indexOf(kindOf(dtypeOfArray(item))));
    else if (Array.isArray(item)) for (const part of item) visit(part);
    else if (typeof item === 'boolean') rank = Math.max(rank, 0);
    else if (typeof item === 'bigint') rank = Math.max(rank, 2);
    else {
      throw new ValueError(
        `tensor: expected numbers, booleans, bigints, arrays or tensors, got ${showValue(item)}`,
      );
    }
  };
  visit(data);
  return rank < 0 ? getDefaultDtype() : kinds[rank];
}

/** 1 for int32, 2 for int64; numbers that are not exact any more are floats. */
function rankOf(value: number): number {
  if (!Number.isSafeInteger(value)) return 3;
  return value === (value | 0) ? 1 : 2;
}

function kindOf(dtype: Dtype): Dtype {
  if (dtype.isFloatingPoint) return getDefaultDtype();
  return dtype === bool || dtype === int64 ? dtype : int32;
}

/** The bytes of a typed array, without a copy. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/**
 * The bytes that nested data of `count` values has in a dtype: of a typed array of that dtype its
 * own, not a copy. Throws if a value does not fit.
 */
export function encodeAll(data: TensorData, dtype: Dtype, count: number): Uint8Array {
  if (ArrayBuffer.isView(data) && dtypeOfArray(data) === dtype) return bytesOf(data);
  const array: { [i: number]: number | bigint } & DataArray = new dtype.array(count);
  const plain = array instanceof Float32Array || array instanceof Float64Array;
  const words = dtype === int64 ? new Int32Array(array.buffer) : undefined;
  let at = 0;
  const put = (items: ArrayLike<TensorData>): void => {
    if (plain && ArrayBuffer.isView(items) && !(items instanceof BigInt64Array)) {
      array.set(items as unknown as ArrayLike<number>, at);
      at += items.length;
      return;
    }
    for (let i = 0; i < items.length; i++) {
      const item = items[i];
      if (typeof item === 'number' && (plain || (dtype === int32 && item === (item | 0)))) {
        array[at++] = item;
      } else if (words && Number.isSafeInteger(item)) {
        words[2 * at] = item as number;
        words[2 * at++ + 1] = Math.floor((item as number) / 2 ** 32);
      } else if (typeof item === 'object') {
        put(isTensor(item) ? item.dataSync() : (item as ArrayLike<TensorData>));
      } else array[at++] = encodeFitting(dtype, item);
    }
  };
  put(typeof data === 'object' && !isTensor(data) ? (data as ArrayLike<TensorData>) : [data]);
  return bytesOf(array);
}
