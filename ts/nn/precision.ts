/** Computations in another dtype than their arguments'. */

import { float32 } from '../core/dtype.js';
import type { Tensor } from '../tensor.js';

/**
 * Whether none of the tensors is floating point: then what is computed in floats is computed in
 * float64, exact up to 2^53, and goes back to their dtype without fractions.
 */
export function areIntegers(x: Tensor, y: Tensor | null = null, z: Tensor | null = null): boolean {
  return !(
    x.dtype.isFloatingPoint ||
    (y?.dtype.isFloatingPoint ?? false) ||
    (z?.dtype.isFloatingPoint ?? false)
  );
}

/** Runs several steps on a half float in float32, so that it is rounded once. */
export function roundedOnce(input: Tensor, compute: (input: Tensor) => Tensor): Tensor {
  const { dtype } = input;
  if (!dtype.isFloatingPoint || dtype.size >= 4) return compute(input);
  return compute(input.to(float32)).to(dtype);
}
