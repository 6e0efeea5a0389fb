/** Hooks of modules: functions that see and change what goes through a module, both ways. */

import { isGradEnabled } from '../autograd/mode.js';
import { type Grads, Node, setHistory } from '../autograd/node.js';
import { AutogradError, showShape, ValueError } from '../core/errors.js';
import { isOptions } from '../core/options.js';
import { isTensor } from '../ops/promote.js';
import { emptyTensor, type Tensor } from '../tensor.js';
import type { Module } from './module.js';

/** Called with the module and what its kind of hook is given; may return a replacement. */
export type Hook = (module: never, ...values: never[]) => unknown;
type AnyHook = (module: Module, ...values: unknown[]) => unknown;

/** Gradients by position; null where there is none. */
export type Gradients = (Tensor | null)[];
type ArgumentsOf<M extends Module> =
  Parameters<M['forward']> extends infer A extends unknown[]
    ? number extends A['length']
      ? unknown[]
      : A
    : never;

/** Members are compared both ways, so that a hook is no reason why a Linear were no Module. */
interface HooksOf<M extends Module> {
  forwardPre(module: M, args: ArgumentsOf<M>): unknown;
  forward(module: M, args: ArgumentsOf<M>, output: ReturnType<M['forward']>): unknown;
  backwardPre(module: M, gradOutput: Gradients): unknown;
  backward(module: M, gradInput: Gradients, gradOutput: Gradients): unknown;
}
/** What hooks of a known module are given. */
export type ForwardPreHook<M extends Module> = HooksOf<M>['forwardPre'];
export type ForwardHook<M extends Module> = HooksOf<M>['forward'];
export type BackwardPreHook<M extends Module> = HooksOf<M>['backwardPre'];
export type BackwardHook<M extends Module> = HooksOf<M>['backward'];

export interface HookOptions {
  /** Run before the hooks that are there already. Default false. */
  prepend?: boolean;
}

export interface ForwardHookOptions extends HookOptions {
  /**
   * Give the hook what the call named, too: (module, args, kwargs), and the output last; a hook
   * before forward then returns [args, kwargs] to replace both. Default false.
   */
  withKwargs?: boolean;
}

export interface RemovableHandle {
  remove(): void;
  [Symbol.dispose](): void;
}

interface Entry {
  readonly call: AnyHook;
  readonly withKwargs: boolean;
}

/** Hooks in the order in which they run. */
export class HookList {
  entries: readonly Entry[] = [];

  add(hook: Hook, { prepend = false, withKwargs = false }: ForwardHookOptions = {}) {
    if (typeof hook !== 'function') {
      throw new ValueError(`a hook is a function, got ${String(hook)}`);
    }
    const entry = { call: hook as unknown as AnyHook, withKwargs };
    this.entries = prepend ? [entry, ...this.entries] : [...this.entries, entry];
    const remove = () => {
      this.entries = this.entries.filter((other) => other !== entry);
    };
    return { remove, [Symbol.dispose]: remove } satisfies RemovableHandle;
  }

  /** Calls every hook with the same values. */
  run(module: Module, ...values: unknown[]): void {
    for (const { call } of this.entries) call(module, ...values);
  }
}

const KINDS = ['forwardPre', 'forward', 'backwardPre', 'backward'] as const;

/** The hooks around a call. */
export class CallHooks {
  readonly forwardPre = new HookList();
  readonly forward = new HookList();
  readonly backwardPre = new HookList();
  readonly backward = new HookList();
}

/** @internal Hooks of all modules; they run before a module's own. */
export const globalHooks = new CallHooks();

/** Whether a call of a module with these hooks has any to run. */
export function isHooked(own: CallHooks): boolean {
  for (const kind of KINDS) {
    if (own[kind].entries.length + globalHooks[kind].entries.length > 0) return true;
  }
  return false;
}

function both(own: CallHooks, kind: (typeof KINDS)[number]): readonly Entry[] {
  return [...globalHooks[kind].entries, ...own[kind].entries];
}

type Given = Tensor | null;

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value];
}

