/** From samples to a batch. */

import { ValueError } from '../core/errors.js';
import { tensor } from '../ops/creation.js';
import { stack } from '../ops/joining.js';
import { Tensor } from '../tensor.js';

/** Indices as an int32 tensor on the device of another. */
export function indexTensor(indices: readonly number[], like: Tensor): Tensor {
  return tensor(Int32Array.from(indices), { device: like.device });
}

/** What a sample is, where it is told that others are not. */
function kindOf(sample: unknown): string {
  if (sample instanceof Tensor) return 'a tensor';
  if (Array.isArray(sample)) return 'an array';
  if (ArrayBuffer.isView(sample)) return 'a typed array';
  return sample === null ? 'null' : typeof sample;
}

/** Numbers as PyTorch would have them, in int32 where they fit. */
function numbersTensor(numbers: readonly number[]): Tensor {
  if (numbers.every((n) => n === (n | 0))) return tensor(Int32Array.from(numbers));
  if (numbers.every(Number.isSafeInteger)) return tensor(BigInt64Array.from(numbers, BigInt));
  return tensor(Float32Array.from(numbers));
}

/** `at` is where in each sample these are, as one would write it in a program. */
function collate(samples: readonly unknown[], at: string): unknown {
  const first = samples[0];
  const kind = kindOf(first);
  const fail = (message: string): never => {
    throw new ValueError(`defaultCollate: ${message}; pass a collateFn`);
  };
  const other = samples.findIndex((sample) => kindOf(sample) !== kind);
  if (other > 0) {
    fail(`sample ${other}${at} is ${kindOf(samples[other])}, but sample 0${at} is ${kind}`);
  }
  if (first instanceof Tensor) return stack(samples as Tensor[], 0);
  if (typeof first === 'number') return numbersTensor(samples as number[]);
  if (typeof first === 'bigint') return tensor(BigInt64Array.from(samples as bigint[]));
  if (typeof first === 'boolean') return tensor(samples as boolean[]);
  if (typeof first === 'string') return [...samples];
  if (Array.isArray(first)) {
    const lists = samples as unknown[][];
    const { length } = first;
    const odd = lists.findIndex((list) => list.length !== length);
    if (odd > 0) {
      fail(`sample ${odd}${at} has ${lists[odd].length} entries, but sample 0${at} has ${length}`);
    }
    return first.map((_, i) =>
      collate(
        lists.map((list) => list[i]),
        `${at}[${i}]`,
      ),
    );
  }
  if (ArrayBuffer.isView(first))
    return stack(
      samples.map((s) => tensor(s as Float32Array)),
      0,
    );
  if (typeof first === 'object' && first !== null) {
    const records = samples as Record<string, unknown>[];
    return Object.fromEntries(
      Object.keys(first).map((key) => [
        key,
        collate(
          records.map((record) => record[key]),
          `${at}.${key}`,
        ),
      ]),
    );
  }
  return fail(
    `sample 0${at} is ${kind}, which makes no batch: give tensors, numbers, strings, arrays or plain objects`,
  );
}

/**
 * A batch of samples with the structure of one: tensors are stacked, numbers become a tensor
 * (int32 if all are whole, int64 if int32 does not hold them, else float32), bigints int64,
 * booleans bool; strings stay an array; arrays and plain objects are collated entry by entry.
 * Throws a ValueError where samples differ in kind, or in how many entries they have.
 */
export function defaultCollate(samples: readonly unknown[]): unknown {
  return collate(samples, '');
}
