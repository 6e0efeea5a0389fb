/** The orders in which a data set is walked; random ones are PyTorch's for the same seed. */

import { fillRandint, fillRandperm } from '../core/distributions.js';
import { float64, int32 } from '../core/dtype.js';
import { ShapeError, showShape, ValueError } from '../core/errors.js';
import { scope } from '../core/memory.js';
import { defaultGenerator, Generator } from '../core/random.js';
import { tensor } from '../ops/creation.js';
import { multinomial } from '../ops/random.js';
import { type Arguments, bind } from '../ops/signature.js';
import { isTensor, type Tensor } from '../tensor.js';

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

function checkPositive(what: string, count: number): void {
  if (Number.isInteger(count) && count > 0) return;
  throw new ValueError(`${what} must be a positive integer, got ${count}`);
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

const RANDOM = 'source, replacement, numSamples, generator';
type RandomArguments = [
  source: Sized,
  replacement?: boolean,
  numSamples?: number | null,
  generator?: Generator | null,
];

/** What {@link RandomSampler} is told. */
interface RandomSamplerOptions {
  replacement: boolean | undefined;
  numSamples: number | null | undefined;
  generator: Generator | null | undefined;
}

/**
 * A random order of `numSamples` indices (default: the length of the source). Without `replacement`
 * (default false) every index comes once. Without a generator each pass makes one, seeded by the
 * default one.
 */
export class RandomSampler extends Sampler {
  private readonly source: Sized;
  private readonly options: RandomSamplerOptions;

  constructor(...args: Arguments<typeof RANDOM, RandomArguments>) {
    super();
    const given = bind<RandomArguments>('RandomSampler', RANDOM, args, 1);
    const [source, replacement, numSamples, generator] = given;
    this.source = source;
    this.options = { replacement, numSamples, generator };
    checkPositive('RandomSampler: numSamples', this.length);
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

const SUBSET = 'indices, generator';
type SubsetArguments = [indices: readonly number[], generator?: Generator | null];

/** The given indices in a random order. */
export class SubsetRandomSampler extends Sampler {
  private readonly indices: readonly number[];
  private readonly generator: Generator;

  constructor(...args: Arguments<typeof SUBSET, SubsetArguments>) {
    super();
    const given = bind<SubsetArguments>('SubsetRandomSampler', SUBSET, args, 1);
    this.indices = given[0];
    this.generator = given[1] ?? defaultGenerator;
  }

  get length(): number {
    return this.indices.length;
  }

  *[Symbol.iterator](): IterableIterator<number> {
    for (const i of permutation(this.indices.length, this.generator)) yield this.indices[i];
  }
}

const WEIGHTED = 'weights, numSamples, replacement, generator';
type WeightedArguments = [
  weights: ArrayLike<number> | Tensor,
  numSamples: number,
  replacement?: boolean,
  generator?: Generator | null,
];

/**
 * `numSamples` indices drawn with probabilities proportional to `weights` (numbers, or a vector on
 * the CPU), by default with replacement.
 */
export class WeightedRandomSampler extends Sampler {
  private readonly weights: ArrayLike<number> | Tensor;
  private readonly numSamples: number;
  private readonly replacement: boolean;
  private readonly generator: Generator;

  constructor(...args: Arguments<typeof WEIGHTED, WeightedArguments>) {
    super();
    const given = bind<WeightedArguments>('WeightedRandomSampler', WEIGHTED, args, 2);
    const [weights, numSamples, replacement = true, generator] = given;
    checkPositive('WeightedRandomSampler: numSamples', numSamples);
    if (isTensor(weights) && weights.ndim !== 1) {
      throw new ShapeError(
        `WeightedRandomSampler: weights are a vector, got shape ${showShape(weights.shape)}`,
      );
    }
    this.weights = weights;
    this.numSamples = numSamples;
    this.replacement = replacement;
    this.generator = generator ?? defaultGenerator;
  }

  get length(): number {
    return this.numSamples;
  }

  *[Symbol.iterator](): IterableIterator<number> {
    const drawn = scope(() => {
      const weights = isTensor(this.weights)
        ? this.weights.to(float64)
        : tensor(Float64Array.from(this.weights), { device: 'cpu' });
      const { numSamples, replacement, generator } = this;
      return multinomial(weights, numSamples, replacement, generator).dataSync() as Int32Array;
    });
    yield* drawn;
  }
}

const BATCH = 'sampler, batchSize, dropLast';
type BatchArguments = [sampler: Iterable<number> & Sized, batchSize: number, dropLast?: boolean];

/** Groups the indices of a sampler into batches; `dropLast` (default false) drops a short one. */
export class BatchSampler extends Sampler<number[]> {
  private readonly sampler: Iterable<number> & Sized;
  private readonly batchSize: number;
  private readonly dropLast: boolean;

  constructor(...args: Arguments<typeof BATCH, BatchArguments>) {
    super();
    const [sampler, batchSize, dropLast] = bind<BatchArguments>('BatchSampler', BATCH, args, 2);
    this.sampler = sampler;
    this.batchSize = batchSize;
    this.dropLast = dropLast ?? false;
    checkPositive('BatchSampler: batchSize', batchSize);
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
