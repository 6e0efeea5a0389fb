/** Arithmetic, comparison and choice between tensors and numbers: composites over the table. */

import { bool, Category, type Dtype } from '../core/dtype.js';
import { DtypeError, ValueError } from '../core/errors.js';
import type { Tensor } from '../tensor.js';
import { applyBinary, applyPointwise, applyUnary, refuseBool } from './apply.js';
import { elementwise } from './elementwise.js';
import { assignBinary, assignFrom, assignInPlace } from './inplace.js';
import { afterReading } from './later.js';
import { nonzero } from './masking.js';
import { SUBTRACT_BOOL } from './pointwise.js';
import { isTensor, type Operand, resultDtype } from './promote.js';
import { op } from './signature.js';

/** How a division is rounded: not at all, toward zero, or down. */
export type RoundingMode = 'trunc' | 'floor' | null;

/** The factor of the second operand as a number: of bools, whether it is not 0. */
function factor(name: string, alpha: number | boolean, operands: readonly Operand[]): number {
  const dtype = resultDtype(operands);
  const scale = Number(alpha);
  const isFlag = typeof alpha === 'boolean' && dtype !== bool;
  if (isFlag || (dtype.category !== Category.Float && !Number.isInteger(scale))) {
    const wanted = dtype.isFloatingPoint ? 'a number' : 'an integer';
    throw new DtypeError(`${name}: alpha must be ${wanted} for ${dtype} tensors, got ${alpha}`);
  }
  return dtype === bool ? Number(scale !== 0) : scale;
}

/** As factor(), of differences. */
function minus(name: string, alpha: number | boolean, operands: readonly Operand[]): number {
  refuseBool(name, operands, SUBTRACT_BOOL);
  return -factor(name, alpha, operands);
}

/** `input + alpha * other`. */
export const add = op(
  'add',
  'input, other, alpha',
  (input: Operand, other: Operand, alpha: number | boolean = 1): Tensor => {
    if (alpha === 1) return applyBinary('addTensors', input, other);
    const operands = [input, other];
    return applyPointwise('addScaled', operands, [factor('add', alpha, operands)]);
  },
);

export const add_ = op(
  'add_',
  'input, other, alpha',
  (input: Tensor, other: Operand, alpha: number | boolean = 1): Tensor => {
    if (alpha === 1) return assignBinary('add_', input, 'addTensors', other);
    const scale = factor('add_', alpha, [input, other]);
    return assignBinary('add_', input, 'addScaled', other, [scale]);
  },
);

/** `input - alpha * other`. */
export const sub = op(
  'sub',
  'input, other, alpha',
  (input: Operand, other: Operand, alpha: number | boolean = 1): Tensor => {
    if (alpha === 1) return applyBinary('subTensors', input, other);
    const operands = [input, other];
    return applyPointwise('addScaled', operands, [minus('sub', alpha, operands)]);
  },
);

export const sub_ = op(
  'sub_',
  'input, other, alpha',
  (input: Tensor, other: Operand, alpha: number | boolean = 1): Tensor => {
    if (alpha === 1) return assignBinary('sub_', input, 'subTensors', other);
    const scale = minus('sub_', alpha, [input, other]);
    return assignBinary('sub_', input, 'addScaled', other, [scale]);
  },
);

export const subtract = sub;
export const subtract_ = sub_;

/** `other - alpha * input`. */
export const rsub = op(
  'rsub',
  'input, other, alpha',
  (input: Tensor, other: Operand, alpha = 1): Tensor => {
    if (!isTensor(input)) throw new ValueError('rsub: the first operand must be a tensor');
    return sub(other, input, alpha);
  },
);

export const multiply = (input: Operand, other: Operand): Tensor => elementwise.mul(input, other);
export const multiply_ = (input: Tensor, other: Operand): Tensor => elementwise.mul_(input, other);

function divisionRow(name: string, mode: RoundingMode): 'divTrue' | 'divFloor' | 'divTrunc' {
  if (mode === null) return 'divTrue';
  if (mode === 'floor') return 'divFloor';
  if (mode === 'trunc') return 'divTrunc';
  throw new ValueError(`${name}: roundingMode is null, 'trunc' or 'floor', got '${mode}'`);
}

