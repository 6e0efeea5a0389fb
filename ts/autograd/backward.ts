/** backward(), autograd.grad() and what else users say to the graph through a tensor. */

import { AutogradError } from '../core/errors.js';
import type { Tensor } from '../tensor.js';
import { type RunOptions, runBackward } from './engine.js';
import { edgeOf, type GradHook } from './node.js';

export interface BackwardOptions {
  /** Gradient of the tensor, of its shape; ones for a tensor of one element. */
  gradient?: Tensor;
  /** Keep saved tensors for another backward through the same graph. Default: `createGraph`. */
  retainGraph?: boolean;
  /** Record the gradient computation, for higher derivatives. Default false. */
  createGraph?: boolean;
  /** Accumulate into these leaves only. */
  inputs?: readonly Tensor[];
}

function runOptions(options: { retainGraph?: boolean; createGraph?: boolean }): RunOptions {
  const createGraph = options.createGraph ?? false;
  return { createGraph, retainGraph: options.retainGraph ?? createGraph };
}

/** Adds the gradients of the tensor with respect to all leaves into their `grad`. */
export function backward(input: Tensor, options: BackwardOptions = {}): void {
  const { gradient, inputs } = options;
  if (inputs === undefined) {
    runBackward([input], [gradient], runOptions(options));
    return;
  }
  const grads = runBackward([input], [gradient], { ...runOptions(options), captures: inputs });
  inputs.forEach((leaf, i) => {
    const value = grads[i];
    if (value === undefined) return;
    leaf.grad = leaf.grad === null ? value : leaf.grad.add(value);
  });
}

export interface GradOptions {
  gradOutputs?: Tensor | readonly (Tensor | null)[];
  retainGraph?: boolean;
  createGraph?: boolean;
  /** Give null for inputs the outputs do not depend on, instead of an error. Default false. */
  allowUnused?: boolean;
}

/**
 * The gradients of `outputs` with respect to `inputs`, without touching any `grad`.
 * Returns one tensor per input, of its shape.
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions = {},
): (Tensor | null)[] {
  const roots = [outputs].flat() as Tensor[];
  const wanted = [inputs].flat() as Tensor[];
  const given =
    options.gradOutputs === undefined ? [] : ([options.gradOutputs].flat() as (Tensor | null)[]);
  for (const input of wanted) {
    if (edgeOf(input)[0] === undefined) {
      throw new AutogradError(
        'grad: one of the inputs does not require gradients; set requiresGrad before using it',
      );
    }
  }
  const settings = { ...runOptions(options), captures: wanted };
  const grads = runBackward(
    roots,
    roots.map((_, i) => given[i] ?? undefined),
    settings,
    'grad',
  );
  return grads.map((value, i) => {
    if (value === undefined && !options.allowUnused) {
      throw new AutogradError(
        `grad: input ${i} was not used to compute the outputs; give { allowUnused: true } to get ` +
          'null for it',
      );
    }
    return value ?? null;
  });
}

/**
 * Calls `hook` with the gradient of the tensor when it is computed; a returned tensor replaces it.
 * Returns a handle with remove().
 */
export function registerHook(input: Tensor, hook: GradHook): { remove(): void } {
  const [node, index] = edgeOf(input);
  if (node === undefined) {
    throw new AutogradError('registerHook: the tensor does not require gradients, no hook can run');
  }
  return node.addHook(index, hook);
}

/** Keeps the gradient of a non-leaf in its `grad` when backward() passes. */
export function retainGrad(input: Tensor): void {
  const [node, index] = edgeOf(input);
  if (node === undefined) {
    throw new AutogradError('retainGrad: the tensor does not require gradients');
  }
  const meta = input.autograd();
  if (input.isLeaf || meta.retainsGrad) return;
  meta.retainsGrad = true;
  node.retained ??= new Map();
  node.retained.set(index, input);
}
