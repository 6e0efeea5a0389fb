/** The table of operators: everything autograd and the devices know, by name. Facts only. */

import { pointwise } from './pointwise.js';
import * as index from './primitives/index.js';
import * as mask from './primitives/mask.js';
import * as matmul from './primitives/matmul.js';
import { nnPrimitives } from './primitives/nn.js';
import * as reduce from './primitives/reduce.js';
import * as scan from './primitives/scan.js';
import * as softmax from './primitives/softmax.js';
import * as sort from './primitives/sort.js';
import * as svd from './primitives/svd.js';
import type { Primitive } from './row.js';
import { rows } from './rows.js';
import { type ViewRow, views } from './views.js';

export const primitives = {
  ...rows(index),
  ...rows(mask),
  ...rows(matmul),
  ...rows(reduce),
  ...rows(scan),
  ...rows(softmax),
  ...rows(sort),
  ...rows(svd),
  ...nnPrimitives,
} as const;

export const table = { ...pointwise, ...views, ...primitives } as const;

export type PrimitiveName = keyof typeof primitives;
export type OpName = keyof typeof table;

/** The non-tensor arguments of an operator. */
export type AttributesOf<K extends OpName> = object & AttributesIn<(typeof table)[K]>;

type AttributesIn<R> =
  R extends ViewRow<infer A>
    ? A
    : R extends Primitive<infer A>
      ? A
      : R extends { scalars: readonly (infer S extends string)[] }
        ? Readonly<Record<S, number>>
        : Readonly<Record<never, number>>;
