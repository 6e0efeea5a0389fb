/** What the rows of the gradient tables are written with. */

import { type Geometry, rowMajor, type Shape } from '../core/layout.js';
import { Memo } from '../core/memo.js';
import type { Tensor } from '../tensor.js';
import { applyPointwise, applyPrimitive } from './apply.js';
import type { GradContext, NotDifferentiable, RuleByInput, Saves } from './rule.js';
import type { AttributesOf, PrimitiveName } from './table.js';

type Formula<A> = (g: Tensor, s: GradContext<A>) => Tensor;

/** A rule with one formula per input; undefined where the input has no gradient. */
export function rule<A>(saves: Saves, ...grads: (Formula<A> | undefined)[]): RuleByInput<A> {
  return { kind: 'rule', saves, grads };
}

/** The row of an operator without a gradient. */
export function none(reason: string): NotDifferentiable {
  return { kind: 'none', reason };
}

/** Attributes of rows that have none: one object, so that their calls are alike. */
export const PLAIN = Object.freeze({});

type Derivation = [
  attributes: object,
  add: (shape: Shape) => object,
  geometry: Geometry,
  id: number,
];

const derived = new Memo<Derivation, object>(
  [PLAIN, () => PLAIN, rowMajor([]), 0],
  ([attributes, add, { shape }]) => ({ ...attributes, ...add(shape) }),
  6,
);

/** Attributes with what `add` makes of an input's shape, as one object for all such calls. */
export function withShape<A extends object, B extends object>(
  attributes: A,
  geometry: Geometry,
  add: (shape: Shape) => B,
): A & B {
  const { key } = derived;
  key[0] = attributes;
  key[1] = add;
  key[2] = geometry;
  key[3] = geometry.id;
  return derived.get() as A & B;
}

/** The first output of a row. */
export function call<K extends PrimitiveName>(
  name: K,
  inputs: readonly (Tensor | undefined)[],
  attributes: AttributesOf<K>,
): Tensor {
  return applyPrimitive(name, inputs, attributes)[0];
}

/** `share` where x is `best` or both are NaN, else 0. */
export function keepSame(x: Tensor, best: Tensor, share: Tensor | number): Tensor {
  return applyPointwise('keepSame', [x, best, share]);
}

/** What rules keep until backward: inputs by their letters, or the first output. */
export const NONE = {} as const satisfies Saves;
/** Nothing, for a gradient that depends on the input by a slope of 0. */
export const FLAT = { flat: true } as const satisfies Saves;
export const X = { inputs: [0] } as const satisfies Saves;
export const Y = { inputs: [1] } as const satisfies Saves;
export const XY = { inputs: [0, 1] } as const satisfies Saves;
export const YZ = { inputs: [1, 2] } as const satisfies Saves;
export const XYZ = { inputs: [0, 1, 2] } as const satisfies Saves;
export const OUT = { outputs: [0] } as const satisfies Saves;
export const X_OUT = { inputs: [0], outputs: [0] } as const satisfies Saves;
/** Each factor serves the other's gradient. */
export const FACTORS = { inputs: [0, 1], onlyFor: { 0: 1, 1: 0 } } as const satisfies Saves;
/** x^y: y serves only x's gradient, the result only y's. */
export const POWER = {
  inputs: [0, 1],
  outputs: [0],
  onlyFor: { 1: 0 },
  outputsFor: 1,
} as const satisfies Saves;
/** x / y: x serves only y's gradient. */
export const QUOTIENT = { inputs: [0, 1], onlyFor: { 0: 1 } } as const satisfies Saves;
