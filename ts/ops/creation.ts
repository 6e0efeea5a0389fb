/** Making tensors: from data, filled, and in ranges. */

import {
  assertDtype,
  type DataArray,
  type Dtype,
  decodeElement,
  encodeElement,
  float32,
  float64,
  getDefaultDtype,
  int32,
  int64,
  toFloating,
} from '../core/dtype.js';
import { showValue, ValueError } from '../core/errors.js';
import { checkSizes, type Shape } from '../core/layout.js';
import { checkOptions, isOptions } from '../core/options.js';
import type { DeviceType } from '../device/device.js';
import { deviceOf } from '../device/registry.js';
import { emptyTensor, stridesLike, type Tensor } from '../tensor.js';
import { fillWith } from './launch.js';
import { checkFormat } from './memory_format.js';
import { isTensor } from './promote.js';
import { op } from './signature.js';
import { dtypeOfArray, encodeAll, inferDtype, shapeOf, type TensorData } from './tensor_data.js';
import {
  type SizeArgs,
  sizesAndOptions,
  TENSOR_OPTIONS,
  type TensorOptions,
} from './tensor_options.js';

export type { TensorData } from './tensor_data.js';
export type { TensorOptions } from './tensor_options.js';

function finish(result: Tensor, options: TensorOptions | undefined): Tensor {
  return options?.requiresGrad ? result.requiresGrad_() : result;
}

function make(
  shape: Shape,
  dtype: Dtype,
  options: TensorOptions | undefined,
  strides?: readonly number[],
): Tensor {
  assertDtype('tensor', dtype);
  checkSizes(shape);
  return emptyTensor(shape, dtype, deviceOf(options?.device ?? 'cpu'), strides);
}

/** Writes values as the device stores them: its dtype may be smaller than the one asked for. */
function written(result: Tensor, values: TensorData): Tensor {
  const bytes = encodeAll(values, result.dtype, result.numel());
  if (bytes.length > 0) result.backend.write(result.storage_.handle, 0, bytes);
  return result;
}

/**
 * A tensor with a copy of `data`: nested arrays, a typed array (whose dtype it keeps), or a value.
 * Numbers are of the default float dtype if any has a fraction or `requiresGrad` is set, else
 * int32, or int64 where one needs it; `dtype` says otherwise. Throws if a number does not fit.
 */
export const tensor = (data: TensorData, options: TensorOptions = {}): Tensor => {
  checkOptions('tensor', options, TENSOR_OPTIONS);
  if (isTensor(data)) {
    const copy = data
      .detach()
      .clone()
      .to(options.dtype ?? data.dtype);
    return finish(copy, options);
  }
  const shape = shapeOf(data);
  const typed = ArrayBuffer.isView(data);
  const inferred = typed ? dtypeOfArray(data) : inferDtype(data);
  // JavaScript writes 1.0 as 1: a tensor that is to have gradients holds floats.
  const own = options.requiresGrad && !typed ? toFloating(inferred) : inferred;
  const dtype = options.dtype ?? own;
  return finish(written(make(shape, dtype, options), data), options);
};

/** As tensor(), but a tensor that already fits is returned itself. */
export const asTensor = (data: TensorData, options: TensorOptions = {}): Tensor => {
  if (!isTensor(data)) return tensor(data, options);
  return data.to({ dtype: options.dtype ?? data.dtype, device: options.device ?? data.device });
};

/** A tensor over the elements of a typed array, copied once into the device's memory. */
export const fromNumpy = (array: DataArray): Tensor => tensor(array);

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
/** As zeros(): memory is never shown unset. */
export const empty = filled('empty', 0);

/** One value in a shape; its dtype follows the value. */
export const full = (
  size: readonly number[],
  fillValue: number | bigint | boolean,
  options: TensorOptions = {},
): Tensor => {
  checkOptions('full', options, TENSOR_OPTIONS);
  const result = make(size, options.dtype ?? inferDtype(fillValue), options);
  fillWith(result, fillValue);
  return finish(result, options);
};

