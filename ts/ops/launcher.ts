/** Emits the launches of one call of a primitive, and frees its scratch and temporaries after. */

import { type Dtype, int32 } from '../core/dtype.js';
import { IndexError } from '../core/errors.js';
import { giveBack } from '../core/lend.js';
import { Storage } from '../core/storage.js';
import type { Device } from '../device/device.js';
import type { Tensor } from '../tensor.js';
import type { KernelDeclaration, KernelDtype, ParamsOf } from './kernel.js';
import { block, kernelName } from './launch.js';
import { type Plan, Recording } from './plans.js';
import type { BufferRef, Launcher } from './row.js';

/** A buffer as a storage and a byte offset. */
function place(buffer: Tensor | BufferRef): void {
  const storage = 'storage_' in buffer ? buffer.storage_ : buffer.storage;
  block.buffer(storage, buffer.offset * buffer.dtype.size);
  block.bytes += 'storage_' in buffer ? buffer.numel() * buffer.dtype.size : storage.bytes;
}

const ZERO = new Uint8Array(4);

/** Scratch memory of a call; the next call has the object again. */
class Scratch implements BufferRef {
  readonly offset = 0;

  constructor(
    public storage: Storage,
    public dtype: Dtype,
  ) {}
}

const MOST_SPARE = 16;
const spare = new Array<Scratch>(MOST_SPARE);
let spares = 0;

export class Launches implements Launcher {
  private readonly held: (Scratch | Tensor | undefined)[] = [];
  private count = 0;
  private first = true;
  private recording: Recording | undefined = undefined;

  private constructor(private device: Device) {}

  /** For one call, whose last word is `end()`. */
  static on(device: Device): Launches {
    const launches = idle ?? new Launches(device);
    idle = undefined;
    launches.device = device;
    launches.first = true;
    return launches;
  }

  launch<K extends KernelDeclaration>(
    name: string,
    declaration: K,
    dtype: KernelDtype,
    buffers: readonly (Tensor | BufferRef)[],
    params: ParamsOf<K> | readonly number[],
    range: number,
    products = 0,
  ): void {
    if (range === 0) {
      giveBack(buffers);
      return;
    }
    block.begin(kernelName(name, dtype));
    block.products = products;
    block.first = this.first;
    this.first = false;
    for (const buffer of buffers) place(buffer);
    if (Array.isArray(params)) {
      for (let i = 0; i < params.length; i++) block.word(params[i]);
    } else {
      const types = declaration.params;
      const values = params as Readonly<
        Record<string, number | readonly (number | Tensor | BufferRef)[]>
      >;
      for (const param in types) this.write(types[param], values[param]);
    }
    giveBack(buffers);
    block.range = range;
    this.recording?.launch(block);
    this.device.launch(block);
  }

  /** Records what is emitted until the end of the call. */
  record(inputs: readonly (Tensor | undefined)[], outputs: readonly Tensor[]): Recording {
    this.recording = new Recording(inputs, outputs);
    return this.recording;
  }

  /** Emits what was recorded, for these tensors. */
  replay(plan: Plan, inputs: readonly (Tensor | undefined)[], outputs: readonly Tensor[]): void {
    const { scratch, steps, checks } = plan;
    const before = this.count - inputs.length - outputs.length;
    for (let i = 0; i < scratch.length; i++) {
      const { count, dtype, zeroed } = scratch[i];
      if (zeroed) this.status();
      else this.scratch(count, dtype);
    }
    for (let i = 0; i < steps.length; i++) {
      const { kernel, words, bufferWords, owners, range, bytes, products, first } = steps[i];
      block.repeat(kernel, words);
      for (let k = 0; k < owners.length; k++) {
        const owner = owners[k];
        const made = owner - inputs.length;
        const t = made < 0 ? inputs[owner] : outputs[made];
        if (t !== undefined) block.place(bufferWords[k], t.storage_, t.offset * t.dtype.size);
        else block.place(bufferWords[k], (this.held[before + owner] as Scratch).storage, 0);
      }
      block.range = range;
      block.bytes = bytes;
      block.products = products;
      block.first = first;
      this.device.launch(block);
    }
    for (let i = 0; i < checks.length; i++) {
      const { name, status, index, size } = checks[i];
      const word = this.held[before + status] as Scratch;
      this.checkIndices(word, name, inputs[index] as Tensor, size);
    }
  }

