/** Arguments that are missing, or of another kind, where nothing but the function itself can tell. */

import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

const { nn } = torch;
const trained = (): torch.Tensor => {
  const p = torch.ones(2, { requiresGrad: true });
  p.mul(2).sum().backward();
  return p;
};
/** A value as plain JavaScript passes it on. */
const loose = <T>(value: unknown): T => value as T;

describe('flags and sizes', () => {
  test('may stand in their positions, or in an object', () => {
    const { data } = torch;
    const set = new data.TensorDataset(torch.arange(6));
    expect(new data.DataLoader(set, 4).length).toBe(2);
    const order = (loader: Iterable<torch.Tensor[]>) => [...loader].map(([x]) => x.tolistSync());
    torch.manualSeed(1);
    const byName = order(new data.DataLoader(set, { batchSize: 4, shuffle: true }));
    torch.manualSeed(1);
    expect(order(new data.DataLoader(set, 4, true))).toEqual(byName);
    torch.manualSeed(1);
    expect(order(new data.DataLoader(set, 4, { shuffle: true }))).toEqual(byName);
    const generator = () => new torch.Generator().manualSeed(1);
    const [named] = data.randomSplit(set, [3, 3], { generator: generator() });
    const [placed] = data.randomSplit(set, [3, 3], generator());
    expect(placed.indices).toEqual(named.indices);
    expect(() => data.randomSplit(set, [3, 3], loose({ generater: 1 }))).toThrow("'generator'");
  });

  test('that are false in an object are false', () => {
    const layer = new nn.Linear(1, 1);
    expect(layer.train({ mode: false }).training).toBe(false);
    layer.requiresGrad_({ requiresGrad: false });
    expect(layer.weight.requiresGrad).toBe(false);
    expect(torch.ones(1).requiresGrad_({ requiresGrad: false }).requiresGrad).toBe(false);
    layer.registerBuffer('passing', torch.ones(1), { persistent: false });
    expect(Object.keys(layer.stateDict())).toEqual(['weight', 'bias']);
    expect(() => layer.train(loose({ on: false }))).toThrow(torch.ValueError);
  });
});

describe('tensors', () => {
  const x = torch.ones(2, 3);

  test('are not indexed with brackets', () => {
    expect(() => loose<unknown[]>(x)[0]).toThrow(torch.ValueError);
    expect(() => loose<unknown[]>(x)[0]).toThrow('x.at(0)');
    expect(() => x.at('0, :')).toThrow('an argument for each dimension');
  });

  test('are no JSON', () => {
    expect(() => JSON.stringify({ x })).toThrow(torch.ValueError);
    expect(() => JSON.stringify({ x })).toThrow('tolist()');
  });

  test('have nodes that print their names', () => {
    const y = torch.ones(2, { requiresGrad: true }).mul(2);
    expect(String(y.gradFn)).toBe('<MulBackward0>');
    expect(inspect(y.gradFn)).toBe('<MulBackward0>');
  });
});

describe('are told of', () => {
  test('clipGradValue_ without a bound leaves the gradients', () => {
    const p = trained();
    for (const bound of [undefined, Number.NaN, -1]) {
      const clip = () => nn.utils.clipGradValue_([p], loose<number>(bound));
      expect(clip).toThrow(`clipGradValue_: expected a clipValue of at least 0, got ${bound}`);
    }
    expect(p.grad?.tolistSync()).toEqual([2, 2]);
  });

  test('a gradient that is no tensor leaves the old one', () => {
    const p = trained();
    for (const value of [0, undefined, [1, 1]]) {
      const assign = () => {
        p.grad = loose<null>(value);
      };
      expect(assign).toThrow(torch.AutogradError);
      expect(assign).toThrow('grad: expected a tensor or null, got');
    }
    expect(p.grad?.tolistSync()).toEqual([2, 2]);
  });

  test('a size where a list of sizes belongs', () => {
    expect(() => torch.full(loose<number[]>(3), 1)).toThrow(torch.ShapeError);
    expect(() => torch.full(loose<number[]>(3), 1)).toThrow('expected a list of sizes, got 3');
  });

  test('a text where a number belongs', () => {
    const two = loose<number>('2');
    const texts: (() => unknown)[] = [
      () => torch.setNumThreads(two),
      () => new nn.Linear(two, 3),
      () => torch.ones(4).split(two),
      () => torch.ones(4).mul(two),
    ];
    for (const text of texts) expect(text).toThrow("got '2'");
  });

  test('an empty object is no argument', () => {
    expect(String(new nn.Softmax(...loose<[number]>([1, {}])))).toBe('Softmax(dim=1)');
    const make = loose<(...list: unknown[]) => unknown>((...list: [number]) => new nn.GLU(...list));
    expect(() => make(1, 2, {})).toThrow('takes at most 1 arguments (dim), got 2');
    expect(() => make(1, { dim: 1 })).toThrow('given twice');
  });

  test('attention without keys and values', () => {
    const attention = loose<(x: torch.Tensor) => unknown>(new nn.MultiheadAttention(4, 2));
    expect(() => attention(torch.ones(3, 1, 4))).toThrow(torch.ShapeError);
    expect(() => attention(torch.ones(3, 1, 4))).toThrow('got [3, 1, 4], undefined, undefined');
  });

  test.each([
    ['arange', () => torch.arange(1e12)],
    ['linspace', () => torch.linspace(0, 1, 1e12)],
    ['logspace', () => torch.logspace(0, 1, 1e12)],
  ])('%s of more than fits', (name, make) => {
    expect(make).toThrow(torch.ValueError);
    expect(make).toThrow(`${name}: 1000000000000 numbers are more than fit`);
  });
});
