/** The base class of all networks and layers. */

import { bfloat16, type Dtype } from '../core/dtype.js';
import { AutogradError, DtypeError, suggestion, ValueError } from '../core/errors.js';
import { giveBack, lend } from '../core/lend.js';
import { hidden, visible } from '../core/memory.js';
import { checkOptions, flag, isOptions } from '../core/options.js';
import type { DeviceType } from '../device/device.js';
import type { ToOptions } from '../ops/convert.js';
import { zeroGrads } from '../ops/inplace.js';
import { isTensor } from '../ops/promote.js';
import { type Arguments, bind, spread } from '../ops/signature.js';
import type { Tensor } from '../tensor.js';
import { holdField, noteField, showField } from './fields.js';
import { indent } from './format.js';
import {
  type BackwardHook,
  type BackwardPreHook,
  type ForwardHook,
  type ForwardHookOptions,
  type ForwardPreHook,
  type Hook,
  type HookOptions,
  isHooked,
  type RemovableHandle,
  runHooked,
} from './hooks.js';
import { Parameter } from './parameter.js';
import {
  collectState,
  fieldsOf,
  type IncompatibleKeys,
  loadState,
  ModuleState,
  STATE,
  type StateDict,
  type StateDictOptions,
} from './state_dict.js';

export type { IncompatibleKeys, StateDict, StateDictOptions } from './state_dict.js';

type Entry<T> = [name: string, value: T];

const MEMBERS = 'prefix, recurse, removeDuplicate';
type MembersArguments = [prefix?: string, recurse?: boolean, removeDuplicate?: boolean];
const MODULES = 'memo, prefix, removeDuplicate';
type ModulesArguments = [memo?: Set<Module> | null, prefix?: string, removeDuplicate?: boolean];

