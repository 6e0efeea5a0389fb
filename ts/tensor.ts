/** The tensor: a storage, a layout, a dtype, and its place in the autograd graph. */

import { AutogradMeta } from './autograd/meta.js';
import type { Node } from './autograd/node.js';
import {
  bfloat16,
  bfloatToNumber,
  bool,
  type DataArray,
  type Dtype,
  float16,
  halfToNumber,
} from './core/dtype.js';
import {
  AutogradError,
  DisposedError,
  DtypeError,
  ShapeError,
  showShape,
  ValueError,
} from './core/errors.js';
import { isTensor } from './core/is_tensor.js';
import { denseStrides, Geometry, rowMajor, type Shape, sameShape } from './core/layout.js';
import { breathe, escape, note } from './core/memory.js';
import { flag, warnOnce } from './core/options.js';
import { formatTensor } from './core/print.js';
import { Storage } from './core/storage.js';
import type { Device, DeviceType } from './device/device.js';

export { isTensor };

let refreshView: (tensor: Tensor, meta: AutogradMeta) => void = () => {};

/** @internal Autograd says here how a view whose base was written in place gets its new node. */
export function setViewRefresher(refresh: typeof refreshView): void {
  refreshView = refresh;
}

const MOST_SPARE = 64;
const spare = new Array<Tensor | undefined>(MOST_SPARE);
let spares = 0;

const NO_LEAF =
  'grad: the tensor was computed from others, and backward() keeps the gradients of leaves only. ' +
  'Call retainGrad() on it before backward(), or read the grad of the leaf it was made from';

/** Nested arrays of numbers, as `tolist()` gives them. */
export type NestedArray = number | bigint | boolean | NestedArray[];

/** A multi-dimensional array with strides, on one device. */
export class Tensor {
  declare readonly isTensor: true;
  /** Whether dispose() was called. */
  disposed = false;
  /** In-place writes through this handle leave the version alone (`.data`). */
  untracked = false;
  /** @internal */
  meta: AutogradMeta | undefined = undefined;

  /** @internal Takes a reference to the storage. */
  constructor(
    public storage_: Storage,
    /** @internal */
    public geometry: Geometry,
    private start: number,
    readonly dtype: Dtype,
  ) {
    if (typeof geometry !== 'object') {
      throw new ValueError('Tensor: tensors are made with torch.tensor() or torch.FloatTensor()');
    }
    storage_.references++;
    note(this);
  }

  /** @internal As the constructor, in a handle that was recycled if there is one. */
  static of(storage: Storage, geometry: Geometry, start: number, dtype: Dtype): Tensor {
    if (spares === 0) return new Tensor(storage, geometry, start, dtype);
    const tensor = Tensor.lent(storage, geometry, start, dtype);
    note(tensor);
    return tensor;
  }

  /** @internal A handle that no scope knows of, for the library's own use until recycle(). */
  static lent(storage: Storage, geometry: Geometry, start: number, dtype: Dtype): Tensor {
    if (spares === 0) {
      const made = new Tensor(storage, geometry, start, dtype);
      escape(made);
      return made;
    }
    const tensor = spare[--spares] as Tensor;
    spare[spares] = undefined;
    storage.references++;
    tensor.disposed = false;
    tensor.untracked = false;
    tensor.meta = undefined;
    tensor.storage_ = storage;
    tensor.geometry = geometry;
    tensor.start = start;
    (tensor as { dtype: Dtype }).dtype = dtype;
    return tensor;
  }

  /**
   * @internal Disposes a handle that nobody else has, nor any scope, and keeps it for the next one:
   * then neither it nor a storage that went with it is left to the collector.
   */
  recycle(): void {
    const { storage_ } = this;
    if (!this.disposed) {
      this.disposed = true;
      storage_.release();
      if (storage_.references === 0) storage_.recycle();
      this.meta?.dispose();
    }
    // Rules may still look at the shape of what has a place in the graph.
    if (spares === MOST_SPARE || this.meta !== undefined) return;
    if (this.constructor !== Tensor || typeof this === 'function') return;
    // It must not keep the memory of others.
    this.storage_ = undefined as unknown as Storage;
    spare[spares++] = this;
  }

  // --- What it is ------------------------------------------------------------------------------

  /** The sizes of the dimensions. Tensors share the list: change a copy, `[...x.shape]`. */
  get shape(): Shape {
    return this.geometry.shape;
  }

  get strides(): readonly number[] {
    return this.geometry.strides;
  }

  /** Elements before the first one in the storage. */
  get offset(): number {
    return this.start;
  }

  get ndim(): number {
    return this.geometry.shape.length;
  }

