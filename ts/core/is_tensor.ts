/** Telling tensors apart without knowing their class. */

import type { Tensor } from '../tensor.js';

/** Whether a value is a tensor (also the callable one that `.data` gives). */
export function isTensor(value: unknown): value is Tensor {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    'isTensor' in value
  );
}
