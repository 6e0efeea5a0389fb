import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { floats, list, refuses, values, wanting } from './helpers.js';

const { float64, int32, uint8 } = torch;
const x = floats([
  [3, 1, 2],
  [0, 5, 4],
]);

describe('sort', () => {
  it('orders along any dimension and tells the positions', () => {
    const { values: sorted, indices } = x.sort();
    expect(list(sorted)).toEqual([
      [1, 2, 3],
      [0, 4, 5],
    ]);
    expect([list(indices), indices.dtype]).toEqual([
      [
        [1, 2, 0],
        [0, 2, 1],
      ],
      int32,
    ]);
    expect(list(x.sort(0, true).values)).toEqual([
      [3, 5, 4],
      [0, 1, 2],
    ]);
    expect(list(x.t().argsort({ descending: true, dim: 0 }))).toEqual([
      [0, 1],
      [2, 2],
      [1, 0],
    ]);
    expect(list(x.msort())).toEqual([
      [0, 1, 2],
      [3, 5, 4],
    ]);
    expect(list(torch.tensor(7).sort().indices)).toBe(0);
    expect(torch.zeros(0).sort().values.shape).toEqual([0]);
  });

  it('is stable, has NaN last, and takes small dtypes', () => {
    const ties = torch.tensor([1, 0, 1, 0], { dtype: uint8 }).sort();
    expect([list(ties.indices), ties.values.dtype, ties.indices.dtype]).toEqual([
      [1, 3, 0, 2],
      uint8,
      int32,
    ]);
    const holes = torch.tensor([2, Number.NaN, 1]);
    expect(list(holes.sort().values)).toEqual([1, 2, Number.NaN]);
    expect(list(holes.sort(0, true).indices)).toEqual([1, 0, 2]);
    expect(list(torch.tensor([true, false]).sort().values)).toEqual([false, true]);
  });
});

describe('selection', () => {
  it('gives the largest, the smallest and the k-th', () => {
    const { values: best, indices } = x.topk(2);
    expect([list(best), list(indices)]).toEqual([
      [
        [3, 2],
        [5, 4],
      ],
      [
        [0, 2],
        [1, 2],
      ],
    ]);
    expect(list(x.topk(1, { dim: 0, largest: false }).values)).toEqual([[0, 1, 2]]);
    expect(x.topk(0).values.shape).toEqual([2, 0]);
    expect(torch.tensor(3).topk(1).values.shape).toEqual([]);
    const third = torch.kthvalue(x, 3, 1, true);
    expect([list(third.values), list(third.indices)]).toEqual([
      [[3], [5]],
      [[0], [1]],
    ]);
    const many = torch.arange(200).flip(0).topk(100);
    expect(list(many.values.at(-1))).toBe(100);
  });

  it('refuses k out of range', () => {
    refuses(() => x.topk(4), torch.ValueError, /topk: k = 4 .* dimension 1 of size 3 .*\[2, 3\]/);
    refuses(() => x.kthvalue(0), torch.ValueError, /kthvalue: k = 0 .* expected 1 <= k <= 3/);
  });
});

describe('unique', () => {
  it('counts integers of a small range', () => {
    for (const [dtype, low, high] of [
      [int32, -900, 60],
      [torch.int64, 2 ** 40, 2 ** 40 + 500],
      [uint8, 0, 256],
      [int32, -(2 ** 31), 2 ** 31 - 1],
      [torch.int16, -3, -2],
    ] as const) {
      const given = Array.from(
        { length: 1500 },
        (_, i) => low + Math.floor((((i * 7919) % 1499) / 1499) * (high - low)),
      );
      const t = torch.tensor(given, { dtype }).view(30, 50);
      const expected = [...new Set(given)].sort((a, b) => a - b);
      const [found, inverse, counts] = t.unique({ returnInverse: true, returnCounts: true });
      expect([found.dtype, inverse.dtype, counts.dtype]).toEqual([dtype, int32, int32]);
      expect((found.tolistSync() as number[]).map(Number)).toEqual(expected);
      expect(t.unique().equal(found)).toBe(true);
      expect(inverse.shape).toEqual([30, 50]);
      expect(list(inverse.flatten())).toEqual(given.map((v) => expected.indexOf(v)));
      expect(list(counts)).toEqual(expected.map((v) => given.filter((w) => w === v).length));
    }
  });

  it('has no gradient, and says so', () => {
    const x = torch.tensor(
      [
        [2, 1],
        [2, 1],
      ],
      { dtype: torch.float32, requiresGrad: true },
    );
    const found = [x.unique(), x.uniqueConsecutive(), x.unique({ dim: 0 })];
    expect(found.map((values) => values.gradFn?.name)).toEqual([
      'Unique2Backward0',
      'UniqueConsecutiveBackward0',
      'UniqueDimBackward0',
    ]);
    for (const values of found) expect(() => values.sum().backward()).toThrow(torch.AutogradError);
    const [values, inverse] = x.unique({ returnInverse: true });
    expect([values.requiresGrad, inverse.requiresGrad]).toEqual([true, false]);
    expect([x.detach(), x.int()].map((y) => y.unique().requiresGrad)).toEqual([false, false]);
  });

  it('gives distinct elements, where they went, and how many there were', () => {
    const t = torch.tensor([
      [3, 1],
      [1, 3],
    ]);
    expect(list(t.unique())).toEqual([1, 3]);
    const [found, inverse, counts] = torch.unique(t, { returnInverse: true, returnCounts: true });
    expect([list(found), list(inverse), list(counts)]).toEqual([
      [1, 3],
      [
        [1, 0],
        [0, 1],
      ],
      [2, 2],
    ]);
    const [, only] = t.unique({ returnCounts: true });
    expect(list(only)).toEqual([2, 2]);
    expect(torch.zeros(0).unique().shape).toEqual([0]);
  });

  it('compares slices along a dimension', () => {
    const rows = torch.tensor([
      [2, 1],
      [1, 9],
      [2, 1],
    ]);
    const [found, inverse, counts] = rows.unique({
      dim: 0,
      returnInverse: true,
      returnCounts: true,
    });
    expect(list(found)).toEqual([
      [1, 9],
      [2, 1],
    ]);
    expect([list(inverse), list(counts)]).toEqual([
      [1, 0, 1],
      [1, 2],
    ]);
    expect(list(rows.t().unique({ dim: 1 }))).toEqual([
      [1, 2],
      [9, 1],
    ]);
  });

  it('compares neighbours only', () => {
    const t = torch.tensor([1, 1, 2, 2, 2, 1]);
    const [found, inverse, counts] = torch.uniqueConsecutive(t, {
      returnInverse: true,
      returnCounts: true,
    });
    expect([list(found), list(inverse), list(counts)]).toEqual([
      [1, 2, 1],
      [0, 0, 1, 1, 1, 2],
      [2, 3, 1],
    ]);
    expect(list(torch.ones(2, 2).uniqueConsecutive({ dim: 0 }))).toEqual([[1, 1]]);
  });
});

