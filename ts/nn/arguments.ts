/** Constructor arguments in PyTorch's style: by position, then one object for the others. */

import type { Dtype } from '../core/dtype.js';
import { ValueError } from '../core/errors.js';
import { isOptions } from '../core/options.js';
import type { DeviceType } from '../device/device.js';
import { type Mixed, type Names, spread } from '../ops/signature.js';

/** What a constructor of the named parameters takes. */
export type Arguments<S extends string, P extends unknown[]> =
  | P
  | (Mixed<Names<S>, P> extends infer M extends unknown[] ? M : never);

/** The last two parameters of every layer that has tensors. */
export type Factory = [device?: DeviceType | null, dtype?: Dtype | null];

/** Where and as what a layer makes its tensors. */
export interface FactoryOptions {
  device?: DeviceType | null;
  dtype?: Dtype | null;
}

/** The arguments in their positions. The first `required` ones must be given. */
export function bind<P extends unknown[]>(
  name: string,
  signature: string,
  args: readonly unknown[],
  required = 0,
): P {
  const names = signature.split(',').map((part) => part.trim());
  if (args.length > names.length) {
    throw new ValueError(
      `${name}: takes at most ${names.length} arguments (${signature}), got ${args.length}`,
    );
  }
  const values = isOptions(args[args.length - 1]) ? spread(name, names, args) : [...args];
  for (let i = 0; i < required; i++) {
    if (values[i] === undefined) {
      throw new ValueError(`${name}: '${names[i]}' must be given. It takes: ${names.join(', ')}`);
    }
  }
  return values as P;
}

/** A size that a layer is made with. */
export function checkSize(name: string, what: string, value: number, least = 1): number {
  if (!Number.isInteger(value) || value < least) {
    throw new ValueError(`${name}: ${what} is an integer of at least ${least}, got ${value}`);
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
