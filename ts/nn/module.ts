/** The base class of all networks and layers. */

import type { Dtype } from '../core/dtype.js';
import { StateDictError, showShape, suggestion, ValueError } from '../core/errors.js';
import { sameShape } from '../core/layout.js';
import { isOptions } from '../core/options.js';
import type { DeviceType } from '../device/device.js';
import type { ToOptions } from '../ops/convert.js';
import { isTensor } from '../ops/promote.js';
import { spread } from '../ops/signature.js';
import type { Tensor } from '../tensor.js';
import { indent } from './format.js';
import {
  globalHooks,
  type Hook,
  HookList,
  type RemovableHandle,
  runBackwardHooks,
} from './hooks.js';
import { Parameter } from './parameter.js';

/** Names and tensors, as PyTorch's state dict. */
export type StateDict = Record<string, Tensor>;

/** What could not be matched when a state dict was loaded with `strict: false`. */
export interface IncompatibleKeys {
  missingKeys: string[];
  unexpectedKeys: string[];
}

/** What a module keeps besides its own fields. */
class ModuleState {
  readonly buffers = new Map<string, boolean>();
  readonly absent = new Map<string, 'parameter' | 'buffer' | 'module'>();
  readonly forwardPre = new HookList();
  readonly forward = new HookList();
  readonly backward = new HookList();
  readonly stateDict = new HookList();
  readonly loadStateDictPre = new HookList();
}

const STATE = Symbol('module state');

type Entry<T> = [name: string, value: T];

