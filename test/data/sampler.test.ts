import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { TorchError, ValueError } from '../../ts/core/errors.js';
import { defaultGenerator, Generator, manualSeed } from '../../ts/core/random.js';
import * as torch from '../../ts/index.js';

const {
  BatchSampler,
  RandomSampler,
  SequentialSampler,
  SubsetRandomSampler,
  WeightedRandomSampler,
} = torch.data;

/** Orders of PyTorch 1.13 after torch.manual_seed(3). */
const order = JSON.parse(readFileSync(new URL('./order.json', import.meta.url), 'utf8'));

describe('samplers walk in the order of PyTorch', () => {
  beforeEach(() => {
    manualSeed(3);
  });

  it('RandomSampler with replacement, and with more samples than there are', () => {
    const drawn = [...new RandomSampler({ length: 9 }, { replacement: true, numSamples: 70 })];
    expect(drawn).toEqual(order.replacement);
    manualSeed(3);
    expect([...new RandomSampler({ length: 4 }, { numSamples: 10 })]).toEqual(order.more);
    manualSeed(3);
    expect([...new RandomSampler({ length: 4 }, false, 10)]).toEqual(order.more);
  });

  it('SubsetRandomSampler', () => {
    expect([...new SubsetRandomSampler([3, 5, 8, 9, 11])]).toEqual(order.subset);
  });

  it('WeightedRandomSampler', () => {
    const weights = [0.1, 0.9, 0.4, 0.7, 3, 0.6];
    expect([...new WeightedRandomSampler(weights, 12)]).toEqual(order.weighted);
    manualSeed(3);
    expect([...new WeightedRandomSampler(weights, 5, false)]).toEqual(order.weightedOnce);
    manualSeed(3);
    const named = new WeightedRandomSampler(weights, 5, { replacement: false });
    expect([...named]).toEqual(order.weightedOnce);
    for (const dtype of [torch.float32, torch.float64]) {
      manualSeed(3);
      const vector = torch.tensor(weights, { dtype });
      expect([...new WeightedRandomSampler(vector, 12)]).toEqual(order.weighted);
    }
  });

  it.each<[string, () => unknown]>([
    ['numSamples must be a positive integer, got 0', () => new WeightedRandomSampler([1], 0)],
    ['numSamples must be a positive integer, got 1.5', () => new WeightedRandomSampler([1], 1.5)],
    [
      'weights are a vector, got shape [1, 2]',
      () => new WeightedRandomSampler(torch.ones(1, 2), 1),
    ],
    ['no categories', () => [...new WeightedRandomSampler([], 1)]],
    ['without replacement', () => [...new WeightedRandomSampler([1, 2], 3, false)]],
    ['got -1 in row 0', () => [...new WeightedRandomSampler([1, -1], 1)]],
    ['sum to zero', () => [...new WeightedRandomSampler([0, 0], 1)]],
  ])('WeightedRandomSampler refuses: %s', (message, call) => {
    expect(call).toThrow(TorchError);
    expect(call).toThrow(message);
  });

  it('a generator of its own leaves the default one alone', () => {
    const before = defaultGenerator.stateBytes();
    const sampler = new RandomSampler({ length: 8 }, { generator: new Generator().manualSeed(1) });
    const first = [...sampler];
    expect([...first].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...sampler]).not.toEqual(first);
    expect(defaultGenerator.stateBytes()).toEqual(before);
  });
});

describe('BatchSampler', () => {
  it('groups, and drops a short last batch if told to', () => {
    const source = new SequentialSampler({ length: 5 });
    const all = new BatchSampler(source, 2);
    expect([...all]).toEqual([[0, 1], [2, 3], [4]]);
    expect(all.length).toBe(3);
    expect([...new BatchSampler(source, 2, { dropLast: false })]).toEqual([[0, 1], [2, 3], [4]]);
    const full = new BatchSampler(source, 2, true);
    expect([...full]).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(full.length).toBe(2);
  });

  it('refuses sizes that are no positive integers', () => {
    expect(() => new BatchSampler([], 0)).toThrow(ValueError);
    expect(() => new RandomSampler({ length: 3 }, { numSamples: 0 })).toThrow('positive integer');
  });
});