/**
 * `input / other`; with `roundingMode` 'trunc' or 'floor' rounded, and integers stay integers:
 * divided by 0 they are 0, where PyTorch throws.
 */
export const div = op(
  'div',
  'input, other, roundingMode',
  (input: Operand, other: Operand, roundingMode: RoundingMode = null): Tensor =>
    applyBinary(divisionRow('div', roundingMode), input, other),
);

export const div_ = op(
  'div_',
  'input, other, roundingMode',
  (input: Tensor, other: Operand, roundingMode: RoundingMode = null): Tensor =>
    assignBinary('div_', input, divisionRow('div_', roundingMode), other),
);

export const divide = div;
export const divide_ = div_;
export const trueDivide = (input: Operand, other: Operand): Tensor => div(input, other);
export const trueDivide_ = (input: Tensor, other: Operand): Tensor => div_(input, other);

/** `floor(input / other)`. */
export const floorDivide = (input: Operand, other: Operand): Tensor => div(input, other, 'floor');
export const floorDivide_ = (input: Tensor, other: Operand): Tensor => div_(input, other, 'floor');

/** `input` to the power of `exponent`. Small constant exponents take the short way. */
export const pow = op('pow', 'input, exponent', (input: Operand, exponent: Operand): Tensor => {
  checkIntegerPower('pow', input, exponent);
  if (isTensor(input) && typeof exponent === 'number') {
    if (exponent === 2) return elementwise.square(input);
    if (exponent === 3 && input.dtype.category !== Category.Bool) return applyUnary('cube', input);
    if (exponent === 0.5) return elementwise.sqrt(input);
    if (exponent === -0.5) return elementwise.rsqrt(input);
    if (exponent === -1 && input.dtype.isFloatingPoint) return elementwise.reciprocal(input);
  }
  return applyBinary('powTensors', input, exponent);
});

export const pow_ = (input: Tensor, exponent: Operand): Tensor => {
  checkIntegerPower('pow_', input, exponent);
  return assignBinary('pow_', input, 'powTensors', exponent);
};

function checkIntegerPower(name: string, input: Operand, exponent: Operand): void {
  if (typeof exponent !== 'number' || exponent >= 0 || !Number.isInteger(exponent)) return;
  if (isTensor(input) && !input.dtype.isFloatingPoint) {
    throw new DtypeError(
      `${name}: integers to negative integer powers are not defined; cast with float() first`,
    );
  }
}

/** `input` held between `min` and `max`, each a number, a tensor or null. NaN stays NaN. */
export const clamp = op(
  'clamp',
  'input, min, max',
  (input: Tensor, min: Operand | null = null, max: Operand | null = null): Tensor => {
    if (min === null && max === null) {
      throw new ValueError('clamp: give at least one of min and max');
    }
    if (min === null) return clampMax(input, max as Operand);
    if (max === null) return clampMin(input, min);
    if (typeof min !== 'number' || typeof max !== 'number') {
      return applyPointwise('clampTensors', [input, min, max]);
    }
    if (Number.isNaN(min) || Number.isNaN(max)) return clampMin(input, Number.NaN);
    const dtype = resultDtype([input, min, max]);
    const wide = dtype === input.dtype ? input : input.to(dtype);
    return applyPointwise('clampScalars', [wide], [min, max]);
  },
);

function bounded(name: 'clampMin' | 'clampMax', input: Tensor, bound: Operand): Tensor {
  if (!isTensor(input)) throw new ValueError(`${name}: the first operand must be a tensor`);
  return applyBinary(name, input, bound);
}

/** `input`, at least `min`. */
export const clampMin = op(
  'clampMin',
  'input, min',
  (input: Tensor, min: Operand): Tensor => bounded('clampMin', input, min),
);

/** `input`, at most `max`. */
export const clampMax = op(
  'clampMax',
  'input, max',
  (input: Tensor, max: Operand): Tensor => bounded('clampMax', input, max),
);

