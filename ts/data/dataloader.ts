/** Walks a data set in batches, in PyTorch's order for the same seed. */

import { showValue, ValueError } from '../core/errors.js';
import { breathe } from '../core/memory.js';
import { checkOptions } from '../core/options.js';
import { defaultGenerator, type Generator } from '../core/random.js';
import { defaultCollate } from './collate.js';
import type { IterableDataset, MapDataset } from './dataset.js';
import { BatchSampler, drawSeed, RandomSampler, SequentialSampler, type Sized } from './sampler.js';

/** A stream of samples, at once or awaited. */
export type SampleStream<Sample> =
  | IterableDataset<Sample>
  | { [Symbol.asyncIterator](): AsyncIterator<Sample> };

/** What collating makes of a sample type: tensors and numbers become tensors. */
export type Collated<Sample> = Sample extends number | bigint | boolean
  ? import('../tensor.js').Tensor
  : Sample extends import('../tensor.js').Tensor
    ? Sample
    : Sample extends string
      ? string[]
      : { -readonly [K in keyof Sample]: Collated<Sample[K]> };

/** Options of {@link DataLoader}, with PyTorch's defaults. */
export interface DataLoaderOptions<Sample, Batch> {
  /** Samples per batch (default 1); null gives samples as they are. */
  batchSize?: number | null;
  /** A new random order in every pass (default false). */
  shuffle?: boolean;
  /** An order of your own; excludes shuffle. */
  sampler?: Iterable<number> & Sized;
  /** Batches of indices of your own; excludes batchSize, shuffle, sampler and dropLast. */
  batchSampler?: Iterable<number[]> & Sized;
  /** Leave out the last batch if it is smaller (default false). */
  dropLast?: boolean;
  /** Makes a batch of samples (default: stack tensors, keep structure). */
  collateFn?: (samples: Awaited<Sample>[]) => Batch;
  /** Source of the random order (default: the global one). */
  generator?: Generator;
  /** Only 0: batches are made in the calling thread. */
  numWorkers?: 0;
}

const optionNames = [
  'batchSize',
  'shuffle',
  'sampler',
  'batchSampler',
  'dropLast',
  'collateFn',
  'generator',
  'numWorkers',
];

/**
 * Batches of a data set: `for await (const [x, y] of loader)`. The asynchronous loop lets the
 * collector work between batches, so that memory stays flat; a synchronous `for ... of` loop
 * belongs into torch.scope().
 */
export class DataLoader<Sample, Batch = Collated<Awaited<Sample>>> {
  readonly batchSize: number | null;
  readonly dropLast: boolean;
  private readonly indices: (Iterable<number | number[]> & Sized) | undefined;
  private readonly collate: (samples: Awaited<Sample>[]) => Batch;
  private readonly generator: Generator;
  /** Whether the data set's own `batch` may stand in for sample by sample. */
  private readonly whole: boolean;

  constructor(
    readonly dataset: MapDataset<Sample> | SampleStream<Sample>,
    given: DataLoaderOptions<Sample, Batch> | number | null = {},
    more: DataLoaderOptions<Sample, Batch> | boolean = {},
  ) {
    const rest = typeof more === 'boolean' ? { shuffle: more } : more;
    const options: DataLoaderOptions<Sample, Batch> =
      typeof given === 'number' || given === null ? { batchSize: given, ...rest } : given;
    checkChoices(dataset, options);
    this.batchSize = options.batchSampler
      ? null
      : options.batchSize === undefined
        ? 1
        : options.batchSize;
    this.dropLast = options.dropLast ?? false;
    this.generator = options.generator ?? defaultGenerator;
    this.collate = options.collateFn ?? (defaultCollate as (samples: Awaited<Sample>[]) => Batch);
    this.whole = options.collateFn === undefined;
    this.indices = isStream(dataset) ? undefined : makeSampler(dataset, options, this.batchSize);
  }

  /** Number of batches in a pass. Throws ValueError for a stream, whose length nobody knows. */
  get length(): number {
    if (this.indices === undefined) {
      throw new ValueError('DataLoader: an IterableDataset has no length');
    }
    return this.indices.length;
  }

  /** A pass for a synchronous loop. Throws ValueError if the data set is asynchronous. */
  *[Symbol.iterator](): IterableIterator<Batch> {
    // PyTorch draws a seed for its workers here, even when there are none.
    drawSeed(this.generator);
    if (this.indices === undefined) {
      if (!(Symbol.iterator in this.dataset)) throw asynchronous();
      for (const samples of this.grouped(this.dataset as Iterable<Awaited<Sample>>)) {
        yield this.finish(samples);
      }
      return;
    }
    for (const wanted of this.indices) {
      const fetched = this.fetch(wanted);
      if (fetched instanceof Promise) throw asynchronous();
      yield fetched;
    }
  }

