/** Distinct elements or slices. The sizes depend on the data: promises where reading waits. */

import { bool, int32 } from '../core/dtype.js';
import { AutogradError } from '../core/errors.js';
import { normalizeDim } from '../core/layout.js';
import type { Tensor } from '../tensor.js';
import { applyPrimitive } from './apply.js';
import { arange, tensor } from './creation.js';
import { cat } from './joining.js';
import { afterwards } from './later.js';
import { recordLinear } from './linear_node.js';
import { op } from './signature.js';

interface UniqueOptions {
  /** Ascending order; it always is. */
  sorted?: boolean;
  /** Also where each element of the input stands in the result. */
  returnInverse?: boolean;
  /** Also how often each element of the result occurs. */
  returnCounts?: boolean;
  /** Compare slices along this dimension instead of elements. */
  dim?: number | null;
}
type More = { returnInverse: true } | { returnCounts: true };

/** unique() and its keyword arguments. */
export interface Unique {
  (input: Tensor, sorted?: boolean): Tensor;
  (input: Tensor, options: UniqueOptions & More): Tensor[];
  (input: Tensor, options: UniqueOptions): Tensor;
  (
    input: Tensor,
    sorted: boolean,
    returnInverse: boolean,
    returnCounts?: boolean,
    dim?: number | null,
  ): Tensor | Tensor[];
  readonly asMethod: {
    (sorted?: boolean): Tensor;
    (options: UniqueOptions & More): Tensor[];
    (options: UniqueOptions): Tensor;
    (
      sorted: boolean,
      returnInverse: boolean,
      returnCounts?: boolean,
      dim?: number | null,
    ): Tensor | Tensor[];
  };
}

type ConsecutiveOptions = Omit<UniqueOptions, 'sorted'>;

/** uniqueConsecutive() and its keyword arguments. */
export interface UniqueConsecutive {
  (input: Tensor): Tensor;
  (input: Tensor, options: ConsecutiveOptions & More): Tensor[];
  (input: Tensor, options: ConsecutiveOptions): Tensor;
  (
    input: Tensor,
    returnInverse: boolean,
    returnCounts?: boolean,
    dim?: number | null,
  ): Tensor | Tensor[];
  readonly asMethod: {
    (): Tensor;
    (options: ConsecutiveOptions & More): Tensor[];
    (options: ConsecutiveOptions): Tensor;
    (returnInverse: boolean, returnCounts?: boolean, dim?: number | null): Tensor | Tensor[];
  };
}

/** For each element the number of its run, from a mask (bool, 1-d) of those that start one. */
function groupsOf(changes: Tensor): Tensor {
  return changes.to(int32).cumsum(0).sub_(1);
}

/** Calls `use` with the positions (int32) at which runs start. */
function withStarts<R>(changes: Tensor, use: (starts: Tensor) => R): R {
  return afterwards('unique', changes.nonzero(), (positions) =>
    use(positions.reshape([-1]).to(int32)),
  );
}

/** How long each of the runs of `n` elements is. */
function countsOf(starts: Tensor, n: number): Tensor {
  return cat([starts, tensor([n], { dtype: int32, device: starts.device })]).diff();
}

/** The results asked for: one tensor, or a list. Who asks for the gradient is told, as in PyTorch. */
function results(
  node: 'Unique2' | 'UniqueDim' | 'UniqueConsecutive',
  input: Tensor,
  values: Tensor,
  inverse: (() => Tensor) | undefined,
  counts: (() => Tensor) | undefined,
): Tensor | Tensor[] {
  recordLinear(`${node}Backward0`, [input], values, () => {
    throw new AutogradError(
      'unique: its result has no gradient. Call it on x.detach(), and take the elements themselves ' +
        'with x.indexSelect() where gradients are to flow',
    );
  });
  const list = [values];
  if (inverse !== undefined) list.push(inverse());
  if (counts !== undefined) list.push(counts());
  return list.length === 1 ? values : list;
}

/** Groups of sorted elements, by the places the elements had. */
function toInput(groups: Tensor, order: Tensor | undefined): Tensor {
  return order === undefined ? groups : groups.zerosLike().scatter(0, order, groups);
}

/** Distinct neighbours of a flat tensor, sorted before if `order` says how. */
function distinct(
  input: Tensor,
  flat: Tensor,
  order: Tensor | undefined,
  returnInverse: boolean,
  returnCounts: boolean,
): Tensor | Tensor[] {
  const changes = applyPrimitive('runStarts', [flat], {})[0];
  const node = order === undefined ? 'UniqueConsecutive' : 'Unique2';
  const inverse = returnInverse
    ? () => toInput(groupsOf(changes), order).reshape(input.shape)
    : undefined;
  if (!returnCounts) {
    return afterwards('unique', flat.maskedSelect(changes), (values) =>
      results(node, input, values, inverse, undefined),
    );
  }
  return withStarts(changes, (starts) => {
    const values = flat.indexSelect(0, starts);
    return results(node, input, values, inverse, () => countsOf(starts, flat.numel()));
  });
}

