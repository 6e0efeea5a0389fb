/** Makes tensors, modules and plain values of what a checkpoint describes: all, or none. */

import { Dtype } from '../core/dtype.js';
import { TorchError } from '../core/errors.js';
import { Geometry } from '../core/layout.js';
import type { Device } from '../device/device.js';
import { Parameter } from '../nn/parameter.js';
import { Tensor } from '../tensor.js';
import { NamedFunction, type StorageSpec, TensorSpec, WeightNormHook } from './contents.js';
import type { Pickled } from './load.js';
import { rebuildModule } from './modules.js';
import { Tuple } from './pickle.js';
import { type Elements, fill } from './pieces.js';
import { type Budget, Instance, ITEM_BYTES, Refusal } from './unpickle.js';

/** How deep values may lie in one another. */
const DEEPEST = 500;
const MODULE_BYTES = 1024;

/** The value a pickle describes, on the devices that `deviceAt` gives for the places in it. */
export async function assemble(
  pickled: Pickled,
  deviceAt: (location: string) => Device,
): Promise<unknown> {
  const { value, budget } = pickled;
  const storages = new Map<StorageSpec, Elements>();
  const tensors: Tensor[] = [];
  try {
    // A value that cannot be assembled is refused before anything is read.
    const devices = new Map<StorageSpec, Device>();
    const note = ({ storage }: TensorSpec) => {
      if (!devices.has(storage)) devices.set(storage, deviceAt(storage.location));
    };
    new Assembly(note, false, budget).value(value);
    for (const [spec, device] of devices) {
      const { bytes, dtype } = spec;
      storages.set(spec, await fill(device, { bytes, dtype, pieces: pickled.pieces(spec) }));
    }
    const make = (spec: TensorSpec) => {
      const tensor = makeTensor(spec, storages.get(spec.storage) as Elements);
      tensors.push(tensor);
      return tensor;
    };
    return new Assembly(make, true, budget).value(value);
  } catch (error) {
    for (const { storage } of storages.values()) storage.retain();
    for (const tensor of tensors) tensor.dispose();
    for (const { storage } of storages.values()) storage.release();
    if (error instanceof Refusal) return pickled.fail(error.message, 0);
    throw error;
  }
}

/** The device may hold the elements in a smaller dtype. */
function makeTensor(spec: TensorSpec, { storage, dtype }: Elements): Tensor {
  const { shape, strides, offset, requiresGrad } = spec;
  const held = dtype === spec.storage.dtype ? spec.dtype : dtype;
  const tensor = new Tensor(storage, new Geometry(shape, strides), offset, held);
  if (!spec.isParameter) return requiresGrad ? tensor.requiresGrad_() : tensor;
  const parameter = new Parameter(tensor, requiresGrad);
  tensor.dispose();
  return parameter;
}

/** One walk over a described value. What is shared in it is made once. */
class Assembly {
  private readonly made = new Map<unknown, unknown>();
  private readonly open = new Set<unknown>();

  constructor(
    private readonly make: (spec: TensorSpec) => unknown,
    /** Whether modules are made too, and not only looked at. */
    private readonly makesModules: boolean,
    private readonly budget: Budget,
  ) {}

  value(described: unknown): unknown {
    if (typeof described !== 'object' || described === null) return plain(described);
    if (this.made.has(described)) return this.made.get(described);
    if (this.open.has(described)) throw new Refusal('a value contains itself');
    if (this.open.size >= DEEPEST) {
      throw new Refusal(`values lie in one another more than ${DEEPEST} deep`);
    }
    this.open.add(described);
    const result = this.object(described);
    this.open.delete(described);
    this.made.set(described, result);
    return result;
  }

  private object(described: object): unknown {
    if (described instanceof TensorSpec) return this.make(described);
    if (Array.isArray(described)) return this.list(described);
    if (described instanceof Tuple) return this.list(described.items);
    if (described instanceof Set) return new Set(this.list([...described]));
    if (described instanceof Map) return this.dict(described);
    if (described instanceof Instance) return this.module(described);
    if (described instanceof Dtype || described instanceof Uint8Array) return described;
    if (described instanceof NamedFunction) return described.call;
    throw new Refusal('it holds a type or a storage by itself, which is no data');
  }

  private list(items: readonly unknown[]): unknown[] {
    this.budget.spend(ITEM_BYTES * items.length);
    return items.map((item) => this.value(item));
  }

  private dict(entries: ReadonlyMap<unknown, unknown>): unknown {
    this.budget.spend(ITEM_BYTES * entries.size);
    const keys = [...entries.keys()];
    const type = typeof keys[0];
    const named = (type === 'string' || type === 'number') && keys.every((k) => typeof k === type);
    if (!named && keys.length > 0) {
      return new Map([...entries].map(([key, item]) => [this.value(key), this.value(item)]));
    }
    const result: Record<string, unknown> = {};
    for (const [key, item] of entries) result[key as string] = this.value(item);
    return result;
  }

  private module({ className, fields }: Instance): unknown {
    if (fields === undefined) throw new Refusal(`a ${className.name} has no fields`);
    const values = this.value(fields) as Record<string, unknown>;
    this.budget.spend(moduleBytes(values));
    if (className.type === WeightNormHook) return weightNormHook(values);
    if (!this.makesModules) return null;
    try {
      return rebuildModule(className, values);
    } catch (error) {
      if (error instanceof TorchError) throw new Refusal(error.message);
      throw error;
    }
  }
}

function weightNormHook({ name, dim }: Readonly<Record<string, unknown>>): WeightNormHook {
  if (typeof name === 'string' && (dim === null || Number.isInteger(dim))) {
    return new WeightNormHook(name, dim as number | null);
  }
  throw new Refusal('a WeightNorm has no name or no dimension');
}

/** Roughly what a module takes, whose parts other modules may share. */
function moduleBytes(fields: Readonly<Record<string, unknown>>): number {
  const groups = [fields, fields._parameters, fields._buffers, fields._modules];
  const count = (group: unknown) => Object.keys(group ?? {}).length;
  return MODULE_BYTES + ITEM_BYTES * groups.reduce<number>((sum, group) => sum + count(group), 0);
}

function plain(value: unknown): unknown {
  if (typeof value === 'function' || typeof value === 'symbol' || value === undefined) {
    throw new Refusal('it holds a type by itself, which is no data');
  }
  return value;
}
