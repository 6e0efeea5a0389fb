/** Errors that only the GPU sees, such as an index out of range: told at the next read. */

import { int32 } from '../../core/dtype.js';
import { Storage } from '../../core/storage.js';
import type { BufferRef } from '../../ops/row.js';
import type { Device } from '../device.js';

/** Status words that can wait for a read; then they are read by themselves. */
const STATUS_WORDS = 1024;

interface Check {
  readonly word: number;
  explain(value: number): Error;
}

export class Checks {
  private waiting: Check[] = [];
  private storage: Storage | undefined;
  /** What reads wait for; kept until one has, so that no error goes unheard. */
  private verdict: Promise<void> | undefined;

  constructor(
    private readonly device: Device,
    /** Copies the first bytes of a block out and zeroes them, in order with the launches. */
    private readonly take: (handle: number, bytes: number) => Promise<Uint8Array>,
  ) {}

  /** A zeroed word in which kernels leave what `defer` is to explain. */
  status(): BufferRef {
    this.storage ??= this.makeStorage();
    if (this.waiting.length === STATUS_WORDS) this.collect();
    return { storage: this.storage, offset: this.waiting.length, dtype: int32 };
  }

  private makeStorage(): Storage {
    const storage = new Storage(this.device, 4 * STATUS_WORDS);
    storage.retain();
    this.device.write(storage.handle, 0, new Uint8Array(4 * STATUS_WORDS));
    return storage;
  }

  /** Has the next read reject with what `explain` says if the word is not zero by then. */
  defer(status: BufferRef, explain: (value: number) => Error): void {
    this.waiting.push({ word: status.offset, explain });
  }

  /** Has the words of all checks so far looked at. */
  private collect(): void {
    if (this.waiting.length === 0) return;
    const checks = this.waiting;
    this.waiting = [];
    const { handle } = this.storage as Storage;
    const before = this.verdict;
    const found = this.take(handle, 4 * checks.length).then(async (bytes) => {
      await before;
      const words = new Int32Array(bytes.buffer, bytes.byteOffset, checks.length);
      const failing = checks.find(({ word }) => words[word] !== 0);
      if (failing !== undefined) throw failing.explain(words[failing.word]);
    });
    // Whoever reads next is told; without a reader nothing is unhandled.
    found.catch(() => {});
    this.verdict = found;
  }

  /** Has all checks so far looked at. Rejects, when called, with what they found, once. */
  verify(): () => Promise<void> {
    this.collect();
    const { verdict } = this;
    return async () => {
      try {
        await verdict;
      } finally {
        if (this.verdict === verdict) this.verdict = undefined;
      }
    };
  }
}
