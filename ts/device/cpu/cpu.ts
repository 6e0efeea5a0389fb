/** The CPU: one WebAssembly heap, compiled at the first use, and launches as calls into it. */

import { cores, environment } from '#platform';
import {
  emptyStacks,
  instantiate,
  type KernelModule,
  MAIN,
  moduleBytes,
  tileBuilds,
} from '../../../wasm/loader.js';
import { recordLaunch } from '../../../wasm/recorder.js';
import { bfloat16, type Dtype, float16, int8, int16, uint8 } from '../../core/dtype.js';
import { DeviceError, OutOfMemoryError, ValueError } from '../../core/errors.js';
import type { KernelDtype } from '../../ops/kernel.js';
import { Allocator } from '../allocator.js';
import type { Device, LaunchBlock } from '../device.js';
import { MOST_THREADS, Pool, type PooledKernel } from './pool.js';
import {
  type Choice,
  fixedChoice,
  type Kernels,
  kernelBuilds,
  PROBE_BYTES,
  Selection,
} from './tiles.js';

const PAGE = 65536;
/** Bytes kept at the start of the heap for the parameter block of the launch under way. */
const BLOCK_BYTES = 64 * 1024;
/** Growing in steps of at least this keeps the number of stale heap views small. */
const GROWTH_STEP = 16 * 1024 * 1024;
const MAXIMUM_BYTES = 4 * 1024 * 1024 * 1024 - PAGE;

/** Products from which an operation is worth the choice among the builds of the tiled kernels. */
const LARGE = 2 ** 22;

/** Milliseconds from one launch to the next that follows it. */
const RECENT = 0.2;

/** Beyond this the collector runs often enough. */
const MOST_WEIGHT = 2 ** 28;

interface Heap {
  readonly module: KernelModule;
  readonly kernels: Map<string, PooledKernel>;
  readonly allocator: Allocator;
  readonly blockAddress: number;
  /** Undefined where memory cannot be shared. */
  readonly pool: Pool | undefined;
}

/** What can be set before the first operation. */
export interface CpuSettings {
  kernels?: string | undefined;
  workerUrl?: string | undefined;
}

/** Why memory cannot be shared with workers here, or undefined. */
function unshareable(): string | undefined {
  if (globalThis.crossOriginIsolated === false) {
    return (
      'the page is not cross-origin isolated, which takes the headers ' +
      'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp'
    );
  }
  return typeof SharedArrayBuffer === 'function' ? undefined : 'there is no SharedArrayBuffer';
}

/** What is wrong with the name of a build that was asked for and cannot be had. */
export function refusal(name: string): string {
  const known = ['auto', ...kernelBuilds()];
  return known.includes(name)
    ? `this engine cannot run the kernels '${name}' (it has no relaxed SIMD); 'auto' takes the ` +
        'fastest it can'
    : `there are no kernels '${name}'; there are ${known.join(', ')}`;
}

const PACKED: ReadonlyMap<Dtype, KernelDtype> = new Map<Dtype, KernelDtype>([
  [float16, 'f32'],
  [bfloat16, 'f32'],
  [int16, 'i32'],
  [int8, 'i32'],
  [uint8, 'i32'],
]);

/** The CPU device. Nothing is compiled or allocated before the first tensor. */
export class CpuDevice implements Device {
  readonly type = 'cpu';
  readonly addressable = true;
  readonly synchronous = true;
  readonly packed = PACKED;
  readonly packsRows = true;
  limit = MAXIMUM_BYTES;
  /** Called before each allocation; a test makes it throw to see every failure path. */
  beforeAllocate: ((bytes: number) => void) | undefined;
  /**
   * Bytes or products from which threads pay: in one launch while they look for work, and in one
   * or several that follow each other when they sleep.
   */
  worth = { awake: 2 ** 17, asleep: 2 ** 22 };
  /** What users set; it counts from the first operation on. */
  settings: CpuSettings = {};
  /** Which build of the tiled kernels runs; undefined until it is measured. */
  choice: Choice | undefined;
  private selection: Selection | undefined;
  /** Whether the choice is made for good. */
  private chosen = false;
  private heap: Heap | undefined;
  private unshared: string | undefined;
  private wanted: number | undefined;
  private live = 0;
  /** Work of launches that followed each other while threads slept, and when the last began. */
  private recent = 0;
  private since = 0;
  /** Untouched memory, of which the machine gives none. */
  protected weight: ArrayBuffer | undefined;
  private u8 = new Uint8Array(0);
  private u32 = new Uint32Array(0);
  /** Whether the last kernel failed: its stack is still where it was. */
  private failed = false;

  private start(): Heap {
    this.unshared = unshareable();
    const module = this.instantiate();
    const blockAddress = Math.ceil(module.heapBase / 64) * 64;
    const allocator = new Allocator(blockAddress + BLOCK_BYTES, (end) => this.grow(end));
    const kernels = new Map<string, PooledKernel>();
    this.heap = { module, kernels, allocator, blockAddress, pool: undefined };
    this.refreshViews();
    this.weigh(module.memory.buffer.byteLength);
    this.place(module.kernels, 0);
    if (this.unshared === undefined) this.heap = { ...this.heap, pool: this.createPool(this.heap) };
    const wanted = this.settings.kernels ?? environment('ISOTORCH_KERNELS') ?? 'auto';
    if (wanted !== 'auto') this.fix(wanted);
    return this.heap;
  }

  /** Whether the kernels are compiled, so that settings come too late. */
  get started(): boolean {
    return this.heap !== undefined;
  }

