/** Jacobians and Hessians. */

import { grad } from '../autograd/backward.js';
import { enableGrad } from '../autograd/mode.js';
import { ShapeError, showShape } from '../core/errors.js';
import type { Tensor } from '../tensor.js';
import { stack } from './joining.js';
import { isTensor } from './promote.js';

export interface JacobianOptions {
  /** Make the result differentiable itself. Default false. */
  createGraph?: boolean;
}

function fresh(inputs: Tensor | readonly Tensor[], createGraph: boolean): Tensor[] {
  const list = (isTensor(inputs) ? [inputs] : [...inputs]) as Tensor[];
  return list.map((x) => (createGraph && x.requiresGrad ? x.alias() : x.detach().requiresGrad_()));
}

/** The Jacobian of one output with respect to each input: [...output.shape, ...input.shape]. */
function rowsOf(output: Tensor, inputs: readonly Tensor[], createGraph: boolean): Tensor[] {
  const flat = output.reshape(-1);
  const rows: Tensor[][] = inputs.map(() => []);
  for (let k = 0; k < flat.numel(); k++) {
    const options = { retainGraph: true, createGraph, allowUnused: true };
    const grads = flat.requiresGrad
      ? grad(flat.select(0, k), inputs, options)
      : inputs.map(() => null);
    grads.forEach((value, i) => {
      rows[i].push(value ?? inputs[i].detach().zerosLike());
    });
  }
  return inputs.map((input, i) => {
    const shape = [...output.shape, ...input.shape];
    if (rows[i].length === 0) return output.detach().newZeros(shape);
    return stack(rows[i], 0).reshape(shape);
  });
}

/**
 * The Jacobian of `f` at `inputs`: for one input and one output a tensor of shape
 * [...output.shape, ...input.shape]; otherwise nested arrays, outputs first, as in PyTorch.
 */
export function jacobian(
  f: (...inputs: Tensor[]) => Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  { createGraph = false }: JacobianOptions = {},
): Tensor | Tensor[] | Tensor[][] {
  return enableGrad(() => {
    const entries = fresh(inputs, createGraph);
    const result = f(...entries);
    const single = isTensor(inputs);
    const forOutput = (output: Tensor): Tensor | Tensor[] => {
      const rows = rowsOf(output, entries, createGraph);
      return single ? rows[0] : rows;
    };
    if (isTensor(result)) return forOutput(result);
    return result.map(forOutput) as Tensor[] | Tensor[][];
  });
}

/**
 * The Hessian of a function to one number: for one input a tensor of shape
 * [...input.shape, ...input.shape], else nested arrays by input and input.
 */
export function hessian(
  f: (...inputs: Tensor[]) => Tensor,
  inputs: Tensor | readonly Tensor[],
  { createGraph = false }: JacobianOptions = {},
): Tensor | Tensor[][] {
  return enableGrad(() => {
    const entries = fresh(inputs, createGraph);
    const value = f(...entries);
    if (value.numel() !== 1) {
      throw new ShapeError(
        `hessian: the function must return one number, got shape ${showShape(value.shape)}`,
      );
    }
    const options = { createGraph: true, allowUnused: true };
    const firsts = grad(value.reshape([]), entries, options).map(
      (first, i) => first ?? entries[i].zerosLike(),
    );
    const rows = firsts.map((first) => rowsOf(first, entries, createGraph));
    return isTensor(inputs) ? rows[0][0] : rows;
  });
}
