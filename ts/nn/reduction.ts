/** How the losses of all elements become one. */

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