  dim(): number {
    return this.geometry.shape.length;
  }

  numel(): number {
    return this.geometry.elements;
  }

  /** The shape, or the size of one dimension. */
  size(): Shape;
  size(dim: number): number;
  size(dim?: number): Shape | number {
    return dim === undefined ? this.shape : this.pick(this.shape, dim, 'size');
  }

  /** The strides in elements, or one of them. */
  stride(): readonly number[];
  stride(dim: number): number;
  stride(dim?: number): readonly number[] | number {
    return dim === undefined ? this.strides : this.pick(this.strides, dim, 'stride');
  }

  private pick(list: readonly number[], dim: number, op: string): number {
    const value = list[dim < 0 ? dim + list.length : dim];
    if (value === undefined) {
      throw new ShapeError(
        `${op}: dimension ${dim} is out of range for shape ${showShape(this.shape)}`,
      );
    }
    return value;
  }

  storageOffset(): number {
    return this.start;
  }

  isContiguous(): boolean {
    return this.geometry.contiguous;
  }

  get device(): DeviceType {
    return this.storage_.device.type;
  }

  elementSize(): number {
    return this.dtype.size;
  }

  isFloatingPoint(): boolean {
    return this.dtype.isFloatingPoint;
  }

  /** The bytes under the tensor: size, data pointer, and whether two tensors share them. */
  storage(): Storage {
    return this.storage_;
  }

  /** Address of the first element on its device; equal for tensors that start at one place. */
  dataPtr(): number {
    return this.storage_.handle + this.start * this.dtype.size;
  }

  // --- Memory ----------------------------------------------------------------------------------

  /** Gives this handle up; the bytes are freed with the last handle. Using it later is an error. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.storage_.release();
    this.meta?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Takes the tensor out of the open torch.scope(), so that it outlives it. Returns itself. */
  keep(): this {
    escape(this);
    return this;
  }

  /** Throws if the tensor was disposed. */
  assertLive(op: string): void {
    if (this.disposed || this.storage_.freed) {
      throw new DisposedError(
        `${op}: the tensor of shape ${showShape(this.shape)} was disposed (by dispose(), ` +
          '`using` or the end of a torch.scope()). Return it from the scope, or call keep() on ' +
          'it inside',
      );
    }
  }

  // --- Autograd --------------------------------------------------------------------------------

  /** The storage's device. @internal */
  get backend(): Device {
    return this.storage_.device;
  }

  /** Its metadata, made if there is none. @internal */
  autograd(): AutogradMeta {
    this.meta ??= new AutogradMeta();
    return this.meta;
  }

  /**
   * @internal As autograd(), of a tensor whose first metadata this may be: handles on its memory
   * may be views of it, but for `others` of them.
   */
  autogradOfBase(others: number): AutogradMeta {
    if (this.meta !== undefined) return this.meta;
    const meta = this.autograd();
    meta.views = this.storage_.references - others - Number(!this.disposed);
    return meta;
  }

  /** Whether gradients flow to this tensor. */
  get requiresGrad(): boolean {
    const meta = this.meta;
    return (
      meta !== undefined &&
      (meta.requiresGrad || meta.gradFn !== undefined || this.gradFn !== undefined)
    );
  }

  set requiresGrad(on: boolean) {
    this.requiresGrad_(on);
  }

  /** The node that computed the tensor; undefined for leaves. A changed view gets a new one. */
  get gradFn(): Node | undefined {
    const meta = this.meta;
    if (meta === undefined) return undefined;
    if (meta.base !== undefined && meta.baseVersion !== this.storage_.version)
      refreshView(this, meta);
    return meta.gradFn;
  }

  /** Asks for gradients of this leaf. Only floating point tensors can. */
  requiresGrad_(requiresGrad: boolean | { requiresGrad?: boolean } = true): this {
    this.assertLive('requiresGrad_');
    const on = flag('requiresGrad_', 'requiresGrad', requiresGrad);
    if (on && !this.dtype.isFloatingPoint) {
      throw new DtypeError(
        `requiresGrad_: only floating point tensors can require gradients, got ${this.dtype}; ` +
          'cast it with float() or double()',
      );
    }
    if (!on && this.gradFn !== undefined) {
      throw new AutogradError(
        'requiresGrad_: a tensor computed from others cannot stop requiring gradients; ' +
          'use detach() for a tensor outside the graph',
      );
    }
    if (on || this.meta !== undefined) this.autogradOfBase(0).requiresGrad = on;
    return this;
  }

  /** Whether the tensor is a start of the graph: made by the user, not by a recorded operation. */
  get isLeaf(): boolean {
    return this.gradFn === undefined;
  }

