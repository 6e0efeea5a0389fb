/** Writes PyTorch's checkpoint files: pickles, and beside them the raw storages. */

import { openSink } from '#platform';
import { Dtype } from '../core/dtype.js';
import { ValueError } from '../core/errors.js';
import { checkOptions } from '../core/options.js';
import type { Storage } from '../core/storage.js';
import { Parameter } from '../nn/parameter.js';
import { bytesSink, type Sink } from '../platform/source.js';
import { Tensor } from '../tensor.js';
import { MAGIC, PROTOCOL } from './legacy.js';
import type { SaveOptions } from './options.js';
import { Global, orderedDict, Persistent, pickle, Reduce, Tuple } from './pickle.js';
import { drain } from './pieces.js';
import { storageClasses } from './storage_names.js';
import { writeZip, type ZipEntry, zipEntry, zipSize } from './zip.js';

/** A storage that is written, under its name. */
interface Stored {
  readonly key: string;
  readonly dtype: Dtype;
}
type Storages = Map<Storage, Stored>;

/** Writes to a path, or to memory if there is none; then this gives the bytes. */
export async function writeTo(
  path: string | undefined,
  size: number,
  write: (sink: Sink) => Promise<void>,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const memory = path === undefined ? bytesSink(size) : undefined;
  const sink = memory ?? (await openSink(path as string));
  try {
    await write(sink);
    await sink.finish();
  } catch (error) {
    await sink.abort();
    throw error;
  }
  return memory?.bytes();
}

/** See index.ts. */
export async function save(
  value: unknown,
  path: string | undefined,
  options: SaveOptions,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (path !== undefined && typeof path !== 'string') {
    throw new ValueError(
      `save: the path is a text, got ${typeof path}; the order is save(value, path)`,
    );
  }
  checkOptions('save', options, ['legacy', '_useNewZipfileSerialization']);
  const { _useNewZipfileSerialization: zip = true, legacy = !zip } = options;
  return legacy ? saveLegacy(value, path) : saveZip(value, path);
}

async function saveZip(value: unknown, path: string | undefined) {
  const storages: Storages = new Map();
  const data = pickle(value, (object) => describe(object, storages, false));
  const archive = path === undefined ? 'archive' : stem(path);
  const entries: ZipEntry[] = [zipEntry(`${archive}/data.pkl`, data)];
  for (const [storage, { key }] of storages) {
    const name = `${archive}/data/${key}`;
    entries.push({ name, size: storage.bytes, pieces: () => drain(storage) });
  }
  entries.push(zipEntry(`${archive}/version`, new TextEncoder().encode('3\n')));
  return writeTo(path, zipSize(entries), (sink) => writeZip(sink, entries));
}

/** Magic number, protocol, facts of the machine, pickle, names of the storages, storages. */
async function saveLegacy(value: unknown, path: string | undefined) {
  const storages: Storages = new Map();
  const data = pickle(value, (object) => describe(object, storages, true));
  const machine = {
    protocol_version: PROTOCOL,
    little_endian: true,
    type_sizes: { short: 2, int: 4, long: 4 },
  };
  const keys = [...storages.values()].map(({ key }) => key);
  const plain = [MAGIC, PROTOCOL, machine].map((item) => pickle(item, () => undefined));
  const head = [...plain, data, pickle(keys, () => undefined)];
  const size = [...storages.keys()].reduce((sum, { bytes }) => sum + 8 + bytes, 0);
  const headSize = head.reduce((sum, { length }) => sum + length, 0);
  return writeTo(path, headSize + size, async (sink) => {
    for (const bytes of head) await sink.write(bytes);
    for (const [storage, { dtype }] of storages) {
      const count = new DataView(new ArrayBuffer(8));
      count.setBigInt64(0, BigInt(storage.bytes / dtype.size), true);
      await sink.write(new Uint8Array(count.buffer));
      for await (const piece of drain(storage)) await sink.write(piece);
    }
  });
}

/** The file name without folder and last extension: the folder inside the zip. */
function stem(path: string): string {
  const name = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
  return name.replace(/(?<=.)\.[^.]*$/, '') || 'archive';
}

/** What stands for a tensor, a parameter or a dtype. */
function describe(object: object, storages: Storages, legacy: boolean): unknown {
  if (object instanceof Dtype) return new Global('torch', object.name);
  if (!(object instanceof Tensor)) return undefined;
  if (!(object instanceof Parameter)) return describeTensor(object, storages, legacy);
  const data = describeTensor(object.detach(), storages, legacy);
  return new Reduce(
    new Global('torch._utils', '_rebuild_parameter'),
    new Tuple([data, object.requiresGrad, orderedDict]),
  );
}

/** `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)`. */
function describeTensor(tensor: Tensor, storages: Storages, legacy: boolean): Reduce {
  tensor.assertLive('save');
  const { storage_: storage, dtype } = tensor;
  const stored = storages.get(storage) ?? { key: String(storages.size), dtype };
  if (stored.dtype !== dtype) {
    throw new ValueError(
      `save: tensors of ${stored.dtype} and of ${dtype} share one storage, which PyTorch's files ` +
        'cannot hold; clone() one of them',
    );
  }
  storages.set(storage, stored);
  const id = [
    'storage',
    new Global('torch', storageClasses[dtype.name]),
    stored.key,
    'cpu',
    storage.bytes / dtype.size,
  ];
  return new Reduce(
    new Global('torch._utils', '_rebuild_tensor_v2'),
    new Tuple([
      new Persistent(new Tuple(legacy ? [...id, null] : id)),
      tensor.offset,
      new Tuple(tensor.shape),
      new Tuple(tensor.strides),
      tensor.isLeaf && tensor.requiresGrad,
      orderedDict,
    ]),
  );
}
