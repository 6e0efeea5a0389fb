/** Reads PyTorch's checkpoint files. */

import { openSource } from '#platform';
import { FileFormatError, TorchError, ValueError } from '../core/errors.js';
import type { DeviceType } from '../device/device.js';
import { deviceOf } from '../device/registry.js';
import type { StateDict } from '../nn/module.js';
import { bytesSource, type Source } from '../platform/source.js';
import { assemble } from './assemble.js';
import { contents, type ModuleClass, type StorageSpec } from './contents.js';
import { Unpickler } from './unpickle.js';
import { Archive, type Fail } from './unzip.js';

/** A path (Node), a URL, a file of a page, an answer of fetch(), or bytes. */
export type LoadSource =
  | string
  | URL
  | ArrayBuffer
  | ArrayBufferView
  | Blob
  | Response
  | ReadableStream<Uint8Array>;

export interface LoadOptions {
  /** The device tensors come to, or a function from where they were ('cuda:0'). Default: 'cpu'. */
  readonly mapLocation?: DeviceType | ((location: string) => DeviceType);
  /** Own module classes of pickled models, by the names they have in Python. */
  readonly classes?: Readonly<Record<string, ModuleClass>>;
}

/** A pickle, and how the bytes of its storages are had. */
export interface Pickled {
  readonly value: unknown;
  readonly storages: ReadonlyMap<string, StorageSpec>;
  bytes(storage: StorageSpec): Promise<Uint8Array>;
  readonly fail: Fail;
}

/**
 * Loads what `torch.save` wrote, here or in PyTorch, as a zip or in the older format: a state
 * dict (give its type for other contents: `load<Training>(path)`). Dicts become plain objects
 * (Maps if keys are neither all text nor all integers), lists and tuples arrays, None null.
 * Tensors that share a storage in the file share it here. Pickled models of built-in modules are
 * rebuilt; other classes are passed as `{ classes: { Net } }`, and their constructors do not run.
 *
 * Nothing in a file is executed. Throws FileFormatError, which names entry and byte, for a file
 * that is damaged or asks for anything but data; then nothing is loaded.
 */
export async function load<T = StateDict>(
  source: LoadSource,
  { mapLocation = 'cpu', classes = {} }: LoadOptions = {},
): Promise<T> {
  const [file, name] = await open(source);
  const fail: Fail = (message, at, entry = '') => {
    const where = entry === '' ? `byte ${at}` : `entry '${entry}', byte ${at}`;
    throw new FileFormatError(`load: ${name}, ${where}: ${message}`);
  };
  try {
    const start = await file.read(0, Math.min(file.size, 512));
    const isZip = start[0] === 0x50 && start[1] === 0x4b;
    const pickled = isZip
      ? await openZip(file, classes, fail)
      : openLegacy(await readLegacy(file, start, fail), classes, fail);
    const place = typeof mapLocation === 'string' ? () => mapLocation : mapLocation;
    return (await assemble(pickled, (location) => deviceOf(place(location)))) as T;
  } finally {
    await file.close();
  }
}