export const clamp_ = op(
  'clamp_',
  'input, min, max',
  (input: Tensor, min: Operand | null = null, max: Operand | null = null): Tensor =>
    assignFrom('clamp_', input, (before) => clamp(before, min, max)),
);
export const clampMin_ = (input: Tensor, min: Operand): Tensor =>
  assignFrom('clampMin_', input, (before) => clampMin(before, min));
export const clampMax_ = (input: Tensor, max: Operand): Tensor =>
  assignFrom('clampMax_', input, (before) => clampMax(before, max));
export const clip = clamp;
export const clip_ = clamp_;

/**
 * `input` where `condition` is true, else `other`; all broadcast together. With the condition
 * alone the positions where it holds, one vector per dimension.
 */
export const where: {
  (condition: Tensor): Tensor[];
  (condition: Tensor, input: Operand, other: Operand): Tensor;
  (condition: Tensor, options: { input: Operand; other: Operand }): Tensor;
} = op(
  'where',
  'condition, input, other',
  (condition: Tensor, input?: Operand, other?: Operand): Tensor | Tensor[] => {
    if (!isTensor(condition)) {
      throw new ValueError(`where: the condition is a bool tensor, got ${String(condition)}`);
    }
    if (input === undefined && other === undefined) return nonzero(condition, { asTuple: true });
    if (input === undefined || other === undefined) {
      throw new ValueError('where: give both input and other, or the condition alone');
    }
    const mask = condition.dtype.name === 'uint8' ? elementwise.ne(condition, 0) : condition;
    return applyPointwise('select3', [mask, input, other]);
  },
) as never;

/** `input + value * tensor1 * tensor2`. */
export const addcmul = op(
  'addcmul',
  'input, tensor1, tensor2, value',
  (input: Tensor, tensor1: Tensor, tensor2: Tensor, value = 1): Tensor =>
    applyPointwise('addcmulTensors', [input, tensor1, tensor2], [value]),
);

export const addcmul_ = op(
  'addcmul_',
  'input, tensor1, tensor2, value',
  (input: Tensor, tensor1: Tensor, tensor2: Tensor, value = 1): Tensor =>
    assignInPlace('addcmul_', input, 'addcmulTensors', [input, tensor1, tensor2], [value]),
);

/** `input + value * tensor1 / tensor2`. */
export const addcdiv = op(
  'addcdiv',
  'input, tensor1, tensor2, value',
  (input: Tensor, tensor1: Tensor, tensor2: Tensor, value = 1): Tensor =>
    applyPointwise('addcdivTensors', [input, tensor1, tensor2], [value]),
);

export const addcdiv_ = op(
  'addcdiv_',
  'input, tensor1, tensor2, value',
  (input: Tensor, tensor1: Tensor, tensor2: Tensor, value = 1): Tensor =>
    assignInPlace('addcdiv_', input, 'addcdivTensors', [input, tensor1, tensor2], [value]),
);

/** `input + weight * (end - input)`. */
export const lerp = op(
  'lerp',
  'input, end, weight',
  (input: Tensor, end: Tensor, weight: Operand): Tensor =>
    applyPointwise('lerpTensors', [input, end, weight]),
);

export const lerp_ = op(
  'lerp_',
  'input, end, weight',
  (input: Tensor, end: Tensor, weight: Operand): Tensor =>
    assignInPlace('lerp_', input, 'lerpTensors', [input, end, weight]),
);

/** All bits flipped; the logical opposite for bool. */
export const bitwiseNot = (input: Tensor): Tensor =>
  input.dtype === bool ? elementwise.logicalNot(input) : applyUnary('invertBits', input);
export const bitwiseNot_ = (input: Tensor): Tensor =>
  assignFrom('bitwiseNot_', input, (before) => bitwiseNot(before));

/** Rounded to `decimals` places after the point (negative: before it), ties to even. */
export const round = op('round', 'input, decimals', (input: Tensor, decimals = 0): Tensor => {
  if (decimals === 0) return applyUnary('roundEven', input);
  if (!input.dtype.isFloatingPoint) {
    throw new DtypeError(`round: decimals need a floating point tensor, got ${input.dtype}`);
  }
  const scale = 10 ** Math.abs(decimals);
  if (decimals > 0) return div(applyPointwise('roundEven', [elementwise.mul(input, scale)]), scale);
  return elementwise.mul(applyPointwise('roundEven', [div(input, scale)]), scale);
});
export const round_ = op(
  'round_',
  'input, decimals',
  (input: Tensor, decimals = 0): Tensor =>
    assignFrom('round_', input, (before) => round(before, decimals)),
);

