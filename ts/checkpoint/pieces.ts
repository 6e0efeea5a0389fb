/** Bytes on their way between files and devices, in pieces: never a second copy of a tensor. */

import { bool, type Dtype } from '../core/dtype.js';
import { rowMajor } from '../core/layout.js';
import { Storage } from '../core/storage.js';
import type { Device } from '../device/device.js';
import { deviceOf } from '../device/registry.js';
import { to } from '../ops/convert.js';
import { contiguous } from '../ops/shape.js';
import type { Source } from '../platform/source.js';
import { Tensor } from '../tensor.js';
import { PIECE } from './file.js';

/** Bytes in order. A piece may be overwritten once the next one is asked for. */
export type Pieces = AsyncIterable<Uint8Array>;

/** Buffers that nobody uses; the collector may take them. */
const spare: WeakRef<Uint8Array>[] = [];

/** Pieces that are made in one buffer, which serves others when they are done. */
async function* inBuffer(make: (buffer: Uint8Array) => Pieces): Pieces {
  let buffer = spare.pop()?.deref();
  buffer ??= new Uint8Array(PIECE);
  try {
    yield* make(buffer);
  } finally {
    spare.push(new WeakRef(buffer));
  }
}

/** The bytes of a file from `start` to before `end`. */
export function piecesOf(source: Source, start: number, end: number): Pieces {
  return inBuffer(async function* (buffer) {
    for (let at = start; at < end; at += PIECE) {
      yield await source.read(at, Math.min(at + PIECE, end), buffer);
    }
  });
}

/** What a storage is filled with. */
export interface Content {
  readonly bytes: number;
  readonly dtype: Dtype;
  readonly pieces: Pieces;
  /** Whether the bytes of an element come in the other order. */
  readonly swapped?: boolean;
}

/** Elements in a storage, whose device may hold them in a smaller dtype. */
export interface Elements {
  readonly storage: Storage;
  readonly dtype: Dtype;
}

/** A new storage with the content. Nothing stays allocated if it cannot be read. */
export async function fill(device: Device, content: Content): Promise<Elements> {
  const { dtype } = content;
  if (device.synchronous) return { storage: await fillDirectly(device, content), dtype };
  const storage = await fillDirectly(deviceOf('cpu'), content);
  const staged = new Tensor(storage, rowMajor([content.bytes / dtype.size]), 0, dtype);
  try {
    const moved = to(staged, device.type);
    const result = { storage: moved.storage_, dtype: moved.dtype };
    // As new as a direct one: what is made of it counts, this handle no more.
    result.storage.retain();
    moved.dispose();
    result.storage.references--;
    return result;
  } finally {
    staged.dispose();
  }
}

async function fillDirectly(device: Device, content: Content): Promise<Storage> {
  const { bytes, dtype, pieces, swapped = false } = content;
  const storage = new Storage(device, bytes);
  let at = 0;
  try {
    for await (const piece of pieces) {
      const ready = dtype === bool ? flags(piece) : swapped ? swap(piece, dtype.size) : piece;
      device.write(storage.handle, at, ready);
      at += piece.length;
    }
    return storage;
  } catch (error) {
    discard(storage);
    throw error;
  }
}

/** Frees a storage that no tensor holds. */
export function discard(storage: Storage): void {
  storage.retain();
  storage.release();
}

/** Bools are 0 or 1 wherever they are computed with. */
function flags(bytes: Uint8Array): Uint8Array {
  return bytes.some((byte) => byte > 1) ? bytes.map((byte) => (byte ? 1 : 0)) : bytes;
}

/** Pieces hold whole elements. */
function swap(bytes: Uint8Array, size: number): Uint8Array {
  const result = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) result[i] = bytes[i - (i % size) + size - 1 - (i % size)];
  return result;
}

/** The bytes of a storage from `start` to before `end`. */
export function drain({ device, handle, bytes }: Storage, start = 0, end = bytes): Pieces {
  return inBuffer(async function* (buffer) {
    for (let at = start; at < end; at += PIECE) {
      yield await device.read(handle, at, Math.min(PIECE, end - at), buffer);
    }
  });
}

/** The elements of a tensor, in its logical order. */
export async function* elementsOf(tensor: Tensor): Pieces {
  const { dtype } = tensor;
  const bare = tensor.bare();
  const whole = contiguous(bare);
  try {
    const start = whole.offset * dtype.size;
    yield* drain(whole.storage_, start, start + whole.numel() * dtype.size);
  } finally {
    whole.dispose();
    bare.dispose();
  }
}

/** Bytes that come in order, some of them taken one by one first. */
export class Stream {
  private readonly pieces: AsyncIterator<Uint8Array>;
  private piece: Uint8Array = new Uint8Array(0);
  /** Bytes that were taken. */
  position = 0;

  constructor(pieces: Pieces) {
    this.pieces = pieces[Symbol.asyncIterator]();
  }

  /** The next bytes, `into.length` of them or as many as there are. */
  async take(into: Uint8Array): Promise<Uint8Array> {
    let length = 0;
    while (length < into.length) {
      if (this.piece.length === 0) {
        const { done, value } = await this.pieces.next();
        if (done) break;
        this.piece = value;
      }
      const part = this.piece.subarray(0, into.length - length);
      into.set(part, length);
      this.piece = this.piece.subarray(part.length);
      length += part.length;
    }
    this.position += length;
    return into.subarray(0, length);
  }

  /** What remains, in pieces of whole elements of any dtype. */
  async *rest(): Pieces {
    try {
      yield* inBuffer((buffer) => this.fillings(buffer));
    } finally {
      await this.close();
    }
  }

  private async *fillings(buffer: Uint8Array): Pieces {
    for (let more = true; more; ) {
      const piece = await this.take(buffer);
      more = piece.length === buffer.length;
      if (piece.length > 0) yield piece;
    }
  }

  /** Gives up what remains. */
  async close(): Promise<void> {
    await this.pieces.return?.();
  }
}