function like(name: string, input: Tensor, options: TensorOptions, shape?: Shape): Tensor {
  checkOptions(name, options, TENSOR_OPTIONS);
  const device = options.device ?? input.device;
  const settings = { ...options, device };
  const dtype = options.dtype ?? input.dtype;
  if (shape !== undefined) return make(shape, dtype, settings);
  checkFormat(name, options.memoryFormat);
  return make(input.shape, dtype, settings, stridesLike(input, options.memoryFormat));
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

/** Zeros of another tensor's shape, dtype and device. */
export const zerosLike = filledLike('zerosLike', 0);
/** Ones of another tensor's shape, dtype and device. */
export const onesLike = filledLike('onesLike', 1);
/** Zeros of another tensor's shape, dtype and device: memory is never shown unset. */
export const emptyLike = filledLike('emptyLike', 0);

/** One value in another tensor's shape, dtype and device. */
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

/** Zeros of a shape, with the tensor's dtype and device. */
export const newZeros = filledNew('newZeros', 0);
/** Ones of a shape, with the tensor's dtype and device. */
export const newOnes = filledNew('newOnes', 1);
/** As newZeros(). */
export const newEmpty = filledNew('newEmpty', 0);

/** One value in a shape, with the tensor's dtype and device. */
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

/** As tensor(), with the dtype of `input` unless one is given. */
export const newTensor = (input: Tensor, data: TensorData, options: TensorOptions = {}): Tensor =>
  tensor(data, { ...options, dtype: options.dtype ?? input.dtype });

/** A tensor from numbers computed here, in the dtype asked for. */
function fromNumbers(
  values: Float64Array | Int32Array,
  shape: Shape,
  dtype: Dtype,
  options: TensorOptions | undefined,
): Tensor {
  return finish(written(make(shape, dtype, options), values), options);
}

/** start, start + step, ... below end: `arange(end)`, `arange(start, end, step)`. */
export const arange = (...args: (number | boolean | (TensorOptions & ArangeOptions))[]): Tensor => {
  const last = args[args.length - 1];
  const options = isOptions(last) ? (last as TensorOptions & ArangeOptions) : {};
  checkOptions('arange', options, [...TENSOR_OPTIONS, 'start', 'end', 'step']);
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
  const integers = [start, end, step].map(Math.trunc);
  // As in PyTorch, an int64 range is between integers; the smaller ones only step by one.
  if (options.dtype === int64) [start, end, step] = integers;
  const count = Math.max(0, Math.ceil((end - start) / step));
  if (options.dtype && !options.dtype.isFloatingPoint) [start, , step] = integers;
  if (step === 0) throw new ValueError('arange: the step of an integer range is below 1');
  const dtype = options.dtype ?? inferDtype([start, end, step]);
  const values = counted('arange', count);
  for (let i = 0; i < count; i++) values[i] = start + i * step;
  // Whole numbers between two that fit are converted all at once.
  const fit = dtype === int32 && inferDtype([start, start + count * step]) === int32;
  return fromNumbers(fit ? new Int32Array(values) : values, [count], dtype, options);
};

interface ArangeOptions {
  start?: number;
  end?: number;
  step?: number;
}

/** More float32 than the CPU's heap holds. */
const MOST_NUMBERS = 2 ** 30;

/** Room for `count` numbers. */
function counted(name: string, count: number): Float64Array {
  if (count > MOST_NUMBERS) throw new ValueError(`${name}: ${count} numbers are more than fit`);
  return new Float64Array(count);
}

function steps(name: string, count: number): number {
  if (!Number.isInteger(count) || count < 0) {
    throw new ValueError(`${name}: steps is an integer >= 0, got ${showValue(count)}`);
  }
  return count;
}

/** `count` numbers from start to end, both included. */
function spaced(name: string, start: number, end: number, count: number): Float64Array {
  const step = count > 1 ? (end - start) / (count - 1) : 0;
  const values = counted(name, steps(name, count));
  // The second half counts from the end, so that the last one is exact.
  for (let i = 0; i < count; i++) {
    values[i] = i < count / 2 ? start + i * step : end - (count - 1 - i) * step;
  }
  return values;
}

/** A number as the dtype holds it: truncated by integers, rounded by the small floats. */
function held(value: number, dtype: Dtype): number {
  if (dtype === float32 || dtype === float64) return value;
  if (!dtype.isFloatingPoint) return Math.trunc(value);
  return Number(decodeElement(dtype, encodeElement(dtype, value)));
}

/** `steps` numbers from start to end, both included, evenly spaced; the default float dtype. */
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
    const values = spaced('linspace', first, last, count);
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
    let powers = spaced('logspace', first, last, count);
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
