/** State dicts of modules: names and tensors, written and read. */

import { nearest, StateDictError, showShape } from '../core/errors.js';
import { hasInternalOverlap, sameShape } from '../core/layout.js';
import { scope } from '../core/memory.js';
import { isOptions } from '../core/options.js';
import { spoils } from '../ops/launch.js';
import { isTensor } from '../ops/promote.js';
import type { Tensor } from '../tensor.js';
import { CallHooks, HookList } from './hooks.js';
import type { Module } from './module.js';
import { Parameter } from './parameter.js';

/** Names and tensors, as PyTorch's state dict. */
export type StateDict = Record<string, Tensor>;

export interface StateDictOptions {
  /** What the entries are added to; a new object by default. */
  destination?: StateDict;
  /** What all names begin with, '' by default. */
  prefix?: string;
  /** Give the parameters themselves instead of tensors outside the graph. Default false. */
  keepVars?: boolean;
}

/** What could not be matched when a state dict was loaded with `strict: false`. */
export interface IncompatibleKeys {
  missingKeys: string[];
  unexpectedKeys: string[];
}

/** What a field of a module was found, or registered, to be. */
export type FieldKind = 'parameter' | 'buffer' | 'module';

/** What a module keeps besides its own fields. */
export class ModuleState {
  /** Fields that take values of their kind only. */
  readonly kinds = new Map<string, FieldKind>();
  /** Names of buffers, and whether they are part of the state dict. */
  readonly buffers = new Map<string, boolean>();
  /** Names of modules that were registered as null, which are printed. */
  readonly absent = new Set<string>();
  readonly call = new CallHooks();
  readonly stateDictPre = new HookList();
  readonly stateDict = new HookList();
  readonly loadPre = new HookList();
  readonly loadPost = new HookList();
}

export const STATE = Symbol('module state');

/** A module as what is in its fields. */
export function fieldsOf(module: object): Record<string, unknown> {
  return module as unknown as Record<string, unknown>;
}

/** The own parameters and persistent buffers of a module: parameters first, as in PyTorch. */
function* persistent(module: Module): Generator<[string, Tensor]> {
  const fields = fieldsOf(module);
  const names = Object.keys(module);
  for (const name of names) {
    const value = fields[name];
    if (value instanceof Parameter) yield [name, value];
  }
  for (const name of names) {
    const value = fields[name];
    const isBuffer = isTensor(value) && !(value instanceof Parameter);
    if (isBuffer && module[STATE].buffers.get(name)) yield [name, value];
  }
}

