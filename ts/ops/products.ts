/** What products share: their checks, the launch of the row `matmul`, and linear() with relu(). */

import { bool } from '../core/dtype.js';
import { DtypeError, ShapeError, showShape, showValue, ValueError } from '../core/errors.js';
import { rowMajor, type Shape, sized, turnedForm } from '../core/layout.js';
import { giveBack, lend, lend1, lend3, only } from '../core/lend.js';
import { isTensor, type Tensor } from '../tensor.js';
import { applyCanonical, type Form } from './canonical.js';
import { elementwise } from './elementwise.js';
import type { Epilogue } from './primitives/matmul.js';
import { op } from './signature.js';

/** Every product needs operands of one dtype, as in PyTorch. */
export function checkDtypes(name: string, ...operands: Tensor[]): void {
  const { dtype } = operands[0];
  for (const operand of operands) {
    if (!isTensor(operand)) {
      throw new ValueError(
        `${name}: expected tensors, got ${showValue(operand)}; mul() takes numbers`,
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
): Tensor {
  const seen = lend3<Form | undefined>(forms[0], forms[1], undefined);
  return productOf(a, b, bias, seen, shape, shown);
}

/** product(), which takes the list of forms. */
export function productOf(
  a: Tensor,
  b: Tensor,
  bias: Tensor | undefined,
  forms: (Form | undefined)[],
  shape: Shape,
  shown: string,
  epilogue: Epilogue = NOTHING,
): Tensor {
  const inputs = lend3<Tensor | undefined>(a, b, bias);
  return only(applyCanonical('matmul', inputs, forms, lend1(shape), epilogue, shown));
}

const NOTHING: Epilogue = {};
const RELU: Epilogue = { activation: 'relu' };

function affine(input: Tensor, weight: Tensor, bias: Tensor | null, relu: boolean): Tensor {
  const b = bias ?? undefined;
  if (weight.ndim !== 2 || input.ndim === 0) {
    if (weight.ndim === 1 && input.ndim > 0) return behind(plus(input.matmul(weight), b), relu);
    throw mismatch('linear', input, weight, 'expected an input [..., K] and a weight [N, K]');
  }
  checkDtypes('linear', input, weight);
  const n = weight.shape[0];
  const k = weight.shape[1];
  const { shape } = input;
  const last = shape.length - 1;
  if (shape[last] !== k) {
    const why = `the input ends with size ${shape[last]}, the weight takes ${k}`;
    throw mismatch('linear', input, weight, why);
  }
  const sizes = lend<number>(last + 1);
  let rows = 1;
  for (let i = 0; i < last; i++) {
    sizes[i] = shape[i];
    rows *= shape[i];
  }
  sizes[last] = n;
  const result = rowMajor(sizes).shape;
  giveBack(sizes);
  const fused = b !== undefined && b.ndim === 1 && b.shape[0] === n && b.dtype === input.dtype;
  const shown = linearName(input.ndim, fused);
  // Halves are rounded before relu(), and small integers wrap.
  const whole = relu && (fused || b === undefined) && input.dtype.size >= 4;
  const forms = lend3<Form | undefined>(sized(1, rows, k), turnedForm(weight.geometry), undefined);
  const epilogue = whole ? RELU : NOTHING;
  const product = productOf(input, weight, fused ? b : undefined, forms, result, shown, epilogue);
  return whole ? product : behind(fused ? product : plus(product, b), relu);
}

function behind(x: Tensor, relu: boolean): Tensor {
  return relu ? elementwise.relu(x) : x;
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
