/** Dtypes: their sizes, typed arrays, categories and PyTorch's promotion rules. */

import type { KernelDtype } from '../ops/kernel.js';
import { DtypeError, ValueError } from './errors.js';

export type DtypeName =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool';

/** The dtypes arithmetic is done in; the others are cast to one of these and back. */
export type ComputeName = 'float64' | 'float32' | 'int64' | 'int32';

export type DataArray =
  | Float64Array
  | Float32Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array;

type DataArrayConstructor<A extends DataArray> = {
  new (length: number): A;
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): A;
  readonly BYTES_PER_ELEMENT: number;
};

/** Promotion looks at the category first: a float and an int of any size give the float. */
export enum Category {
  Bool = 0,
  Int = 1,
  Float = 2,
}

/** A dtype. There is one object per dtype, so `===` compares them. */
export class Dtype {
  constructor(
    readonly name: DtypeName,
    /** Bytes per element. */
    readonly size: number,
    readonly category: Category,
    /** Order inside a category; the larger one wins a promotion. */
    readonly rank: number,
    /** The word kernels know this dtype by in casts. */
    readonly code: number,
    /** Storage as a typed array; float16 and bfloat16 are held as their 16-bit patterns. */
    readonly array: DataArrayConstructor<DataArray>,
    /** Suffix of the kernels that take this dtype as it is, or undefined if it is cast first. */
    readonly suffix: KernelDtype | undefined,
    /** What arithmetic on this dtype is done in. */
    readonly computeName: ComputeName,
  ) {}

  get isFloatingPoint(): boolean {
    return this.category === Category.Float;
  }

  toString(): string {
    return `torch.${this.name}`;
  }
}

export const float64 = new Dtype('float64', 8, 2, 4, 0, Float64Array, 'f64', 'float64');
export const float32 = new Dtype('float32', 4, 2, 3, 1, Float32Array, 'f32', 'float32');
export const float16 = new Dtype('float16', 2, 2, 1, 2, Uint16Array, undefined, 'float32');
export const bfloat16 = new Dtype('bfloat16', 2, 2, 1, 3, Uint16Array, undefined, 'float32');
export const int64 = new Dtype('int64', 8, 1, 5, 4, BigInt64Array, 'i64', 'int64');
export const int32 = new Dtype('int32', 4, 1, 4, 5, Int32Array, 'i32', 'int32');
export const int16 = new Dtype('int16', 2, 1, 3, 6, Int16Array, undefined, 'int32');
export const int8 = new Dtype('int8', 1, 1, 2, 7, Int8Array, undefined, 'int32');
export const uint8 = new Dtype('uint8', 1, 1, 1, 8, Uint8Array, 'u8', 'int32');
export const bool = new Dtype('bool', 1, 0, 0, 9, Uint8Array, 'u8', 'int32');

/** Every dtype by name. */
export const dtypes: { readonly [K in DtypeName]: Dtype } = {
  float64,
  float32,
  float16,
  bfloat16,
  int64,
  int32,
  int16,
  int8,
  uint8,
  bool,
};

/** Throws unless `dtype` is one of the dtypes (and not, say, its name). */
export function assertDtype(op: string, dtype: unknown): void {
  if (dtype instanceof Dtype) return;
  throw new DtypeError(
    `${op}: a dtype is one of torch.float32, torch.int32 and so on, got ${JSON.stringify(dtype)}`,
  );
}

/** The dtype arithmetic on `dtype` is done in. */
export function computeDtype(dtype: Dtype): Dtype {
  return dtypes[dtype.computeName];
}

/** The kernel suffix of a compute dtype (or of bool and uint8). */
export function suffix(dtype: Dtype): KernelDtype {
  if (dtype.suffix === undefined) throw new DtypeError(`no kernel takes ${dtype} as it is`);
  return dtype.suffix;
}

