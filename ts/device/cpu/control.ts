/**
 * What the calling thread and the workers share: one block of 32-bit words on the heap. The caller
 * writes a job, frees its chunks and raises the epoch; everybody, the caller included, claims
 * chunks and runs them. Each thread begins with chunks of its own, so that data stay in its cache,
 * and then helps with what others have not begun: nobody waits for a thread that is still asleep.
 */

import type { KernelFunction } from '../../../wasm/loader.js';

/** Places in the block; those that threads write often have cache lines of their own. */
export const EPOCH = 0;
export const SLEEPERS = 16;
export const PENDING = 32;
export const CALLER_SLEEPS = 48;
export const JOB_BUILD = 64;
export const JOB_KERNEL = 65;
export const JOB_PARAMS = 66;
export const JOB_RANGE = 67;
export const JOB_CHUNKS = 68;
export const JOB_THREADS = 69;
/** How often the heap has grown. */
export const GROWTHS = 70;
export const READY = 80;
export const FAILED = 81;
export const HELPED = 82;
export const MESSAGE = 96;
export const MESSAGE_BYTES = 256;
const CLAIMS = 160;
export const MOST_CHUNKS = 256;
export const CONTROL_BYTES = (CLAIMS + MOST_CHUNKS) * 4;

/** Boundaries inside long ranges are multiples of this: threads share no cache line. */
const GRAIN = 64;

/** The first unit of chunk `c`. */
function bound(range: number, chunks: number, c: number): number {
  if (c === chunks) return range;
  if (range < chunks * GRAIN) return Math.floor((range * c) / chunks);
  return Math.floor(((range / GRAIN) * c) / chunks) * GRAIN;
}

/** A chunk is free under this value of its claim, and taken under the next. */
function free(epoch: number): number {
  return (epoch << 1) | 0;
}

/** Lets the chunks of a new job be claimed. */
export function offer(control: Int32Array, epoch: number, chunks: number): void {
  for (let c = 0; c < chunks; c++) Atomics.store(control, CLAIMS + c, free(epoch));
}

/**
 * Runs chunks of the job of `epoch` until none is left, beginning with those of thread `index`.
 * A claim succeeds only while that job is under way, so that the job's words are those of `epoch`
 * wherever one did. Returns what a kernel threw, or undefined.
 */
export function takeChunks(
  control: Int32Array,
  epoch: number,
  index: number,
  kernel: KernelFunction,
): unknown {
  const params = control[JOB_PARAMS] >>> 0;
  const range = control[JOB_RANGE] >>> 0;
  const chunks = control[JOB_CHUNKS];
  const first = Math.floor((index * chunks) / control[JOB_THREADS]);
  const open = free(epoch);
  let failure: unknown;
  for (let i = 0; i < chunks; i++) {
    const c = first + i < chunks ? first + i : first + i - chunks;
    if (Atomics.compareExchange(control, CLAIMS + c, open, open | 1) !== open) continue;
    try {
      kernel(params, bound(range, chunks, c), bound(range, chunks, c + 1));
    } catch (error) {
      failure ??= error;
      note(control, error);
    }
    if (index > 0) Atomics.add(control, HELPED, 1);
    const left = Atomics.sub(control, PENDING, 1);
    if (left === 1 && Atomics.load(control, CALLER_SLEEPS) === 1) Atomics.notify(control, PENDING);
  }
  return failure;
}

/** Leaves a message for the caller; of several, one stays. */
function note(control: Int32Array, error: unknown): void {
  const text = String(error).slice(0, MESSAGE_BYTES);
  for (let i = 0; i < MESSAGE_BYTES / 4; i++) {
    let word = 0;
    for (let byte = 0; byte < 4; byte++) {
      word |= (text.charCodeAt(i * 4 + byte) & 127) << (byte * 8);
    }
    control[MESSAGE + i] = word;
  }
  Atomics.store(control, FAILED, 1);
}

/** The message a failed kernel left. */
export function failureText(control: Int32Array): string {
  let text = '';
  for (let i = 0; i < MESSAGE_BYTES; i++) {
    const code = (control[MESSAGE + (i >> 2)] >> ((i & 3) * 8)) & 127;
    if (code !== 0) text += String.fromCharCode(code);
  }
  return text;
}