  private write(type: string, value: number | readonly (number | Tensor | BufferRef)[]): void {
    if (typeof value === 'number') {
      if (type === 'f64') block.double(value);
      else if (type === 'f32') block.float(value);
      else block.word(value);
      return;
    }
    block.reserve(value.length + 1);
    block.word(value.length);
    for (const item of value) {
      if (typeof item === 'number') block.word(item);
      else place(item);
    }
  }

  scratch(count: number, dtype: Dtype): BufferRef {
    const storage = Storage.of(this.device, count * dtype.size);
    storage.retain();
    let scratch: Scratch;
    if (spares === 0) scratch = new Scratch(storage, dtype);
    else {
      scratch = spare[--spares];
      scratch.storage = storage;
      scratch.dtype = dtype;
    }
    this.hold(scratch);
    this.recording?.scratch(storage, count, dtype);
    return scratch;
  }

  status(): BufferRef {
    if (this.device.status !== undefined) return this.device.status();
    const word = this.scratch(1, int32);
    this.device.write(word.storage.handle, 0, ZERO);
    this.recording?.zeroed();
    return word;
  }

  check(status: BufferRef, explain: (word: number) => Error): void {
    if (this.recording !== undefined) this.recording.refused = true;
    if (this.device.defer !== undefined) this.device.defer(status, explain);
    else if (this.wordOf(status) !== 0) throw explain(this.wordOf(status));
  }

  private wordOf({ storage, offset }: BufferRef): number {
    const { device } = this;
    const word = device.readWord?.(storage.handle, offset * 4);
    return word ?? new Int32Array(device.readSync(storage.handle, offset * 4, 4).slice().buffer)[0];
  }

  checkIndices(status: BufferRef, name: string, index: Tensor, size: number): void {
    this.recording?.check(name, status.storage, index.storage_, size);
    if (this.device.defer !== undefined || this.wordOf(status) !== 0) {
      this.refuseIndices(status, name, index, size);
    }
  }

  private refuseIndices(status: BufferRef, name: string, index: Tensor, size: number): void {
    this.check(status, (word) => wrongIndex(this, word, name, index, size));
  }

  get synchronous(): boolean {
    return this.device.synchronous;
  }

  readInts(buffer: BufferRef | Tensor, count: number): Int32Array {
    if (this.recording !== undefined) this.recording.refused = true;
    const storage = 'storage_' in buffer ? buffer.storage_ : buffer.storage;
    const bytes = this.device.readSync(storage.handle, buffer.offset * 4, count * 4);
    return new Int32Array(bytes.buffer, bytes.byteOffset, count);
  }

  /** Has a temporary tensor freed at the end of the call. Returns it. */
  temporary(tensor: Tensor): Tensor {
    this.hold(tensor);
    return tensor;
  }

  private hold(item: Scratch | Tensor): void {
    this.held[this.count++] = item;
  }

  end(): void {
    this.recording = undefined;
    for (; this.count > 0; this.count--) {
      const item = this.held[this.count - 1];
      this.held[this.count - 1] = undefined;
      if (item instanceof Scratch) {
        item.storage.release();
        item.storage.recycle();
        if (spares < MOST_SPARE) spare[spares++] = item;
      } else item?.dispose();
    }
    idle = this;
  }
}

let idle: Launches | undefined;

/** The error for what kernels found in `index`: one more than the position. */
export function wrongIndex(
  launcher: Launcher,
  word: number,
  name: string,
  index: Tensor,
  size: number,
): IndexError {
  const position = word - 1;
  // Where reading waits, the index may be gone when the error is told.
  let value = '';
  if (launcher.synchronous) {
    const words = index.dtype.size / 4;
    const offset = (index.offset + position) * words;
    const at = { storage: index.storage_, offset, dtype: index.dtype };
    const [low, high] = launcher.readInts(at, words);
    value = ` ${high === undefined ? low : high * 2 ** 32 + (low >>> 0)}`;
  }
  return new IndexError(
    `${name}: index${value} at position ${position} is out of range for a dimension of size ` +
      `${size}; valid indices are ${size === 0 ? 'none' : `0 to ${size - 1}`}`,
  );
}
