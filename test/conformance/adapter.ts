/**
 * The only place that touches the library: names are looked up when they are used, so that what is
 * absent is reported as missing instead of failing to compile.
 */

import * as library from '../../ts/index.js';
import { candidates, splitName } from './names.js';

/** A name that the library does not have. */
export class Missing extends Error {
  override readonly name = 'Missing';
}

/** What the runner needs of a tensor; everything else is looked up by name. */
export interface LooseTensor {
  readonly shape: readonly number[];
  readonly dtype: unknown;
  readonly device: string;
  readonly requiresGrad: boolean;
  grad: LooseTensor | null;
  requiresGrad_(): LooseTensor;
  detach(): LooseTensor;
  clone(): LooseTensor;
  reshape(shape: readonly number[]): LooseTensor;
  transpose(first: number, second: number): LooseTensor;
  narrow(dim: number, start: number, length: number): LooseTensor;
  select(dim: number, index: number): LooseTensor;
  at(...index: unknown[]): LooseTensor;
  to(target: unknown): LooseTensor;
  mul(other: unknown): LooseTensor;
  sum(): LooseTensor;
  add(other: unknown): LooseTensor;
  copy_(other: LooseTensor): LooseTensor;
  backward(options?: { gradient?: LooseTensor }): void;
  data(): Promise<ArrayLike<number | bigint | boolean>>;
  item(): Promise<number | bigint | boolean>;
}

/** What the runner needs of a module. */
export interface LooseModule {
  (...inputs: unknown[]): unknown;
  loadStateDict(state: Record<string, LooseTensor>): unknown;
  stateDict(): unknown;
  train(): unknown;
  eval(): unknown;
  float(): unknown;
  double(): LooseModule;
  namedParameters(): unknown;
  namedChildren(): unknown;
  parameters(): unknown;
  to(device: string): LooseModule;
  zeroGrad(): void;
}

export type Callable = (...args: unknown[]) => unknown;

const root = library as unknown as Record<string, unknown>;

/** The member of an object under a Python name, with the name that was found. */
function member(owner: unknown, name: string): { name: string; value: unknown } | undefined {
  if (owner === null || (typeof owner !== 'object' && typeof owner !== 'function')) return;
  for (const candidate of candidates(name)) {
    const value = (owner as Record<string, unknown>)[candidate];
    if (value !== undefined) return { name: candidate, value };
  }
  return undefined;
}

/** What a dotted Python name below `torch` stands for, or undefined. */
export function lookup(name: string): unknown {
  const { path, last } = splitName(name);
  let owner: unknown = root;
  for (const part of path) owner = member(owner, part)?.value;
  return member(owner, last)?.value;
}

/** A function below `torch` by its dotted Python name, called with its owner as `this`. */
export function findFunction(name: string): Callable | undefined {
  const { path, last } = splitName(name);
  const owner = path.length === 0 ? root : lookup(path.join('.'));
  const found = member(owner, last);
  if (found === undefined || typeof found.value !== 'function') return undefined;
  const callee = found.value as Callable;
  return (...args) => Reflect.apply(callee, owner, args);
}

export function requireFunction(name: string): Callable {
  const found = findFunction(name);
  if (found === undefined) throw new Missing(`torch.${name}`);
  return found;
}

/** A method or property of a value by its Python name: calling it gives the result of either. */
export function findMethod(receiver: unknown, name: string): Callable | undefined {
  const found = member(receiver, name);
  if (found === undefined) return undefined;
  const { value } = found;
  if (typeof value !== 'function') return () => value;
  return (...args) => Reflect.apply(value, receiver, args);
}

/** Constructs a class below `torch` (`nn.Linear`, `optim.SGD`). */
export function construct(name: string, args: readonly unknown[]): unknown {
  const constructor = lookup(name);
  if (typeof constructor !== 'function') throw new Missing(`torch.${name}`);
  return Reflect.construct(constructor, args);
}

export function has(name: string): boolean {
  return lookup(name) !== undefined;
}

export function dtypeOf(name: string): unknown {
  const dtype = lookup(name);
  if (dtype === undefined) throw new Missing(`torch.${name}`);
  return dtype;
}

/** `float32` for `torch.float32`, however the library represents it. */
export function dtypeName(dtype: unknown): string {
  const named = dtype as { name?: unknown };
  const text = typeof named === 'object' && typeof named?.name === 'string' ? named.name : dtype;
  return String(text).replace(/^torch\./, '');
}

/** Recognises the library's tensors by what they can do. */
export function isTensorValue(value: unknown): value is LooseTensor {
  if (value === null || typeof value !== 'object') return false;
  const tensor = value as Partial<LooseTensor>;
  return Array.isArray(tensor.shape) && tensor.dtype !== undefined && 'detach' in value;
}

/** Name-value pairs of an iterable of pairs, a Map or a plain object. */
export function pairs(value: unknown): [string, unknown][] {
  if (value !== null && typeof value === 'object' && Symbol.iterator in value) {
    return [...(value as Iterable<[string, unknown]>)];
  }
  return Object.entries(value as object);
}

/** Runs without recording gradients. */
export function withoutGrad<T>(run: () => T): T {
  return requireFunction('no_grad')(run) as T;
}
