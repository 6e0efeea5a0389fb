/** Making tensors: from data, filled, and in ranges. */

import {
  assertDtype,
  bool,
  type DataArray,
  type Dtype,
  decodeElement,
  dtypes,
  encodeElement,
  float32,
  float64,
  getDefaultDtype,
  int32,
  int64,
  toFloating,
} from '../core/dtype.js';
import { ShapeError, showShape, ValueError } from '../core/errors.js';
import type { Shape } from '../core/layout.js';
import { checkOptions, isOptions } from '../core/options.js';
import type { DeviceType } from '../device/device.js';
import { deviceOf } from '../device/registry.js';
import { emptyTensor, type Tensor } from '../tensor.js';
import { fillWith } from './launch.js';
import { isTensor } from './promote.js';
import { listOf, op } from './signature.js';

/** Keyword arguments of every function that makes a tensor. */
export interface TensorOptions {
  dtype?: Dtype | null;
  /** Default 'cpu'. */
  device?: DeviceType | null;
  requiresGrad?: boolean;
}

const OPTIONS = [
  'dtype',
  'device',
  'requiresGrad',
  'layout',
  'pinMemory',
  'memoryFormat',
  'names',
  'size',
];

/** Nested arrays of numbers, or a typed array, or a plain value. */
export type TensorData =
  | number
  | bigint
  | boolean
  | DataArray
  | Uint8ClampedArray
  | Tensor
  | readonly TensorData[];

function finish(result: Tensor, options: TensorOptions | undefined): Tensor {
  return options?.requiresGrad ? result.requiresGrad_() : result;
}

function make(shape: Shape, dtype: Dtype, options: TensorOptions | undefined): Tensor {
  assertDtype('tensor', dtype);
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0) {
      throw new ShapeError(
        `a tensor cannot have shape ${showShape(shape)}: sizes are integers >= 0`,
      );
    }
  }
  return emptyTensor(shape, dtype, deviceOf(options?.device ?? 'cpu'));
}

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
    `tensor: a ${array.constructor.name} has no dtype here; convert it, for example to Float32Array`,
  );
}