describe('searching and counting', () => {
  it('finds places in sorted rows', () => {
    const sorted = torch.tensor([1, 3, 5, 7]);
    expect(list(torch.searchsorted(sorted, torch.tensor([[3, 8]])))).toEqual([[1, 4]]);
    expect(list(torch.searchsorted(sorted, 3, { right: true }))).toBe(2);
    expect(list(torch.searchsorted(sorted, torch.tensor([3]), { side: 'right' }))).toEqual([2]);
    const rows = torch.tensor([
      [1, 2],
      [3, 0],
    ]);
    const sorter = rows.argsort(1);
    expect(list(torch.searchsorted(rows, torch.tensor([[2], [1]]), { sorter }))).toEqual([
      [1],
      [1],
    ]);
    expect(list(torch.bucketize(torch.tensor([3, 6]), sorted))).toEqual([1, 3]);
    expect(list(torch.bucketize(torch.tensor([3, 6]), sorted, { right: true }))).toEqual([2, 3]);
  });

  it('counts integers and ranges', () => {
    const t = torch.tensor([0, 2, 2, 5]);
    expect([list(t.bincount()), t.bincount().dtype]).toEqual([[1, 0, 2, 0, 0, 1], int32]);
    expect(list(t.bincount(torch.tensor([1.5, 1, 2, 3]), 7))).toEqual([1.5, 0, 3, 0, 0, 3, 0]);
    expect(list(torch.zeros(0).int().bincount({ minlength: 2 }))).toEqual([0, 0]);
    const f = torch.tensor([0, 1, 1.9, 4, Number.NaN, 7]);
    expect(list(f.histc(4, 0, 4))).toEqual([1, 2, 0, 1]);
    expect(list(floats([1, 2, 2, 3]).histc(2))).toEqual([1, 3]);
    expect(list(torch.ones(3).histc(2))).toEqual([0, 3]);
  });

  it('refuses what makes no sense', () => {
    const sorted = torch.tensor([1, 3]);
    const left = { side: 'left', right: true } as const;
    refuses(() => torch.searchsorted(sorted, 1, left), torch.ValueError, /contradict/);
    refuses(() => torch.searchsorted(sorted, torch.ones(1)), torch.DtypeError, /one dtype, got/);
    refuses(() => torch.bucketize(sorted, torch.ones(2, 2).int()), torch.ShapeError, /1 dimension/);
    refuses(() => torch.ones(2).bincount(), torch.DtypeError, /bincount: .*torch.float32/);
    refuses(() => torch.tensor([-1]).bincount(), torch.ValueError, /negative/);
    refuses(() => sorted.histc(), torch.DtypeError, /histc: .*bincount/);
    refuses(() => floats([Infinity]).histc(), torch.ValueError, /not finite/);
  });
});

describe('gradients', () => {
  it('return to where the values came from', () => {
    const leaf = x.clone().requiresGrad_();
    leaf
      .sort(1)
      .values.mul(torch.tensor([1, 2, 3]))
      .sum()
      .backward();
    expect(list(leaf.grad as torch.Tensor)).toEqual([
      [3, 1, 2],
      [1, 3, 2],
    ]);
    leaf.grad = null;
    leaf.topk(1).values.sum().backward();
    expect(values(leaf.grad)).toEqual([1, 0, 0, 0, 1, 0]);
    expect(leaf.kthvalue(1).values.gradFn?.name).toBe('KthvalueBackward0');
  });

  it('are those of finite differences, twice', () => {
    torch.manualSeed(3);
    const input = wanting(torch.randn(3, 4, { dtype: float64 }));
    const functions: ((t: torch.Tensor) => torch.Tensor)[] = [
      (t) => t.sort(0, true).values.square(),
      (t) => t.topk(2, 1).values.square(),
      (t) => t.kthvalue(2, 0).values.square(),
      (t) => t.mode(1).values.square(),
    ];
    for (const f of functions) {
      expect(torch.autograd.gradcheck(f, [input])).toBe(true);
      expect(torch.autograd.gradgradcheck(f, [input])).toBe(true);
    }
  });
});
