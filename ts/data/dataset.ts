/** Data sets: what a loader draws samples from. */

import { fillRandperm } from '../core/distributions.js';
import { int32 } from '../core/dtype.js';
import { checkTensor, IndexError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { checkOptions } from '../core/options.js';
import { defaultGenerator, Generator } from '../core/random.js';
import type { Tensor } from '../tensor.js';
import { indexTensor } from './collate.js';

/**
 * What the loader needs of a data set with indices: a length, and samples by index. Arrays are
 * such data sets. `batch` makes a collated batch at once where that is faster than sample by
 * sample.
 */
export interface MapDataset<Sample> {
  readonly length: number;
  at(index: number): Sample | undefined;
  batch?(indices: readonly number[]): unknown;
}

/** A data set with indices: extend it with `length` and `at(index)`, which may be asynchronous. */
export abstract class Dataset<Sample = unknown> implements MapDataset<Sample> {
  /** Number of samples. */
  abstract readonly length: number;

  /** The sample at an index from 0 to length - 1. */
  abstract at(index: number): Sample;

  /** This data set followed by another. */
  concat<Other>(other: MapDataset<Other>): ConcatDataset<Sample | Other> {
    return new ConcatDataset<Sample | Other>([this, other]);
  }
}

/** A data set that is a stream: extend it with an iterator (or an asynchronous one). */
export abstract class IterableDataset<Sample = unknown> {
  abstract [Symbol.iterator](): Iterator<Sample>;
}

/** Checks an index and resolves a negative one. */
export function checkIndex(name: string, index: number, length: number): number {
  const resolved = index < 0 ? index + length : index;
  if (!Number.isInteger(index) || resolved < 0 || resolved >= length) {
    throw new IndexError(`${name}: index ${index} is out of range for ${length} samples`);
  }
  return resolved;
}

/** Tensors of equal first dimension; sample i is [tensors[0][i], tensors[1][i], ...]. */
export class TensorDataset<Tensors extends Tensor[] = Tensor[]> extends Dataset<Tensors> {
  readonly tensors: Tensors;

  constructor(...tensors: Tensors) {
    super();
    if (tensors.length === 0) throw new ValueError('TensorDataset: at least one tensor is needed');
    for (const tensor of tensors) {
      checkTensor('TensorDataset', tensor, 'tensors, each as an argument of its own');
      if (tensor.ndim === 0 || tensor.shape[0] !== tensors[0].shape[0]) {
        throw new ShapeError(
          'TensorDataset: all tensors must have the same first dimension, got shapes ' +
            tensors.map((t) => showShape(t.shape)).join(', '),
        );
      }
    }
    this.tensors = tensors;
  }

  get length(): number {
    return this.tensors[0].shape[0];
  }

  at(index: number): Tensors {
    const i = checkIndex('TensorDataset', index, this.length);
    return this.tensors.map((tensor) => tensor.select(0, i)) as Tensors;
  }

  /** A batch by one gather per tensor. */
  batch(indices: readonly number[]): Tensors {
    const index = indexTensor(indices, this.tensors[0]);
    const batch = this.tensors.map((tensor) => tensor.indexSelect(0, index));
    index.dispose();
    return batch as Tensors;
  }
}

/** Several data sets, one after the other. */
export class ConcatDataset<Sample> extends Dataset<Sample> {
  private readonly ends: number[] = [];

  constructor(readonly datasets: readonly MapDataset<Sample>[]) {
    super();
    if (datasets.length === 0)
      throw new ValueError('ConcatDataset: the list of data sets is empty');
    let end = 0;
    for (const dataset of datasets) {
      end += dataset.length;
      this.ends.push(end);
    }
  }

  get length(): number {
    return this.ends[this.ends.length - 1];
  }

  at(index: number): Sample {
    const i = checkIndex('ConcatDataset', index, this.length);
    const which = this.ends.findIndex((end) => i < end);
    const start = which === 0 ? 0 : this.ends[which - 1];
    return this.datasets[which].at(i - start) as Sample;
  }
}

/** Some samples of a data set, by their indices. */
export class Subset<Sample> extends Dataset<Sample> {
  /** Present where the data set makes whole batches itself. */
  readonly batch?: (indices: readonly number[]) => unknown;

  constructor(
    readonly dataset: MapDataset<Sample>,
    readonly indices: ArrayLike<number>,
  ) {
    super();
    const whole = dataset.batch?.bind(dataset);
    if (whole !== undefined) this.batch = (wanted) => whole(wanted.map((i) => this.indices[i]));
  }

  get length(): number {
    return this.indices.length;
  }

  at(index: number): Sample {
    const i = checkIndex('Subset', index, this.length);
    return this.dataset.at(this.indices[i]) as Sample;
  }
}

/**
 * Splits a data set at random into parts of the given lengths, or of the given fractions if they
 * sum to 1 (what rounding leaves over goes to the first parts). Throws ValueError if the lengths
 * do not sum to the length of the data set.
 */
export function randomSplit<Sample>(
  dataset: MapDataset<Sample>,
  lengths: readonly number[],
  options: Generator | { generator?: Generator } = {},
): Subset<Sample>[] {
  const given = options instanceof Generator ? { generator: options } : options;
  checkOptions('randomSplit', given, ['generator']);
  const sizes = splitSizes(dataset.length, lengths);
  const order = new Int32Array(dataset.length);
  fillRandperm(order, int32, given.generator ?? defaultGenerator);
  let start = 0;
  return sizes.map((size) => {
    const part = order.subarray(start, start + size);
    start += size;
    return new Subset(dataset, part);
  });
}

function splitSizes(total: number, lengths: readonly number[]): number[] {
  const sum = lengths.reduce((a, b) => a + b, 0);
  if (sum === total && lengths.every(Number.isInteger)) return [...lengths];
  if (Math.abs(sum - 1) > 1e-9 || lengths.some((fraction) => fraction < 0 || fraction > 1)) {
    throw new ValueError(
      `randomSplit: the lengths [${lengths.join(', ')}] sum to ${sum}, but the data set has ` +
        `${total} samples; give lengths that sum to it, or fractions that sum to 1`,
    );
  }
  const sizes = lengths.map((fraction) => Math.floor(total * fraction));
  const left = total - sizes.reduce((a, b) => a + b, 0);
  for (let i = 0; i < left; i++) sizes[i % sizes.length]++;
  return sizes;
}