/**
 * Base class of networks. Assign layers, Parameters and other modules to fields and write
 * `forward`; the instance is then called like a function:
 *
 *     class Net extends nn.Module {
 *       fc = new nn.Linear(784, 10);
 *       forward(x: Tensor) { return this.fc(x.flatten(1)); }
 *     }
 *     const net = new Net();
 *     const scores = net(images);
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor returns a function
export abstract class Module {
  /** Names of forward's parameters, for layers that may be called with { name: value } too. */
  static readonly forwardArguments: string | undefined = undefined;

  /** Whether layers such as dropout and batch norm behave as in training. */
  training = true;
  declare private readonly [STATE]: ModuleState;

  constructor() {
    const self = ((...args: unknown[]) => self.call_(args)) as unknown as this;
    Object.setPrototypeOf(self, new.target.prototype);
    // A function's own name and length would be in the way of fields of those names.
    delete (self as { name?: string }).name;
    delete (self as { length?: number }).length;
    Object.defineProperty(self, STATE, { value: new ModuleState() });
    // The fields of this very class are set on `this`, not on what is returned.
    Object.defineProperty(self, 'training', { value: true, writable: true, enumerable: true });
    // biome-ignore lint/correctness/noConstructorReturn: instances are functions, so that they can be called
    return self;
  }

  /** What the module computes. Call the module itself, so that hooks run. */
  abstract forward(...args: never[]): unknown;

  /** Runs hooks around forward. */
  private call_(given: unknown[]): unknown {
    const state = this[STATE];
    let args = this.inPositions(given);
    for (const hook of globalHooks.forwardPre.with(state.forwardPre)) {
      const changed = hook(this, args);
      if (changed !== undefined && changed !== null)
        args = Array.isArray(changed) ? changed : [changed];
    }
    const forward = this.forward as (...values: unknown[]) => unknown;
    const backwardHooks = globalHooks.backward.with(state.backward);
    let output =
      backwardHooks.length === 0
        ? forward.apply(this, args)
        : runBackwardHooks(this, args, backwardHooks, (inputs) => forward.apply(this, inputs));
    for (const hook of globalHooks.forward.with(state.forward)) {
      const changed = hook(this, args, output);
      if (changed !== undefined && changed !== null) output = changed;
    }
    return output;
  }

  /** Arguments of forward by position, if some were given by name. */
  private inPositions(given: unknown[]): unknown[] {
    const type = this.constructor as typeof Module;
    if (type.forwardArguments === undefined || !isOptions(given[given.length - 1])) return given;
    const names = type.forwardArguments.split(', ');
    return spread(type.name, names, given);
  }

  // --- Registration ----------------------------------------------------------------------------

  /** Adds a tensor that is part of the state but not trained; null keeps the name free. */
  registerBuffer(name: string, tensor: Tensor | null, persistent = true): void {
    this.checkName('registerBuffer', name);
    this[STATE].buffers.set(name, persistent);
    tensor?.keep();
    this.setField(name, tensor);
  }

  /** Adds a parameter under a name; null keeps the name free. */
  registerParameter(name: string, parameter: Parameter | null): void {
    this.checkName('registerParameter', name);
    if (parameter === null) this[STATE].absent.set(name, 'parameter');
    this.setField(name, parameter);
  }

  /** Adds a child module under a name. */
  registerModule(name: string, module: Module | null): void {
    this.checkName('registerModule', name);
    if (module === null) this[STATE].absent.set(name, 'module');
    this.setField(name, module);
  }

  addModule(name: string, module: Module | null): void {
    this.registerModule(name, module);
  }

  private checkName(op: string, name: string): void {
    if (name === '' || name.includes('.')) {
      throw new ValueError(`${op}: a name is not empty and has no dot, got '${name}'`);
    }
    if (name in this && !Object.hasOwn(this, name)) {
      throw new ValueError(`${op}: '${name}' is a method of modules; choose another name`);
    }
  }

  private setField(name: string, value: unknown): void {
    (this as unknown as Record<string, unknown>)[name] = value;
  }

  private field(name: string): unknown {
    return Object.hasOwn(this, name)
      ? (this as unknown as Record<string, unknown>)[name]
      : undefined;
  }

  // --- Walking ---------------------------------------------------------------------------------

  private *own<T>(test: (value: unknown, name: string) => boolean): Generator<Entry<T>> {
    for (const name of Object.keys(this)) {
      const value = this.field(name);
      if (test(value, name)) yield [name, value as T];
    }
  }

  /** The direct child modules with their names; a shared one once. */
  *namedChildren(): Generator<Entry<Module>> {
    const seen = new Set<Module>();
    for (const [name, child] of this.own<Module>((value) => value instanceof Module)) {
      if (seen.has(child)) continue;
      seen.add(child);
      yield [name, child];
    }
  }

  *children(): Generator<Module> {
    for (const [, child] of this.namedChildren()) yield child;
  }

  /** This module and all below it, depth first, with dotted names ('' for itself). */
  *namedModules(prefix = '', seen = new Set<Module>()): Generator<Entry<Module>> {
    if (seen.has(this)) return;
    seen.add(this);
    yield [prefix, this];
    for (const [name, child] of this.own<Module>((value) => value instanceof Module)) {
      yield* child.namedModules(prefix === '' ? name : `${prefix}.${name}`, seen);
    }
  }

  *modules(): Generator<Module> {
    for (const [, module] of this.namedModules()) yield module;
  }

  private *members<T extends Tensor>(
    prefix: string,
    recurse: boolean,
    pick: (module: Module) => Iterable<Entry<T>>,
  ): Generator<Entry<T>> {
    const seen = new Set<T>();
    const modules: Iterable<Entry<Module>> = recurse ? this.namedModules(prefix) : [[prefix, this]];
    for (const [path, module] of modules) {
      for (const [name, value] of pick(module)) {
        if (seen.has(value)) continue;
        seen.add(value);
        yield [path === '' ? name : `${path}.${name}`, value];
      }
    }
  }

  /** Parameters with dotted names; one shared by several modules comes once. */
  namedParameters(prefix = '', recurse = true): Generator<Entry<Parameter>> {
    return this.members(prefix, recurse, (module) =>
      module.own<Parameter>((value) => value instanceof Parameter),
    );
  }

  *parameters(recurse = true): Generator<Parameter> {
    for (const [, parameter] of this.namedParameters('', recurse)) yield parameter;
  }

  namedBuffers(prefix = '', recurse = true): Generator<Entry<Tensor>> {
    return this.members(prefix, recurse, (module) => module.ownBuffers());
  }

  private ownBuffers(): Generator<Entry<Tensor>> {
    return this.own<Tensor>((value, name) => this[STATE].buffers.has(name) && isTensor(value));
  }

  *buffers(recurse = true): Generator<Tensor> {
    for (const [, buffer] of this.namedBuffers('', recurse)) yield buffer;
  }

  /** The module at a dotted path; '' is the module itself. */
  getSubmodule(target: string): Module {
    let module: Module = this;
    if (target === '') return module;
    for (const name of target.split('.')) {
      const next = module.field(name);
      if (!(next instanceof Module)) throw missing('getSubmodule', target, name, module);
      module = next;
    }
    return module;
  }

  getParameter(target: string): Parameter {
    const value = this.member(target);
    if (value instanceof Parameter) return value;
    throw missing('getParameter', target, target, this);
  }

  getBuffer(target: string): Tensor {
    const [owner, name] = this.owner(target);
    const value = owner.field(name);
    if (owner[STATE].buffers.has(name) && isTensor(value)) return value;
    throw missing('getBuffer', target, name, owner);
  }

  private owner(target: string): [Module, string] {
    const dot = target.lastIndexOf('.');
    return [this.getSubmodule(target.slice(0, Math.max(dot, 0))), target.slice(dot + 1)];
  }

  private member(target: string): unknown {
    const [owner, name] = this.owner(target);
    return owner.field(name);
  }

  // --- Modes and conversions -------------------------------------------------------------------

  /** Calls `f` on every module, children first. Returns the module. */
  apply(f: (module: Module) => void): this {
    for (const child of this.children()) child.apply(f);
    f(this);
    return this;
  }

  train(mode = true): this {
    this.training = mode;
    for (const child of this.children()) child.train(mode);
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  requiresGrad_(on = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad_(on);
    return this;
  }

  /** Forgets the gradients (or, with `setToNone: false`, fills them with zeros). */
  zeroGrad({ setToNone = true }: { setToNone?: boolean } = {}): void {
    for (const parameter of this.parameters()) {
      if (setToNone) parameter.grad = null;
      else if (parameter.grad !== null) parameter.grad = parameter.grad.detach().zero_();
    }
  }

  /** Moves or casts all parameters and buffers; dtypes change only for floating point ones. */
  to(...args: (Dtype | DeviceType | Tensor | ToOptions)[]): this {
    return this.convert((tensor) => {
      const moved = tensor.detach().to(...args);
      return tensor.dtype.isFloatingPoint || moved.dtype === tensor.dtype
        ? moved
        : tensor.detach().to(moved.device);
    });
  }

  float(): this {
    return this.convert((t) => (t.dtype.isFloatingPoint ? t.detach().float() : t));
  }

  double(): this {
    return this.convert((t) => (t.dtype.isFloatingPoint ? t.detach().double() : t));
  }

  half(): this {
    return this.convert((t) => (t.dtype.isFloatingPoint ? t.detach().half() : t));
  }

  private convert(change: (tensor: Tensor) => Tensor): this {
    const replaced = new Map<Tensor, Tensor>();
    for (const module of this.modules()) {
      for (const name of Object.keys(module)) {
        const value = module.field(name);
        const isBuffer = isTensor(value) && module[STATE].buffers.has(name);
        if (!(value instanceof Parameter) && !isBuffer) continue;
        let next = replaced.get(value);
        if (next === undefined) {
          const converted = change(value);
          next =
            value instanceof Parameter ? new Parameter(converted, value.requiresGrad) : converted;
          replaced.set(value, next);
        }
        module.setField(name, next);
      }
    }
    return this;
  }

  // --- State -----------------------------------------------------------------------------------

  /** Parameters and persistent buffers by dotted name, outside the graph, sharing memory. */
  stateDict(prefix = ''): StateDict {
    const result: StateDict = Object.create(null) as StateDict;
    this.collectState(result, prefix);
    return Object.assign({}, result);
  }

  private collectState(into: StateDict, prefix: string): void {
    for (const [name, value] of this.own<Parameter>((v) => v instanceof Parameter)) {
      into[prefix + name] = value.detach();
    }
    for (const [name, value] of this.ownBuffers()) {
      if (this[STATE].buffers.get(name)) into[prefix + name] = value.detach();
    }
    for (const [name, child] of this.own<Module>((v) => v instanceof Module)) {
      child.collectState(into, `${prefix}${name}.`);
    }
    for (const hook of this[STATE].stateDict.all()) hook(this, into, prefix);
  }

  /**
   * Copies a state dict into the parameters and buffers. Everything is checked first: names (unless
   * `strict` is false) and shapes; nothing is changed if anything does not fit.
   */
  loadStateDict(
    stateDict: Readonly<StateDict>,
    { strict = true }: { strict?: boolean } = {},
  ): IncompatibleKeys {
    for (const hook of this[STATE].loadStateDictPre.all()) hook(this, stateDict);
    const own = new Map<string, Tensor>();
    for (const [path, module] of allPaths(this, '')) {
      for (const [name, value] of module.own<Tensor>((v) => v instanceof Parameter)) {
        own.set(path + name, value);
      }
      for (const [name, value] of module.ownBuffers()) {
        if (module[STATE].buffers.get(name)) own.set(path + name, value);
      }
    }
    const given = Object.keys(stateDict);
    const missingKeys = [...own.keys()].filter((name) => !Object.hasOwn(stateDict, name));
    const unexpectedKeys = given.filter((name) => !own.has(name));
    const problems: string[] = [];
    if (strict && unexpectedKeys.length > 0) {
      problems.push(
        `unexpected keys: ` +
          `${unexpectedKeys.map((k) => `'${k}'${suggestion(k, own.keys())}`).join(', ')}`,
      );
    }
    if (strict && missingKeys.length > 0) {
      problems.push(`missing keys: ${missingKeys.map((k) => `'${k}'`).join(', ')}`);
    }
    for (const [name, tensor] of own) {
      const value = Object.hasOwn(stateDict, name) ? stateDict[name] : undefined;
      if (value === undefined) continue;
      if (!isTensor(value)) problems.push(`'${name}' is not a tensor`);
      else if (!sameShape(value.shape, tensor.shape)) {
        problems.push(
          `size mismatch for '${name}': the state dict has ${showShape(value.shape)}, ` +
            `the module ${showShape(tensor.shape)}`,
        );
      }
    }
    if (problems.length > 0) {
      throw new StateDictError(
        `loadStateDict: cannot load into ${this.constructor.name}:\n  ${problems.join('\n  ')}\n` +
          '{ strict: false } ignores missing and unexpected keys',
      );
    }
    for (const [name, tensor] of own) {
      if (Object.hasOwn(stateDict, name)) tensor.detach().copy_(stateDict[name].detach());
    }
    return { missingKeys, unexpectedKeys };
  }

  // --- Hooks -----------------------------------------------------------------------------------

  /** Runs before forward with (module, args); returned arguments replace the given ones. */
  registerForwardPreHook(hook: Hook): RemovableHandle {
    return this[STATE].forwardPre.add(hook);
  }

  /** Runs after forward with (module, args, output); a returned value replaces the output. */
  registerForwardHook(hook: Hook): RemovableHandle {
    return this[STATE].forward.add(hook);
  }

  /**
   * Runs in backward with (module, gradInput, gradOutput); returned gradients replace those of
   * the inputs.
   */
  registerFullBackwardHook(hook: Hook): RemovableHandle {
    return this[STATE].backward.add(hook);
  }

  /** Runs after stateDict() with (module, stateDict, prefix). */
  registerStateDictHook(hook: Hook): RemovableHandle {
    return this[STATE].stateDict.add(hook);
  }

  /** Runs before loadStateDict() with (module, stateDict). */
  registerLoadStateDictPreHook(hook: Hook): RemovableHandle {
    return this[STATE].loadStateDictPre.add(hook);
  }

  // --- Printing --------------------------------------------------------------------------------

  /** The arguments shown between the brackets of the printed form. */
  extraRepr(): string {
    return '';
  }

  /** PyTorch's tree of the module. */
  toString(): string {
    const extra = this.extraRepr();
    const children: string[] = [];
    for (const [name, child] of this.own<Module>((v) => v instanceof Module)) {
      children.push(`(${name}): ${indent(child.toString())}`);
    }
    const lines = extra === '' ? children : [...extra.split('\n'), ...children];
    const title = this.constructor.name;
    if (children.length === 0 && !extra.includes('\n')) return `${title}(${extra})`;
    return `${title}(\n  ${lines.join('\n  ')}\n)`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** Instances are called like functions, with the arguments of `forward`. */
export interface Module {
  // biome-ignore lint/style/useShorthandFunctionType: it merges with the class
  (...args: Parameters<this['forward']>): ReturnType<this['forward']>;
}

/** Every module with the prefix of its state, shared modules under each of their names. */
function* allPaths(module: Module, prefix: string): Generator<Entry<Module>> {
  yield [prefix, module];
  for (const name of Object.keys(module)) {
    const child = (module as unknown as Record<string, unknown>)[name];
    if (child instanceof Module) yield* allPaths(child, `${prefix}${name}.`);
  }
}

function missing(op: string, target: string, name: string, module: Module): ValueError {
  return new ValueError(
    `${op}: there is no '${target}': ${module.constructor.name} has no such '${name}'.` +
      suggestion(name, Object.keys(module)),
  );
}