/** PyTorch's promotion of two tensor dtypes of equal standing. */
export function promote(a: Dtype, b: Dtype): Dtype {
  if (a === b) return a;
  if (a.category !== b.category) return a.category > b.category ? a : b;
  if (a.category === Category.Float) {
    // float16 with bfloat16: neither holds the other.
    if (a.rank === b.rank) return float32;
    return a.rank > b.rank ? a : b;
  }
  // uint8 with int8: neither holds the other, int16 does.
  if (a === uint8 && b === int8) return int16;
  if (a === int8 && b === uint8) return int16;
  return a.rank > b.rank ? a : b;
}

let defaultDtype = float32;

/** The dtype of float results that no operand decides: float32, unless set otherwise. */
export function getDefaultDtype(): Dtype {
  return defaultDtype;
}

/** Sets the dtype for new float tensors. Only floating point dtypes are allowed. */
export function setDefaultDtype(dtype: Dtype): void {
  if (!dtype.isFloatingPoint) {
    throw new DtypeError(`setDefaultDtype: only floating point dtypes are allowed, got ${dtype}`);
  }
  defaultDtype = dtype;
}

/** The default float dtype for integers and bools, the dtype itself for floats. */
export function toFloating(dtype: Dtype): Dtype {
  return dtype.isFloatingPoint ? dtype : defaultDtype;
}

const scratchFloat = new Float32Array(1);
const scratchBits = new Uint32Array(scratchFloat.buffer);

/** The value of a float16 bit pattern. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The float16 bit pattern nearest to a number, ties to even. */
export function numberToHalf(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal: count units of 2^-24; a double holds this exactly, so rounding happens once.
    const units = Math.abs(scratchFloat[0]) * 2 ** 24;
    const floor = Math.floor(units);
    const rest = units - floor;
    const up = rest > 0.5 || (rest === 0.5 && floor % 2 === 1);
    return sign | (floor + (up ? 1 : 0));
  }
  const rounded = magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1);
  return sign | (rounded >>> 13);
}

/** The value of a bfloat16 bit pattern. */
export function bfloatToNumber(bits: number): number {
  scratchBits[0] = bits << 16;
  return scratchFloat[0];
}

/** The bfloat16 bit pattern nearest to a number, ties to even. */
export function numberToBfloat(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0];
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Reads one stored element as a number (or a bigint from an int64 array). */
export function decodeElement(dtype: Dtype, raw: number | bigint): number | bigint {
  if (dtype === float16) return halfToNumber(raw as number);
  if (dtype === bfloat16) return bfloatToNumber(raw as number);
  return raw;
}

/**
 * The stored form of a number or bigint: bit patterns for halves, 0 or 1 for bool, wrapped
 * integers.
 */
export function encodeElement(dtype: Dtype, value: number | bigint | boolean): number | bigint {
  if (dtype === int64) {
    if (typeof value === 'bigint') return BigInt.asIntN(64, value);
    const whole = Math.trunc(Number(value));
    return Number.isFinite(whole) ? BigInt.asIntN(64, BigInt(whole)) : -(2n ** 63n);
  }
  const number = Number(value);
  // As in C, NaN is true.
  if (dtype === bool) return number === 0 ? 0 : 1;
  if (dtype === float16) return numberToHalf(number);
  if (dtype === bfloat16) return numberToBfloat(number);
  return number;
}

/** As encodeElement(), but throws if an integer dtype does not reach to the value. */
export function encodeFitting(dtype: Dtype, value: number | bigint | boolean): number | bigint {
  if (!dtype.isFloatingPoint && dtype !== bool) {
    const end = 2 ** (8 * dtype.size - (dtype === uint8 ? 0 : 1));
    // Bytes take negative numbers, as in PyTorch: -1 is 255.
    const whole = typeof value === 'bigint' ? value : Math.trunc(Number(value));
    if (!(whole >= -end && whole < end)) {
      throw new ValueError(
        `${value} does not fit ${dtype}; give a wider dtype (the GPU has int32)`,
      );
    }
  }
  return encodeElement(dtype, value);
}
