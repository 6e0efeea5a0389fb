import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';

const { DataLoader, IterableDataset, randomSplit, TensorDataset } = torch.data;

interface RecordedPasses {
  n: number;
  batchSize: number;
  generator: number | null;
  dropLast: boolean;
  passes: number[][][];
  next: string;
}

/** Orders and splits of PyTorch 1.13. */
const order: {
  loaders: RecordedPasses[];
  sequentialNext: string;
  split: number[][];
  fractions: number[][];
} = JSON.parse(readFileSync(new URL('./order.json', import.meta.url), 'utf8'));

/** The 63-bit integer that `torch.empty((), dtype=int64).random_()` draws next. */
function nextDraw(): string {
  return String(torch.defaultGenerator.random64() & (2n ** 63n - 1n));
}

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);

class Words extends IterableDataset<string> {
  *[Symbol.iterator]() {
    yield* ['a', 'b', 'c'];
  }
}

class Slow extends torch.data.Dataset<Promise<[torch.Tensor, number]>> {
  readonly length = 3;
  async at(i: number): Promise<[torch.Tensor, number]> {
    await Promise.resolve();
    return [torch.tensor([i, i]), i];
  }
}

async function all<T>(batches: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const batch of batches) list.push(batch);
  return list;
}

describe('DataLoader gives the batches of PyTorch', () => {
  it.each(order.loaders)(
    '$n by $batchSize, generator $generator, dropLast $dropLast',
    async (c) => {
      for (const tensors of [false, true]) {
        torch.manualSeed(11);
        const values = numbers(c.n);
        const generator = c.generator === null ? {} : { generator: seeded(c.generator) };
        const options = {
          batchSize: c.batchSize,
          shuffle: true,
          dropLast: c.dropLast,
          ...generator,
        };
        const loader: AsyncIterable<torch.Tensor | torch.Tensor[]> & { length: number } = tensors
          ? new DataLoader(new TensorDataset(torch.tensor(values)), options)
          : new DataLoader(values, options);
        expect(loader.length).toBe(c.passes[0].length);
        for (const expected of c.passes) {
          const batches = await all(loader);
          const got = batches.map((b) => (Array.isArray(b) ? b[0] : b).tolistSync());
          expect(got).toEqual(expected);
        }
        expect(nextDraw()).toBe(c.next);
      }
    },
  );

  it('draws as often as PyTorch without shuffling', async () => {
    torch.manualSeed(11);
    await all(new DataLoader(numbers(4), { batchSize: 2 }));
    expect(nextDraw()).toBe(order.sequentialNext);
  });

  it('splits as PyTorch', () => {
    const indices = (lengths: number[], n: number) => {
      torch.manualSeed(3);
      return randomSplit(numbers(n), lengths).map((part) => Array.from(part.indices));
    };
    expect(indices([3, 7], 10)).toEqual(order.split);
    expect(indices([0.5, 0.3, 0.2], 11)).toEqual(order.fractions);
  });
});

function seeded(seed: number): torch.Generator {
  return new torch.Generator().manualSeed(seed);
}

describe('DataLoader', () => {
  it('iterates synchronously too, and gives the first batch by next()', async () => {
    const loader = new DataLoader(new TensorDataset(torch.arange(5)), { batchSize: 2 });
    expect([...loader].map(([x]) => x.tolistSync())).toEqual([[0, 1], [2, 3], [4]]);
    const [first] = await loader.next();
    expect(first.tolistSync()).toEqual([0, 1]);
  });

  it('collates numbers, strings, tensors, arrays and objects', async () => {
    const samples = [
      { x: torch.ones(2), y: 1, z: 0.5, name: 'a', flag: true, pair: [1n, [2]] as const },
      { x: torch.zeros(2), y: 2, z: 1, name: 'b', flag: false, pair: [3n, [4]] as const },
    ];
    const batch = await new DataLoader(samples, { batchSize: 2 }).next();
    expect(batch.x.tolistSync()).toEqual([
      [1, 1],
      [0, 0],
    ]);
    expect([batch.y.dtype, batch.y.tolistSync()]).toEqual([torch.int32, [1, 2]]);
    expect([batch.z.dtype, batch.z.tolistSync()]).toEqual([torch.float32, [0.5, 1]]);
    expect(batch.name).toEqual(['a', 'b']);
    expect(batch.flag.dtype).toBe(torch.bool);
    expect([batch.pair[0].dtype, batch.pair[1][0].tolistSync()]).toEqual([torch.int64, [2, 4]]);
  });

  it('uses a collateFn instead of the data set’s own batches', async () => {
    const set = new TensorDataset(torch.arange(4));
    const loader = new DataLoader(set, {
      batchSize: 2,
      collateFn: (s) => s.map(([x]) => x.itemSync()),
    });
    expect(await all(loader)).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  it('takes asynchronous data sets and streams', async () => {
    const batches = await all(new DataLoader(new Slow(), { batchSize: 2 }));
    expect(batches.map(([x, y]) => [x.shape, y.tolistSync()])).toEqual([
      [
        [2, 2],
        [0, 1],
      ],
      [[1, 2], [2]],
    ]);
    expect(() => [...new DataLoader(new Slow())]).toThrow('for await');
    expect(await all(new DataLoader(new Words(), { batchSize: 2 }))).toEqual([['a', 'b'], ['c']]);
    const full = new DataLoader(new Words(), { batchSize: 2, dropLast: true });
    expect([...full]).toEqual([['a', 'b']]);
    expect(() => full.length).toThrow('no length');
  });

  it('gives samples as they are without a batch size', async () => {
    expect(await all(new DataLoader(['x', 'y'], { batchSize: null }))).toEqual(['x', 'y']);
    const batchSampler = [[0, 1, 2], [1]];
    const batches = await all(new DataLoader(numbers(3), { batchSampler }));
    expect(batches.map((b) => b.tolistSync())).toEqual([[0, 1, 2], [1]]);
  });

  it.each<[object, string]>([
    [{ batchsize: 2 }, "unknown option 'batchsize'. Did you mean 'batchSize'?"],
    [{ batchSize: 0 }, 'batchSize must be a positive integer, got 0'],
    [{ shuffle: true, sampler: [0] }, 'exclude each other'],
    [{ batchSampler: [[0]], batchSize: 2 }, 'batchSampler excludes'],
    [{ batchSize: null, dropLast: true }, 'excludes dropLast'],
    [{ numWorkers: 2 }, 'numWorkers must be 0, got 2'],
  ])('refuses %j', (options, message) => {
    expect(() => new DataLoader(numbers(3), options)).toThrow(torch.ValueError);
    expect(() => new DataLoader(numbers(3), options)).toThrow(message);
  });

  it('refuses to shuffle a stream, and samples that make no batch', async () => {
    expect(() => new DataLoader(new Words(), { shuffle: true })).toThrow('order of its own');
    await expect(new DataLoader([[1], [1, 2]], { batchSize: 2 }).next()).rejects.toThrow(
      'sample 1 has 2 entries, but sample 0 has 1',
    );
    await expect(new DataLoader([null]).next()).rejects.toThrow(
      'sample 0 is null, which makes no batch',
    );
  });
});