/** Elements from which a range is looked for: for fewer, sorting takes no longer than that. */
const MANY = 1024;

/**
 * Distinct integers by counting how often each of their range occurs; undefined where they are not
 * integers, few, farther apart than there are of them, or where reading waits.
 */
function counted(
  input: Tensor,
  returnInverse: boolean,
  returnCounts: boolean,
): Tensor | Tensor[] | undefined {
  const { dtype } = input;
  if (dtype.isFloatingPoint || dtype === bool) return undefined;
  if (!input.backend.synchronous || input.numel() < MANY) return undefined;
  const flat = input.detach().reshape([-1]);
  const x = dtype.size < 4 ? flat.to(int32) : flat;
  const least = x.amin();
  const places = x.sub(least);
  // Of what wraps, one is negative.
  const last = Number(places.amax().itemSync());
  if (last >= x.numel() || Number(places.amin().itemSync()) < 0) return undefined;
  const index = places.to(int32);
  const ones = index.onesLike();
  const counts = ones.newZeros([last + 1]).scatterAdd(0, index, ones);
  const found = counts.nonzero().reshape([-1]).to(int32);
  return results(
    'Unique2',
    input,
    found.to(x.dtype).add(least).to(dtype),
    returnInverse
      ? () => groupsOf(counts.ne(0)).indexSelect(0, index).reshape(input.shape)
      : undefined,
    returnCounts ? () => counts.indexSelect(0, found) : undefined,
  );
}

/** The order in which rows [n, m] ascend, compared from the first column on. */
function rowOrder(rows: Tensor): Tensor {
  const [n, m] = rows.shape;
  let order = arange(n, { dtype: int32, device: rows.device });
  // Stable sorts by one column after another, the most significant last.
  for (let column = m - 1; column >= 0; column--) {
    const keys = rows.select(1, column).indexSelect(0, order);
    order = order.indexSelect(0, keys.argsort(0, false, true));
  }
  return order;
}

/** Distinct slices along a dimension, neighbours only unless they are sorted first. */
function distinctSlices(
  input: Tensor,
  dim: number,
  sorts: boolean,
  returnInverse: boolean,
  returnCounts: boolean,
): Tensor | Tensor[] {
  const name = sorts ? 'unique' : 'uniqueConsecutive';
  const d = normalizeDim(dim, input.ndim, name);
  const x = input.detach();
  const front = x.ndim === 0 ? x.reshape([1]) : x.transpose(0, d);
  const n = front.shape[0];
  const rows = front.reshape([n, front.numel() / Math.max(n, 1)]);
  const order = sorts ? rowOrder(rows) : undefined;
  const lined = order === undefined ? rows : rows.indexSelect(0, order);
  const differs = lined.slice(0, 1).ne(lined.slice(0, 0, Math.max(n - 1, 0)));
  const first = tensor(new Array<boolean>(Math.min(n, 1)).fill(true), { device: input.device });
  const changes = cat([first, differs.any(1)]);
  return withStarts(changes, (starts) => {
    const kept = lined.indexSelect(0, starts).reshape([-1, ...front.shape.slice(1)]);
    return results(
      sorts ? 'UniqueDim' : 'UniqueConsecutive',
      input,
      input.ndim === 0 ? kept : kept.transpose(0, d),
      returnInverse ? () => toInput(groupsOf(changes), order) : undefined,
      returnCounts ? () => countsOf(starts, n) : undefined,
    );
  });
}

/**
 * The distinct elements in ascending order; with `returnInverse` also where each element of the
 * input stands among them, with `returnCounts` also how often each occurs (int32). With `dim` the
 * distinct slices along it. Each NaN is distinct. backward() through it is an AutogradError.
 */
export const unique = op(
  'unique',
  'input, sorted, returnInverse, returnCounts, dim',
  (
    input: Tensor,
    _sorted = true,
    returnInverse = false,
    returnCounts = false,
    dim: number | null = null,
  ): Tensor | Tensor[] => {
    if (dim !== null) return distinctSlices(input, dim, true, returnInverse, returnCounts);
    const few = counted(input, returnInverse, returnCounts);
    if (few !== undefined) return few;
    const { values, indices } = input.detach().reshape([-1]).sort(0);
    return distinct(input, values, indices, returnInverse, returnCounts);
  },
) as unknown as Unique;

/** As unique(), of neighbours only: each run of equal elements (or slices) gives one. */
export const uniqueConsecutive = op(
  'uniqueConsecutive',
  'input, returnInverse, returnCounts, dim',
  (
    input: Tensor,
    returnInverse = false,
    returnCounts = false,
    dim: number | null = null,
  ): Tensor | Tensor[] => {
    if (dim !== null) return distinctSlices(input, dim, false, returnInverse, returnCounts);
    const flat = input.detach().reshape([-1]).contiguous();
    return distinct(input, flat, undefined, returnInverse, returnCounts);
  },
) as unknown as UniqueConsecutive;