/** Adds the entries of a module and all below it. A hook may return another dict. */
export function collectState(
  module: Module,
  into: StateDict,
  prefix: string,
  keepVars: boolean,
): StateDict {
  const { stateDictPre, stateDict } = module[STATE];
  stateDictPre.run(module, prefix, keepVars);
  const put = (name: string, value: Tensor) => {
    // A name such as '__proto__' is an entry like any other.
    Object.defineProperty(into, name, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  };
  for (const [name, value] of persistent(module)) {
    put(prefix + name, keepVars ? value : value.detach());
  }
  for (const [name, child] of module.ownModules()) {
    collectState(child, into, `${prefix}${name}.`, keepVars);
  }
  return stateDict.entries.reduce(
    (now, { call }) => (call(module, now, prefix) as StateDict | undefined | null) ?? now,
    into,
  );
}

/** Every module with the prefix of its state, shared modules under each of their names. */
function* allPaths(module: Module, prefix: string): Generator<[string, Module]> {
  yield [prefix, module];
  for (const [name, child] of module.ownModules()) yield* allPaths(child, `${prefix}${name}.`);
}

function isGone({ disposed, storage_ }: Tensor): boolean {
  return disposed || storage_.freed;
}

/**
 * A value as the target can take it without more memory: itself, or one that is made here. Floats
 * need a dtype first that the device has, integers a device that may hold them in a smaller one.
 */
function prepared(given: Tensor, { dtype, device }: Tensor): Tensor {
  const value = given.detach();
  return value.dtype.isFloatingPoint ? value.to(dtype).to(device) : value.to(device).to(dtype);
}

function quoted(names: readonly string[], hint: (name: string) => string = () => ''): string {
  return names.map((name) => `'${name}'${hint(name)}`).join(', ');
}

const IGNORE = '{ strict: false } ignores missing and unexpected keys';

/** One load: what is given, what there is, and what does not fit. */
class Loading {
  readonly keys: IncompatibleKeys = { missingKeys: [], unexpectedKeys: [] };
  private readonly given: StateDict;
  private readonly own = new Map<string, Tensor>();
  private readonly problems: string[] = [];
  private readonly paths: [string, Module][];

  constructor(
    private readonly root: Module,
    stateDict: Readonly<StateDict>,
    private readonly strict: boolean,
  ) {
    // Hooks may change the dict they see; the caller's stays as it is.
    this.given = Object.assign(Object.create(null), stateDict) as StateDict;
    this.paths = [...allPaths(root, '')];
    const { missingKeys, unexpectedKeys } = this.keys;
    for (const [prefix, module] of this.paths) {
      module[STATE].loadPre.run(
        module,
        this.given,
        prefix,
        {},
        strict,
        missingKeys,
        unexpectedKeys,
        this.problems,
      );
    }
    for (const [prefix, module] of this.paths) {
      for (const [name, value] of persistent(module)) this.own.set(prefix + name, value);
    }
    for (const name of this.own.keys()) if (!(name in this.given)) missingKeys.push(name);
    for (const name of Object.keys(this.given)) {
      if (!this.own.has(name)) unexpectedKeys.push(name);
    }
    for (const [name, tensor] of this.own) this.compare(name, tensor);
  }

  private compare(name: string, tensor: Tensor): void {
    if (!(name in this.given)) return;
    const value: unknown = this.given[name];
    if (!isTensor(value)) this.problems.push(`'${name}' is not a tensor`);
    else if (isGone(value)) this.problems.push(`'${name}' of the state dict was disposed`);
    else if (isGone(tensor)) this.problems.push(`'${name}' of the module was disposed`);
    else if (!sameShape(value.shape, tensor.shape)) {
      this.problems.push(
        `size mismatch for '${name}': the state dict has ${showShape(value.shape)}, ` +
          `the module ${showShape(tensor.shape)}`,
      );
    } else if (hasInternalOverlap(tensor.shape, tensor.strides)) {
      this.problems.push(`elements of '${name}' of the module share one place (expand())`);
    } else if (tensor.backend !== value.backend && !value.backend.synchronous) {
      this.problems.push(
        `'${name}' of the state dict is on '${value.device}', the module on '${tensor.device}': ` +
          'it is to be read first, await tensor.cpu()',
      );
    }
  }

  /** Everything that stands in the way. */
  private allProblems(): string[] {
    const { missingKeys, unexpectedKeys } = this.keys;
    const result: string[] = [];
    if (this.strict && unexpectedKeys.length > 0) {
      const hint = (name: string) => {
        const near = nearest(name, this.own.keys());
        return near === undefined ? '' : ` (Did you mean '${near}'?)`;
      };
      result.push(`unexpected keys: ${quoted(unexpectedKeys, hint)}`);
    }
    if (this.strict && missingKeys.length > 0) {
      result.push(`missing keys: ${quoted(missingKeys)}`);
    }
    return [...result, ...this.problems];
  }

  private refuse(problems: readonly string[]): void {
    if (problems.length === 0) return;
    const { missingKeys, unexpectedKeys } = this.keys;
    const inner = unexpectedKeys.find((name) => isOptions(this.given[name]));
    const hasKeys = this.strict && missingKeys.length + unexpectedKeys.length > 0;
    const way = inner ? `is it '${inner}' in it that is meant?` : IGNORE;
    throw new StateDictError(
      `loadStateDict: cannot load into ${this.root.constructor.name}:\n  ` +
        `${problems.join('\n  ')}${hasKeys ? `\n${way}` : ''}`,
    );
  }

  run(): IncompatibleKeys {
    const hooked = this.paths.some(([, module]) => module[STATE].loadPost.entries.length > 0);
    this.refuse(hooked ? this.problems : this.allProblems());
    const targets = [...this.own].filter(([name]) => name in this.given);
    const before = scope(() => this.write(targets, hooked));
    try {
      for (const module of childrenFirst(this.root)) module[STATE].loadPost.run(module, this.keys);
      this.refuse(this.allProblems());
    } catch (error) {
      before.forEach((old, i) => {
        targets[i][1].detach().copy_(old);
      });
      throw error;
    } finally {
      for (const old of before) old.dispose();
    }
    return this.keys;
  }

  /**
   * Copies the values, once all that can fail has been done: nothing more is allocated. Gives what
   * was there, where a hook behind the load can still refuse it or may forgive keys.
   */
  private write(targets: readonly [string, Tensor][], hooked: boolean): Tensor[] {
    const before = hooked ? targets.map(([, tensor]) => tensor.detach().clone()) : [];
    const sources = targets.map(([name, tensor]) => {
      const source = prepared(this.given[name], tensor);
      return spoils(tensor, source) ? source.clone() : source;
    });
    targets.forEach(([, tensor], i) => {
      tensor.detach().copy_(sources[i]);
    });
    return before;
  }
}

function* childrenFirst(module: Module): Generator<Module> {
  for (const [, child] of module.ownModules()) yield* childrenFirst(child);
  yield module;
}

/** Throws unless it is an object of names; what is in it is checked with the module. */
function checkDict(given: unknown): void {
  const isObject = typeof given === 'object' && given !== null && !isTensor(given);
  if (isObject && !(given instanceof Promise || given instanceof Map)) return;
  const hints = given instanceof Promise ? ': await torch.load(...)' : '';
  const hint = typeof given === 'function' ? ': give its stateDict()' : hints;
  throw new StateDictError(
    'loadStateDict: expected tensors by name, { name: tensor }, got ' +
      `${(given as object | null)?.constructor?.name ?? String(given)}${hint}`,
  );
}

/** Copies a state dict into a module, all or nothing. */
export function loadState(
  module: Module,
  stateDict: Readonly<StateDict>,
  strict: boolean,
): IncompatibleKeys {
  checkDict(stateDict);
  return new Loading(module, stateDict, strict).run();
}
