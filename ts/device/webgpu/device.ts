/**
 * The GPU as a device: launches are recorded into one open compute pass, which is submitted when
 * somebody reads, when the parameter ring is full, or when the event loop turns.
 */

import { type Dtype, float16, float32, int32, int64 } from '../../core/dtype.js';
import { DeviceError, DeviceLostError, DtypeError } from '../../core/errors.js';
import { macrotask } from '../../core/memory.js';
import type { KernelDtype } from '../../ops/kernel.js';
import type { BufferRef } from '../../ops/row.js';
import { type Device, LaunchBlock, type Programs } from '../device.js';
import { Checks } from './checks.js';
import type { Uses } from './features.js';
import { Heaps, heapOf, offsetOf } from './heaps.js';
import type { GpuKernel } from './kernel.js';
import { Parameters } from './parameters.js';
import { type Compiled, Pipelines } from './pipelines.js';
import { Readback } from './readback.js';

/** What the device is told to run: kernels by launch name, and programs of primitives. */
export interface Library {
  kernel(name: string): GpuKernel | undefined;
  /** What the texts of kernels may use, in the form for what the device has. */
  definitions(uses: Uses): ReadonlyMap<string, string>;
  readonly programs: Programs;
}

export { choose } from './features.js';

export interface DeviceOptions {
  /** Bytes tensors may use at most. */
  readonly limit: number;
  /** Bytes of the first heap. */
  readonly heapBytes: number;
  readonly uses: Uses;
}

/** Marks a buffer word that names a number in the parameters instead of a place in a heap. */
const IMMEDIATE = 0x80000000;
const MOST_GROUPS = 65535;
/** Tail words name a heap in the bits above this. */
const TAIL_SPAN = 2 ** 29;
/** Launches after which the GPU is given its work. */
const MOST_LAUNCHES = 256;

export class WebGpuDevice implements Device {
  readonly type = 'webgpu';
  readonly addressable = true;
  readonly synchronous = false;
  readonly packed = new Map<Dtype, KernelDtype>([[float16, 'f16']]);
  readonly programs: Programs;
  readonly heaps: Heaps;
  readonly pipelines: Pipelines;
  private readonly uses: Uses;
  /** Why nothing can run here any more. */
  failure: Error | undefined;
  /** Launches and submits so far, for tests and info(). */
  readonly counts = { launches: 0, submits: 0, bindGroups: 0 };
  private readonly readback: Readback;
  private readonly parameters: Parameters;
  private encoder: GPUCommandEncoder | undefined;
  private pass: GPUComputePassEncoder | undefined;
  private bound: { pipeline?: GPUComputePipeline; group?: GPUBindGroup } = {};
  private readonly groups = new Map<string | number, GPUBindGroup>();
  private readonly seen: number[] = [];
  private readonly bindings: number[] = [];
  private turn = false;
  private readonly checks = new Checks(this, (handle, bytes) => this.takeOut(handle, bytes));
  /** What to call for each promise that waits for the GPU, if there is none any more. */
  private readonly pending = new Set<(error: Error) => void>();
  private recorded = 0;
  /** Settled once the newest submit is known to be accepted or not. */
  private judged: Promise<void> = Promise.resolve();
  private readonly byName = new Map<string, Compiled>();

  constructor(
    readonly gpu: GPUDevice,
    private readonly library: Library,
    options: DeviceOptions,
  ) {
    this.programs = library.programs;
    this.uses = options.uses;
    const { maxStorageBufferBindingSize, maxBufferSize } = gpu.limits;
    // Two GiB is what the words of a parameter tail can address.
    const most = Math.min(maxStorageBufferBindingSize, maxBufferSize, 2 ** 31);
    const largest = Math.floor(most / 256) * 256;
    this.heaps = new Heaps(gpu, Math.min(options.heapBytes, largest), largest, options.limit, (e) =>
      this.fail(e),
    );
    this.pipelines = new Pipelines(gpu, library.definitions(options.uses), options.uses, (e) =>
      this.fail(e),
    );
    this.readback = new Readback(gpu);
    this.parameters = new Parameters(gpu, this.pipelines.paramsLayout);
    gpu.lost.then(({ reason, message }) => this.lose(reason, message));
    gpu.addEventListener('uncapturederror', (event) => {
      const { error } = event as GPUUncapturedErrorEvent;
      this.blame(new DeviceError(`webgpu: ${error.message}`));
    });
  }

