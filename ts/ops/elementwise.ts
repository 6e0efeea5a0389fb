/** Functions and in-place forms of the unary and plain binary rows, typed from the table. */

import { ValueError } from '../core/errors.js';
import type { Tensor } from '../tensor.js';
import { applyBinary, applyUnary } from './apply.js';
import { assignBinary, assignUnary } from './inplace.js';
import { isPublic, type PointwiseName, type PointwiseRow, pointwise } from './pointwise.js';
import { isTensor, type Operand } from './promote.js';

type Rows = typeof pointwise;
/** Rows that are public functions as they stand. */
type Public<K extends PointwiseName> = Rows[K] extends { scalars: readonly string[] }
  ? never
  : Rows[K] extends { internal: true }
    ? never
    : K;
type WithInputs<K extends PointwiseName, N> = Rows[K]['inputs'] extends N ? Public<K> : never;
type InPlaceName<K extends PointwiseName> = Rows[K] extends { noInPlace: true } ? never : `${K}_`;

// Over the keys of the rows, so that editors show the comments there.
export type Unary = {
  readonly [K in keyof Rows as WithInputs<K, 1>]: (input: Tensor) => Tensor;
};
export type Binary = {
  readonly [K in keyof Rows as WithInputs<K, 2>]: (input: Operand, other: Operand) => Tensor;
};
export type UnaryInPlace = {
  readonly [K in keyof Rows as InPlaceName<WithInputs<K, 1>>]: (input: Tensor) => Tensor;
};
export type BinaryInPlace = {
  readonly [K in keyof Rows as InPlaceName<WithInputs<K, 2>>]: (
    input: Tensor,
    other: Operand,
  ) => Tensor;
};

function binaryFunction(name: PointwiseName, row: PointwiseRow) {
  const { tensors = 0 } = row;
  if (tensors === 0) {
    return (input: Operand, other: Operand) => applyBinary(name, input, other);
  }
  return (input: Operand, other: Operand): Tensor => {
    const refused = !isTensor(input) ? input : tensors > 1 && !isTensor(other) ? other : undefined;
    if (refused !== undefined) {
      throw new ValueError(
        `${name}: expected a tensor, got ${String(refused)}; use torch.tensor(${String(refused)})`,
      );
    }
    return applyBinary(name, input, other);
  };
}

function build(): Unary & Binary & UnaryInPlace & BinaryInPlace {
  const functions: Record<string, (...args: never[]) => Tensor> = {};
  for (const [name, row] of Object.entries(pointwise) as [PointwiseName, PointwiseRow][]) {
    if (!isPublic(row)) continue;
    functions[name] =
      row.inputs === 1 ? (input: Tensor) => applyUnary(name, input) : binaryFunction(name, row);
    if (row.noInPlace) continue;
    const written = `${name}_`;
    functions[written] =
      row.inputs === 1
        ? (input: Tensor) => assignUnary(written, input, name)
        : (input: Tensor, other: Operand) => assignBinary(written, input, name, other);
  }
  return functions as Unary & Binary & UnaryInPlace & BinaryInPlace;
}

/** Every public row as a function: `elementwise.exp(x)`, `elementwise.exp_(x)`. */
export const elementwise = build();
