/** NumPy's files: `.npy`, one array, and `.npz`, a zip of them. */

import type { DeviceType } from '../device/device.js';
import type { StateDict } from '../nn/module.js';
import type { Tensor } from '../tensor.js';
import type { LoadSource } from './file.js';

export interface NumpyOptions {
  /** Where the tensors go. Default: 'cpu'. */
  readonly device?: DeviceType;
}

/** Arrays by name, or without: then they are `arr_0`, `arr_1` and so on. */
export type Arrays = Readonly<StateDict> | readonly Tensor[];

/**
 * Reads a file that `numpy.save` or `numpy.savez` wrote: a tensor from `.npy`, tensors by name
 * from `.npz` (`load<Record<string, Tensor>>(...)`). The source is a path, a URL, a File, a
 * Response, a stream or bytes. Fortran order stays, as strides; big-endian numbers are turned;
 * two bytes of no type ('V2') are what bfloat16 is written as. Nothing is executed: arrays of
 * objects, texts, records and other dtypes are refused. Throws FileFormatError with file, entry
 * and byte; an archive that unpacks to more than 1032 times its size is refused.
 */
export async function load<T extends Tensor | StateDict = Tensor>(
  source: LoadSource,
  options: NumpyOptions = {},
): Promise<T> {
  return (await (await import('./numpy_file.js')).load(source, options)) as T;
}

/**
 * Writes a tensor as `numpy.save(path, tensor)`; `save(tensor)` gives the bytes. What lies in
 * Fortran order is written so.
 */
export function save(path: string, tensor: Tensor): Promise<void>;
export function save(tensor: Tensor): Promise<Uint8Array<ArrayBuffer>>;
export async function save(path: string | Tensor, tensor?: Tensor): Promise<unknown> {
  return (await import('./numpy_file.js')).save(path, tensor);
}

/** Writes tensors by name as `numpy.savez(path, tensors)`; `savez(tensors)` gives the bytes. */
export function savez(path: string, arrays: Arrays): Promise<void>;
export function savez(arrays: Arrays): Promise<Uint8Array<ArrayBuffer>>;
export async function savez(path: string | Arrays, arrays?: Arrays): Promise<unknown> {
  return (await import('./numpy_file.js')).savez('savez', path, arrays, false);
}

/** savez(), packed. */
export function savezCompressed(path: string, arrays: Arrays): Promise<void>;
export function savezCompressed(arrays: Arrays): Promise<Uint8Array<ArrayBuffer>>;
export async function savezCompressed(path: string | Arrays, arrays?: Arrays): Promise<unknown> {
  return (await import('./numpy_file.js')).savez('savezCompressed', path, arrays, true);
}