  get limit(): number {
    return this.heaps.limit;
  }

  set limit(bytes: number) {
    this.heaps.limit = bytes;
  }

  /** Takes the device out of use: what waits is rejected, what comes throws. */
  fail(error: Error): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    this.pass = undefined;
    this.encoder = undefined;
    this.readback.reject(error);
    for (const reject of this.pending) reject(error);
    // Its memory is of no use any more.
    this.gpu.destroy();
  }

  private lose(reason: string, message: string): void {
    this.fail(
      new DeviceLostError(
        `webgpu: the device was lost (${reason}${message ? `: ${message}` : ''}); tensors on it ` +
          'are gone. Call await torch.webgpu.init() again and go on from a checkpoint',
      ),
    );
  }

  /** Fails; a kernel that does not compile, or memory that is not there, explains it better. */
  private async blame(error: Error): Promise<void> {
    await this.pipelines.judged;
    await this.heaps.judged;
    this.fail(error);
  }

  /** What `work` says, or why it never will. */
  private guard<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const settled = () => this.pending.delete(reject);
      this.pending.add(reject);
      work.then(resolve, reject).then(settled, settled);
    });
  }

  assertAlive(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  stored(dtype: Dtype): Dtype {
    if (dtype === int64) return int32;
    if (dtype.size <= 4) return dtype;
    throw new DtypeError(
      `webgpu: the GPU has no ${dtype.name}; use ${float32} (x.float()), or compute on the CPU`,
    );
  }

  allocate(bytes: number): number {
    this.assertAlive();
    return this.heaps.allocate(bytes);
  }

  free(handle: number, bytes: number): void {
    this.heaps.free(handle, bytes);
  }

  write(handle: number, byteOffset: number, source: Uint8Array): void {
    this.assertAlive();
    if (source.length === 0) return;
    const at = offsetOf(handle) + byteOffset;
    if (at % 4 !== 0 || source.length % 4 !== 0) {
      this.writeBytes(handle, byteOffset, source);
      return;
    }
    this.submit();
    const { buffer } = this.heaps.list[heapOf(handle)];
    this.gpu.queue.writeBuffer(buffer, at, source as Uint8Array<ArrayBuffer>);
  }

  /** Transfers move whole words, so single bytes come through a copy on the GPU. */
  private writeBytes(handle: number, byteOffset: number, source: Uint8Array): void {
    const padded = new Uint8Array(Math.ceil(source.length / 4) * 4);
    padded.set(source);
    const temporary = this.allocate(padded.length);
    try {
      this.write(temporary, 0, padded);
      const block = new LaunchBlock();
      block.begin('copy_b1');
      block.buffer({ device: this, handle: temporary, bytes: padded.length }, 0);
      block.buffer({ device: this, handle, bytes: 0 }, byteOffset);
      block.word(0);
      block.range = source.length;
      this.launch(block);
    } finally {
      this.free(temporary, padded.length);
    }
  }

  async read(handle: number, byteOffset: number, bytes: number): Promise<Uint8Array> {
    this.assertAlive();
    if (bytes === 0) return new Uint8Array(0);
    const verified = this.checks.verify();
    const copied = this.copyOut(handle, byteOffset, bytes);
    return this.guard(
      copied.then(async (data) => {
        await verified();
        await this.confirm();
        return data;
      }),
    );
  }

  /** Throws if anything asked of the GPU so far was refused: nothing stale is handed out. */
  private async confirm(): Promise<void> {
    await this.pipelines.judged;
    await this.heaps.judged;
    await this.judged;
    this.assertAlive();
  }

  readSync(): Uint8Array {
    throw new DeviceError(
      "reading a tensor on 'webgpu' is asynchronous: use await x.item(), await x.data() or " +
        'await x.tolist(), or bring it to the CPU first: await x.cpu()',
    );
  }

  private copyOut(handle: number, byteOffset: number, bytes: number): Promise<Uint8Array> {
    this.endPass();
    if (this.readback.idle) {
      queueMicrotask(() => {
        this.submit();
        this.readback.flush();
      });
    }
    const { buffer } = this.heaps.list[heapOf(handle)];
    return this.readback.add(this.recorder(), buffer, offsetOf(handle) + byteOffset, bytes);
  }

  /** Copies words out and leaves zeros in their place. */
  private takeOut(handle: number, bytes: number): Promise<Uint8Array> {
    const copied = this.copyOut(handle, 0, bytes);
    const { buffer } = this.heaps.list[heapOf(handle)];
    this.recorder().clearBuffer(buffer, offsetOf(handle), bytes);
    return copied;
  }

  has(kernel: string): boolean {
    return this.find(kernel) !== undefined;
  }

  async synchronize(): Promise<void> {
    this.assertAlive();
    const verified = this.checks.verify();
    this.submit();
    const done = this.gpu.queue.onSubmittedWorkDone();
    await this.guard(done.then(verified).then(() => this.confirm()));
  }

  status(): BufferRef {
    return this.checks.status();
  }

  defer(status: BufferRef, explain: (value: number) => Error): void {
    this.checks.defer(status, explain);
  }

  // --- Recording ------------------------------------------------------------------------------

  private find(name: string): Compiled | undefined {
    const known = this.byName.get(name);
    if (known !== undefined) return known;
    const kernel = this.library.kernel(name);
    if (kernel === undefined) return undefined;
    const compiled = this.pipelines.of(kernel, name.slice(name.lastIndexOf('_') + 1));
    this.byName.set(name, compiled);
    return compiled;
  }

  launch(block: LaunchBlock): void {
    this.assertAlive();
    let compiled = this.find(block.kernel);
    if (compiled === undefined) {
      throw new DeviceError(`webgpu: there is no kernel '${block.kernel}'`);
    }
    const chosen = compiled.kernel.choose?.(block, this.uses);
    if (chosen !== undefined) compiled = this.pipelines.of(chosen, compiled.suffix);
    const groups = Math.ceil(block.range / compiled.kernel.perGroup);
    const rows = Math.ceil(groups / MOST_GROUPS);
    if (rows > MOST_GROUPS) {
      throw new DeviceError(
        `webgpu: '${block.kernel}' needs ${groups} workgroups; a launch has at most ` +
          `${MOST_GROUPS} by ${MOST_GROUPS} of them`,
      );
    }
    const { parameters } = this;
    const carried = parameters.carried(compiled, block);
    if ((!carried && !parameters.fits(block)) || this.recorded >= MOST_LAUNCHES) this.submit();
    const base = parameters.write(compiled, block, carried);
    const pipeline = this.bind(compiled, block, base, carried);
    const pass = this.openPass();
    const { bound } = this;
    if (bound.pipeline !== pipeline) {
      pass.setPipeline(pipeline);
      bound.pipeline = pipeline;
    }
    const group = this.heapGroup();
    if (bound.group !== group) {
      pass.setBindGroup(0, group);
      bound.group = group;
    }
    parameters.give(pass, compiled, base);
    pass.dispatchWorkgroups(Math.min(groups, MOST_GROUPS), rows);
    this.counts.launches++;
    this.recorded++;
    this.submitLater();
  }

  /** Turns byte offsets into elements, and notes the heaps. The pipeline of the launch. */
  private bind(
    compiled: Compiled,
    block: LaunchBlock,
    base: number,
    carried: boolean,
  ): GPUComputePipeline {
    const { seen, bindings } = this;
    const { words } = this.parameters;
    const { shifts, tail } = compiled;
    const { bufferCount, bufferWords, storages } = block;
    const declared = shifts.length;
    seen.length = 0;
    bindings.length = 0;
    let key = '';
    for (let i = 0; i < bufferCount; i++) {
      const word = bufferWords[i];
      const at = base + word;
      const storage = storages[i];
      if (storage === undefined) {
        words[at] = IMMEDIATE + words[at] / 4 - tail;
        bindings.push(0);
        key += 0;
        continue;
      }
      if (storage.device !== this) {
        throw new DeviceError(`webgpu: '${block.kernel}' is given a tensor on another device`);
      }
      const heap = heapOf(storage.handle);
      let binding = seen.indexOf(heap);
      if (binding < 0) binding = seen.push(heap) - 1;
      const bytes = offsetOf(storage.handle) + words[at];
      if (i < declared) {
        words[at] = bytes / 2 ** shifts[i];
        bindings.push(binding);
        key += binding;
      } else words[at] = binding * TAIL_SPAN + bytes / 4;
    }
    if (seen.length === 0) seen.push(0);
    key += carried ? `i${seen.length}` : `/${seen.length}`;
    let pipeline = compiled.pipelines.get(key);
    if (pipeline === undefined) {
      const vectors = carried ? compiled.immediates.vectors : undefined;
      const pattern = { bindings: [...bindings], heaps: seen.length, vectors };
      pipeline = this.pipelines.make(compiled, pattern);
      compiled.pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  /** The bind group of the heaps of the launch under way. */
  private heapGroup(): GPUBindGroup {
    const { seen } = this;
    const key = seen.length === 1 ? seen[0] : seen.join();
    let group = this.groups.get(key);
    if (group === undefined) {
      group = this.gpu.createBindGroup({
        layout: this.pipelines.heapLayout(seen.length),
        entries: seen.map((heap, binding) => ({
          binding,
          resource: { buffer: this.heaps.list[heap].buffer },
        })),
      });
      this.groups.set(key, group);
      this.counts.bindGroups++;
    }
    return group;
  }

  private recorder(): GPUCommandEncoder {
    this.encoder ??= this.gpu.createCommandEncoder();
    return this.encoder;
  }

  private openPass(): GPUComputePassEncoder {
    this.pass ??= this.recorder().beginComputePass();
    return this.pass;
  }

  private endPass(): void {
    this.pass?.end();
    this.pass = undefined;
    this.bound = {};
  }

  /** Hands what was recorded to the GPU. */
  submit(): void {
    if (this.encoder === undefined || this.failure !== undefined) return;
    this.endPass();
    this.parameters.flush();
    this.gpu.pushErrorScope('validation');
    this.gpu.queue.submit([this.encoder.finish()]);
    this.judged = this.gpu.popErrorScope().then(
      (error) =>
        error === null ? undefined : this.blame(new DeviceError(`webgpu: ${error.message}`)),
      () => {},
    );
    this.encoder = undefined;
    this.recorded = 0;
    this.counts.submits++;
  }

  private submitLater(): void {
    if (this.turn) return;
    this.turn = true;
    macrotask().then(() => {
      this.turn = false;
      this.submit();
    });
  }

  /** Counters and sizes, for torch.webgpu.info(). */
  info(): DeviceFigures {
    return {
      ...this.counts,
      pipelines: this.pipelines.count,
      buffers: this.heaps.list.length + this.readback.created,
      bytes: this.heaps.liveBytes,
      reserved: this.heaps.bytes,
    };
  }

  /** Gives the GPU up; tensors on it are gone. */
  destroy(): void {
    this.submit();
    this.lose('destroyed', '');
  }
}

/** What the device has made and done so far. */
export interface DeviceFigures {
  readonly launches: number;
  readonly submits: number;
  readonly bindGroups: number;
  readonly pipelines: number;
  readonly buffers: number;
  /** Bytes of live tensors, and of the heaps they lie in. */
  readonly bytes: number;
  readonly reserved: number;
}
