/** Storage: bytes on one device, shared by all views of them. */

import type { Device } from '../device/device.js';
import { type Block, blockFor } from './memory.js';

/**
 * Bytes on one device. `references` counts the tensor handles and saved tensors that hold it:
 * at zero the bytes are given back at once. Handles that user code merely drops never count down;
 * then the collector frees the bytes when the storage object itself is unreachable.
 */
export class Storage {
  references = 0;
  /** Raised by every in-place write, so that autograd notices changed saved tensors. */
  version = 0;
  /** The last operation that wrote in place, for error messages. */
  lastWrite = '';
  /** What the device calls the first byte. */
  readonly handle: number;
  /** None once it was released: the block may be another storage's then. */
  private block: Block | undefined;

  constructor(
    readonly device: Device,
    readonly bytes: number,
  ) {
    const size = bytes > 0 ? bytes : 1;
    this.block = blockFor(device, size);
    this.handle = this.block.take(size);
  }

  get freed(): boolean {
    return this.block === undefined;
  }

  retain(): void {
    this.references++;
  }

  /** Drops one reference; the last one gives the bytes back. */
  release(): void {
    if (--this.references > 0 || this.block === undefined) return;
    const { block } = this;
    this.block = undefined;
    block.release(this.bytes > 0 ? this.bytes : 1);
  }

  /** Notes an in-place write by the named operation. */
  written(op: string): void {
    this.version++;
    this.lastWrite = op;
  }
}