/** The tensor itself, as +x. */
export const positive = (input: Tensor): Tensor => {
  if (input.dtype === bool) throw new DtypeError('positive: not defined for bool tensors');
  return input;
};

export const absolute = elementwise.abs;
export const absolute_ = elementwise.abs_;
export const negative = elementwise.neg;
export const negative_ = elementwise.neg_;
export const greater = elementwise.gt;
export const greaterEqual = elementwise.ge;
export const less = elementwise.lt;
export const lessEqual = elementwise.le;
export const notEqual = elementwise.ne;

/** NaN, +inf and -inf replaced; by default 0 and the largest and smallest of the dtype. */
export const nanToNum = op(
  'nanToNum',
  'input, nan, posinf, neginf',
  (
    input: Tensor,
    nan: number | null = null,
    posinf: number | null = null,
    neginf: number | null = null,
  ): Tensor => {
    if (!input.dtype.isFloatingPoint) return input.clone();
    const largest = LARGEST[input.dtype.name] ?? 0;
    return applyPointwise('nanToNum', [input], [nan ?? 0, posinf ?? largest, neginf ?? -largest]);
  },
);

export const nanToNum_ = op(
  'nanToNum_',
  'input, nan, posinf, neginf',
  (
    input: Tensor,
    nan: number | null = null,
    posinf: number | null = null,
    neginf: number | null = null,
  ): Tensor => assignFrom('nanToNum_', input, (before) => nanToNum(before, nan, posinf, neginf)),
);

const LARGEST: Partial<Record<Dtype['name'], number>> = {
  float64: Number.MAX_VALUE,
  float32: 3.4028234663852886e38,
  float16: 65504,
  bfloat16: 3.3895313892515355e38,
};

/** Whether each element is close: |input - other| <= atol + rtol * |other|. */
export const isclose = op(
  'isclose',
  'input, other, rtol, atol, equalNan',
  (input: Tensor, other: Tensor, rtol = 1e-5, atol = 1e-8, equalNan = false): Tensor => {
    if (input.dtype !== other.dtype) {
      throw new DtypeError(`isclose: dtypes differ, ${input.dtype} and ${other.dtype}; cast one`);
    }
    if (rtol < 0 || atol < 0) {
      throw new ValueError(`isclose: rtol and atol are not negative, got ${rtol} and ${atol}`);
    }
    let close = elementwise.eq(input, other);
    if (equalNan && input.dtype.isFloatingPoint) {
      const both = elementwise.logicalAnd(elementwise.isnan(input), elementwise.isnan(other));
      close = elementwise.logicalOr(close, both);
    }
    if (rtol === 0 && atol === 0) return close;
    const [a, b] = input.dtype === bool ? [input.float(), other.float()] : [input, other];
    const distance = elementwise.abs(sub(a, b));
    const allowed = add(elementwise.abs(elementwise.mul(b, rtol)), atol);
    const near = elementwise.logicalAnd(
      elementwise.isfinite(distance),
      elementwise.le(distance, allowed),
    );
    return elementwise.logicalOr(close, near);
  },
);

/** Whether all elements are close: a boolean, or its promise where reading waits. */
export const allclose = op(
  'allclose',
  'input, other, rtol, atol, equalNan',
  (input: Tensor, other: Tensor, rtol = 1e-5, atol = 1e-8, equalNan = false): boolean =>
    afterReading('allclose', isclose(input, other, rtol, atol, equalNan).all(), ([all]) =>
      Boolean(all),
    ),
);

/** Whether shapes and all elements are equal: a boolean, or its promise where reading waits. */
export const equal = op('equal', 'input, other', (input: Tensor, other: Tensor): boolean => {
  if (input.shape.length !== other.shape.length) return false;
  if (input.shape.some((size, i) => size !== other.shape[i])) return false;
  return afterReading('equal', elementwise.eq(input, other).all(), ([all]) => Boolean(all));
});
