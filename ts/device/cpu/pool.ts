/** The threads that kernels run on. */

import { startWorker } from '#platform';
import { source } from '#worker';
import type { KernelFunction } from '../../../wasm/loader.js';
import { DeviceError } from '../../core/errors.js';
import {
  CALLER_SLEEPS,
  CONTROL_BYTES,
  EPOCH,
  FAILED,
  failureText,
  GROWTHS,
  HELPED,
  JOB_BUILD,
  JOB_CHUNKS,
  JOB_KERNEL,
  JOB_PARAMS,
  JOB_RANGE,
  JOB_THREADS,
  MOST_CHUNKS,
  offer,
  PENDING,
  READY,
  SLEEPERS,
  takeChunks,
} from './control.js';
import type { WorkerStart } from './worker.js';

export const MOST_THREADS = 64;
const STACK_BYTES = 128 * 1024;
/** Work that is worth a chunk of its own, and the most chunks per thread. */
const CHUNK_WORK = 256 * 1024;
const CHUNKS_EACH = 4;
/** How often the caller looks for the end of a job before it sleeps. */
const LOOKS = 20_000;
/** The longest sleep, in milliseconds, of a caller whose notification was missed. */
const NAP = 5;

/** A kernel as the pool names it to other threads. */
export interface PooledKernel {
  readonly run: KernelFunction;
  /** The module it comes from, and its place among that module's functions. */
  readonly build: number;
  readonly index: number;
}

/** What the pool needs of the heap. */
export interface PoolHeap {
  readonly memory: WebAssembly.Memory;
  /** The modules by `PooledKernel.build`. */
  modules(): readonly Uint8Array<ArrayBuffer>[];
  /** Where a page's workers load their program from, if not from the text in the bundle. */
  readonly workerUrl: string | undefined;
  /** Memory that is never freed. */
  reserve(bytes: number): number;
}

/** The main thread of a page may not sleep. */
function canSleep(control: Int32Array): boolean {
  try {
    return Atomics.wait(control, PENDING, -1, 0) !== 'ok';
  } catch {
    return false;
  }
}

/** Workers on one shared memory; they start with the first job and end with the program. */
export class Pool {
  /** Why workers did not start, if they did not. */
  failure: string | undefined;
  private readonly address: number;
  private readonly control: Int32Array;
  private started = 0;
  private epoch = 0;
  private maySleep: boolean | undefined;

  constructor(private readonly heap: PoolHeap) {
    this.address = heap.reserve(CONTROL_BYTES);
    this.control = new Int32Array(heap.memory.buffer, this.address, CONTROL_BYTES / 4).fill(0);
  }

  /** Workers that have begun to look for work. */
  get ready(): number {
    return Atomics.load(this.control, READY);
  }

  /** Chunks that workers have run. */
  get helped(): number {
    return Atomics.load(this.control, HELPED);
  }

  /** Whether a worker looks for work right now, so that a job costs next to nothing. */
  get awake(): boolean {
    return Atomics.load(this.control, READY) > Atomics.load(this.control, SLEEPERS);
  }

  /** Tells the workers, before the next job, that the heap has grown. */
  grew(): void {
    this.control[GROWTHS]++;
  }

  private grow(threads: number): void {
    while (this.started < threads - 1 && this.failure === undefined) {
      const start: WorkerStart = {
        memory: this.heap.memory,
        modules: this.heap.modules(),
        control: this.address,
        words: this.control.length,
        index: ++this.started,
        stack: this.heap.reserve(STACK_BYTES) + STACK_BYTES,
      };
      startWorker(this.heap.workerUrl, source, start, (reason) => {
        this.failure = reason;
      });
    }
  }

  /** Runs a kernel over a range on up to `threads` threads; `work` is as in LaunchBlock. */
  run(kernel: PooledKernel, params: number, range: number, work: number, threads: number): void {
    this.grow(threads);
    const { control } = this;
    const each = Math.max(1, Math.min(CHUNKS_EACH, Math.floor(work / (CHUNK_WORK * threads))));
    const chunks = Math.min(range, threads * each, MOST_CHUNKS);
    const epoch = ++this.epoch | 0;
    control[JOB_BUILD] = kernel.build;
    control[JOB_KERNEL] = kernel.index;
    control[JOB_PARAMS] = params;
    control[JOB_RANGE] = range;
    control[JOB_CHUNKS] = chunks;
    control[JOB_THREADS] = threads;
    Atomics.store(control, PENDING, chunks);
    offer(control, epoch, chunks);
    Atomics.store(control, EPOCH, epoch);
    // A worker beyond `threads` may be woken in place of one that has work, so all are.
    const enough = this.started < threads ? Math.min(chunks, threads) - 1 : undefined;
    if (Atomics.load(control, SLEEPERS) > 0) Atomics.notify(control, EPOCH, enough);
    const failure = takeChunks(control, epoch, 0, kernel.run);
    this.join();
    if (Atomics.exchange(control, FAILED, 0) === 1) {
      if (failure !== undefined) throw failure;
      throw new DeviceError(`cpu: a kernel failed on a worker thread: ${failureText(control)}`);
    }
  }

  private join(): void {
    const { control } = this;
    this.maySleep ??= canSleep(control);
    for (let i = 0; i < LOOKS || !this.maySleep; i++) {
      if (Atomics.load(control, PENDING) <= 0) return;
    }
    Atomics.store(control, CALLER_SLEEPS, 1);
    for (let left = 1; left > 0; ) {
      left = Atomics.load(control, PENDING);
      if (left > 0) Atomics.wait(control, PENDING, left, NAP);
    }
    Atomics.store(control, CALLER_SLEEPS, 0);
  }
}
