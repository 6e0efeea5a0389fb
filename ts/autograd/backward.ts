/** backward(), autograd.grad() and what else users say to the graph through a tensor. */

import { AutogradError, showShape, ValueError } from '../core/errors.js';
import { giveBack, lend1 } from '../core/lend.js';
import { checkOptions } from '../core/options.js';
import { isTensor, type Tensor } from '../tensor.js';
import { PLAIN, type RunOptions, runBackward } from './engine.js';
import { addToGrad } from './memory.js';
import { setRecording } from './mode.js';
import { edgeOf, type GradHook } from './node.js';

export interface BackwardOptions {
  /** Gradient of the tensor, of its shape; ones for a tensor of one element. */
  gradient?: Tensor | null;
  /** Keep saved tensors for another backward through the same graph. Default: `createGraph`. */
  retainGraph?: boolean;
  /** Record the gradient computation, for higher derivatives. Default false. */
  createGraph?: boolean;
  /** Accumulate into these leaves only. */
  inputs?: Tensor | readonly Tensor[];
}

function runOptions(options: { retainGraph?: boolean; createGraph?: boolean }): RunOptions {
  const createGraph = options.createGraph ?? false;
  return { createGraph, retainGraph: options.retainGraph ?? createGraph };
}

const BACKWARD_OPTIONS = ['gradient', 'retainGraph', 'createGraph', 'inputs'];
const GRAD_OPTIONS = ['gradOutputs', 'retainGraph', 'createGraph', 'allowUnused'];

/**
 * Adds the gradients of the tensor with respect to all leaves into their `grad`. The gradient of
 * the tensor may also come first, by position.
 */
export function backward(input: Tensor, given: Tensor | BackwardOptions | null = null): void {
  if (given === null || isTensor(given)) {
    const roots = lend1(input);
    const grads = lend1(given ?? undefined);
    runBackward(roots, grads, PLAIN);
    giveBack(roots);
    giveBack(grads);
    return;
  }
  const options: BackwardOptions = given;
  checkOptions('backward', options, BACKWARD_OPTIONS);
  const { gradient, inputs } = options;
  if (inputs === undefined) {
    runBackward([input], [gradient ?? undefined], runOptions(options));
    return;
  }
  const leaves = [inputs].flat() as Tensor[];
  for (const leaf of leaves) refuseConstant('backward', leaf);
  const settings = { ...runOptions(options), captures: leaves };
  const grads = runBackward([input], [gradient ?? undefined], settings);
  const before = setRecording(settings.createGraph);
  try {
    leaves.forEach((leaf, i) => {
      const value = grads[i];
      if (value !== undefined) addToGrad(leaf, value, settings.createGraph);
    });
  } finally {
    setRecording(before);
  }
}

function refuseConstant(op: string, input: Tensor): void {
  if (edgeOf(input)[0] !== undefined) return;
  throw new AutogradError(
    `${op}: one of the inputs, of shape ${showShape(input.shape)}, does not require gradients; ` +
      'call requiresGrad_() on it before computing the outputs',
  );
}

type GradOutputs = Tensor | readonly (Tensor | null)[] | null;

export interface GradOptions {
  gradOutputs?: GradOutputs;
  retainGraph?: boolean;
  createGraph?: boolean;
  /** Give null for inputs the outputs do not depend on, instead of an error. Default false. */
  allowUnused?: boolean;
}

/** The options, of which the first may also come by its position. */
function gradOptions(given: GradOutputs | GradOptions, rest: GradOptions): GradOptions {
  const byPosition = given === null || isTensor(given) || Array.isArray(given);
  const options = byPosition ? { gradOutputs: given as GradOutputs, ...rest } : given;
  checkOptions('grad', options, GRAD_OPTIONS);
  return options as GradOptions;
}

/**
 * The gradients of `outputs` with respect to `inputs`, without touching any `grad`. Those of the
 * outputs may also come third, by position.
 * Returns one tensor per input, of its shape. One that repeats its elements may be an expanded view:
 * clone() it before writing into it.
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  gradOutputs: GradOutputs | GradOptions = null,
  rest: GradOptions = {},
): (Tensor | null)[] {
  const options = gradOptions(gradOutputs, rest);
  const roots = [outputs].flat() as Tensor[];
  const wanted = [inputs].flat() as Tensor[];
  const given = [options.gradOutputs ?? []].flat() as (Tensor | null)[];
  if (given.length !== 0 && given.length !== roots.length) {
    throw new ValueError(
      `grad: got ${given.length} gradients for ${roots.length} outputs; give one for each, or null`,
    );
  }
  for (const input of wanted) refuseConstant('grad', input);
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
  if (typeof hook !== 'function') {
    throw new ValueError(`registerHook: expected a function of the gradient, got ${String(hook)}`);
  }
  return node.addHook(index, (g) => {
    const result = hook(g);
    if (result === undefined || result === null || isTensor(result)) return result;
    throw new ValueError(
      `registerHook: the hook returned ${String(result)}; return a tensor to replace the ` +
        'gradient, or nothing to leave it',
    );
  });
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
