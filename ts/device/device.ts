/** The contract between the operators and a device. It names no operator. */

import type { Dtype } from '../core/dtype.js';
import type { KernelDtype } from '../ops/kernel.js';
import type { BufferRef, Primitive } from '../ops/row.js';

export type DeviceType = 'cpu' | 'webgpu';

/** Bytes on a device, as a launch sees them: those of a storage. */
export interface Region {
  readonly device: Device;
  readonly handle: number;
  /** How many; 0 where it is not known, so that what lies behind is spared. */
  readonly bytes: number;
}

/** Buffers of an ordinary launch; optimiser steps have thousands. */
const FEW_BUFFERS = 16;

/**
 * A launch as data: kernel, buffers, parameters, range. One block is reused for all eager launches.
 *
 * Word `bufferWords[i]` holds the byte offset into `storages[i]`; the device turns it into an
 * address or a binding. Where `storages[i]` is undefined the operand is an immediate: the word
 * is the byte offset of its value inside this very block.
 */
export class LaunchBlock {
  kernel = '';
  readonly storages: (Region | undefined)[] = [];
  readonly bufferWords: number[] = [];
  bufferCount = 0;
  wordCount = 0;
  range = 0;
  /** Bytes of the buffers, about. */
  bytes = 0;
  /** Products of numbers in the operation this launch is part of, if they outnumber its bytes. */
  products = 0;
  /** Whether no launch of the same operation came before. */
  first = true;
  words = new Uint32Array(256);
  floats = new Float32Array(this.words.buffer);

  private readonly wide = new Float64Array(1);
  private readonly wideInt = new BigInt64Array(this.wide.buffer);
  private readonly halves = new Uint32Array(this.wide.buffer);

  begin(kernel: string): void {
    this.kernel = kernel;
    // The block must not keep the storages of a large launch from the collector.
    if (this.bufferCount > FEW_BUFFERS) this.storages.length = FEW_BUFFERS;
    this.bufferCount = 0;
    this.wordCount = 0;
    this.bytes = 0;
    this.products = 0;
    this.first = true;
  }

  /** Makes room for `count` words more than are used. */
  reserve(count: number): void {
    if (this.wordCount + count <= this.words.length) return;
    const larger = new Uint32Array(2 * (this.wordCount + count));
    larger.set(this.words);
    this.words = larger;
    this.floats = new Float32Array(larger.buffer);
  }

  /** Adds a buffer word. */
  buffer(storage: Region | undefined, byteOffset: number): void {
    this.storages[this.bufferCount] = storage;
    this.bufferWords[this.bufferCount++] = this.wordCount;
    this.words[this.wordCount++] = byteOffset;
  }

  word(value: number): void {
    this.words[this.wordCount++] = value;
  }

  /** Begins with the words of a launch that was recorded; its buffers follow by place(). */
  repeat(kernel: string, words: readonly number[]): void {
    this.begin(kernel);
    this.reserve(words.length);
    for (let i = 0; i < words.length; i++) this.words[i] = words[i];
    this.wordCount = words.length;
  }

  /** Makes word `at`, which counts from `byteOffset`, a buffer. */
  place(at: number, storage: Region, byteOffset: number): void {
    this.storages[this.bufferCount] = storage;
    this.bufferWords[this.bufferCount++] = at;
    this.words[at] += byteOffset;
  }

  float(value: number): void {
    this.floats[this.wordCount++] = value;
  }

  double(value: number): void {
    this.wide[0] = value;
    this.words[this.wordCount++] = this.halves[0];
    this.words[this.wordCount++] = this.halves[1];
  }

  long(value: bigint): void {
    this.wideInt[0] = value;
    this.words[this.wordCount++] = this.halves[0];
    this.words[this.wordCount++] = this.halves[1];
  }
}

/** What runs a primitive on a device that has kernels of another kind than the rows name. */
export type Programs = Readonly<Record<string, Program>>;

interface Program extends Pick<Primitive<never>, 'run'> {
  /** Inputs that it takes as they are stored if all have one dtype of the device's `packed`. */
  readonly packed?: readonly number[];
}

/** A device: memory, transfers and launches. Handles are numbers whose meaning is the device's. */
export interface Device {
  readonly type: DeviceType;
  /** Whether handles are addresses: handle + n names the byte n further on. */
  readonly addressable: boolean;
  /** Whether readSync() can give bytes at once. */
  readonly synchronous: boolean;
  /** Allocates `bytes` (at least 1) and returns a handle; throws OutOfMemoryError. */
  allocate(bytes: number): number;
  free(handle: number, bytes: number): void;
  /** Copies bytes in. */
  write(handle: number, byteOffset: number, source: Uint8Array): void;
  /** Copies bytes out once all launches before are done; into `into`, if the device can. */
  read(handle: number, byteOffset: number, bytes: number, into?: Uint8Array): Promise<Uint8Array>;
  /** Copies bytes out at once; throws DeviceError unless the device is `synchronous`. */
  readSync(handle: number, byteOffset: number, bytes: number): Uint8Array;
  /** One 32-bit word of a buffer, if it can be had at once. */
  readWord?(handle: number, byteOffset: number): number;
  /** The dtype a tensor of this dtype has here; throws DtypeError if there is none. */
  stored(dtype: Dtype): Dtype;
  /** Dtypes that kernels can take as they are stored, and the suffix of those kernels. */
  readonly packed?: ReadonlyMap<Dtype, KernelDtype>;
  /** Whether elementwise kernels take them in rows only, beside single elements in what is computed. */
  readonly packsRows?: boolean;
  /** The device's own programs of primitives, instead of those of the rows. */
  readonly programs?: Programs;
  /** Why the device cannot be used any more, once it cannot. */
  readonly failure?: Error;
  /** On a device that is not synchronous: a zeroed word for what kernels find wrong. */
  status?(): BufferRef;
  /** Has the next read reject with what `explain` makes of the word unless it is zero. */
  defer?(status: BufferRef, explain: (word: number) => Error): void;
  /** Runs (or records) the launch; the block may be reused as soon as this returns. */
  launch(block: LaunchBlock): void;
  /** Whether a kernel of this name is there. */
  has(kernel: string): boolean;
  /** Resolves when all launches are done. */
  synchronize(): Promise<void>;
  /** Largest number of bytes that can be live. */
  readonly limit: number;
}
