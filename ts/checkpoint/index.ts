/** Checkpoint files. What reads and writes them is loaded when it is first used. */

import type { StateDict } from '../nn/module.js';
import type { LoadSource } from './file.js';
import type { LoadOptions, SaveOptions } from './options.js';

export type { LoadSource } from './file.js';
export * as numpy from './numpy.js';
export type { LoadOptions, MapLocation, ModuleClass, SaveOptions } from './options.js';
export * as safetensors from './safetensors.js';

/**
 * Loads what `torch.save` wrote, here or in PyTorch, as a zip or in the older format: a state
 * dict (give its type for other contents: `load<Training>(path)`). Dicts become plain objects
 * (Maps if keys are neither all text nor all integers), lists and tuples arrays, None null.
 * Tensors that share a storage in the file share it here. Pickled models of built-in modules are
 * rebuilt; other classes are passed as `{ classes: { Net } }`, and their constructors do not run.
 * `mapLocation` says to which device tensors go (default: 'cpu').
 *
 * Nothing in a file is executed. Throws FileFormatError, which names file, entry and byte, for a
 * file that is damaged or asks for anything but data, and DeviceError for a device that is not
 * there; then nothing is loaded. Files are streamed; a pickle that describes more than 128 times
 * its own size (and 4 MB), and an archive that unpacks to more (and 1 MB), are refused.
 */
export async function load<T = StateDict>(
  source: LoadSource,
  options: LoadOptions = {},
): Promise<T> {
  return (await (await import('./load.js')).load(source, options)) as T;
}

/**
 * Saves tensors, numbers, strings, booleans, null, dtypes, bytes, and arrays, Sets, Maps and plain
 * objects of these (a state dict, a training checkpoint) as a file that PyTorch's `torch.load`
 * reads, with `weights_only=True` too. Views stay views, and tensors that share storage share it
 * in the file. `{ legacy: true }` writes the format from before PyTorch 1.6.
 *
 * Writes to a temporary name and renames, so that the path never holds half a file. Without a
 * path this gives the bytes. Throws ValueError for a value that a checkpoint cannot hold.
 */
export function save(value: unknown, path: string, options?: SaveOptions): Promise<void>;
export function save(
  value: unknown,
  path?: null,
  options?: SaveOptions,
): Promise<Uint8Array<ArrayBuffer>>;
export async function save(
  value: unknown,
  path?: string | null,
  options: SaveOptions = {},
): Promise<unknown> {
  return (await import('./save.js')).save(value, path ?? undefined, options);
}
