/** Checking gradients against finite differences. */

import { float64 } from '../core/dtype.js';
import { AutogradError, DtypeError, showShape } from '../core/errors.js';
import { isTensor, type Tensor } from '../tensor.js';
import { grad } from './backward.js';
import { enableGrad, noGrad } from './mode.js';

export interface GradcheckOptions {
  /** Step of the central differences. Default 1e-6. */
  eps?: number;
  /** Absolute and relative tolerance. Default 1e-5 and 1e-3. */
  atol?: number;
  rtol?: number;
  /** Throw with the first difference (default), or return false. */
  raiseException?: boolean;
}

/** A function of tensors to one tensor or several. */
export type TensorFunction = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

function outputsOf(f: TensorFunction, inputs: readonly Tensor[]): Tensor[] {
  const result = f(...inputs);
  const list = (isTensor(result) ? [result] : [...result]) as Tensor[];
  return list.filter((output) => isTensor(output) && output.dtype.isFloatingPoint);
}

function checked(inputs: Tensor | readonly Tensor[], op: string): Tensor[] {
  const list = (isTensor(inputs) ? [inputs] : [...inputs]) as Tensor[];
  const wanted = list.filter((input) => input.requiresGrad);
  if (wanted.length === 0) throw new AutogradError(`${op}: no input requires gradients`);
  for (const input of wanted) {
    if (input.dtype !== float64) {
      throw new DtypeError(
        `${op}: inputs must be float64 for finite differences to mean anything, got ` +
          `${input.dtype}; ` +
          'use x.double().detach().requiresGrad_()',
      );
    }
  }
  return list;
}

/**
 * Numerical Jacobian of every output with respect to one input: [input element][output element].
 */
function numerical(
  f: TensorFunction,
  inputs: readonly Tensor[],
  which: number,
  eps: number,
): number[][] {
  const input = inputs[which];
  const values = Float64Array.from(input.detach().dataSync() as Float64Array);
  const at = (position: number, value: number): number[] => {
    const changed = values.slice();
    changed[position] = value;
    const moved = input.newTensor(changed).view(input.shape);
    const outputs = noGrad(() => outputsOf(f, inputs.with(which, moved)));
    return outputs.flatMap((output) => [...(output.dataSync() as Float64Array)]);
  };
  return Array.from(values, (value, i) => {
    const above = at(i, value + eps);
    const below = at(i, value - eps);
    return above.map((y, k) => (y - below[k]) / (2 * eps));
  });
}

/** Jacobian by backward, in the same layout. */
function analytical(f: TensorFunction, inputs: readonly Tensor[], which: number): number[][] {
  const input = inputs[which];
  const columns: number[][] = [];
  const outputs = enableGrad(() => outputsOf(f, inputs));
  for (const output of outputs) {
    for (let k = 0; k < output.numel(); k++) {
      const seed = new Float64Array(output.numel());
      seed[k] = 1;
      const gradOutputs = output.detach().newTensor(seed).view(output.shape);
      const options = { gradOutputs, retainGraph: true, allowUnused: true };
      const [value] = output.requiresGrad ? grad(output, input, options) : [null];
      columns.push(
        value === null ? new Array(input.numel()).fill(0) : [...(value.dataSync() as Float64Array)],
      );
    }
  }
  return Array.from({ length: input.numel() }, (_, i) => columns.map((column) => column[i]));
}

function differs(a: number, b: number, atol: number, rtol: number): boolean {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) !== Number.isNaN(b);
  return Math.abs(a - b) > atol + rtol * Math.abs(b);
}

/**
 * Compares the gradients of `f` by backward with central differences, for every float64 input that
 * requires gradients. Returns true, or throws AutogradError naming the first difference.
 */
export function gradcheck(
  f: TensorFunction,
  inputs: Tensor | readonly Tensor[],
  options: GradcheckOptions = {},
): boolean {
  const { eps = 1e-6, atol = 1e-5, rtol = 1e-3, raiseException = true } = options;
  const list = checked(inputs, 'gradcheck');
  for (let which = 0; which < list.length; which++) {
    if (!list[which].requiresGrad) continue;
    const expected = numerical(f, list, which, eps);
    const actual = analytical(f, list, which);
    for (let i = 0; i < expected.length; i++) {
      for (let k = 0; k < expected[i].length; k++) {
        if (!differs(actual[i][k], expected[i][k], atol, rtol)) continue;
        if (!raiseException) return false;
        throw new AutogradError(
          `gradcheck: d output[${k}] / d input ${which}[${i}] (shape ` +
            `${showShape(list[which].shape)}) is ${actual[i][k]} by backward but ` +
            `${expected[i][k]} by finite differences`,
        );
      }
    }
  }
  return true;
}

/**
 * gradcheck of the gradient itself: second derivatives by double backward against differences.
 * `gradOutputs` default to fixed pseudo-random values.
 */
export function gradgradcheck(
  f: TensorFunction,
  inputs: Tensor | readonly Tensor[],
  options: GradcheckOptions & { gradOutputs?: readonly Tensor[] } = {},
): boolean {
  const list = checked(inputs, 'gradgradcheck');
  const outputs = enableGrad(() => outputsOf(f, list)).filter((output) => output.requiresGrad);
  const weights =
    options.gradOutputs ??
    outputs.map((output, o) => {
      const values = Float64Array.from({ length: output.numel() }, (_, i) =>
        Math.sin(1 + i + 7 * o),
      );
      return output.detach().newTensor(values).view(output.shape).requiresGrad_();
    });
  const count = list.length;
  const wanted = list.map((input, i) => (input.requiresGrad ? i : -1)).filter((i) => i >= 0);
  const first: TensorFunction = (...all) =>
    enableGrad(() => {
      const entries = all.slice(0, count).map((x, i) => entryFor(x, wanted.includes(i)));
      const results = outputsOf(f, entries).filter((output) => output.requiresGrad);
      const grads = grad(
        results,
        wanted.map((i) => entries[i]),
        { gradOutputs: all.slice(count), createGraph: true, allowUnused: true },
      );
      return grads.filter((value): value is Tensor => value !== null);
    });
  return gradcheck(first, [...list, ...weights], options);
}

/** Inputs of numerical runs are made anew and must start a graph of their own. */
function entryFor(x: Tensor, wanted: boolean): Tensor {
  return wanted && !x.requiresGrad ? x.detach().requiresGrad_() : x;
}
