/** What a checkpoint may hold: the types its pickle may name, and what they describe. */

import { type Dtype, type DtypeName, dtypes } from '../core/dtype.js';
import { ValueError } from '../core/errors.js';
import { numelOf } from '../core/layout.js';
import * as activations from '../nn/functional_activations.js';
import * as nn from '../nn/index.js';
import { Tuple } from './pickle.js';
import { storageClasses } from './storage_names.js';
import { type Budget, Callable, ClassName, ITEM_BYTES, type Meaning, Refusal } from './unpickle.js';

/** Own classes by name; null if there are to be no modules at all. */
export type Classes = Readonly<Record<string, unknown>> | null;

/** Bytes stored beside the pickle, which tensors share. */
export class StorageSpec {
  constructor(
    readonly key: string,
    readonly bytes: number,
    readonly dtype: Dtype,
    readonly location: string,
  ) {}
}

/** A storage, or in old files a part of one, as elements of a dtype. */
class StorageView {
  constructor(
    readonly storage: StorageSpec,
    readonly dtype: Dtype,
    readonly offset: number,
    readonly numel: number,
  ) {}
}

/** A tensor that is still to be made. */
export class TensorSpec {
  constructor(
    readonly storage: StorageSpec,
    readonly dtype: Dtype,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
    readonly requiresGrad: boolean,
    readonly isParameter: boolean,
  ) {}
}

/** A function of nn.functional that a module has as a field. */
export class NamedFunction {
  constructor(readonly call: unknown) {}
}

/** Stands for the hook that computes a normalised weight, an object of a class in Python. */
export class WeightNormHook {
  constructor(
    readonly name: string,
    readonly dim: number | null,
  ) {}
}

class StorageType {
  constructor(readonly dtype: Dtype) {}
}

const MOST_DIMENSIONS = 64;
/** Roughly what a tensor takes beside its storage. */
const TENSOR_BYTES = 512;

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function counts(value: unknown): readonly number[] {
  const items = value instanceof Tuple ? value.items : undefined;
  if (items === undefined || items.length > MOST_DIMENSIONS || !items.every(isCount)) {
    throw new Refusal('the shape or the strides of a tensor are no list of sizes');
  }
  return items;
}

/** `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`. */
function rebuildTensor(args: readonly unknown[], budget: Budget): TensorSpec {
  budget.spend(TENSOR_BYTES);
  const [view, start, size, steps, requiresGrad = false] = args;
  if (!(view instanceof StorageView)) throw new Refusal('a tensor has no storage');
  const shape = counts(size);
  const strides = counts(steps);
  if (!isCount(start) || shape.length !== strides.length) {
    throw new Refusal('the offset or the strides of a tensor do not fit its shape');
  }
  const empty = shape.includes(0);
  if (!Number.isSafeInteger(numelOf(shape))) throw new Refusal('a tensor has too many elements');
  const last = empty ? start : shape.reduce((sum, n, i) => sum + (n - 1) * strides[i], start + 1);
  if (!(last <= view.numel)) {
    throw new Refusal(
      `a tensor of shape [${shape.join(', ')}], strides [${strides.join(', ')}] and offset ` +
        `${start} reaches past the ${view.numel} elements of its storage`,
    );
  }
  const { storage, dtype, offset } = view;
  return new TensorSpec(
    storage,
    dtype,
    offset + start,
    shape,
    strides,
    gradients(requiresGrad, dtype),
    false,
  );
}

function gradients(on: unknown, dtype: Dtype): boolean {
  if (typeof on !== 'boolean') throw new Refusal('whether a tensor requires gradients is no flag');
  if (on && !dtype.isFloatingPoint) throw new Refusal(`a ${dtype} tensor requires gradients`);
  return on;
}

/** `_rebuild_parameter(data, requires_grad, hooks)`. */
function rebuildParameter([data, on]: readonly unknown[], budget: Budget): TensorSpec {
  budget.spend(TENSOR_BYTES);
  if (!(data instanceof TensorSpec)) throw new Refusal('a parameter has no data');
  const { storage, dtype, offset, shape, strides } = data;
  return new TensorSpec(storage, dtype, offset, shape, strides, gradients(on, dtype), true);
}

function orderedDict([items = []]: readonly unknown[], budget: Budget): Map<unknown, unknown> {
  if (items instanceof Map) {
    budget.spend(ITEM_BYTES * items.size);
    return new Map(items);
  }
  const result = new Map<unknown, unknown>();
  budget.spend(ITEM_BYTES * itemsOf(items).length);
  for (const pair of itemsOf(items)) {
    const [key, value] = itemsOf(pair);
    if (typeof key !== 'string' || key === '__proto__') {
      throw new Refusal('a dict is made of something other than pairs of a name and a value');
    }
    result.set(key, value);
  }
  return result;
}

function itemsOf(value: unknown): readonly unknown[] {
  if (value instanceof Tuple) return value.items;
  if (Array.isArray(value)) return value;
  throw new Refusal('a collection is made of something other than a list');
}

function makeSet([items = []]: readonly unknown[], budget: Budget): Set<unknown> {
  const list = itemsOf(items);
  budget.spend(ITEM_BYTES * list.length);
  if (list.some((item) => typeof item === 'object' && item !== null)) {
    throw new Refusal('a set holds something other than text, numbers and flags');
  }
  return new Set(list);
}

