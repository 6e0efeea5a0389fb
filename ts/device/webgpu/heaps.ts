/**
 * Memory of the GPU: a few large buffers, each cut by the allocator of the CPU's heap. All tensors
 * of a heap share one binding, so a launch needs no bind group of its own.
 */

import { OutOfMemoryError } from '../../core/errors.js';
import { Allocator } from '../allocator.js';
import { BufferUsage } from './flags.js';

/** A handle is the heap's number times this, plus the byte offset. */
const HEAP_SPAN = 2 ** 32;

interface Heap {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  readonly allocator: Allocator;
  used: number;
}

export class Heaps {
  readonly list: Heap[] = [];
  /** Settled once the newest heap is known to be there or not. */
  judged: Promise<void> = Promise.resolve();
  private live = 0;

  constructor(
    private readonly gpu: GPUDevice,
    private readonly first: number,
    /** The largest heap the device's limits allow. */
    readonly largest: number,
    public limit: number,
    private readonly failed: (error: Error) => void,
  ) {}

  get bytes(): number {
    return this.list.reduce((sum, heap) => sum + heap.bytes, 0);
  }

  allocate(bytes: number): number {
    if (bytes > this.largest) {
      const device = "webgpu, whose adapter binds so much at most ('maxStorageBufferBindingSize')";
      throw new OutOfMemoryError(bytes, this.live, this.largest, device);
    }
    if (this.live + bytes > this.limit) {
      throw new OutOfMemoryError(bytes, this.live, this.limit, 'webgpu');
    }
    for (let k = 0; k < this.list.length; k++) {
      const address = this.take(k, bytes);
      if (address >= 0) return address;
    }
    this.add(bytes);
    return this.take(this.list.length - 1, bytes);
  }

  private take(k: number, bytes: number): number {
    const heap = this.list[k];
    const offset = heap.allocator.allocate(bytes);
    if (offset < 0) return -1;
    heap.used += bytes;
    this.live += bytes;
    return k * HEAP_SPAN + offset;
  }

  /** A new heap, as large as all before together so that there are few of them. */
  private add(bytes: number): void {
    const wanted = Math.max(this.first, this.bytes, 2 ** Math.ceil(Math.log2(bytes + 2 ** 20)));
    const size = Math.min(wanted, this.largest);
    this.gpu.pushErrorScope('out-of-memory');
    const { STORAGE, COPY_SRC, COPY_DST } = BufferUsage;
    const buffer = this.gpu.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST });
    const live = this.live;
    this.judged = this.gpu.popErrorScope().then(
      (error) => {
        if (error !== null) this.failed(new OutOfMemoryError(size, live, live, 'webgpu'));
      },
      () => {},
    );
    const allocator = new Allocator(0, (end) => end <= size);
    this.list.push({ buffer, bytes: size, allocator, used: 0 });
  }

  free(handle: number, bytes: number): void {
    const k = Math.floor(handle / HEAP_SPAN);
    const heap = this.list[k];
    heap.allocator.free(handle - k * HEAP_SPAN, bytes);
    heap.used -= bytes;
    this.live -= bytes;
  }

  /** Bytes of live tensors. */
  get liveBytes(): number {
    return this.live;
  }

  destroy(): void {
    for (const { buffer } of this.list) buffer.destroy();
  }
}

/** The heap a handle lies in. */
export function heapOf(handle: number): number {
  return Math.floor(handle / HEAP_SPAN);
}

/** The byte offset of a handle in its heap. */
export function offsetOf(handle: number): number {
  return handle % HEAP_SPAN;
}
