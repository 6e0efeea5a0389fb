/** Storage: bytes on one device, shared by all views of them. */

import type { Device } from '../device/device.js';
import { type Block, blockFor } from './memory.js';

const MOST_SPARE = 64;
const spare = new Array<Storage | undefined>(MOST_SPARE);
let spares = 0;

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
  /** Whether its bytes were seen as bools and as integers: then bools may be other than 0 and 1. */
  mixesBools = false;
  /** What the device calls the first byte. */
  handle: number;
  /** None once it was released: the block may be another storage's then. */
  private block: Block | undefined;

  constructor(
    public device: Device,
    public bytes: number,
  ) {
    const size = bytes > 0 ? bytes : 1;
    this.block = blockFor(device, size);
    this.handle = this.block.take(size);
  }

  /** A new storage, in what recycle() was given if there is any. */
  static of(device: Device, bytes: number): Storage {
    if (spares === 0) return new Storage(device, bytes);
    const storage = spare[--spares] as Storage;
    // The list must not keep what is in use.
    spare[spares] = undefined;
    const size = bytes > 0 ? bytes : 1;
    storage.block = blockFor(device, size);
    storage.handle = storage.block.take(size);
    storage.device = device;
    storage.bytes = bytes;
    storage.version = 0;
    storage.lastWrite = '';
    storage.mixesBools = false;
    return storage;
  }

  /** Keeps a released storage, which nobody has any more, for the next one. */
  recycle(): void {
    if (this.block === undefined && spares < MOST_SPARE) spare[spares++] = this;
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