  /** The gradient accumulated by backward(), or null. */
  get grad(): Tensor | null {
    const meta = this.meta;
    if (meta?.grad === undefined) {
      if (meta?.gradFn !== undefined && !meta.retainsGrad) warnOnce(NO_LEAF);
      return null;
    }
    meta.gradSeen = true;
    return meta.grad;
  }

  set grad(value: Tensor | null) {
    if (value !== null && !isTensor(value)) {
      throw new AutogradError(`grad: expected a tensor or null, got ${String(value)}`);
    }
    if (value !== null && !sameShape(value.shape, this.shape)) {
      throw new ShapeError(
        `grad: the gradient of a tensor of shape ${showShape(this.shape)} has that shape, ` +
          `got ${showShape(value.shape)}`,
      );
    }
    if (value !== null && (value.dtype !== this.dtype || value.backend !== this.backend)) {
      throw new DtypeError(
        `grad: the gradient of a ${this.dtype} tensor on '${this.device}' has that dtype and ` +
          `device, got ${value.dtype} on '${value.device}'; use to()`,
      );
    }
    if (value === null && this.meta?.grad === undefined) return;
    const meta = this.autogradOfBase(0);
    // What nobody else can hold is freed at once.
    if (!meta.gradSeen) meta.grad?.dispose();
    meta.grad = value?.keep() ?? undefined;
    meta.gradSeen = true;
  }

  // --- Reading ---------------------------------------------------------------------------------

  /** The only element, as a number (a boolean for bool, a bigint for an int64 past 2^53). */
  async item(): Promise<number> {
    this.assertScalar('item');
    const { storage_, start, dtype } = this;
    const bytes = await storage_.device.read(storage_.handle, start * dtype.size, dtype.size);
    await breathe();
    return toScalar(dtype, bytes);
  }

  /** As item(), at once; only on the CPU. */
  itemSync(): number {
    this.assertScalar('itemSync');
    const { storage_, start, dtype } = this;
    return toScalar(
      dtype,
      storage_.device.readSync(storage_.handle, start * dtype.size, dtype.size),
    );
  }

  /** All elements in row-major order as a typed array; halves come as Float32Array. */
  async toArray(): Promise<DataArray> {
    this.assertLive('data');
    const source = this.contiguous();
    const { storage_, start, dtype } = source;
    const bytes = this.numel() * dtype.size;
    try {
      return decodeAll(
        dtype,
        await storage_.device.read(storage_.handle, start * dtype.size, bytes),
      );
    } finally {
      if (source !== this) source.dispose();
    }
  }

  /** As `await data()`, at once; only on the CPU. */
  dataSync(): DataArray {
    this.assertLive('dataSync');
    const source = this.contiguous();
    const { storage_, start, dtype } = source;
    const bytes = this.numel() * dtype.size;
    try {
      return decodeAll(dtype, storage_.device.readSync(storage_.handle, start * dtype.size, bytes));
    } finally {
      if (source !== this) source.dispose();
    }
  }

  /** The elements as nested arrays of the tensor's shape (a plain value for a 0-d tensor). */
  async tolist(): Promise<NestedArray> {
    return nest(await this.toArray(), this.dtype, this.shape);
  }

  /** As tolist(), at once; only on the CPU. */
  tolistSync(): NestedArray {
    return nest(this.dataSync(), this.dtype, this.shape);
  }

  /**
   * Both readings of PyTorch's name: `await t.data()` reads the elements, and `t.data` is the
   * tensor outside autograd over the same memory, for in-place edits: `p.data.mul_(0.9)`.
   */
  get data(): Tensor & (() => Promise<DataArray>) {
    this.assertLive('data');
    const read = () => this.toArray();
    const bare = this.bare();
    bare.untracked = true;
    Reflect.deleteProperty(read, 'length');
    Object.setPrototypeOf(read, Tensor.prototype);
    const result = Object.assign(read, bare) as unknown as Tensor & (() => Promise<DataArray>);
    // The function is the handle now: the open scope disposes it and not the tensor it is made of.
    escape(bare);
    note(result);
    return result;
  }

  /** Gives the tensor other elements, as `p.data = value` does in PyTorch; the graph stays. */
  set data(value: Tensor) {
    value.assertLive('data');
    if (value.dtype !== this.dtype || value.backend !== this.backend) {
      throw new DtypeError(
        `data: expected a ${this.dtype} tensor on '${this.device}', got ${value.dtype} on ` +
          `'${value.device}'; use to()`,
      );
    }
    value.storage_.retain();
    this.storage_.release();
    this.storage_ = value.storage_;
    this.setLayout(value.geometry, value.offset);
  }

