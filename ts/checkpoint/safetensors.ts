/** `.safetensors` files: tensors by name and nothing else. */

import type { DeviceType } from '../device/device.js';
import type { StateDict } from '../nn/module.js';
import type { LoadSource } from './file.js';
import type { SafeFile } from './safetensors_file.js';

export type { SafeFile, SafeSlice } from './safetensors_file.js';

export interface SafeOptions {
  /** Where the tensors go. Default: 'cpu'. */
  readonly device?: DeviceType;
}

/** Texts by name that a file holds beside its tensors, such as `{ format: 'pt' }`. */
export type Metadata = Readonly<Record<string, string>>;

/**
 * All tensors of a file: a path, a URL, a File, a Response, a stream or bytes. Every rule of the
 * format is checked before anything is loaded: FileFormatError names file, tensor and byte.
 */
export async function loadFile(source: LoadSource, options: SafeOptions = {}): Promise<StateDict> {
  return (await import('./safetensors_file.js')).loadFile(source, options);
}

/** loadFile() under the name it has for bytes in Python. */
export const load = loadFile;

/**
 * Opens a file to read single tensors of it: `keys()`, `metadata()`, `getTensor(name)`,
 * `getSlice(name)`, and in the end `close()`. Only what is asked for is read.
 */
export async function safeOpen(source: LoadSource, options: SafeOptions = {}): Promise<SafeFile> {
  return (await import('./safetensors_file.js')).safeOpen(source, options);
}

/**
 * Writes tensors by name, strided ones in their logical order, to a temporary name that is then
 * renamed. Throws ValueError for tensors that share memory, as the format cannot say so: clone()
 * them, or leave all but one out.
 */
export async function saveFile(
  tensors: Readonly<StateDict>,
  path: string,
  metadata?: Metadata | null,
): Promise<void> {
  await (await import('./safetensors_file.js')).save(tensors, metadata ?? undefined, path);
}

/** The bytes that saveFile() writes. */
export async function save(
  tensors: Readonly<StateDict>,
  metadata?: Metadata | null,
): Promise<Uint8Array<ArrayBuffer>> {
  const { save: write } = await import('./safetensors_file.js');
  return (await write(tensors, metadata ?? undefined)) as Uint8Array<ArrayBuffer>;
}
