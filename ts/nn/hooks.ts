/** Hooks of modules: lists of functions that can be removed again, and backward hooks. */

import { isGradEnabled } from '../autograd/mode.js';
import { type Grads, Node, setHistory } from '../autograd/node.js';
import { isTensor } from '../ops/promote.js';
import type { Tensor } from '../tensor.js';
import type { Module } from './module.js';

/** Called with the module and what its kind of hook is given; may return a replacement. */
export type Hook = (module: never, ...values: never[]) => unknown;
type AnyHook = (module: Module, ...values: unknown[]) => unknown;

export interface RemovableHandle {
  remove(): void;
  [Symbol.dispose](): void;
}

const NO_HOOKS: readonly AnyHook[] = [];

/** Hooks in the order they were registered. */
export class HookList {
  private readonly hooks: AnyHook[] = [];

  add(hook: Hook): RemovableHandle {
    const entry: AnyHook = (...values) => (hook as unknown as AnyHook)(...values);
    this.hooks.push(entry);
    const remove = () => {
      const index = this.hooks.indexOf(entry);
      if (index >= 0) this.hooks.splice(index, 1);
    };
    return { remove, [Symbol.dispose]: remove };
  }

  all(): readonly AnyHook[] {
    return this.hooks;
  }

  /** These hooks, then those of `other`; without a copy where either is empty. */
  with(other: HookList): readonly AnyHook[] {
    if (this.hooks.length === 0) return other.hooks.length === 0 ? NO_HOOKS : [...other.hooks];
    return [...this.hooks, ...other.hooks];
  }
}

/** A node that passes gradients through and shows them to `see`. */
class Passage extends Node {
  override runsUserCode = true;

  constructor(
    name: string,
    inputs: readonly Tensor[],
    private readonly see: (grads: Grads) => Grads,
  ) {
    super(name, inputs.length);
    for (const input of inputs) this.connect(input);
  }

  run(grads: Grads): Grads {
    return this.see(grads);
  }
}

function passThrough(tensors: readonly Tensor[], node: Node): Tensor[] {
  return tensors.map((tensor, i) => {
    const handle = tensor.bare();
    setHistory(handle, node, i);
    return handle;
  });
}

/** Runs forward between two nodes that see the gradients of its outputs and of its inputs. */
export function runBackwardHooks(
  module: Module,
  args: unknown[],
  hooks: readonly AnyHook[],
  forward: (args: unknown[]) => unknown,
): unknown {
  if (!isGradEnabled()) return forward(args);
  let gradOutput: Grads = [];
  const runHooks = (gradInput: Grads): Grads => {
    let current: Grads = gradInput;
    for (const hook of hooks) {
      const shown = current.map((grad) => grad ?? null);
      const result = hook(
        module,
        shown,
        gradOutput.map((grad) => grad ?? null),
      );
      if (result === undefined || result === null) continue;
      const replaced = (Array.isArray(result) ? result : [result]) as (Tensor | null)[];
      current = replaced.map((grad) => grad ?? undefined);
    }
    return current;
  };
  const places = args.flatMap((arg, i) => (isTensor(arg) && arg.requiresGrad ? [i] : []));
  const inputs = places.map((i) => args[i] as Tensor);
  const entered = [...args];
  if (inputs.length > 0) {
    const node = new Passage('BackwardHookFunctionBackward', inputs, (grads) => {
      const all: Grads = args.map(() => undefined);
      places.forEach((place, k) => {
        all[place] = grads[k];
      });
      const replaced = runHooks(all);
      return places.map((place) => replaced[place]);
    });
    passThrough(inputs, node).forEach((handle, k) => {
      entered[places[k]] = handle;
    });
  }
  const output = forward(entered);
  const outputs = (Array.isArray(output) ? output : [output]).filter(
    (value): value is Tensor => isTensor(value) && value.requiresGrad,
  );
  if (outputs.length === 0) return output;
  const node = new Passage('BackwardHookFunctionBackward', outputs, (grads) => {
    // Handles of their own: the engine gives up a gradient once it has been passed on.
    gradOutput = grads.map((grad) => (grad?.requiresGrad ? grad : grad?.bare()));
    if (inputs.length === 0) runHooks([]);
    return grads;
  });
  const shown = new Map(passThrough(outputs, node).map((handle, i) => [outputs[i], handle]));
  const swap = (value: unknown) => (isTensor(value) ? (shown.get(value) ?? value) : value);
  return Array.isArray(output) ? output.map(swap) : swap(output);
}

/** @internal Hooks of all modules. */
export const globalHooks = {
  forwardPre: new HookList(),
  forward: new HookList(),
  backward: new HookList(),
};

/** Hooks that run for every module, before its own. */
export function registerModuleForwardPreHook(hook: Hook): RemovableHandle {
  return globalHooks.forwardPre.add(hook);
}
export function registerModuleForwardHook(hook: Hook): RemovableHandle {
  return globalHooks.forward.add(hook);
}
export function registerModuleFullBackwardHook(hook: Hook): RemovableHandle {
  return globalHooks.backward.add(hook);
}