  private assertScalar(op: string): void {
    this.assertLive(op);
    if (this.numel() !== 1) {
      throw new ShapeError(
        `${op}: only a tensor of one element is a number, got shape ${showShape(this.shape)} ` +
          `with ${this.numel()} elements. Reduce it first (mean(), sum()), index it with at(), ` +
          'or read all of it with data() or tolist()',
      );
    }
  }

  // --- Printing --------------------------------------------------------------------------------

  /** What PyTorch prints, to the character. */
  toString(): string {
    return this.describe('tensor');
  }

  /** @internal The printed form under another class name. */
  describe(prefix: string): string {
    if (this.disposed || this.storage_.freed) {
      return `${prefix}(<disposed>, size=${showShape(this.shape)})`;
    }
    const readable = this.backend.synchronous;
    return formatTensor({
      element: readable ? (position) => this.elementAt(position) : () => 0,
      contents: readable ? undefined : '...',
      shape: this.shape,
      dtype: this.dtype,
      device: this.device,
      requiresGrad: this.requiresGrad,
      gradFnName: this.gradFn?.name,
      prefix,
    });
  }

  /** The element at a row-major position; only on the CPU. */
  private elementAt(position: number): number | bigint | boolean {
    let offset = this.start;
    for (let d = this.shape.length - 1, rest = position; d >= 0; d--) {
      offset += (rest % this.shape[d]) * this.strides[d];
      rest = Math.floor(rest / this.shape[d]);
    }
    const { size } = this.dtype;
    const raw = this.storage_.device.readSync(this.storage_.handle, offset * size, size);
    const array = decodeAll(this.dtype, raw);
    return this.dtype === bool ? array[0] !== 0 : array[0];
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  /** Refuses: JSON.stringify() would write the whole memory of the device. */
  toJSON(): never {
    throw new ValueError('a tensor is no JSON: write what `await x.tolist()` gives');
  }

  // --- Layout changes made by the engine -------------------------------------------------------

  /** @internal Takes another layout in place (`t_`, `squeeze_`, `resize_`). */
  setLayout(geometry: Geometry, offset: number): void {
    this.geometry = geometry;
    this.start = offset;
  }

  /** @internal Another handle on the same elements, without autograd. */
  bare(): Tensor {
    return Tensor.of(this.storage_, this.geometry, this.start, this.dtype);
  }
}
Object.defineProperty(Tensor.prototype, 'isTensor', { value: true });

/** @internal A tensor of unset elements, row-major or with the `strides` of a dense layout. */
export function emptyTensor(
  shape: Shape,
  dtype: Dtype,
  device: Device,
  strides?: readonly number[],
): Tensor {
  const geometry = strides === undefined ? rowMajor(shape) : new Geometry(shape, strides);
  return emptyOf(geometry, dtype, device);
}

/** @internal A tensor of unset elements of a geometry without gaps. */
export function emptyOf(geometry: Geometry, dtype: Dtype, device: Device): Tensor {
  const stored = device.stored(dtype);
  const storage = Storage.of(device, geometry.elements * stored.size);
  return Tensor.of(storage, geometry, 0, stored);
}

/**
 * @internal The strides of a new tensor that lies as `x` does; undefined for row-major, which
 * `format` may ask for.
 */
export function stridesLike(x: Tensor, format?: string | null): readonly number[] | undefined {
  return x.isContiguous() || format === 'contiguousFormat'
    ? undefined
    : denseStrides(x.shape, [x.strides]);
}

function decodeAll(dtype: Dtype, bytes: Uint8Array): DataArray {
  const array = new dtype.array(bytes.buffer, bytes.byteOffset, bytes.byteLength / dtype.size);
  if (dtype === float16 || dtype === bfloat16) {
    const decode = dtype === float16 ? halfToNumber : bfloatToNumber;
    const values = new Float32Array(array.length);
    for (let i = 0; i < array.length; i++) values[i] = decode(array[i] as number);
    return values;
  }
  return array;
}

function toScalar(dtype: Dtype, bytes: Uint8Array): number {
  return toValue(dtype, decodeAll(dtype, bytes)[0]) as number;
}

function toValue(dtype: Dtype, value: number | bigint): number | bigint | boolean {
  if (dtype === bool) return value !== 0;
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  return value;
}

function nest(data: DataArray, dtype: Dtype, shape: Shape): NestedArray {
  let position = 0;
  const build = (dim: number): NestedArray =>
    dim === shape.length
      ? toValue(dtype, data[position++])
      : Array.from({ length: shape[dim] }, () => build(dim + 1));
  return build(0);
}
