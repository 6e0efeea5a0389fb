/** Distinct elements or slices. The sizes depend on the data: promises where reading waits. */

import { int32 } from '../core/dtype.js';
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

/** Where runs of equal neighbours start (int32), and for each element the number of its run. */
interface Runs {
  readonly starts: Tensor;
  readonly groups: Tensor;
}

/** Calls `use` with the runs of a mask (bool, 1-d) of elements that differ from the one before. */
function withRuns<R>(changes: Tensor, use: (runs: Runs) => R): R {
  const groups = changes.to(int32).cumsum(0).sub(1);
  return afterwards('unique', changes.nonzero(), (positions) =>
    use({ starts: positions.reshape([-1]).to(int32), groups }),
  );
}

function countsOf({ starts, groups }: Runs): Tensor {
  const end = tensor([groups.numel()], { dtype: int32, device: starts.device });
  return cat([starts, end]).diff();
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
  return withRuns(applyPrimitive('runStarts', [flat], {})[0], (runs) =>
    results(
      order === undefined ? 'UniqueConsecutive' : 'Unique2',
      input,
      flat.indexSelect(0, runs.starts),
      returnInverse ? () => toInput(runs.groups, order).reshape(input.shape) : undefined,
      returnCounts ? () => countsOf(runs) : undefined,
    ),
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
  return withRuns(cat([first, differs.any(1)]), (runs) => {
    const kept = lined.indexSelect(0, runs.starts).reshape([-1, ...front.shape.slice(1)]);
    return results(
      sorts ? 'UniqueDim' : 'UniqueConsecutive',
      input,
      input.ndim === 0 ? kept : kept.transpose(0, d),
      returnInverse ? () => toInput(runs.groups, order) : undefined,
      returnCounts ? () => countsOf(runs) : undefined,
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