/** Text of which each character stands for a byte: how protocol 2 holds bytes. */
function encode([text]: readonly unknown[], budget: Budget): Uint8Array {
  if (typeof text !== 'string') throw new Refusal('bytes are not given as text');
  budget.spend(8 * text.length);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function first([value]: readonly unknown[]): unknown {
  return value;
}

/** `device('cuda', 1)`: its name. */
function device([type, index]: readonly unknown[]): unknown {
  return typeof index === 'number' ? `${type}:${index}` : type;
}

const callables: Readonly<Record<string, Callable['call']>> = {
  'torch._utils._rebuild_tensor': rebuildTensor,
  'torch._utils._rebuild_tensor_v2': rebuildTensor,
  'torch._utils._rebuild_parameter': rebuildParameter,
  'torch._utils._rebuild_parameter_with_state': rebuildParameter,
  'collections.OrderedDict': orderedDict,
  'collections.Counter': counter,
  'builtins.set': makeSet,
  'builtins.frozenset': makeSet,
  '_codecs.encode': encode,
  'torch.Size': first,
  'torch.device': device,
};

/** `Counter(dict)`: the milestones of schedulers. */
function counter([items]: readonly unknown[]): Map<unknown, unknown> {
  if (!(items instanceof Map))
    throw new Refusal('a Counter is made of something other than a dict');
  return items;
}

const globals = new Map<string, unknown>(
  Object.entries(callables).map(([name, call]) => [name, new Callable(call)]),
);
for (const [name, storage] of Object.entries(storageClasses)) {
  const dtype = dtypes[name as DtypeName];
  globals.set(`torch.${name}`, dtype);
  globals.set(`torch.${storage}`, new StorageType(dtype));
}

const functions: Readonly<Record<string, unknown>> = activations;
const WEIGHT_NORM = 'torch.nn.utils.weight_norm.WeightNorm';

/** The activation of that name: what the layers of a Transformer hold. */
function findActivation(full: string): NamedFunction | undefined {
  const name = full.match(/^torch\.(?:nn\.functional|_C\._nn)\.([a-z]\w*)$/)?.[1];
  const own = name
    ?.replace('log_sig', 'logsig')
    .replace(/_(.)/g, (_, c: string) => c.toUpperCase());
  if (own === undefined || !Object.hasOwn(functions, own)) return undefined;
  return new NamedFunction(functions[own]);
}

/** The type of that name among PyTorch's, the built-in modules' or the caller's. */
function findGlobal(module: string, name: string, classes: Classes): unknown {
  const full = `${module.replace('__builtin__', 'builtins')}.${name}`;
  const known = globals.get(full);
  if (known !== undefined || classes === null) return known;
  if (full === WEIGHT_NORM) return new ClassName(name, WeightNormHook, false);
  for (const key of [full, name]) {
    if (!Object.hasOwn(classes, key)) continue;
    if (!isModuleClass(classes[key])) {
      throw new ValueError(`load: classes.${key} is not a class that extends nn.Module`);
    }
    return new ClassName(name, classes[key], true);
  }
  const layer = /^torch\.nn\.modules\.\w+$/.test(module) && Object.hasOwn(nn, name);
  const type = layer ? (nn as Readonly<Record<string, unknown>>)[name] : undefined;
  return isModuleClass(type) ? new ClassName(name, type, false) : findActivation(full);
}

function isModuleClass(type: unknown): boolean {
  return typeof type === 'function' && type.prototype instanceof nn.Module;
}

/**
 * What a pickle's names mean. Storages it refers to are gathered in `storages`; `check` says why
 * one cannot be in the file, by throwing.
 */
export function contents(
  classes: Classes,
  storages: Map<string, StorageSpec>,
  check: (storage: StorageSpec) => void,
): Meaning {
  const persistent = (id: readonly unknown[]): unknown => {
    // Old files keep the source text of a class beside it.
    if (id[0] === 'module' && id[1] instanceof ClassName) return id[1];
    const [kind, type, key, location, numel, part = null] = id;
    if (kind !== 'storage' || !(type instanceof StorageType)) {
      throw new Refusal('it refers to something that is no storage of a known dtype');
    }
    if (typeof key !== 'string' || typeof location !== 'string' || !isCount(numel)) {
      throw new Refusal('a storage is not described by name, place and size');
    }
    const { dtype } = type;
    const bytes = numel * dtype.size;
    let storage = storages.get(key);
    if (storage === undefined) {
      storage = new StorageSpec(key, bytes, dtype, location);
      check(storage);
      storages.set(key, storage);
    }
    if (storage.bytes !== bytes) throw new Refusal(`storage '${key}' has two sizes`);
    if (part === null) return new StorageView(storage, dtype, 0, numel);
    const [, start, count] = part instanceof Tuple ? part.items : [];
    if (!isCount(start) || !isCount(count) || start + count > numel) {
      throw new Refusal(`a part of storage '${key}' lies outside it`);
    }
    return new StorageView(storage, dtype, start, count);
  };
  return { global: (module, name) => findGlobal(module, name, classes), persistent };
}