/** The shape of nested arrays; throws if they are ragged. */
function shapeOf(data: TensorData): number[] {
  if (isTensor(data)) return [...data.shape];
  if (ArrayBuffer.isView(data)) return [data.length];
  if (!Array.isArray(data)) return [];
  if (data.length === 0) return [0];
  const first = shapeOf(data[0]);
  for (const item of data) {
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

/** The dtype nested plain values have: bool, int32, int64 for bigints, else the default float. */
function inferDtype(data: TensorData): Dtype {
  let rank = -1;
  const kinds = [bool, int32, int64, getDefaultDtype()];
  const visit = (item: TensorData): void => {
    if (isTensor(item)) rank = Math.max(rank, kinds.indexOf(kindOf(item.dtype)));
    else if (ArrayBuffer.isView(item))
      rank = Math.max(rank, kinds.indexOf(kindOf(dtypeOfArray(item))));
    else if (Array.isArray(item)) for (const part of item) visit(part);
    else if (typeof item === 'boolean') rank = Math.max(rank, 0);
    else if (typeof item === 'bigint') rank = Math.max(rank, 2);
    else if (typeof item === 'number') rank = Math.max(rank, Number.isInteger(item) ? 1 : 3);
    else {
      throw new ValueError(
        `tensor: expected numbers, booleans, bigints, arrays or tensors, got ${String(item)}`,
      );
    }
  };
  visit(data);
  return rank < 0 ? getDefaultDtype() : kinds[rank];
}

function kindOf(dtype: Dtype): Dtype {
  if (dtype.isFloatingPoint) return getDefaultDtype();
  return dtype === bool || dtype === int64 ? dtype : int32;
}

function flattenInto(data: TensorData, into: (number | bigint | boolean)[]): void {
  if (isTensor(data)) for (const value of data.dataSync()) into.push(value);
  else if (ArrayBuffer.isView(data) || Array.isArray(data)) {
    for (const item of data as Iterable<TensorData>) flattenInto(item, into);
  } else into.push(data as number | bigint | boolean);
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function encodeAll(values: ArrayLike<number | bigint | boolean>, dtype: Dtype): Uint8Array {
  const array = new dtype.array(values.length);
  for (let i = 0; i < values.length; i++) array[i] = encodeElement(dtype, values[i]);
  return bytesOf(array);
}

/**
 * A tensor with a copy of `data`: nested arrays, a typed array (whose dtype it keeps), or a value.
 * Numbers are float32 if any has a fraction or `requiresGrad` is set, else int32; `dtype` says otherwise.
 */
export const tensor = (data: TensorData, options: TensorOptions = {}): Tensor => {
  checkOptions('tensor', options, OPTIONS);
  if (isTensor(data)) {
    const copy = data
      .detach()
      .clone()
      .to(options.dtype ?? data.dtype);
    return finish(copy, options);
  }
  const shape = shapeOf(data);
  if (ArrayBuffer.isView(data)) {
    const own = dtypeOfArray(data);
    const dtype = options.dtype ?? own;
    const result = make(shape, dtype, options);
    const bytes = dtype === own ? bytesOf(data) : encodeAll(data as DataArray, dtype);
    if (bytes.length > 0) result.backend.write(result.storage_.handle, 0, bytes);
    return finish(result, options);
  }
  const inferred = inferDtype(data);
  // JavaScript writes 1.0 as 1: a tensor that is to have gradients holds floats.
  const dtype = options.dtype ?? (options.requiresGrad ? toFloating(inferred) : inferred);
  const values: (number | bigint | boolean)[] = [];
  flattenInto(data, values);
  const result = make(shape, dtype, options);
  if (values.length > 0) result.backend.write(result.storage_.handle, 0, encodeAll(values, dtype));
  return finish(result, options);
};

/** As tensor(), but a tensor that already fits is returned itself. */
export const asTensor = (data: TensorData, options: TensorOptions = {}): Tensor => {
  if (!isTensor(data)) return tensor(data, options);
  return data.to({ dtype: options.dtype ?? data.dtype, device: options.device ?? data.device });
};

/** A tensor over the elements of a typed array, copied once into the device's memory. */
export const fromNumpy = (array: DataArray): Tensor => tensor(array);

type SizeArgs = (number | readonly number[] | TensorOptions)[];

/** Sizes given one by one or as an array, then perhaps options. */
export function sizesAndOptions(name: string, args: SizeArgs): [Shape, TensorOptions | undefined] {
  const last = args[args.length - 1];
  if (!isOptions(last)) return [listOf(args as (number | readonly number[])[]), undefined];
  checkOptions(name, last, OPTIONS);
  const given = last as TensorOptions & { size?: readonly number[] };
  const sizes = given.size ?? listOf(args.slice(0, -1) as (number | readonly number[])[]);
  return [sizes, last as TensorOptions];
}

function filled(name: string, value: number | undefined): (...args: SizeArgs) => Tensor {
  return (...args) => {
    const [shape, options] = sizesAndOptions(name, args);
    const result = make(shape, options?.dtype ?? getDefaultDtype(), options);
    if (value !== undefined) fillWith(result, value);
    return finish(result, options);
  };
}

/** Zeros of a shape: `zeros(2, 3)` or `zeros([2, 3], { dtype })`. */
export const zeros = filled('zeros', 0);
/** Ones of a shape. */
export const ones = filled('ones', 1);
/** Unset elements of a shape; write them before reading. */
export const empty = filled('empty', 0);

/** One value in a shape; its dtype follows the value. */
export const full = (
  size: readonly number[],
  fillValue: number | bigint | boolean,
  options: TensorOptions = {},
): Tensor => {
  checkOptions('full', options, OPTIONS);
  const result = make(size, options.dtype ?? inferDtype(fillValue), options);
  fillWith(result, fillValue);
  return finish(result, options);
};

function like(
  name: string,
  input: Tensor,
  options: TensorOptions,
  shape: Shape = input.shape,
): Tensor {
  checkOptions(name, options, OPTIONS);
  const device = options.device ?? input.device;
  return make(shape, options.dtype ?? input.dtype, { ...options, device });
}

function filledLike(
  name: string,
  value: number,
): (input: Tensor, options?: TensorOptions) => Tensor {
  return (input, options = {}) => {
    const result = like(name, input, options);
    fillWith(result, value);
    return finish(result, options);
  };
}

/** Zeros, ones or unset elements of another tensor's shape, dtype and device. */
export const zerosLike = filledLike('zerosLike', 0);
export const onesLike = filledLike('onesLike', 1);
export const emptyLike = filledLike('emptyLike', 0);

export const fullLike = (
  input: Tensor,
  fillValue: number | bigint | boolean,
  options: TensorOptions = {},
): Tensor => {
  const result = like('fullLike', input, options);
  fillWith(result, fillValue);
  return finish(result, options);
};

function filledNew(name: string, value: number): (input: Tensor, ...args: SizeArgs) => Tensor {
  return (input, ...args) => {
    const [shape, options = {}] = sizesAndOptions(name, args);
    const result = like(name, input, options, shape);
    fillWith(result, value);
    return finish(result, options);
  };
}

/** Another shape with the tensor's dtype and device. */
export const newZeros = filledNew('newZeros', 0);
export const newOnes = filledNew('newOnes', 1);
export const newEmpty = filledNew('newEmpty', 0);

export const newFull = (
  input: Tensor,
  size: readonly number[],
  fillValue: number | bigint | boolean,
  options: TensorOptions = {},
): Tensor => {
  const result = like('newFull', input, options, size);
  fillWith(result, fillValue);
  return finish(result, options);
};

export const newTensor = (input: Tensor, data: TensorData, options: TensorOptions = {}): Tensor =>
  tensor(data, { ...options, dtype: options.dtype ?? input.dtype });

/** A tensor from numbers computed here, in the dtype asked for. */
function fromNumbers(
  values: ArrayLike<number>,
  shape: Shape,
  dtype: Dtype,
  options: TensorOptions | undefined,
): Tensor {
  const result = make(shape, dtype, options);
  if (values.length > 0) result.backend.write(result.storage_.handle, 0, encodeAll(values, dtype));
  return finish(result, options);
}

/** start, start + step, ... below end: `arange(end)`, `arange(start, end, step)`. */
export const arange = (...args: (number | boolean | (TensorOptions & ArangeOptions))[]): Tensor => {
  const last = args[args.length - 1];
  const options = isOptions(last) ? (last as TensorOptions & ArangeOptions) : {};
  checkOptions('arange', options, [...OPTIONS, 'start', 'end', 'step']);
  const numbers = args.filter((arg) => typeof arg !== 'object').map(Number);
  let [start, end, step] = [options.start ?? 0, options.end, options.step ?? 1];
  if (numbers.length === 1 && end === undefined) end = numbers[0];
  else if (numbers.length === 1) start = numbers[0];
  else if (numbers.length > 1) [start, end, step = 1] = numbers;
  if (numbers.length > 1) step = numbers[2] ?? options.step ?? 1;
  if (end === undefined) throw new ValueError('arange: give an end');
  if (step === 0 || !Number.isFinite(start) || !Number.isFinite(end) || Number.isNaN(step)) {
    throw new ValueError(
      `arange: start ${start}, end ${end} and step ${step} make no finite range`,
    );
  }
  if ((end - start) / step < 0) {
    throw new ValueError(
      `arange: from ${start} to ${end} with step ${step} leads away from the end; change its sign`,
    );
  }
  const whole = [start, end, step].every(Number.isInteger);
  const integers = [start, end, step].map(Math.trunc);
  // As in PyTorch, an int64 range is between integers; the smaller ones only step by one.
  if (options.dtype === int64) [start, end, step] = integers;
  const count = Math.max(0, Math.ceil((end - start) / step));
  if (options.dtype && !options.dtype.isFloatingPoint) [start, , step] = integers;
  if (step === 0) throw new ValueError('arange: the step of an integer range is below 1');
  const values = Float64Array.from({ length: count }, (_, i) => start + i * step);
  return fromNumbers(
    values,
    [count],
    options.dtype ?? (whole ? int32 : getDefaultDtype()),
    options,
  );
};

interface ArangeOptions {
  start?: number;
  end?: number;
  step?: number;
}

function steps(name: string, count: number): number {
  if (!Number.isInteger(count) || count < 0) {
    throw new ValueError(`${name}: steps is an integer >= 0, got ${count}`);
  }
  return count;
}

/** `steps` numbers from start to end, both included, evenly spaced. */
function spaced(start: number, end: number, count: number): Float64Array {
  const step = count > 1 ? (end - start) / (count - 1) : 0;
  // The second half counts from the end, so that the last one is exact.
  return Float64Array.from({ length: count }, (_, i) =>
    i < count / 2 ? start + i * step : end - (count - 1 - i) * step,
  ).map((value, i) => (count === 1 && i === 0 ? start : value));
}

/** A number as the dtype holds it: truncated by integers, rounded by the small floats. */
function held(value: number, dtype: Dtype): number {
  if (dtype === float32 || dtype === float64) return value;
  if (!dtype.isFloatingPoint) return Math.trunc(value);
  return Number(decodeElement(dtype, encodeElement(dtype, value)));
}

export const linspace = op(
  'linspace',
  'start, end, steps, dtype, device, requiresGrad, layout, pinMemory',
  (
    start: number,
    end: number,
    count: number,
    dtype?: Dtype | null,
    device?: DeviceType | null,
    requiresGrad = false,
    _layout?: unknown,
    _pinMemory?: boolean,
  ): Tensor => {
    const type = dtype ?? getDefaultDtype();
    const [first, last] = [held(start, type), held(end, type)];
    const values = spaced(first, last, steps('linspace', count));
    return fromNumbers(values, [count], type, { device, requiresGrad });
  },
);

/** base to the power of evenly spaced numbers from start to end. */
export const logspace = op(
  'logspace',
  'start, end, steps, base, dtype, device, requiresGrad, layout, pinMemory',
  (
    start: number,
    end: number,
    count: number,
    base = 10,
    dtype?: Dtype | null,
    device?: DeviceType | null,
    requiresGrad = false,
    _layout?: unknown,
    _pinMemory?: boolean,
  ): Tensor => {
    const type = dtype ?? getDefaultDtype();
    const [first, last, root] = [held(start, type), held(end, type), held(base, type)];
    let powers = spaced(first, last, steps('logspace', count));
    if (!type.isFloatingPoint && count > 1) {
      // PyTorch's step is an integer division for integer dtypes.
      const step = Math.trunc((last - first) / (count - 1));
      powers = powers.map((_, i) => first + i * step);
    }
    const values = powers.map((power) => root ** power);
    return fromNumbers(values, [count], type, { device, requiresGrad });
  },
);

/** A matrix with ones on its diagonal: `eye(n)` or `eye(n, m)`. */
export const eye = (...args: (number | TensorOptions)[]): Tensor => {
  const [sizes, options] = sizesAndOptions('eye', args);
  const [n, m = n] = sizes;
  const result = make([n, m], options?.dtype ?? getDefaultDtype(), options);
  fillWith(result, 0);
  if (n > 0 && m > 0) fillWith(result.detach().diagonal(), 1);
  return finish(result, options);
};
