/** The CPU: one WebAssembly heap, compiled at the first use, and launches as calls into it. */

import { instantiate, type KernelFunction, type KernelModule } from '../../../wasm/loader.js';
import { recordLaunch } from '../../../wasm/recorder.js';
import type { Dtype } from '../../core/dtype.js';
import { DeviceError, OutOfMemoryError, ValueError } from '../../core/errors.js';
import type { Device, LaunchBlock } from '../device.js';
import { Allocator } from './allocator.js';

const PAGE = 65536;
/** Bytes kept at the start of the heap for the parameter block of the launch under way. */
const BLOCK_BYTES = 64 * 1024;
/** Growing in steps of at least this keeps the number of stale heap views small. */
const GROWTH_STEP = 16 * 1024 * 1024;
const MAXIMUM_BYTES = 4 * 1024 * 1024 * 1024 - PAGE;

interface Heap {
  readonly module: KernelModule;
  readonly kernels: Map<string, KernelFunction>;
  readonly allocator: Allocator;
  readonly blockAddress: number;
}

/** The CPU device. Nothing is compiled or allocated before the first tensor. */
export class CpuDevice implements Device {
  readonly type = 'cpu';
  readonly addressable = true;
  readonly synchronous = true;
  limit = MAXIMUM_BYTES;
  /** Called before each allocation; a test makes it throw to see every failure path. */
  beforeAllocate: ((bytes: number) => void) | undefined;
  private heap: Heap | undefined;
  private live = 0;
  private u8 = new Uint8Array(0);
  private u32 = new Uint32Array(0);

  private start(): Heap {
    const module = instantiate({ maximumPages: 65536 });
    const blockAddress = Math.ceil(module.heapBase / 64) * 64;
    const allocator = new Allocator(blockAddress + BLOCK_BYTES, (end) => this.grow(end));
    const kernels = new Map(Object.entries(module.kernels));
    this.heap = { module, kernels, allocator, blockAddress };
    this.refreshViews();
    return this.heap;
  }

  private refreshViews(): void {
    const { buffer } = (this.heap as Heap).module.memory;
    this.u8 = new Uint8Array(buffer);
    this.u32 = new Uint32Array(buffer);
  }

  private grow(end: number): boolean {
    const memory = (this.heap as Heap).module.memory;
    const have = memory.buffer.byteLength;
    if (end <= have) return true;
    if (end > MAXIMUM_BYTES) return false;
    const step = Math.min(Math.max(end - have, GROWTH_STEP, have >> 3), MAXIMUM_BYTES - have);
    for (const bytes of [step, end - have]) {
      try {
        memory.grow(Math.ceil(bytes / PAGE));
        this.refreshViews();
        return true;
      } catch (error) {
        // The engine refused this step; the smallest that would do is tried before giving up.
        if (!(error instanceof RangeError)) throw error;
      }
    }
    return false;
  }

  allocate(bytes: number): number {
    const { allocator } = this.heap ?? this.start();
    this.beforeAllocate?.(bytes);
    if (this.live + bytes > this.limit) {
      throw new OutOfMemoryError(bytes, this.live, this.limit, this.type);
    }
    const address = allocator.allocate(bytes);
    if (address < 0) throw new OutOfMemoryError(bytes, this.live, this.limit, this.type);
    this.live += bytes;
    return address;
  }

  stored(dtype: Dtype): Dtype {
    return dtype;
  }

  free(handle: number, bytes: number): void {
    this.live -= bytes;
    (this.heap as Heap).allocator.free(handle, bytes);
  }

  write(handle: number, byteOffset: number, source: Uint8Array): void {
    this.u8.set(source, handle + byteOffset);
  }

  readSync(handle: number, byteOffset: number, bytes: number): Uint8Array {
    return this.u8.slice(handle + byteOffset, handle + byteOffset + bytes);
  }

  /** One 32-bit word of a buffer, without a copy. */
  readWord(handle: number, byteOffset: number): number {
    return this.u32[(handle + byteOffset) >>> 2];
  }

  async read(handle: number, byteOffset: number, bytes: number): Promise<Uint8Array> {
    return this.readSync(handle, byteOffset, bytes);
  }

  launch(block: LaunchBlock): void {
    const heap = this.heap ?? this.start();
    const kernel = heap.kernels.get(block.kernel);
    if (kernel === undefined) throw new DeviceError(`cpu: there is no kernel '${block.kernel}'`);
    const { words, bufferWords, bufferCount, wordCount, storages } = block;
    if (wordCount * 4 > BLOCK_BYTES) {
      throw new ValueError(`cpu: '${block.kernel}' has ${wordCount} parameter words, too many`);
    }
    const base = heap.blockAddress >>> 2;
    const u32 = this.u32;
    for (let i = 0; i < wordCount; i++) u32[base + i] = words[i];
    for (let i = 0; i < bufferCount; i++) {
      const storage = storages[i];
      u32[base + bufferWords[i]] += storage === undefined ? heap.blockAddress : storage.handle;
    }
    if (recordLaunch.enabled) {
      recordLaunch(block, this.u8, () => kernel(heap.blockAddress, 0, block.range));
    } else kernel(heap.blockAddress, 0, block.range);
  }

  has(kernel: string): boolean {
    return (this.heap ?? this.start()).kernels.has(kernel);
  }

  async synchronize(): Promise<void> {}
}

export const cpu = new CpuDevice();
