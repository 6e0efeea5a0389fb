/** Checks of options objects: the keyword arguments of functions, layers and optimisers. */

import { suggestion, type TorchError, ValueError } from './errors.js';

/** Whether a value is a plain object, as the keyword arguments of a call are. */
export function isOptions(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}

/** The error for a keyword that does not exist. */
export function unknownOption(op: string, key: string, names: readonly string[]): TorchError {
  return new ValueError(
    `${op}: unknown option '${key}'.${suggestion(key, names)} It takes: ${names.join(', ')}`,
  );
}

/** Throws ValueError, naming the nearest of `names`, for a key that is not one of them. */
export function checkOptions(op: string, options: object, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new ValueError(`${op}: options are an object { ${names.join(', ')} }, got ${options}`);
  }
  for (const key of Object.keys(options)) {
    if (!names.includes(key)) throw unknownOption(op, key, names);
  }
}

/** A flag that is given alone or by its name, true if neither. */
export function flag<K extends string>(
  op: string,
  name: K,
  given: boolean | { readonly [name in K]?: boolean },
): boolean {
  let value: unknown = given;
  if (isOptions(given)) {
    checkOptions(op, given, [name]);
    value = given[name] ?? true;
  }
  if (typeof value === 'boolean') return value;
  throw new ValueError(`${op}: ${name} is true or false, got ${String(value)}`);
}

/** Throws ValueError where sparse gradients are asked for: there are none. */
export function checkDense(op: string, option: string, sparse: boolean): void {
  if (!sparse) return;
  throw new ValueError(
    `${op}: ${option} is not supported, all gradients are dense; leave it out: the numbers are ` +
      'the same',
  );
}

const warned = new Set<string>();

/** Writes a warning the first time it is due. */
export function warnOnce(text: string): void {
  if (warned.has(text)) return;
  warned.add(text);
  console.warn(text);
}
