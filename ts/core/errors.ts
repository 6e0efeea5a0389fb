/**
 * Every error the library throws on purpose. Each says what was asked, what was given, and what to
 * do.
 */

import type { Tensor } from '../tensor.js';
import { isTensor } from './is_tensor.js';

/**
 * Base class: `catch (e) { if (e instanceof TorchError) ... }` catches whatever isotorch refuses.
 */
export class TorchError extends Error {
  override name = 'TorchError';
}

/** Shapes that do not fit the operation. */
export class ShapeError extends TorchError {
  override name = 'ShapeError';
}

/** A dtype the operation does not exist for, or dtypes that do not go together. */
export class DtypeError extends TorchError {
  override name = 'DtypeError';
}

/** An argument outside its domain: an unknown option, a negative size, a bad mode. */
export class ValueError extends TorchError {
  override name = 'ValueError';
}

/** An index or a dimension out of range. */
export class IndexError extends TorchError {
  override name = 'IndexError';
}

/** Tensors on different devices, or an operation its device cannot do. */
export class DeviceError extends TorchError {
  override name = 'DeviceError';
}

/** A device that is gone (the GPU was reset, or destroyed), with every tensor on it. */
export class DeviceLostError extends DeviceError {
  override name = 'DeviceLostError';
}

/** Autograd misuse: a freed graph, a leaf changed in place, a saved tensor that was modified. */
export class AutogradError extends TorchError {
  override name = 'AutogradError';
}

/** A tensor whose memory was given back. */
export class DisposedError extends TorchError {
  override name = 'DisposedError';
}

/** A state dict that does not fit its module or optimiser. */
export class StateDictError extends TorchError {
  override name = 'StateDictError';
}

/** A file that is truncated, corrupt or not of the format it should be. */
export class FileFormatError extends TorchError {
  override name = 'FileFormatError';
}

/** The device has no memory for an allocation. Sizes are in bytes. */
export class OutOfMemoryError extends TorchError {
  override name = 'OutOfMemoryError';

  constructor(
    /** Bytes asked for. */
    readonly requested: number,
    /** Bytes in use by live tensors. */
    readonly live: number,
    /** Bytes the device may use at most. */
    readonly limit: number,
    device: string,
  ) {
    super(
      `out of memory on ${device}: ${requested} bytes were requested, ${live} are in use, the ` +
        `limit is ` +
        `${limit}. Free tensors with torch.scope() or \`using\`, use a smaller batch, or call ` +
        'backward() under fewer live graphs.',
    );
  }
}

/** The entry of `known` nearest to `given`, if one is near enough to be meant. */
export function nearest(given: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(given.length / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(given.toLowerCase(), name.toLowerCase());
    if (distance < least) {
      least = distance;
      best = name;
    }
  }
  return best;
}

/** ` Did you mean 'x'?` for the entry of `known` nearest to `given`, or an empty string. */
export function suggestion(given: string, known: Iterable<string>): string {
  const name = nearest(given, known);
  return name === undefined ? '' : ` Did you mean '${name}'?`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, substitute));
    }
    row = next;
  }
  return row[b.length];
}

/** Shapes as PyTorch prints them: `[2, 3]`. */
export function showShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/** A value that a caller gave, as errors name it. */
export function showValue(value: unknown): string {
  if (isTensor(value)) return `tensor ${showShape(value.shape)}`;
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return `[${value.map(showValue).join(', ')}]`;
  if (typeof value === 'function') {
    const { name } = value.constructor;
    return name.endsWith('Function') ? 'a function' : `a module ${name}`;
  }
  if (value instanceof Promise) return 'a promise, which must be awaited';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** Throws ValueError unless a value that a caller gave is a tensor; `what` says what is expected. */
export function checkTensor(
  name: string,
  value: unknown,
  what = 'a tensor',
): asserts value is Tensor {
  if (isTensor(value)) return;
  throw new ValueError(`${name}: expected ${what}, got ${showValue(value)}`);
}
