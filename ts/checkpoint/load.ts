/** Reads PyTorch's checkpoint files. */

import { ValueError } from '../core/errors.js';
import { checkOptions, isOptions } from '../core/options.js';
import type { Device } from '../device/device.js';
import { deviceOf } from '../device/registry.js';
import { assemble } from './assemble.js';
import { type Classes, contents, type StorageSpec } from './contents.js';
import { type Fail, type Input, type LoadSource, shorten, withInput } from './file.js';
import { openLegacy } from './legacy.js';
import type { LoadOptions, MapLocation } from './options.js';
import type { Pieces } from './pieces.js';
import { Budget, Unpickler } from './unpickle.js';
import { Archive } from './unzip.js';

/** A pickle, and how the bytes of its storages are had. */
export interface Pickled {
  readonly value: unknown;
  pieces(storage: StorageSpec): Pieces;
  readonly fail: Fail;
  readonly budget: Budget;
}

/** See index.ts. */
export async function load(source: LoadSource, options: LoadOptions = {}): Promise<unknown> {
  checkOptions('load', options, ['mapLocation', 'classes', 'weightsOnly']);
  const { mapLocation, classes = {}, weightsOnly = false } = options;
  const place = placement(mapLocation ?? 'cpu');
  return withInput(source, 'load', async (input) => {
    return assemble(await openPickle(input, weightsOnly ? null : classes), place);
  });
}

/** From where tensors were to their devices. */
function placement(to: MapLocation): (location: string) => Device {
  if (typeof to === 'string') {
    const device = deviceOf(to);
    return () => device;
  }
  if (typeof to === 'function') return (location) => deviceOf(to(location) ?? 'cpu');
  if (!isOptions(to) && !(to instanceof Map)) {
    throw new ValueError(
      "load: mapLocation is a device ('cpu'), a map from where tensors were to devices " +
        `({ 'cuda:0': 'cpu' }) or a function, got ${String(to)}`,
    );
  }
  const entries: Iterable<[string, string]> = to instanceof Map ? to : Object.entries(to);
  const devices = new Map([...entries].map(([from, name]) => [from, deviceOf(name)] as const));
  return (location) => devices.get(location) ?? deviceOf('cpu');
}

async function openPickle(input: Input, classes: Classes): Promise<Pickled> {
  const { file, fail } = input;
  const start = await file.read(0, Math.min(file.size, 512));
  if (start[0] === 0x50 && start[1] === 0x4b) return openZip(input, classes);
  if (start[0] === 0x80) return openLegacy(input, classes);
  const tar = new TextDecoder().decode(start.subarray(257, 262)) === 'ustar';
  const empty = file.size === 0 ? ' (the file is empty)' : otherFormat(start);
  return fail(
    tar
      ? 'it is a tar archive of PyTorch before 0.2; load and save it again with a newer PyTorch'
      : `it is no checkpoint: it starts with neither a zip header nor a pickle${empty}`,
    0,
  );
}

/** What reads a file of another format, as a hint. */
function otherFormat(start: Uint8Array): string {
  if (start[0] === 0x93) return '; torch.numpy.load reads .npy files';
  return start[8] === 0x7b ? '; torch.safetensors.loadFile reads .safetensors files' : '';
}

/** PyTorch packs nothing; what others packed again is seldom this much smaller. */
const ARCHIVE = { ratio: 128, checksums: false };

async function openZip(input: Input, classes: Classes): Promise<Pickled> {
  const { fail } = input;
  const archive = await Archive.open(input, ARCHIVE);
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
    if (order !== 'little')
      fail(`its byte order is '${shorten(order)}', only 'little' is read`, 0, entry);
  }
  const bytes = await archive.read(entry);
  const failHere: Fail = (message, at) => fail(message, at, entry);
  const meaning = contents(classes, new Map(), (storage) => {
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
  const budget = new Budget();
  return {
    value: new Unpickler(bytes, 0, meaning, failHere, budget).read(),
    pieces: (storage) => archive.pieces(`${folder}data/${storage.key}`),
    fail: failHere,
    budget,
  };
}