  /** A pass for `for await`: takes a turn of the event loop whenever much was allocated. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<Batch> {
    drawSeed(this.generator);
    if (this.indices !== undefined) {
      for (const wanted of this.indices) {
        await breathe();
        yield await this.fetch(wanted);
      }
      return;
    }
    let samples: Awaited<Sample>[] = [];
    for await (const sample of this.dataset as AsyncIterable<Awaited<Sample>>) {
      samples.push(sample);
      if (samples.length < (this.batchSize ?? 1)) continue;
      await breathe();
      yield this.finish(samples);
      samples = [];
    }
    if (samples.length > 0 && !this.dropLast) yield this.finish(samples);
  }

  /** The first batch of a new pass, as `next(iter(loader))`. */
  async next(): Promise<Batch> {
    const { value, done } = await this[Symbol.asyncIterator]().next();
    if (done) throw new ValueError('DataLoader: the data set is empty');
    return value;
  }

  private *grouped(stream: Iterable<Awaited<Sample>>): IterableIterator<Awaited<Sample>[]> {
    let samples: Awaited<Sample>[] = [];
    for (const sample of stream) {
      samples.push(sample);
      if (samples.length < (this.batchSize ?? 1)) continue;
      yield samples;
      samples = [];
    }
    if (samples.length > 0 && !this.dropLast) yield samples;
  }

  private finish(samples: Awaited<Sample>[]): Batch {
    const single = this.batchSize === null && this.whole && this.indices === undefined;
    return single ? (samples[0] as unknown as Batch) : this.collate(samples);
  }

  /** The batch of some indices, or the sample of one. */
  private fetch(wanted: number | number[]): Batch | Promise<Batch> {
    const dataset = this.dataset as MapDataset<Sample>;
    if (typeof wanted === 'number') return dataset.at(wanted) as Batch | Promise<Batch>;
    if (this.whole && dataset.batch !== undefined) return dataset.batch(wanted) as Batch;
    const samples = wanted.map((index) => dataset.at(index) as Sample);
    if (samples.some((sample) => sample instanceof Promise)) {
      return Promise.all(samples).then((all) => this.finish(all));
    }
    return this.finish(samples as Awaited<Sample>[]);
  }
}

function asynchronous(): ValueError {
  return new ValueError(
    'DataLoader: the data set gives promises; use `for await (const batch of loader)`',
  );
}

function isStream(dataset: object): boolean {
  const { length, at } = Object(dataset) as Partial<MapDataset<unknown>>;
  if (typeof length === 'number' && typeof at === 'function') return false;
  if (Symbol.iterator in Object(dataset) || Symbol.asyncIterator in Object(dataset)) return true;
  throw new ValueError(
    'DataLoader: expected a data set with a length and at(index), or an iterable, got ' +
      showValue(dataset),
  );
}

function makeSampler<Sample, Batch>(
  dataset: MapDataset<Sample> | SampleStream<Sample>,
  options: DataLoaderOptions<Sample, Batch>,
  batchSize: number | null,
): Iterable<number | number[]> & Sized {
  if (options.batchSampler !== undefined) return options.batchSampler;
  const source = dataset as MapDataset<Sample>;
  const { generator } = options;
  const order =
    options.sampler ??
    (options.shuffle
      ? new RandomSampler(source, generator === undefined ? {} : { generator })
      : new SequentialSampler(source));
  return batchSize === null ? order : new BatchSampler(order, batchSize, options.dropLast ?? false);
}

function checkChoices<Sample, Batch>(
  dataset: MapDataset<Sample> | SampleStream<Sample>,
  options: DataLoaderOptions<Sample, Batch>,
): void {
  checkOptions('DataLoader', options, optionNames);
  const { batchSize, shuffle, sampler, batchSampler, dropLast, numWorkers } = options;
  if (numWorkers) {
    throw new ValueError(
      `DataLoader: numWorkers must be 0, got ${numWorkers}; batches are made in the calling thread`,
    );
  }
  if (batchSize !== undefined && batchSize !== null) {
    if (!Number.isInteger(batchSize) || batchSize <= 0) {
      throw new ValueError(
        `DataLoader: batchSize must be a positive integer, got ${showValue(batchSize)}`,
      );
    }
  }
  if (isStream(dataset) && (shuffle || sampler || batchSampler)) {
    throw new ValueError(
      'DataLoader: an IterableDataset has an order of its own; no shuffle or sampler',
    );
  }
  if (sampler && shuffle) {
    throw new ValueError('DataLoader: sampler and shuffle exclude each other');
  }
  if (batchSampler && (batchSize !== undefined || shuffle || sampler || dropLast)) {
    throw new ValueError(
      'DataLoader: batchSampler excludes batchSize, shuffle, sampler and dropLast',
    );
  }
  if (batchSize === null && dropLast) {
    throw new ValueError('DataLoader: batchSize null (no batches) excludes dropLast');
  }
}
