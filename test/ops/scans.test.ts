import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { floats, list, refuses, values, wanting } from './helpers.js';

const { float64, int32, uint8 } = torch;

describe('running totals', () => {
  it('go along any dimension, and keep dtypes as PyTorch', () => {
    const x = torch.tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(list(x.cumsum(0))).toEqual([
      [1, 2, 3],
      [5, 7, 9],
    ]);
    expect(list(x.t().cumprod(-2))).toEqual([
      [1, 4],
      [2, 20],
      [6, 120],
    ]);
    expect(torch.tensor([200, 100], { dtype: uint8 }).cumsum(0).dtype).toBe(int32);
    expect(list(torch.tensor([true, true]).cumsum(0))).toEqual([1, 2]);
    expect(x.cumsum(0, { dtype: float64 }).dtype).toBe(float64);
    expect(list(torch.tensor(3.5).cumsum(0))).toBe(3.5);
    expect(torch.zeros(0, 2).cumprod(0).shape).toEqual([0, 2]);
  });

  it('work in place, and gradients follow', () => {
    const bytes = torch.tensor([200, 100], { dtype: uint8 });
    expect(list(bytes.cumsum_(0))).toEqual([200, 44]);
    const leaf = floats([2, 3]).requiresGrad_();
    const changed = leaf.clone();
    changed.cumprod_(0).sum().backward();
    expect([values(changed), values(leaf.grad)]).toEqual([
      [2, 6],
      [4, 2],
    ]);
  });

  it('find running extremes: the last of equals, and NaN for good', () => {
    const x = torch.tensor([1, 3, 3, Number.NaN, 9]);
    const { values: best, indices } = x.cummax(0);
    expect(list(best)).toEqual([1, 3, 3, Number.NaN, Number.NaN]);
    expect([list(indices), indices.dtype]).toEqual([[0, 1, 2, 3, 3], int32]);
    const low = torch.tensor([2, 1, 1], { dtype: uint8 }).cummin(0);
    expect([low.values.dtype, low.indices.dtype, list(low.indices)]).toEqual([
      uint8,
      int32,
      [0, 1, 2],
    ]);
  });

  it('never overflow in logcumsumexp', () => {
    const x = floats([-Infinity, 1000, 1000]);
    const out = list(x.logcumsumexp(0));
    expect(out).toEqual([-Infinity, 1000, expect.closeTo(1000.6931, 3)]);
    const leaf = wanting(x.double());
    leaf.logcumsumexp(0).at('1:').sum().backward();
    expect(values(leaf.grad)).toEqual([0, expect.closeTo(1.5, 9), expect.closeTo(0.5, 9)]);
  });
});

describe('diff', () => {
  it('takes differences n times, with ends joined on', () => {
    const x = torch.tensor([1, 4, 9, 16]);
    expect(list(x.diff())).toEqual([3, 5, 7]);
    expect(list(x.diff(2))).toEqual([2, 2]);
    expect(list(x.diff(0))).toEqual([1, 4, 9, 16]);
    expect(x.diff(9).shape).toEqual([0]);
    const joined = torch.diff(x, { prepend: torch.tensor([0]), append: torch.tensor([0]) });
    expect(list(joined)).toEqual([1, 3, 5, 7, -16]);
    expect(list(torch.tensor([true, false, false]).diff())).toEqual([true, false]);
    expect(torch.ones(2, 3).diff({ dim: 0 }).shape).toEqual([1, 3]);
  });

  it('and totals refuse what makes no sense', () => {
    refuses(() => torch.tensor(1).diff(), torch.ShapeError, /diff: a 0-d tensor/);
    refuses(() => torch.ones(2).diff(-1), torch.ValueError, /diff: n is an integer >= 0, got -1/);
    refuses(() => torch.ones(2).cumsum(1), torch.IndexError, /cumsum: dimension 1 is out of range/);
  });
});

describe('gradients', () => {
  const cases: Record<string, (x: torch.Tensor) => torch.Tensor> = {
    cumsum: (x) => x.cumsum(1),
    cumprod: (x) => x.cumprod(1),
    logcumsumexp: (x) => x.logcumsumexp(1),
    cummax: (x) => x.cummax(1).values,
    cummin: (x) => x.cummin(0).values,
    diff: (x) => x.diff(2, 1),
  };
  for (const [name, f] of Object.entries(cases)) {
    it(`of ${name} are those of finite differences, twice`, () => {
      torch.manualSeed(2);
      const input = wanting(torch.randn(2, 5, { dtype: float64 }));
      expect(torch.autograd.gradcheck(f, [input])).toBe(true);
      expect(torch.autograd.gradgradcheck(f, [input])).toBe(true);
    });
  }

  it('of cumprod go past zeros, twice', () => {
    const input = wanting(torch.tensor([2, 0, 3, 0, 1.5, 2], { dtype: float64 }));
    const f = (x: torch.Tensor) => x.cumprod(0);
    expect(torch.autograd.gradcheck(f, [input])).toBe(true);
    expect(torch.autograd.gradgradcheck(f, [input])).toBe(true);
  });
});
