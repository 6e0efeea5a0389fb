/** Reads checkpoints of PyTorch before 1.6: pickles one behind another, then the storages. */

import { type Classes, contents, type StorageSpec } from './contents.js';
import type { Fail, Input } from './file.js';
import type { Pickled } from './load.js';
import { piecesOf } from './pieces.js';
import { Budget, Short, Unpickler } from './unpickle.js';

/** What such files start with. */
export const MAGIC = 0x1950a86a20f9469cfc6cn;
export const PROTOCOL = 1001;

/** Bytes that are read at first in search of the end of the pickles. */
const HEAD = 2 ** 16;

interface Head {
  readonly value: unknown;
  readonly budget: Budget;
  readonly storages: ReadonlyMap<string, StorageSpec>;
  /** Names of the storages, in the order of their bytes. */
  readonly keys: readonly unknown[];
  /** Where the bytes start. */
  readonly position: number;
}

/** Magic number, protocol, facts of the machine, pickle, names of the storages, storages. */
export async function openLegacy(input: Input, classes: Classes): Promise<Pickled> {
  const { file, fail } = input;
  const { value, budget, storages, keys, position } = await readHead(input, classes);
  const places = new Map<string, number>();
  let at = position;
  for (const key of keys) {
    const storage = storages.get(key as string);
    if (storage === undefined || places.has(storage.key)) {
      return fail('the names of the storages are not those of the tensors', at);
    }
    const end = at + 8 + storage.bytes;
    if (end > file.size) fail('it is cut off', at, storage.key);
    const count = await file.read(at, at + 8);
    const view = new DataView(count.buffer, count.byteOffset, 8);
    const numel = view.getUint32(0, true) + 2 ** 32 * view.getUint32(4, true);
    if (numel * storage.dtype.size !== storage.bytes) {
      fail('it has another size than declared for its tensors', at, storage.key);
    }
    places.set(storage.key, at + 8);
    at = end;
  }
  if (places.size !== storages.size) fail('storages of some tensors are missing', at);
  const pieces = ({ key, bytes }: StorageSpec) => {
    const start = places.get(key) as number;
    return piecesOf(file, start, start + bytes);
  };
  return { value, pieces, fail, budget };
}

/** Reads the pickles: as much of the file as they take, at most twice. */
async function readHead({ file, fail }: Input, classes: Classes): Promise<Head> {
  for (let size = Math.min(HEAD, file.size); ; ) {
    const bytes = await file.read(0, size);
    try {
      return parseHead(bytes, file.size, classes, fail);
    } catch (error) {
      if (!(error instanceof Short)) throw error;
      size = Math.min(Math.max(2 * size, error.end), file.size);
    }
  }
}

function parseHead(bytes: Uint8Array, total: number, classes: Classes, fail: Fail): Head {
  const storages = new Map<string, StorageSpec>();
  const plain = { global: () => undefined, persistent: () => undefined };
  const budget = new Budget();
  let position = 0;
  const next = (meaning = plain as ReturnType<typeof contents>, spending = new Budget()) => {
    const reader = new Unpickler(bytes, position, meaning, fail, spending, total);
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
  const meaning = contents(classes, storages, ({ bytes: size, key }) => {
    if (size > total) fail(`${size} bytes are more than the file has`, position, key);
  });
  const value = next(meaning, budget);
  const keys = next();
  if (!Array.isArray(keys)) fail('there is no list of the names of storages', position);
  return { value, budget, storages, keys, position };
}