  /** Threads that large launches run on. */
  get threads(): number {
    return this.reason === undefined ? (this.wanted ?? this.defaultThreads) : 1;
  }

  set threads(count: number) {
    this.wanted = count;
  }

  /** One per core. */
  readonly defaultThreads = Math.max(1, Math.min(cores(), MOST_THREADS));

  /** Workers that have started. */
  get workers(): number {
    return this.heap?.pool?.ready ?? 0;
  }

  /** Parts of launches that workers have run. */
  get helped(): number {
    return this.heap?.pool?.helped ?? 0;
  }

  /** Why there is one thread although more are wanted, or undefined. */
  get reason(): string | undefined {
    return (this.heap ? this.unshared : unshareable()) ?? this.heap?.pool?.failure;
  }

  private instantiate(): KernelModule {
    if (this.unshared === undefined) {
      try {
        return instantiate({ shared: true });
      } catch (error) {
        if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
        this.unshared = `shared memory was refused: ${error.message}`;
      }
    }
    try {
      return instantiate();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new DeviceError(
        `cpu: the engine gave no memory to WebAssembly (${error.message}). It sets address space ` +
          'aside for each module: end workers and pages that hold others, or raise the ' +
          "process's limit (ulimit -v)",
      );
    }
  }

  private createPool({ module, allocator }: Heap): Pool {
    return new Pool({
      memory: module.memory,
      workerUrl: this.settings.workerUrl,
      modules: () => [MAIN, ...tileBuilds()].map((name) => moduleBytes(name, true)),
      reserve: (bytes) => {
        const address = allocator.allocate(bytes);
        if (address < 0) throw new OutOfMemoryError(bytes, this.live, this.limit, this.type);
        return address;
      },
    });
  }

  /** Makes the kernels of a module the ones that launches run. */
  private place(kernels: Kernels, build: number): void {
    const placed = (this.heap as Heap).kernels;
    Object.entries(kernels).forEach(([name, run], index) => {
      placed.set(name, { run, build, index });
    });
  }

  private take(choice: Choice): void {
    this.choice = choice;
    this.place(choice.kernels, 1 + tileBuilds().indexOf(choice.name));
  }

  /** Takes the build of a name, which a user asked for. */
  private fix(name: string): void {
    const choice = fixedChoice(name, (this.heap as Heap).module);
    if (choice === undefined) throw new ValueError(`cpu: ${refusal(name)}`);
    this.take(choice);
    this.chosen = true;
  }

  /** Measures which build of the tiled kernels is the fastest here, as far as it is not known. */
  private choose({ allocator, module }: Heap): void {
    if (this.selection === undefined) {
      const scratch = allocator.allocate(PROBE_BYTES);
      if (scratch < 0) return;
      this.u8.fill(0, scratch, scratch + PROBE_BYTES);
      this.selection = new Selection(module, scratch);
    }
    const choice = this.selection.choose();
    if (choice) this.take(choice);
    if (!this.selection.final) return;
    this.chosen = true;
    allocator.free(this.selection.scratch, PROBE_BYTES);
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
        this.heap?.pool?.grew();
        this.weigh(memory.buffer.byteLength);
        return true;
      } catch (error) {
        // The engine refused this step; the smallest that would do is tried before giving up.
        if (!(error instanceof RangeError)) throw error;
      }
    }
    return false;
  }

  /** Has the collector feel a shared heap as it does one that is not shared. */
  private weigh(bytes: number): void {
    if (this.unshared !== undefined) return;
    try {
      this.weight = new ArrayBuffer(Math.min(bytes, MOST_WEIGHT));
    } catch {
      // Memory is short: the collector knows.
      this.weight = undefined;
    }
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

  async read(
    handle: number,
    byteOffset: number,
    bytes: number,
    into?: Uint8Array,
  ): Promise<Uint8Array> {
    if (into === undefined) return this.readSync(handle, byteOffset, bytes);
    const start = handle + byteOffset;
    into.set(this.u8.subarray(start, start + bytes));
    return into.subarray(0, bytes);
  }

  launch(block: LaunchBlock): void {
    const heap = this.heap ?? this.start();
    if (this.failed) emptyStacks();
    this.failed = false;
    // What one launch of an operation packs is packed for the tile of the others.
    if (block.products >= LARGE && block.first && !this.chosen) this.choose(heap);
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
    try {
      this.run(heap, kernel, block);
    } catch (error) {
      // JavaScript's own stack may be full, so no more is called here.
      this.failed = true;
      throw error;
    }
  }

  private run(heap: Heap, kernel: PooledKernel, block: LaunchBlock): void {
    const { range } = block;
    const { blockAddress, pool } = heap;
    const work = Math.max(block.bytes, block.products);
    if (recordLaunch.enabled) {
      recordLaunch(block, this.u8, () => kernel.run(blockAddress, 0, range));
    } else if (work < this.worth.awake || pool === undefined || this.threads === 1) {
      kernel.run(blockAddress, 0, range);
    } else if (range > 1 && (work >= this.worth.asleep || pool.awake || this.isBusy(work))) {
      pool.run(kernel, blockAddress, range, work, this.threads);
    } else kernel.run(blockAddress, 0, range);
  }

  /** Whether recent launches, none of them worth it, were worth waking threads together. */
  private isBusy(work: number): boolean {
    const now = performance.now();
    this.recent = now - this.since < RECENT ? this.recent + work : work;
    this.since = now;
    return this.recent >= this.worth.asleep;
  }

  has(kernel: string): boolean {
    return (this.heap ?? this.start()).kernels.has(kernel);
  }

  async synchronize(): Promise<void> {}
}

export const cpu = new CpuDevice();
