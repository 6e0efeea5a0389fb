/** Computations in another dtype than their arguments'. */

import { float32, float64 } from '../core/dtype.js';
import type { Tensor } from '../tensor.js';

/**
 * Runs a computation of floats on integers too: in float64, exact up to 2^53, and back to the dtype
 * of the first tensor without fractions.
 */
export function keepingIntegers(
  tensors: readonly Tensor[],
  compute: (tensors: readonly Tensor[]) => Tensor,
): Tensor {
  if (tensors.some((tensor) => tensor.dtype.isFloatingPoint)) return compute(tensors);
  return compute(tensors.map((tensor) => tensor.to(float64))).to(tensors[0].dtype);
}

/** Runs several steps on a half float in float32, so that it is rounded once. */
export function roundedOnce(input: Tensor, compute: (input: Tensor) => Tensor): Tensor {
  const { dtype } = input;
  if (!dtype.isFloatingPoint || dtype.size >= 4) return compute(input);
  return compute(input.to(float32)).to(dtype);
}
