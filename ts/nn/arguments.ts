/** Parameters that layers have in common, and their checks. */

import type { Dtype } from '../core/dtype.js';
import { showValue, ValueError } from '../core/errors.js';
import type { DeviceType } from '../device/device.js';

/** The last two parameters of every layer that has tensors. */
export type Factory = [device?: DeviceType | null, dtype?: Dtype | null];

/** Where and as what a layer makes its tensors. */
export interface FactoryOptions {
  device?: DeviceType | null;
  dtype?: Dtype | null;
}

/** A size that a layer is made with. */
export function checkSize(name: string, what: string, value: number, least = 1): number {
  if (!Number.isInteger(value) || value < least) {
    throw new ValueError(
      `${name}: ${what} is an integer of at least ${least}, got ${showValue(value)}`,
    );
  }
  return value;
}

/** One number per dimension; a single one (or a list of one) stands for all. */
export function perDimension(
  name: string,
  what: string,
  value: number | readonly number[],
  count: number,
): readonly number[] {
  if (typeof value === 'number') return new Array<number>(count).fill(value);
  if (value.length === count) return value;
  if (value.length === 1) return new Array<number>(count).fill(value[0]);
  throw new ValueError(
    `${name}: ${what} is a number or ${count} of them, got [${value.join(', ')}]`,
  );
}

/**
 * As perDimension(), written into `key` from `at` on without a list: two sizes, of which the first
 * is `front` where there is one dimension.
 */
export function writeSizes(
  key: number[],
  at: number,
  name: string,
  what: string,
  value: number | readonly number[],
  rank: number,
  front: number,
): void {
  key[at] = front;
  for (let d = 0; d < rank; d++) {
    const size = typeof value === 'number' ? value : perDimension(name, what, value, rank)[d];
    key[at + 2 - rank + d] = size;
  }
}