/** The bytes of a source, and its name for messages. */
async function open(source: LoadSource): Promise<[Source, string]> {
  if (typeof source === 'string') return [await openSource(source), source];
  if (source instanceof URL) return open(decodeURI(source.href.replace(/^file:\/\//, '')));
  if (source instanceof ArrayBuffer) return [bytesSource(new Uint8Array(source)), 'the bytes'];
  if (ArrayBuffer.isView(source)) {
    const { buffer, byteOffset, byteLength } = source;
    return [bytesSource(new Uint8Array(buffer, byteOffset, byteLength)), 'the bytes'];
  }
  if (source instanceof Blob) {
    const read = async (start: number, end: number) =>
      new Uint8Array(await source.slice(start, end).arrayBuffer());
    const name = 'name' in source ? String(source.name) : 'the blob';
    return [{ size: source.size, read, close: async () => {} }, name];
  }
  if (source instanceof ReadableStream) return open(await new Response(source).arrayBuffer());
  if (source instanceof Response) {
    if (!source.ok) {
      throw new TorchError(`load: ${source.url}: the server answered ${source.status}`);
    }
    const bytes = new Uint8Array(await source.arrayBuffer());
    return [bytesSource(bytes), source.url || 'the response'];
  }
  throw new ValueError(
    'load: expected a path or URL, an ArrayBuffer, a typed array, a File or Blob, a Response or a ' +
      `ReadableStream, got ${source === null ? 'null' : typeof source}`,
  );
}

type Classes = Readonly<Record<string, unknown>>;

async function openZip(file: Source, classes: Classes, fail: Fail): Promise<Pickled> {
  const archive = await Archive.open(file, fail);
  const entry = archive.names.find((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (entry === undefined) {
    return fail('the archive has no entry data.pkl, so torch.save did not write it', 0);
  }
  const folder = entry.slice(0, -'data.pkl'.length);
  if (archive.size(`${folder}constants.pkl`) !== undefined) {
    fail('it is a TorchScript program; save the state dict of the model instead', 0, entry);
  }
  if (archive.size(`${folder}byteorder`) !== undefined) {
    const order = new TextDecoder().decode(await archive.read(`${folder}byteorder`));
    if (order !== 'little') fail(`its byte order is '${order}', only 'little' is read`, 0, entry);
  }
  const bytes = await archive.read(entry);
  const failHere: Fail = (message, at) => fail(message, at, entry);
  const storages = new Map<string, StorageSpec>();
  const meaning = contents(classes, storages, (storage) => {
    const name = `${folder}data/${storage.key}`;
    const size = archive.size(name);
    if (size === undefined) fail('the entry is missing', 0, name);
    if (size === storage.bytes) return;
    fail(
      `it holds ${size} bytes, but ${storage.bytes} are declared for its tensors`,
      archive.offset(name),
      name,
    );
  });
  return {
    value: new Unpickler(bytes, 0, meaning, failHere).read(),
    storages,
    bytes: (storage) => archive.read(`${folder}data/${storage.key}`),
    fail: failHere,
  };
}

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;

/** All bytes of a file that starts as the older format does. */
async function readLegacy(file: Source, start: Uint8Array, fail: Fail): Promise<Uint8Array> {
  if (start[0] === 0x80) return file.read(0, file.size);
  const tar = new TextDecoder().decode(start.subarray(257, 262)) === 'ustar';
  return fail(
    tar
      ? 'it is a tar archive of PyTorch before 0.2; load and save it again with a newer PyTorch'
      : `it is no checkpoint: it starts with neither a zip header nor a pickle${
          file.size === 0 ? ' (the file is empty)' : ''
        }`,
    0,
  );
}

/** Magic number, protocol, facts of the machine, pickle, names of the storages, storages. */
function openLegacy(bytes: Uint8Array, classes: Classes, fail: Fail): Pickled {
  const storages = new Map<string, StorageSpec>();
  const plain = { global: () => undefined, persistent: () => undefined };
  let position = 0;
  const next = (meaning = plain as ReturnType<typeof contents>): unknown => {
    const reader = new Unpickler(bytes, position, meaning, fail);
    const value = reader.read();
    position = reader.position;
    return value;
  };
  if (next() !== MAGIC) fail('it is a pickle, but not one that torch.save wrote', 0);
  if (next() !== PROTOCOL) fail(`its format is not version ${PROTOCOL}`, position);
  const machine = next();
  if (!(machine instanceof Map) || machine.get('little_endian') !== true) {
    fail("its byte order is not 'little', the only one that is read", position);
  }
  const meaning = contents(classes, storages, ({ bytes: size }) => {
    if (size > bytes.length) fail(`a storage of ${size} bytes is larger than the file`, position);
  });
  const value = next(meaning);
  const keys = next();
  const places = new Map<string, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const key of Array.isArray(keys) ? keys : []) {
    const storage = storages.get(key as string);
    if (storage === undefined || places.has(storage.key)) {
      return fail('the names of the storages are not those of the tensors', position);
    }
    const end = position + 8 + storage.bytes;
    if (end > bytes.length) fail(`storage '${storage.key}' is cut off`, position);
    const numel = Number(view.getBigInt64(position, true));
    if (numel * storage.dtype.size !== storage.bytes) {
      fail(`storage '${storage.key}' has another size than declared for its tensors`, position);
    }
    places.set(storage.key, bytes.subarray(position + 8, end));
    position = end;
  }
  if (places.size !== storages.size) fail('storages of some tensors are missing', position);
  const read = async ({ key }: StorageSpec) => places.get(key) as Uint8Array;
  return { value, storages, bytes: read, fail };
}
