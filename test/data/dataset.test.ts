import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';

const { ConcatDataset, randomSplit, Subset, TensorDataset } = torch.data;

function range(n: number, width = 1): torch.Tensor {
  return torch.arange(n * width).reshape([n, width]);
}

describe('TensorDataset', () => {
  it('pairs the rows of its tensors', () => {
    const set = new TensorDataset(range(4, 2), torch.arange(4));
    expect(set.length).toBe(4);
    expect(set.at(2).map((t) => t.tolistSync())).toEqual([[4, 5], 2]);
    expect(set.at(-1)[1].itemSync()).toBe(3);
    expect(set.batch([3, 0]).map((t) => t.tolistSync())).toEqual([
      [
        [6, 7],
        [0, 1],
      ],
      [3, 0],
    ]);
  });

  it('refuses tensors of different lengths, none at all, and indices out of range', () => {
    const make = () => new TensorDataset(range(4), torch.arange(3));
    expect(make).toThrow(torch.ShapeError);
    expect(make).toThrow('got shapes [4, 1], [3]');
    expect(() => new TensorDataset()).toThrow(torch.ValueError);
    expect(() => new TensorDataset(range(4)).at(4)).toThrow(
      'index 4 is out of range for 4 samples',
    );
  });
});

describe('ConcatDataset and Subset', () => {
  it('walk their parts', () => {
    const both = new TensorDataset(torch.arange(3)).concat(new TensorDataset(torch.arange(5, 7)));
    expect(both).toBeInstanceOf(ConcatDataset);
    expect(both.length).toBe(5);
    const values = [0, 1, 2, 3, 4].map((i) => both.at(i)[0].itemSync());
    expect(values).toEqual([0, 1, 2, 5, 6]);
    expect(both.at(-1)[0].itemSync()).toBe(6);
    const part = new Subset(both, [4, 0]);
    expect([part.at(0)[0].itemSync(), part.at(1)[0].itemSync(), part.length]).toEqual([6, 0, 2]);
    expect(part.batch).toBeUndefined();
  });

  it('a subset of a data set that makes batches makes batches', () => {
    const part = new Subset(new TensorDataset(torch.arange(10, 20)), [9, 8, 7]);
    const [batch] = part.batch!([2, 0]) as torch.Tensor[];
    expect(batch.tolistSync()).toEqual([17, 19]);
  });
});

describe('randomSplit', () => {
  it('covers every sample once', () => {
    const parts = randomSplit(
      Array.from({ length: 10 }, (_, i) => i),
      [3, 7],
    );
    expect(parts.map((part) => part.length)).toEqual([3, 7]);
    const all = parts.flatMap((part) => Array.from({ length: part.length }, (_, i) => part.at(i)));
    expect(all.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('refuses lengths that do not sum to the whole', () => {
    expect(() => randomSplit([1, 2, 3], [1, 1])).toThrow('sum to 2, but the data set has 3');
    expect(() => randomSplit([1, 2, 3], [0.5, 0.4])).toThrow(torch.ValueError);
  });
});
