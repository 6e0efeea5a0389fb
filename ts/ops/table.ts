/** The table of operators: everything autograd and the devices know, by name. Facts only. */

import type { PointwiseRow } from './pointwise.js';
import { pointwise } from './pointwise.js';
import * as reduce from './primitives/reduce.js';
import type { Primitive } from './row.js';
import { type ViewRow, views } from './views.js';

export const primitives = {
  ...rows(reduce),
} as const;

/** Takes the rows out of a family file, leaving its helpers. */
function rows<M extends object>(module: M): RowsOf<M> {
  return Object.fromEntries(
    Object.entries(module).filter(([, value]) => value?.kind === 'primitive'),
  ) as RowsOf<M>;
}

type RowsOf<M> = {
  readonly [K in keyof M as M[K] extends { kind: 'primitive' } ? K : never]: M[K];
};

export const table = { ...pointwise, ...views, ...primitives } as const;

export type PrimitiveName = keyof typeof primitives;
export type OpName = keyof typeof table;

type Row = (typeof table)[OpName];

/** The non-tensor arguments of an operator. */
export type AttributesOf<K extends OpName> = (typeof table)[K] extends ViewRow<infer A>
  ? A
  : (typeof table)[K] extends Primitive<infer A>
    ? A
    : (typeof table)[K] extends { scalars: readonly (infer S extends string)[] }
      ? Readonly<Record<S, number>>
      : Readonly<Record<never, number>>;

export function isPointwise(row: Row | PointwiseRow): row is Row & PointwiseRow {
  return row.kind === 'pointwise';
}
