/** The orders in which a data set is walked; random ones are PyTorch's for the same seed. */

import { fillRandint, fillRandperm } from '../core/distributions.js';
import { int32 } from '../core/dtype.js';
import { ValueError } from '../core/errors.js';
import { sampleMultinomial } from '../core/multinomial.js';
import { defaultGenerator, Generator } from '../core/random.js';

/** Anything with a length. */
export interface Sized {
  readonly length: number;
}

/** An order: `for (const index of sampler)`, and how many there are. */
export abstract class Sampler<T = number> implements Iterable<T> {
  abstract [Symbol.iterator](): Iterator<T>;
  abstract readonly length: number;
}

/** 0, 1, 2 ... */
export class SequentialSampler extends Sampler {
  constructor(private readonly source: Sized) {
    super();
  }

  get length(): number {
    return this.source.length;
  }

  *[Symbol.iterator](): IterableIterator<number> {
    for (let i = 0; i < this.source.length; i++) yield i;
  }
}

/** The seed PyTorch draws where it wants one: 63 bits of the generator. */
export function drawSeed(generator: Generator): bigint {
  return generator.random64() & (2n ** 63n - 1n);
}

function permutation(n: number, generator: Generator): Int32Array {
  const order = new Int32Array(n);
  fillRandperm(order, int32, generator);
  return order;
}

function randomIntegers(count: number, high: number, generator: Generator): Int32Array {
  const numbers = new Int32Array(count);
  if (count > 0) fillRandint(numbers, int32, 0, high, generator);
  return numbers;
}

/** Options of {@link RandomSampler}. */
export interface RandomSamplerOptions {
  /** Draw with replacement (default false). */
  replacement?: boolean;
  /** Indices per pass (default: the length of the source). */
  numSamples?: number;
  /** Default: a new generator for each pass, seeded by the default one. */
  generator?: Generator;
}

/** A random order; without replacement every index comes once. */
export class RandomSampler extends Sampler {
  constructor(
    private readonly source: Sized,
    private readonly options: RandomSamplerOptions = {},
  ) {
    super();
    const count = options.numSamples ?? source.length;
    if (!Number.isInteger(count) || count <= 0) {
      throw new ValueError(`RandomSampler: numSamples must be a positive integer, got ${count}`);
    }
  }

  get length(): number {
    return this.options.numSamples ?? this.source.length;
  }

  *[Symbol.iterator](): IterableIterator<number> {
    const n = this.source.length;
    const generator =
      this.options.generator ?? new Generator().manualSeed(drawSeed(defaultGenerator));
    if (this.options.replacement) {
      // PyTorch draws 32 at a time.
      for (let i = 32; i <= this.length; i += 32) yield* randomIntegers(32, n, generator);
      yield* randomIntegers(this.length % 32, n, generator);
      return;
    }
    for (let i = n; i <= this.length; i += n) yield* permutation(n, generator);
    // Drawn even when none of it is used: the generator must move as PyTorch's does.
    yield* permutation(n, generator).subarray(0, this.length % n);
  }
}

/** The given indices in a random order. */
export class SubsetRandomSampler extends Sampler {
  constructor(
    private readonly indices: readonly number[],
    private readonly generator: Generator = defaultGenerator,
  ) {
    super();
  }

  get length(): number {
    return this.indices.length;
  }

  *[Symbol.iterator](): IterableIterator<number> {
    for (const i of permutation(this.indices.length, this.generator)) yield this.indices[i];
  }
}

/** Indices drawn with probabilities proportional to `weights`. */
export class WeightedRandomSampler extends Sampler {
  constructor(
    private readonly weights: ArrayLike<number>,
    private readonly numSamples: number,
    private readonly replacement = true,
    private readonly generator: Generator = defaultGenerator,
  ) {
    super();
  }

  get length(): number {
    return this.numSamples;
  }

  *[Symbol.iterator](): IterableIterator<number> {
    const { numSamples: samples, replacement } = this;
    const drawn = new Int32Array(samples);
    const weights = Float64Array.from(this.weights);
    const task = { weights, rows: 1, categories: weights.length, samples, replacement };
    sampleMultinomial(drawn, task, this.generator);
    yield* drawn;
  }
}

/** Groups the indices of a sampler into batches. */
export class BatchSampler extends Sampler<number[]> {
  constructor(
    private readonly sampler: Iterable<number> & Sized,
    private readonly batchSize: number,
    private readonly dropLast = false,
  ) {
    super();
    if (!Number.isInteger(batchSize) || batchSize <= 0) {
      throw new ValueError(`BatchSampler: batchSize must be a positive integer, got ${batchSize}`);
    }
  }

  get length(): number {
    const batches = this.sampler.length / this.batchSize;
    return this.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  *[Symbol.iterator](): IterableIterator<number[]> {
    let batch: number[] = [];
    for (const index of this.sampler) {
      batch.push(index);
      if (batch.length === this.batchSize) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0 && !this.dropLast) yield batch;
  }
}
