/** Modules that hold modules. */

import { IndexError, ValueError } from '../../core/errors.js';
import { isOptions } from '../../core/options.js';
import type { Tensor } from '../../tensor.js';
import { checkField, showField } from '../fields.js';
import { together } from '../fused.js';
import { Module } from '../module.js';
import { fieldsOf, STATE } from '../state_dict.js';

/** Modules with names: an object, a Map, or pairs. */
export type NamedModules =
  | Readonly<Record<string, Module>>
  | ReadonlyMap<string, Module>
  | ModuleDict
  | Iterable<readonly [string, Module]>;

function entriesOf(modules: NamedModules): [string, Module][] {
  if (modules instanceof ModuleDict) return modules.entries();
  if (Symbol.iterator in modules) return [...(modules as Iterable<[string, Module]>)];
  return Object.entries(modules);
}

/** A position from the start or, negative, from the end; `limit` positions there are. */
function position(name: string, index: number, limit: number): number {
  const at = index < 0 ? index + limit : index;
  if (Number.isInteger(index) && at >= 0 && at < limit) return at;
  throw new IndexError(`${name}: there is no module ${index}; it holds ${limit}`);
}

/** Modules in an order. `list[0]` and `list.at(-1)` give one, `for (const m of list)` all. */
abstract class OrderedModules extends Module {
  [index: number]: Module;

  private get names(): string[] {
    return Object.keys(this).filter((name) => this.entry(name) instanceof Module);
  }

  private entry(name: string): unknown {
    return fieldsOf(this)[name];
  }

  /** The modules, as an array. */
  protected get list(): Module[] {
    const list: Module[] = [];
    // Read once: this runs at every call.
    for (const name of Object.keys(this)) {
      const value = this.entry(name);
      if (value instanceof Module) list.push(value);
      else if (this[STATE].kinds.get(name) === 'module') checkField(this, name, 'module', value);
    }
    return list;
  }

  override get length(): number {
    return this.names.length;
  }

  [Symbol.iterator](): Iterator<Module> {
    return this.list[Symbol.iterator]();
  }

  /** The module at a position; negative ones count from the end. */
  at(index: number): Module {
    return this.list[position(this.constructor.name, index, this.length)];
  }

  /** Adds a module at the end, under its number. Returns this. */
  append(module: Module): this {
    if (!(module instanceof Module)) {
      throw new ValueError(`${this.constructor.name}: expected a module, got ${showField(module)}`);
    }
    this.registerModule(String(this.length), module);
    return this;
  }

  /** Adds all modules at the end. Returns this. */
  extend(modules: Iterable<Module>): this {
    if (typeof modules?.[Symbol.iterator] !== 'function') {
      throw new ValueError(`${this.constructor.name}: expected modules, got ${String(modules)}`);
    }
    for (const module of [...modules]) this.append(module);
    return this;
  }

  /** Puts another module at a position, under the name of the one that was there. */
  set(index: number, module: Module): this {
    const { names, constructor } = this;
    this.registerModule(names[position(constructor.name, index, names.length)], module);
    return this;
  }

  /** Puts a module before position `index`; the ones behind get new numbers. Returns this. */
  insert(index: number, module: Module): this {
    const { list, constructor } = this;
    const at = index === list.length ? index : position(constructor.name, index, list.length);
    return this.replace(list.toSpliced(at, 0, module));
  }

  /** Takes a module out and returns it; the ones behind get new numbers. */
  pop(index = -1): Module {
    const { list, constructor } = this;
    const at = position(constructor.name, index, list.length);
    this.replace(list.toSpliced(at, 1));
    return list[at];
  }

  /** Holds these modules instead, named by their numbers. */
  private replace(modules: readonly Module[]): this {
    for (const name of this.names) delete fieldsOf(this)[name];
    return this.extend(modules);
  }

  /** A container of the same kind with the modules from `start` to before `end`. */
  slice(start?: number, end?: number): this {
    const empty = Reflect.construct(this.constructor as new () => this, []);
    return empty.extend(this.list.slice(start, end));
  }
}

/**
 * Modules that run one after another: `new Sequential(first, second)`, or with names
 * `new Sequential({ conv: ..., relu: ... })` (also a Map). A Linear and the ReLU behind it are one
 * kernel, unless hooks see between them.
 */
export class Sequential extends OrderedModules {
  constructor(...modules: Module[] | [NamedModules]) {
    super();
    const [first] = modules;
    const named = modules.length === 1 && (isOptions(first) || first instanceof Map);
    if (!named) this.extend(modules as Module[]);
    else
      for (const [name, module] of entriesOf(first as NamedModules)) this.addModule(name, module);
  }

  forward(input: Tensor): Tensor {
    const { list } = this;
    let value = input;
    for (let i = 0; i < list.length; i++) {
      const both = together(list[i], list[i + 1], value);
      if (both !== undefined) i++;
      value = both ?? (list[i] as unknown as (x: Tensor) => Tensor)(value);
    }
    return value;
  }
}

/** A list of modules, so that their parameters are found. It computes nothing itself. */
export class ModuleList extends OrderedModules {
  constructor(modules: Iterable<Module> = []) {
    super();
    this.extend(modules);
  }

  forward(..._args: never[]): unknown {
    throw new ValueError('ModuleList: a list is not called; call the modules in it');
  }
}

/** Modules by name, so that their parameters are found. It computes nothing itself. */
export class ModuleDict extends Module {
  constructor(modules: NamedModules = {}) {
    super();
    this.update(modules);
  }

  forward(..._args: never[]): never {
    throw new ValueError('ModuleDict: a dictionary is not called; call the modules in it');
  }

  override get length(): number {
    return this.keys().length;
  }

  /** The module of a name; an error if there is none. */
  get(name: string): Module {
    if (!this.has(name)) {
      throw new IndexError(
        `ModuleDict: there is no '${name}'; it has ${this.keys().join(', ') || 'no modules'}`,
      );
    }
    return fieldsOf(this)[name] as Module;
  }

  set(name: string, module: Module): this {
    this.registerModule(name, module);
    return this;
  }

  has(name: string): boolean {
    return this.keys().includes(name);
  }

  /** Takes a module out and returns it. */
  pop(name: string): Module {
    const module = this.get(name);
    delete fieldsOf(this)[name];
    return module;
  }

  clear(): void {
    for (const name of this.keys()) this.pop(name);
  }

  update(modules: NamedModules): void {
    for (const [name, module] of entriesOf(modules)) this.set(name, module);
  }

  keys(): string[] {
    return Object.keys(this).filter((name) => fieldsOf(this)[name] instanceof Module);
  }

  values(): Module[] {
    return this.keys().map((name) => this.get(name));
  }

  entries(): [string, Module][] {
    return this.keys().map((name) => [name, this.get(name)]);
  }

  items(): [string, Module][] {
    return this.entries();
  }

  [Symbol.iterator](): Iterator<string> {
    return this.keys()[Symbol.iterator]();
  }
}
