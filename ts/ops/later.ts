/** Results whose size depends on data: at once where the device can be read, else a promise. */

import { setRecording } from '../autograd/mode.js';
import type { DataArray } from '../core/dtype.js';
import { DeviceError } from '../core/errors.js';
import { Tensor } from '../tensor.js';

/**
 * The promise of a tensor. What it is used for before it is awaited says so, instead of finding
 * undefined.
 */
class Later<T> extends Promise<T> {
  static override get [Symbol.species]() {
    return Promise;
  }

  op = '';
}

let guarded = false;

/** Gives the promise the names of a tensor, each with an error that says what to do. */
function guard(): void {
  if (guarded) return;
  guarded = true;
  for (const name of Object.getOwnPropertyNames(Tensor.prototype)) {
    if (name in Promise.prototype) continue;
    Object.defineProperty(Later.prototype, name, {
      get(this: Later<unknown>) {
        throw new DeviceError(
          `${this.op}: its size depends on the data, which this device cannot read at once: ` +
            `await the result before using it`,
        );
      },
    });
  }
}

function later<R>(op: string, promise: Promise<R>): R {
  guard();
  const result = new Later<R>((resolve, reject) => promise.then(resolve, reject));
  result.op = op;
  return result as R;
}

/** Calls `use` with recording as it is now, also if that is later. */
function withPresentMode<A, R>(use: (value: A) => R): (value: A) => R {
  const recording = setRecording(true);
  setRecording(recording);
  return (value) => {
    const before = setRecording(recording);
    try {
      return use(value);
    } finally {
      setRecording(before);
    }
  };
}

/** `use` of the elements of `x`; on a device that cannot be read at once, the promise of it. */
export function afterReading<R>(op: string, x: Tensor, use: (values: DataArray) => R): R {
  if (x.backend.synchronous) return use(x.dataSync());
  return later(op, x.toArray().then(withPresentMode(use)));
}

/** `use` of a value that may be such a promise. */
export function afterwards<T, R>(op: string, value: T, use: (value: T) => R): R {
  if (!(value instanceof Promise)) return use(value);
  return later(op, value.then(withPresentMode(use)));
}
