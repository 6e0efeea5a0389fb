/** How the losses of all elements become one. */

import { ValueError } from '../core/errors.js';
import type { Tensor } from '../tensor.js';

/** Not at all, by their mean, or by their sum. */
export type Reduction = 'none' | 'mean' | 'sum';

/** One of PyTorch's two older flags, null if it is not given. */
export type Legacy = boolean | null;

/** The reduction, which the older flags ask for where they are given. */
export function chosenReduction<R extends string>(
  reduction: R,
  sizeAverage: Legacy,
  reduce: Legacy,
): R {
  if (sizeAverage === null && reduce === null) return reduction;
  if (reduce === false) return 'none' as R;
  return (sizeAverage === false ? 'sum' : 'mean') as R;
}

const REDUCTIONS = ['none', 'mean', 'sum'];

/** The reduction asked for; ValueError if it is none of those known. */
export function reductionOf<R extends string>(
  name: string,
  reduction: R,
  sizeAverage: Legacy = null,
  reduce: Legacy = null,
  known: readonly string[] = REDUCTIONS,
): R {
  const how = chosenReduction(reduction, sizeAverage, reduce);
  if (known.includes(how)) return how;
  const list = known.map((item) => `'${item}'`).join(', ');
  throw new ValueError(`${name}: reduction is one of ${list}, got '${String(reduction)}'`);
}

/** The losses as they are, their mean or their sum. */
export function reduced(loss: Tensor, reduction: Reduction): Tensor {
  if (reduction === 'none') return loss;
  return reduction === 'mean' ? loss.mean() : loss.sum();
}
