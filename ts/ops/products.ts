/** What products share: their checks, the launch of the row `matmul`, and linear() with relu(). */

import { bool } from '../core/dtype.js';
import { DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { numelOf, type Shape } from '../core/layout.js';
import { isTensor, type Tensor } from '../tensor.js';
import { applyCanonical, type Form } from './canonical.js';
import { elementwise } from './elementwise.js';
import type { Epilogue } from './primitives/matmul.js';
import { op } from './signature.js';

/** Every product needs operands of one dtype, as in PyTorch. */
export function checkDtypes(name: string, ...operands: Tensor[]): void {
  const [{ dtype }] = operands;
  for (const operand of operands) {
    if (!isTensor(operand)) {
      throw new ValueError(
        `${name}: expected tensors, got ${String(operand)}; use mul() for numbers`,
      );
    }
    if (operand.dtype !== dtype) {
      throw new DtypeError(
        `${name}: operands have one dtype, got ${dtype} and ${operand.dtype}; cast one`,
      );
    }
  }
  if (dtype === bool)
    throw new DtypeError(`${name}: not defined for bool tensors; cast with int()`);
}

export function mismatch(name: string, a: Tensor, b: Tensor, why: string): ShapeError {
  return new ShapeError(
    `${name}: shapes ${showShape(a.shape)} and ${showShape(b.shape)} do not go together: ${why}`,
  );
}

/** The one launch behind every product: [B, M, K] by [B, K, N], in the result's own shape. */
export function product(
  a: Tensor,
  b: Tensor,
  forms: readonly [Form, Form],
  shape: Shape,
  shown: string,
  bias?: Tensor,
  epilogue: Epilogue = NOTHING,
): Tensor {
  return applyCanonical('matmul', [a, b, bias], forms, [shape], epilogue, shown)[0];
}
const NOTHING: Epilogue = {};
const RELU: Epilogue = { activation: 'relu' };

function affine(input: Tensor, weight: Tensor, bias: Tensor | null, relu: boolean): Tensor {
  const b = bias ?? undefined;
  const behind = (x: Tensor) => (relu ? elementwise.relu(x) : x);
  if (weight.ndim !== 2 || input.ndim === 0) {
    if (weight.ndim === 1 && input.ndim > 0) return behind(plus(input.matmul(weight), b));
    throw mismatch('linear', input, weight, 'expected an input [..., K] and a weight [N, K]');
  }
  checkDtypes('linear', input, weight);
  const [n, k] = weight.shape;
  const last = input.ndim - 1;
  if (input.shape[last] !== k) {
    const why = `the input ends with size ${input.shape[last]}, the weight takes ${k}`;
    throw mismatch('linear', input, weight, why);
  }
  const rows = numelOf(input.shape.slice(0, -1));
  const forms = [{ shape: [1, rows, k] }, { order: [1, 0], shape: [1, k, n] }] as const;
  const shape = [...input.shape.slice(0, -1), n];
  const fused = b !== undefined && b.ndim === 1 && b.shape[0] === n && b.dtype === input.dtype;
  const shown = linearName(input.ndim, fused);
  // Halves are rounded before relu(), and small integers wrap.
  const whole = relu && (fused || b === undefined) && input.dtype.size >= 4;
  const epilogue = whole ? RELU : NOTHING;
  const result = product(input, weight, forms, shape, shown, fused ? b : undefined, epilogue);
  return whole ? result : behind(fused ? result : plus(result, b));
}

function linearName(ndim: number, fused: boolean): string {
  if (ndim === 2) return fused ? 'AddmmBackward0' : 'MmBackward0';
  return fused ? 'ViewBackward0' : 'UnsafeViewBackward0';
}

function plus(x: Tensor, bias: Tensor | undefined): Tensor {
  return bias === undefined ? x : x.add(bias);
}

function linearOf(relu: boolean) {
  return op(
    'linear',
    'input, weight, bias',
    (input: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor =>
      affine(input, weight, bias, relu),
  );
}

export const linear = linearOf(false);
/** relu() of linear(), of the same bits and with the same nodes, mostly by one kernel. */
export const linearRelu = linearOf(true);