/** What a hook gave for a list of gradients: the list itself if it gave nothing. */
function replaced(what: string, result: unknown, grads: readonly Given[]): readonly Given[] {
  if (result === undefined || result === null) return grads;
  const list = listOf(result) as Given[];
  const fits = list.every((grad, i) => {
    const old = grads[i];
    return !grad || (isTensor(grad) && (!old || showShape(grad.shape) === showShape(old.shape)));
  });
  if (list.length === grads.length && fits) return list;
  const shown = (values: readonly Given[]) =>
    values.map((grad) => (isTensor(grad) ? showShape(grad.shape) : String(grad))).join(', ');
  throw new AutogradError(
    `${what}: a hook returns as many gradients as there are, of the same shapes, or nothing; ` +
      `expected (${shown(grads)}), got (${shown(list)})`,
  );
}

/** A node that passes gradients through, changed by `see`. */
class Passage extends Node {
  override runsUserCode = true;

  constructor(
    inputs: readonly Tensor[],
    private readonly see: (grads: Grads) => Grads,
  ) {
    super('BackwardHookFunctionBackward', inputs.length);
    for (const input of inputs) this.connect(input);
  }

  run(grads: Grads): Grads {
    return this.see(grads);
  }
}

/** The backward hooks of one call: two nodes that see the gradients of its outputs and inputs. */
class BackwardHooks {
  /** Gradients of the outputs, from when they arrive until those of the inputs do. */
  private gradOutput: readonly Given[] | undefined;
  /** For each input that is a floating point tensor, what makes zeros like it. */
  private zeros: ((() => Tensor) | null)[] = [];
  private places: number[] = [];

  constructor(
    private readonly module: Module,
    private readonly before: readonly Entry[],
    private readonly after: readonly Entry[],
  ) {}

  /** Puts a node behind those of the values that want gradients; `places` says which. */
  private through(values: readonly unknown[], see: (grads: readonly Given[]) => readonly Given[]) {
    const places = values.flatMap((value, i) => (isTensor(value) && value.requiresGrad ? [i] : []));
    const tensors = places.map((i) => values[i] as Tensor);
    const node = new Passage(tensors, (grads) => {
      const all: Given[] = values.map(() => null);
      places.forEach((place, i) => {
        // Handles of their own: the engine gives up a gradient once it has been passed on.
        const grad = grads[i];
        all[place] = (grad?.requiresGrad ? grad : grad?.bare()) ?? null;
      });
      const seen = see(all);
      return places.map((place) => seen[place] ?? undefined);
    });
    const passed = [...values];
    tensors.forEach((tensor, i) => {
      const handle = tensor.bare();
      setHistory(handle, node, i);
      passed[places[i]] = handle;
    });
    return { passed, places };
  }

  enter(args: readonly unknown[]): unknown[] {
    this.zeros = args.map((arg) => {
      if (!isTensor(arg) || !arg.dtype.isFloatingPoint) return null;
      const { shape, dtype, backend } = arg;
      return () => emptyTensor(shape, dtype, backend).zero_();
    });
    const { passed, places } = this.through(args, (grads) => this.seeInput(grads));
    this.places = places;
    return passed;
  }

  leave(output: unknown): unknown {
    const { passed } = this.through(listOf(output), (grads) => this.seeOutput(grads));
    return Array.isArray(output) ? passed : passed[0];
  }

  private seeInput(grads: readonly Given[]): readonly Given[] {
    const { gradOutput, module } = this;
    // The gradient came around the outputs, as it can in a second derivative.
    if (gradOutput === undefined) return grads;
    this.gradOutput = undefined;
    let now: readonly Given[] = grads.map((grad, i) => grad ?? this.zeros[i]?.() ?? null);
    for (const { call } of this.after) {
      now = replaced('registerFullBackwardHook', call(module, [...now], [...gradOutput]), now);
    }
    return now;
  }

  private seeOutput(grads: readonly Given[]): readonly Given[] {
    const { module } = this;
    let gradOutput = grads;
    for (const { call } of this.before) {
      gradOutput = replaced(
        'registerFullBackwardPreHook',
        call(module, [...gradOutput]),
        gradOutput,
      );
    }
    this.gradOutput = gradOutput;
    if (this.places.length > 0) return gradOutput;
    const none = this.zeros.map(() => null);
    this.gradOutput = undefined;
    for (const { call } of this.after) {
      const result = call(module, [...none], [...gradOutput]) ?? null;
      if (listOf(result).every((grad) => grad === null)) continue;
      throw new AutogradError(
        `registerFullBackwardHook: no input of ${module.constructor.name} requires gradients, so ` +
          'a hook cannot replace theirs; return nothing',
      );
    }
    return gradOutput;
  }
}

