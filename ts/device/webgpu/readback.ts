/** Reading: the copies asked for in one turn share a staging buffer and one mapping. */

import { BufferUsage, MAP_MODE_READ } from './flags.js';

interface Wanted {
  /** Where the bytes lie in the staging buffer. */
  readonly start: number;
  readonly bytes: number;
  resolve(bytes: Uint8Array): void;
  reject(error: Error): void;
}

interface Batch {
  readonly staging: GPUBuffer;
  readonly wanted: Wanted[];
  used: number;
}

const LEAST_STAGING = 64 * 1024;
/** Staging buffers kept for later reads. */
const SPARE_BYTES = 64 * 1024 * 1024;

export class Readback {
  /** Batches whose copies are being recorded. */
  private open: Batch[] = [];
  private readonly waiting = new Set<Batch>();
  private readonly spare: GPUBuffer[] = [];
  private spareBytes = 0;
  /** Staging buffers made so far. */
  created = 0;

  constructor(private readonly gpu: GPUDevice) {}

  /** Whether nothing was recorded since the last flush. */
  get idle(): boolean {
    return this.open.length === 0;
  }

  /** Records the copy of `bytes` bytes of a buffer; they come after `flush`. */
  add(
    encoder: GPUCommandEncoder,
    buffer: GPUBuffer,
    offset: number,
    bytes: number,
  ): Promise<Uint8Array> {
    const from = Math.floor(offset / 4) * 4;
    const size = Math.ceil((offset + bytes) / 4) * 4 - from;
    let batch = this.open.find(({ staging, used }) => used + size <= staging.size);
    if (batch === undefined) {
      batch = { staging: this.take(size), wanted: [], used: 0 };
      this.open.push(batch);
    }
    const { staging, wanted, used } = batch;
    encoder.copyBufferToBuffer(buffer, from, staging, used, size);
    batch.used += size;
    return new Promise((resolve, reject) => {
      wanted.push({ start: used + offset - from, bytes, resolve, reject });
    });
  }

  /** Maps what was recorded (and submitted), and hands the bytes out. */
  flush(): void {
    const batches = this.open;
    this.open = [];
    for (const batch of batches) {
      this.waiting.add(batch);
      batch.staging.mapAsync(MAP_MODE_READ, 0, batch.used).then(
        () => this.deliver(batch),
        // A lost device is reported through reject(), which hands out the reason.
        () => {},
      );
    }
  }

  private deliver(batch: Batch): void {
    if (!this.waiting.delete(batch)) return;
    const { staging, wanted, used } = batch;
    const bytes = new Uint8Array(staging.getMappedRange(0, used)).slice();
    staging.unmap();
    this.give(staging);
    for (const { start, bytes: count, resolve } of wanted) {
      resolve(bytes.slice(start, start + count));
    }
  }

  private take(size: number): GPUBuffer {
    const at = this.spare.findIndex((buffer) => buffer.size >= size);
    if (at >= 0) {
      const [buffer] = this.spare.splice(at, 1);
      this.spareBytes -= buffer.size;
      return buffer;
    }
    this.created++;
    return this.gpu.createBuffer({
      size: 2 ** Math.ceil(Math.log2(Math.max(size, LEAST_STAGING))),
      usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST,
    });
  }

  private give(buffer: GPUBuffer): void {
    if (this.spareBytes + buffer.size > SPARE_BYTES) {
      buffer.destroy();
      return;
    }
    this.spareBytes += buffer.size;
    this.spare.push(buffer);
  }

  /** Rejects everything that waits. */
  reject(error: Error): void {
    for (const batch of [...this.open, ...this.waiting]) {
      for (const { reject } of batch.wanted) reject(error);
    }
    this.open = [];
    this.waiting.clear();
  }
}