/** @internal The forward() of the library's own classes, which lets nobody see what it makes. */
export const library = new Map<unknown, unknown>();

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
  /** @internal */
  declare readonly [STATE]: ModuleState;

  constructor() {
    const many = (...args: unknown[]) => self.call_(args);
    // A method, unlike an arrow function, knows how many arguments it got without a list of them.
    const self = {
      call(a?: unknown, b?: unknown, c?: unknown, d?: unknown) {
        // biome-ignore lint/complexity/noArguments: a rest parameter would be a list
        const given = arguments;
        const count = given.length;
        if (count > 4) return many.apply(undefined, given as never);
        const args = lend<unknown>(count);
        if (count > 0) args[0] = a;
        if (count > 1) args[1] = b;
        if (count > 2) args[2] = c;
        if (count > 3) args[3] = d;
        try {
          return self.call_(args);
        } finally {
          giveBack(args);
        }
      },
    }.call as unknown as this;
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

  /** Runs forward with the hooks around it. The list of arguments is lent. */
  private call_(given: unknown[]): unknown {
    const forward = this.forward as (...values: unknown[]) => unknown;
    if (typeof forward !== 'function') {
      throw new ValueError(`${this.constructor.name} has no forward(): define what it computes`);
    }
    const { call } = this[STATE];
    const around = library.get(this.constructor) === forward ? hidden : visible;
    if (!isHooked(call)) return around(forward, this, this.inPositions(given));
    return this.hooked(call, around, forward, given.slice());
  }

  private hooked(
    call: ModuleState['call'],
    around: typeof hidden,
    forward: (...values: unknown[]) => unknown,
    given: unknown[],
  ): unknown {
    const inPositions = (args: unknown[]) => this.inPositions(args);
    const inside = (args: unknown[]) => around(forward, this, args);
    return visible(() => runHooked(this, call, given, inPositions, inside));
  }

  /** Arguments of forward by position, if some were given by name. */
  private inPositions(given: unknown[]): unknown[] {
    const type = this.constructor as typeof Module;
    if (type.forwardArguments === undefined || !isOptions(given[given.length - 1])) return given;
    const names = type.forwardArguments.split(', ');
    return spread(type.name, names, given);
  }

  // --- Registration ----------------------------------------------------------------------------

  /**
   * Adds a tensor that is part of the state (unless `persistent` is false) but not trained; null
   * keeps the name free.
   */
  registerBuffer(
    name: string,
    tensor: Tensor | null,
    persistent: boolean | { persistent?: boolean } = true,
  ): void {
    const { buffers } = this[STATE];
    const isPersistent = flag('registerBuffer', 'persistent', persistent);
    this.checkName('registerBuffer', name, (value) => isTensor(value) && buffers.has(name));
    if (tensor !== null && !isTensor(tensor)) {
      throw new ValueError(
        `registerBuffer: '${name}' is a tensor or null, got ${showField(tensor)}`,
      );
    }
    buffers.set(name, isPersistent);
    tensor?.keep();
    holdField(this, name, 'buffer', tensor);
  }

  /** Adds a parameter under a name; null keeps the name free. */
  registerParameter(name: string, parameter: Parameter | null): void {
    this.checkName('registerParameter', name, (value) => value instanceof Parameter);
    if (parameter !== null && !(parameter instanceof Parameter)) {
      throw new ValueError(
        `registerParameter: '${name}' is a Parameter or null, got ${showField(parameter)}; make one ` +
          'with new nn.Parameter(tensor)',
      );
    }
    if (parameter?.gradFn) {
      throw new AutogradError(
        `registerParameter: '${name}' was computed from other tensors; compute it in forward(), ` +
          'or make a leaf of its detach()',
      );
    }
    holdField(this, name, 'parameter', parameter);
  }

  /** Adds a child module under a name; null keeps the name free. */
  registerModule(name: string, module: Module | null): void {
    this.checkName('registerModule', name, (value) => value instanceof Module);
    if (module !== null && !(module instanceof Module)) {
      throw new ValueError(
        `registerModule: '${name}' is a module or null, got ${showField(module)}`,
      );
    }
    if (module === null) this[STATE].absent.add(name);
    holdField(this, name, 'module', module);
  }

  addModule(name: string, module: Module | null): void {
    this.registerModule(name, module);
  }

  /** Throws if a field cannot have the name, or the name is another's than of the kind `own`. */
  private checkName(op: string, name: string, own: (value: unknown) => boolean): void {
    if (name === '' || name.includes('.')) {
      throw new ValueError(`${op}: a name is not empty and has no dot, got '${name}'`);
    }
    if (name in this && !Object.hasOwn(this, name)) {
      throw new ValueError(`${op}: '${name}' is a method of modules; choose another name`);
    }
    const value = this.field(name) ?? null;
    if (value !== null && !own(value)) {
      throw new ValueError(`${op}: there is a field '${name}' already; choose another name`);
    }
  }

  private field(name: string): unknown {
    return Object.hasOwn(this, name) ? fieldsOf(this)[name] : undefined;
  }

  // --- Walking ---------------------------------------------------------------------------------

  private *own<T>(test: (value: unknown, name: string) => boolean): Generator<Entry<T>> {
    for (const name of Object.keys(this)) {
      const value = this.field(name);
      if (!test(value, name)) continue;
      noteField(this, name);
      yield [name, value as T];
    }
  }

  /** @internal The child modules, shared ones under each of their names. */
  ownModules(): Generator<Entry<Module>> {
    return this.own<Module>((value) => value instanceof Module);
  }

  /** The direct child modules with their names; a shared one once. */
  *namedChildren(): Generator<Entry<Module>> {
    const seen = new Set<Module>();
    for (const [name, child] of this.ownModules()) {
      if (seen.has(child)) continue;
      seen.add(child);
      yield [name, child];
    }
  }

  *children(): Generator<Module> {
    for (const [, child] of this.namedChildren()) yield child;
  }

  /**
   * This module and all below it, depth first, with dotted names that begin with `prefix` ('' for
   * itself). One that is shared comes once, unless `removeDuplicate` is false; `memo` holds those
   * that are left out.
   */
  namedModules(...args: Arguments<typeof MODULES, ModulesArguments>): Generator<Entry<Module>> {
    const given = bind<ModulesArguments>('namedModules', MODULES, args);
    const [memo, prefix = '', removeDuplicate = true] = given;
    return this.walk(memo ?? new Set(), prefix, removeDuplicate);
  }

  private *walk(memo: Set<Module>, prefix: string, once: boolean): Generator<Entry<Module>> {
    if (memo.has(this)) return;
    if (once) memo.add(this);
    yield [prefix, this];
    for (const [name, child] of this.ownModules()) {
      yield* child.walk(memo, prefix === '' ? name : `${prefix}.${name}`, once);
    }
  }

  *modules(): Generator<Module> {
    for (const [, module] of this.namedModules()) yield module;
  }

  private *members<T extends Tensor>(
    name: string,
    args: readonly unknown[],
    pick: (module: Module) => Iterable<Entry<T>>,
  ): Generator<Entry<T>> {
    const given = bind<MembersArguments>(name, MEMBERS, args);
    const [prefix = '', recurse = true, removeDuplicate = true] = given;
    const seen = new Set<T>();
    const modules: Iterable<Entry<Module>> = recurse
      ? this.walk(new Set(), prefix, removeDuplicate)
      : [[prefix, this]];
    for (const [path, module] of modules) {
      for (const [key, value] of pick(module)) {
        if (seen.has(value)) continue;
        if (removeDuplicate) seen.add(value);
        yield [path === '' ? key : `${path}.${key}`, value];
      }
    }
  }

  /**
   * Parameters with dotted names that begin with `prefix`, of this module alone without `recurse`;
   * one shared by several modules comes once, unless `removeDuplicate` is false.
   */
  namedParameters(
    ...args: Arguments<typeof MEMBERS, MembersArguments>
  ): Generator<Entry<Parameter>> {
    return this.members('namedParameters', args, (module) =>
      module.own<Parameter>((value) => value instanceof Parameter),
    );
  }

  *parameters(recurse = true): Generator<Parameter> {
    for (const [, parameter] of this.namedParameters('', recurse)) yield parameter;
  }

  /** As namedParameters, for buffers. */
  namedBuffers(...args: Arguments<typeof MEMBERS, MembersArguments>): Generator<Entry<Tensor>> {
    return this.members('namedBuffers', args, (module) => module.ownBuffers());
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
    const [owner, name] = this.owner(target);
    const value = owner.field(name);
    if (value instanceof Parameter) return value;
    throw missing('getParameter', target, name, owner);
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

  // --- Modes and conversions -------------------------------------------------------------------

  /** Calls `f` on every module, children first. Returns the module. */
  apply(f: (module: Module) => void): this {
    for (const child of this.children()) child.apply(f);
    f(this);
    return this;
  }

  train(mode: boolean | { mode?: boolean } = true): this {
    const on = flag('train', 'mode', mode);
    this.training = on;
    for (const child of this.children()) child.train(on);
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  requiresGrad_(on: boolean | { requiresGrad?: boolean } = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad_(on);
    return this;
  }

  /** Forgets the gradients (or, with `setToNone: false`, fills them with zeros). */
  zeroGrad(options: boolean | { setToNone?: boolean } = true): void {
    zeroGrads(this.parameters(), options);
  }

  /** Moves or casts all parameters and buffers; dtypes change only for floating point ones. */
  to(...args: (Dtype | DeviceType | Tensor | ToOptions)[]): this {
    return this.convert((tensor) => {
      const moved = tensor.detach().to(...args);
      if (tensor.dtype.isFloatingPoint && !moved.dtype.isFloatingPoint) {
        throw new DtypeError(`to: a module takes floating point dtypes, got ${moved.dtype}`);
      }
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

  bfloat16(): this {
    return this.convert((t) => (t.dtype.isFloatingPoint ? t.detach().to(bfloat16) : t));
  }

  /** Parameters stay the objects they are, so that an optimiser keeps them; buffers are replaced. */
  private convert(change: (tensor: Tensor) => Tensor): this {
    const seen = new Set<Tensor>();
    for (const module of this.modules()) {
      for (const [, parameter] of module.own<Parameter>((value) => value instanceof Parameter)) {
        if (!seen.has(parameter)) parameter.become(change);
        seen.add(parameter);
      }
      for (const [name, buffer] of module.ownBuffers()) {
        if (!(buffer instanceof Parameter)) fieldsOf(module)[name] = change(buffer).keep();
      }
    }
    return this;
  }

  // --- State -----------------------------------------------------------------------------------

  /**
   * Parameters and persistent buffers by dotted name, sharing memory with the module; outside the
   * graph, unless `keepVars` is set.
   */
  stateDict(options: StateDictOptions = {}): StateDict {
    checkOptions('stateDict', options, ['destination', 'prefix', 'keepVars']);
    const { destination = {}, prefix = '', keepVars = false } = options;
    return collectState(this, destination, prefix, keepVars);
  }

  /**
   * Copies a state dict into the parameters and buffers. Everything is checked first: names (unless
   * `strict` is false) and shapes; nothing is changed if anything does not fit, or if memory runs
   * out. Values on another device or of another dtype are brought there before the first one is
   * written, which takes as much memory as they have; others are copied straight.
   */
  loadStateDict(
    stateDict: Readonly<StateDict>,
    options: boolean | { strict?: boolean } = {},
  ): IncompatibleKeys {
    return loadState(this, stateDict, flag('loadStateDict', 'strict', options));
  }

  // --- Hooks -----------------------------------------------------------------------------------

  /** Runs before forward with (module, args); what it returns replaces the arguments. */
  registerForwardPreHook(hook: ForwardPreHook<this>, options?: HookOptions): RemovableHandle;
  registerForwardPreHook(hook: Hook, options?: ForwardHookOptions): RemovableHandle;
  registerForwardPreHook(hook: Hook, options?: ForwardHookOptions): RemovableHandle {
    return this[STATE].call.forwardPre.add(hook, options);
  }

  /** Runs after forward with (module, args, output); what it returns replaces the output. */
  registerForwardHook(hook: ForwardHook<this>, options?: HookOptions): RemovableHandle;
  registerForwardHook(hook: Hook, options?: ForwardHookOptions): RemovableHandle;
  registerForwardHook(hook: Hook, options?: ForwardHookOptions): RemovableHandle {
    return this[STATE].call.forward.add(hook, options);
  }

  /** Runs in backward with (module, gradOutput), before the module's own gradients are computed. */
  registerFullBackwardPreHook(hook: BackwardPreHook<this>, options?: HookOptions): RemovableHandle;
  registerFullBackwardPreHook(hook: Hook, options?: HookOptions): RemovableHandle;
  registerFullBackwardPreHook(hook: Hook, options?: HookOptions): RemovableHandle {
    return this[STATE].call.backwardPre.add(hook, options);
  }

  /**
   * Runs in backward with (module, gradInput, gradOutput), lists with null where there is no
   * gradient; returned gradients replace those of the inputs.
   */
  registerFullBackwardHook(hook: BackwardHook<this>, options?: HookOptions): RemovableHandle;
  registerFullBackwardHook(hook: Hook, options?: HookOptions): RemovableHandle;
  registerFullBackwardHook(hook: Hook, options?: HookOptions): RemovableHandle {
    return this[STATE].call.backward.add(hook, options);
  }

  /** Runs before stateDict() with (module, prefix, keepVars). */
  registerStateDictPreHook(hook: Hook): RemovableHandle {
    return this[STATE].stateDictPre.add(hook);
  }

  /** Runs after stateDict() with (module, stateDict, prefix); may return another dict. */
  registerStateDictHook(hook: Hook): RemovableHandle {
    return this[STATE].stateDict.add(hook);
  }

  /**
   * Runs before loadStateDict() with (module, stateDict, prefix, metadata, strict, missingKeys,
   * unexpectedKeys, errors); it may change the dict, which is a copy, and add to the lists.
   */
  registerLoadStateDictPreHook(hook: Hook): RemovableHandle {
    return this[STATE].loadPre.add(hook);
  }

  /** Runs after loadStateDict() with (module, incompatibleKeys), whose lists it may change. */
  registerLoadStateDictPostHook(hook: Hook): RemovableHandle {
    return this[STATE].loadPost.add(hook);
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
    for (const [name, child] of this.own((value) => value === null || value instanceof Module)) {
      if (child !== null) children.push(`(${name}): ${indent(String(child))}`);
      else if (this[STATE].absent.has(name)) children.push(`(${name}): None`);
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

function missing(op: string, target: string, name: string, module: Module): ValueError {
  return new ValueError(
    `${op}: there is no '${target}': ${module.constructor.name} has no such '${name}'.` +
      suggestion(name, Object.keys(module)),
  );
}