/** Positional arguments, and those that were named. */
function split(args: readonly unknown[]): [unknown[], object] {
  const last = args[args.length - 1];
  return isOptions(last) ? [args.slice(0, -1), last] : [[...args], {}];
}

/** The arguments after the hooks that run before forward. */
function beforeForward(
  module: Module,
  hooks: readonly Entry[],
  given: unknown[],
  inPositions: (args: unknown[]) => unknown[],
): unknown[] {
  let args = given;
  for (const { call, withKwargs } of hooks) {
    if (!withKwargs) {
      args = inPositions(args);
      const changed = call(module, args) ?? null;
      if (changed !== null) args = listOf(changed);
      continue;
    }
    const changed = (call(module, ...split(args)) ?? null) as [unknown[], object] | null;
    if (changed === null) continue;
    if (!Array.isArray(changed) || !Array.isArray(changed[0]) || !isOptions(changed[1])) {
      throw new ValueError(
        'registerForwardPreHook: a hook with { withKwargs: true } returns [args, kwargs] or nothing',
      );
    }
    const [list, kwargs] = changed;
    args = Object.keys(kwargs).length > 0 ? [...list, kwargs] : list;
  }
  return args;
}

/** Runs `forward` on the arguments with all hooks around it. */
export function runHooked(
  module: Module,
  own: CallHooks,
  given: unknown[],
  inPositions: (args: unknown[]) => unknown[],
  forward: (args: unknown[]) => unknown,
): unknown {
  const args = beforeForward(module, both(own, 'forwardPre'), given, inPositions);
  let inputs = inPositions(args);
  const [before, after] = [both(own, 'backwardPre'), both(own, 'backward')];
  const watched = before.length + after.length > 0 && isGradEnabled();
  const backward = watched ? new BackwardHooks(module, before, after) : undefined;
  if (backward) inputs = backward.enter(inputs);
  let output = forward(inputs);
  for (const { call, withKwargs } of both(own, 'forward')) {
    const changed = withKwargs
      ? call(module, ...split(args), output)
      : call(module, inputs, output);
    output = changed ?? output;
  }
  return backward ? backward.leave(output) : output;
}

/** Runs before forward of every module with (module, args); what it returns replaces the args. */
export function registerModuleForwardPreHook(
  hook: (module: Module, args: unknown[]) => unknown,
): RemovableHandle;
export function registerModuleForwardPreHook(hook: Hook): RemovableHandle;
export function registerModuleForwardPreHook(hook: Hook): RemovableHandle {
  return globalHooks.forwardPre.add(hook);
}

/** Runs after forward of every module with (module, args, output), which it may replace. */
export function registerModuleForwardHook(
  hook: (module: Module, args: unknown[], output: unknown) => unknown,
): RemovableHandle;
export function registerModuleForwardHook(
  hook: Hook,
  options?: Pick<ForwardHookOptions, 'withKwargs'>,
): RemovableHandle;
export function registerModuleForwardHook(
  hook: Hook,
  options?: Pick<ForwardHookOptions, 'withKwargs'>,
): RemovableHandle {
  return globalHooks.forward.add(hook, options);
}

/** Runs in backward of every module with (module, gradOutput), which it may replace. */
export function registerModuleFullBackwardPreHook(hook: BackwardPreHook<Module>): RemovableHandle;
export function registerModuleFullBackwardPreHook(hook: Hook): RemovableHandle;
export function registerModuleFullBackwardPreHook(hook: Hook): RemovableHandle {
  return globalHooks.backwardPre.add(hook);
}

/** Runs in backward of every module with (module, gradInput, gradOutput); may replace gradInput. */
export function registerModuleFullBackwardHook(hook: BackwardHook<Module>): RemovableHandle;
export function registerModuleFullBackwardHook(hook: Hook): RemovableHandle;
export function registerModuleFullBackwardHook(hook: Hook): RemovableHandle {
  return globalHooks.backward.add(hook);
}
