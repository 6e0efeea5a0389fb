/** From samples to a batch. */

import { ValueError } from '../core/errors.js';
import { tensor } from '../ops/creation.js';
import { stack } from '../ops/joining.js';
import { Tensor } from '../tensor.js';

/** Indices as an int32 tensor on the device of another. */
export function indexTensor(indices: readonly number[], like: Tensor): Tensor {
  return tensor(Int32Array.from(indices), { device: like.device });
}

/**
 * A batch of samples with the structure of one: tensors are stacked, numbers become a tensor
 * (int32 if all are whole, else float32), bigints int64, booleans bool; strings stay an array;
 * arrays and plain objects are collated entry by entry.
 */
export function defaultCollate(samples: readonly unknown[]): unknown {
  const first = samples[0];
  if (first instanceof Tensor) return stack(samples as Tensor[], 0);
  if (typeof first === 'number') {
    const numbers = samples as number[];
    return tensor(
      numbers.every(Number.isInteger) ? Int32Array.from(numbers) : Float32Array.from(numbers),
    );
  }
  if (typeof first === 'bigint') return tensor(BigInt64Array.from(samples as bigint[]));
  if (typeof first === 'boolean') return tensor(samples as boolean[]);
  if (typeof first === 'string') return [...samples];
  if (Array.isArray(first)) {
    const lists = samples as unknown[][];
    if (lists.some((list) => list.length !== first.length)) {
      throw new ValueError(
        'defaultCollate: all samples must have the same number of entries, got ' +
          `${[...new Set(lists.map((list) => list.length))].join(' and ')}; pass a collateFn`,
      );
    }
    return first.map((_, i) => defaultCollate(lists.map((list) => list[i])));
  }
  if (ArrayBuffer.isView(first))
    return stack(
      samples.map((s) => tensor(s as Float32Array)),
      0,
    );
  if (typeof first === 'object' && first !== null) {
    const records = samples as Record<string, unknown>[];
    return Object.fromEntries(
      Object.keys(first).map((key) => [key, defaultCollate(records.map((record) => record[key]))]),
    );
  }
  throw new ValueError(
    `defaultCollate: samples of type ${first === null ? 'null' : typeof first} make no batch; ` +
      'give tensors, numbers, strings, arrays or plain objects, or pass a collateFn',
  );
}
