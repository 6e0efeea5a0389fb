/** Storage: bytes on one device, shared by all views of them. */

import type { Device } from '../device/device.js';
import { freeTicket, type Ticket, track } from './memory.js';

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
  readonly ticket: Ticket;
  /** Untouched memory that lets the collector feel the weight of the bytes. */
  readonly ballast: ArrayBuffer | undefined;

  constructor(
    readonly device: Device,
    readonly bytes: number,
  ) {
    const size = Math.max(bytes, 1);
    this.ticket = { device, handle: device.allocate(size), bytes: size, freed: false };
    this.ballast = track(this, this.ticket);
  }

  get handle(): number {
    return this.ticket.handle;
  }

  get freed(): boolean {
    return this.ticket.freed;
  }

  retain(): void {
    this.references++;
  }

  /** Drops one reference; the last one gives the bytes back. */
  release(): void {
    if (--this.references === 0) freeTicket(this.ticket);
  }

  /** Notes an in-place write by the named operation. */
  written(op: string): void {
    this.version++;
    this.lastWrite = op;
  }
}
