/** Writes PyTorch's checkpoint files: a zip of a pickle and of the raw storages. */

import { type Zippable, zipSync } from 'fflate';
import { writeBytes } from '#platform';
import type { DtypeName } from '../core/dtype.js';
import type { Storage } from '../core/storage.js';
import { Tensor } from '../tensor.js';
import { Global, orderedDict, Persistent, pickle, Reduce, Tuple } from './pickle.js';

/** The names of PyTorch's storage classes. */
export const storageClasses: { readonly [K in DtypeName]: string } = {
  float64: 'DoubleStorage',
  float32: 'FloatStorage',
  float16: 'HalfStorage',
  bfloat16: 'BFloat16Storage',
  int64: 'LongStorage',
  int32: 'IntStorage',
  int16: 'ShortStorage',
  int8: 'CharStorage',
  uint8: 'ByteStorage',
  bool: 'BoolStorage',
};

/** PyTorch maps files into memory and wants each storage to start at a multiple of this. */
const alignment = 64;

/** A date all entries carry, so that equal values give equal files. */
const epoch = new Date(1980, 0, 1);

/**
 * Saves tensors, numbers, strings, booleans, null, and arrays, Maps and plain objects of these (a
 * state dict, a training checkpoint) as a file that PyTorch's `torch.load` reads. Views stay views,
 * and tensors that share storage share it in the file.
 *
 * Writes to a temporary name and renames, so that the path never holds half a file. Without a
 * path only the bytes are returned. Throws ValueError for a value that a checkpoint cannot hold.
 */
export async function save(value: unknown, path?: string): Promise<Uint8Array> {
  const storages = new Map<Storage, string>();
  const data = pickle(value, (object) =>
    object instanceof Tensor ? describeTensor(object, storages) : undefined,
  );
  const archive = path === undefined ? 'archive' : stem(path);
  const entries: [string, Uint8Array][] = [[`${archive}/data.pkl`, data]];
  for (const [storage, key] of storages) {
    const bytes = await storage.device.read(storage.handle, 0, storage.bytes);
    entries.push([`${archive}/data/${key}`, bytes]);
  }
  entries.push([`${archive}/version`, new TextEncoder().encode('3\n')]);
  const file = zip(entries);
  if (path !== undefined) await writeBytes(path, file);
  return file;
}

/** The file name without folder and last extension: the folder inside the zip. */
function stem(path: string): string {
  const name = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
  return name.replace(/(?<=.)\.[^.]*$/, '') || 'archive';
}

/** `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)`. */
function describeTensor(tensor: Tensor, storages: Map<Storage, string>): Reduce {
  tensor.assertLive('save');
  const storage = tensor.storage_;
  const key = storages.get(storage) ?? String(storages.size);
  storages.set(storage, key);
  const reference = new Persistent(
    new Tuple([
      'storage',
      new Global('torch', storageClasses[tensor.dtype.name]),
      key,
      'cpu',
      storage.bytes / tensor.dtype.size,
    ]),
  );
  return new Reduce(
    new Global('torch._utils', '_rebuild_tensor_v2'),
    new Tuple([
      reference,
      tensor.offset,
      new Tuple(tensor.shape),
      new Tuple(tensor.strides),
      tensor.isLeaf && tensor.requiresGrad,
      orderedDict,
    ]),
  );
}

/** Stored entries, each padded by an extra field so that its bytes start at the alignment. */
function zip(entries: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const localHeader = 30;
  const extraHeader = 4;
  const paddingField = 0x4246;
  let offset = 0;
  const files: Zippable = {};
  for (const [name, bytes] of entries) {
    const start = offset + localHeader + new TextEncoder().encode(name).length + extraHeader;
    const padding = (alignment - (start % alignment)) % alignment;
    const extra = { [paddingField]: new Uint8Array(padding).fill(0x5a) };
    files[name] = [bytes, { level: 0, mtime: epoch, extra }];
    offset = start + padding + bytes.length;
  }
  return zipSync(files);
}
