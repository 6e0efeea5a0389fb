/** Emits the launches of one call of a primitive, and frees its scratch and temporaries after. */

import { type Dtype, int32 } from '../core/dtype.js';
import { giveBack } from '../core/lend.js';
import { Storage } from '../core/storage.js';
import type { Device } from '../device/device.js';
import type { Tensor } from '../tensor.js';
import type { KernelDeclaration, KernelDtype, ParamsOf } from './kernel.js';
import { block, kernelName } from './launch.js';
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
    this.device.launch(block);
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
    return scratch;
  }

  status(): BufferRef {
    if (this.device.status !== undefined) return this.device.status();
    const word = this.scratch(1, int32);
    this.device.write(word.storage.handle, 0, ZERO);
    return word;
  }

  check(status: BufferRef, explain: (word: number) => Error): void {
    if (this.device.defer !== undefined) {
      this.device.defer(status, explain);
      return;
    }
    const { storage, offset } = status;
    const word = this.device.readWord?.(storage.handle, offset * 4) ?? this.readInts(status, 1)[0];
    if (word !== 0) throw explain(word);
  }

  get synchronous(): boolean {
    return this.device.synchronous;
  }

  readInts(buffer: BufferRef | Tensor, count: number): Int32Array {
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
