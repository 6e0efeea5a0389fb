/** Modules that hold parameters. */

import { IndexError, ValueError } from '../../core/errors.js';
import { isTensor } from '../../ops/promote.js';
import type { Tensor } from '../../tensor.js';
import { Module } from '../module.js';
import { Parameter } from '../parameter.js';
import { fieldsOf } from '../state_dict.js';

/** Tensors become parameters; other values stay what they are. */
function wrapped(value: unknown): unknown {
  return isTensor(value) && !(value instanceof Parameter) ? new Parameter(value) : value;
}

/** PyTorch's names of tensors by dtype. */
const TYPES: Readonly<Record<string, string>> = {
  float64: 'Double',
  float32: 'Float',
  float16: 'Half',
  bfloat16: 'BFloat16',
  int64: 'Long',
  int32: 'Int',
  int16: 'Short',
  int8: 'Char',
  uint8: 'Byte',
  bool: 'Bool',
};

function described(name: string | number, value: unknown, type: (x: Tensor) => string): string {
  if (!isTensor(value)) {
    const kind = (value as object | null | undefined)?.constructor?.name ?? 'NoneType';
    return `  (${name}): Object of type: ${kind}`;
  }
  const kind = value instanceof Parameter ? 'Parameter' : 'Tensor';
  return `  (${name}): ${kind} containing: [torch.${type(value)} of size ${value.shape.join('x')}]`;
}

abstract class Parameters extends Module {
  forward(..._args: never[]): never {
    const { name } = this.constructor;
    throw new ValueError(`${name}: it is not called; use the parameters in it`);
  }
}

/** A list of parameters, found by `parameters()`; tensors become parameters. */
export class ParameterList extends Parameters {
  [index: number]: Parameter;

  constructor(values: Iterable<unknown> = []) {
    super();
    this.extend(values);
  }

  private get items(): unknown[] {
    const fields = fieldsOf(this);
    return Object.keys(fields).flatMap((name) => (/^\d+$/.test(name) ? [fields[name]] : []));
  }

  override extraRepr(): string {
    return this.items.map((x, i) => described(i, x, ({ dtype }) => dtype.name)).join('\n');
  }

  override get length(): number {
    return this.items.length;
  }

  [Symbol.iterator](): Iterator<unknown> {
    return this.items[Symbol.iterator]();
  }

  private place(index: number): string {
    const { length } = this;
    const at = index < 0 ? index + length : index;
    if (Number.isInteger(at) && at >= 0 && at < length) return String(at);
    throw new IndexError(`ParameterList: there is no parameter ${index}; it holds ${length}`);
  }

  /** The parameter at a position; negative ones count from the end. */
  at(index: number): Parameter {
    return fieldsOf(this)[this.place(index)] as Parameter;
  }

  set(index: number, value: unknown): this {
    fieldsOf(this)[this.place(index)] = wrapped(value);
    return this;
  }

  /** Adds a parameter at the end. Returns this. */
  append(value: unknown): this {
    fieldsOf(this)[String(this.length)] = wrapped(value);
    return this;
  }

  /** Adds all at the end. Returns this. */
  extend(values: Iterable<unknown>): this {
    if (isTensor(values) || typeof values?.[Symbol.iterator] !== 'function') {
      throw new ValueError(`ParameterList: expected a list of tensors, got ${String(values)}`);
    }
    for (const value of [...values]) this.append(value);
    return this;
  }
}

/** Parameters with names: an object (taken in the order of the names), a Map, pairs. */
export type NamedParameters =
  | Readonly<Record<string, unknown>>
  | ParameterDict
  | Iterable<readonly [string, unknown]>;

/** Parameters by name, found by `parameters()`; tensors become parameters. */
export class ParameterDict extends Parameters {
  constructor(parameters: NamedParameters = {}) {
    super();
    this.update(parameters);
  }

  override extraRepr(): string {
    const lines = this.entries().map(([name, value]) =>
      described(name, value, ({ dtype }) => `${TYPES[dtype.name]}Tensor`),
    );
    return lines.join('\n');
  }

  override get length(): number {
    return this.keys().length;
  }

  [Symbol.iterator](): Iterator<string> {
    return this.keys()[Symbol.iterator]();
  }

  keys(): string[] {
    return Object.keys(this).filter((name) => name !== 'training');
  }

  values(): unknown[] {
    return this.keys().map((name) => fieldsOf(this)[name]);
  }

  entries(): [string, unknown][] {
    return this.keys().map((name) => [name, fieldsOf(this)[name]]);
  }

  items(): [string, unknown][] {
    return this.entries();
  }

  has(name: string): boolean {
    return this.keys().includes(name);
  }

  /** The parameter of a name, or `fallback`; an error if there is neither. */
  get(name: string, ...fallback: [fallback?: unknown]): Parameter {
    if (this.has(name)) return fieldsOf(this)[name] as Parameter;
    if (fallback.length > 0) return fallback[0] as Parameter;
    const names = this.keys().join(', ') || 'no parameters';
    throw new IndexError(`ParameterDict: there is no '${name}'; it has ${names}`);
  }

  set(name: string, value: unknown): this {
    if (typeof name !== 'string' || (name in this && !this.has(name))) {
      throw new ValueError(`ParameterDict: '${String(name)}' cannot be a name; choose another one`);
    }
    fieldsOf(this)[name] = wrapped(value);
    return this;
  }

  /** The parameter of a name, which is `value` from now on if there was none. */
  setdefault(name: string, value: unknown = null): Parameter {
    if (!this.has(name)) this.set(name, value);
    return this.get(name);
  }

  /** Takes a parameter out and returns it. */
  pop(name: string): Parameter {
    const value = this.get(name);
    delete fieldsOf(this)[name];
    return value;
  }

  /** Takes the last one out and returns it with its name. */
  popitem(): [string, Parameter] {
    const name = this.keys().at(-1);
    if (name === undefined) throw new IndexError('ParameterDict: it is empty');
    return [name, this.pop(name)];
  }

  clear(): void {
    for (const name of this.keys()) this.pop(name);
  }

  update(parameters: NamedParameters): void {
    for (const [name, value] of namedEntries(parameters)) this.set(name, value);
  }

  /** Another dictionary of the same parameters. */
  copy(): ParameterDict {
    return Reflect.construct(this.constructor as typeof ParameterDict, [this.entries()]);
  }
}

function namedEntries(parameters: NamedParameters): Iterable<readonly [string, unknown]> {
  if (parameters instanceof ParameterDict) return parameters.entries();
  if (Symbol.iterator in parameters) return parameters as Iterable<readonly [string, unknown]>;
  return Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1));
}
