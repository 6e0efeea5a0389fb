import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';
import { floats, list, refuses, values, wanting } from './helpers.js';

const { float64, int32, int64, uint8 } = torch;
const x = floats([
  [1, 5, 2],
  [4, 0, 3],
]);
const cube = torch.arange(24).reshape(2, 3, 4).float();

describe('sums and means', () => {
  it('take no, one or several dims, by position or by name', () => {
    expect(list(x.sum())).toEqual(15);
    expect(list(x.sum(0))).toEqual([5, 5, 5]);
    expect(list(x.sum({ dim: -1, keepdim: true }))).toEqual([[8], [7]]);
    expect(list(cube.sum([0, 2]))).toEqual([60, 92, 124]);
    expect(list(torch.sum(cube, [-1, 0], true))).toEqual([[[60], [92], [124]]]);
    expect(list(cube.sum([]))).toEqual(276);
    expect(list(cube.mean([0, 2]))).toEqual([7.5, 11.5, 15.5]);
    expect(list(cube.transpose(0, 2).sum([0, 2]))).toEqual([60, 92, 124]);
    expect(list(torch.tensor(3).sum(0))).toEqual(3);
    expect(cube.narrow(0, 0, 1).sum([0, 2]).shape).toEqual([3]);
  });

  it('keep int64, widen small integers and bools to int32, and obey dtype', () => {
    expect(torch.tensor([1, 2]).sum().dtype).toBe(int32);
    expect(
      torch
        .tensor([1n, 2n ** 40n])
        .sum()
        .itemSync(),
    ).toBe(2 ** 40 + 1);
    const bytes = torch.tensor([200, 100], { dtype: uint8 });
    expect([list(bytes.sum()), bytes.sum().dtype]).toEqual([300, int32]);
    expect(list(torch.tensor([true, true, false]).sum())).toBe(2);
    expect(bytes.prod().itemSync()).toBe(20000);
    expect(bytes.sum({ dtype: float64 }).dtype).toBe(float64);
    expect(bytes.mean({ dtype: float64 }).itemSync()).toBe(150);
    expect(torch.tensor([1n]).cumsum(0).dtype).toBe(int64);
  });

  it('give the identity of nothing, and a NaN mean', () => {
    const none = torch.zeros(2, 0);
    expect(list(none.sum())).toBe(0);
    expect(list(none.sum(1))).toEqual([0, 0]);
    expect(list(none.prod(1))).toEqual([1, 1]);
    expect(none.sum(0).shape).toEqual([0]);
    expect(list(none.mean())).toBeNaN();
    expect([list(none.any()), list(none.all())]).toEqual([false, true]);
    expect(list(none.logsumexp(1))).toEqual([-Infinity, -Infinity]);
  });

  it('leave NaN out where asked', () => {
    const holes = torch.tensor([
      [1, Number.NaN],
      [Number.NaN, Number.NaN],
    ]);
    expect(list(holes.nansum(1))).toEqual([1, 0]);
    expect(list(holes.nanmean(1))).toEqual([1, Number.NaN]);
    const leaf = holes.clone().requiresGrad_();
    leaf.nansum().backward();
    expect(values(leaf.grad)).toEqual([1, 0, 0, 0]);
  });

  it('are one node of the graph, under their name', () => {
    const leaf = x.clone().requiresGrad_();
    expect(leaf.sum().gradFn?.name).toBe('SumBackward0');
    expect(leaf.mean(0).gradFn?.name).toBe('MeanBackward1');
    expect(leaf.sum(0).gradFn?.next[0]?.name).toBe('AccumulateGrad');
    expect(String(leaf.sum())).toBe('tensor(15., grad_fn=<SumBackward0>)');
  });
});

describe('extremes', () => {
  it('have three forms', () => {
    expect(list(x.max())).toBe(5);
    const { values: best, indices } = x.max(1);
    expect([list(best), list(indices), indices.dtype]).toEqual([[5, 4], [1, 0], int32]);
    expect(list(torch.min(x, 0, true).indices)).toEqual([[0, 1, 0]]);
    expect(list(x.max({ dim: 0, keepdim: true }).values)).toEqual([[4, 5, 3]]);
    expect(list(x.max(torch.tensor([2.5])))).toEqual([
      [2.5, 5, 2.5],
      [4, 2.5, 3],
    ]);
    const bytes = torch.tensor([3, 250, 250], { dtype: uint8 });
    const top = bytes.max(0);
    expect([top.values.dtype, top.indices.dtype, list(top.indices)]).toEqual([uint8, int32, 1]);
    expect([list(bytes.argmax()), bytes.argmax().dtype]).toEqual([1, int32]);
    const { min, max } = cube.aminmax({ dim: 1 });
    expect([min.shape, list(max.sum())]).toEqual([[2, 4], 124]);
  });

  it('share their gradient among equals, NaN being equal to NaN', () => {
    const gradient = (...values: number[]) => {
      const x = torch.tensor(values, { dtype: torch.float32 }).requiresGrad_();
      x.amax().backward();
      return list(x.grad as torch.Tensor);
    };
    expect(gradient(1, 3, -3, 3)).toEqual([0, 0.5, 0, 0.5]);
    expect(gradient(0, -0)).toEqual([0.5, 0.5]);
    expect(gradient(1, Number.NaN, 3, Number.NaN)).toEqual([0, 0.5, 0, 0.5]);
    expect(gradient(Number.POSITIVE_INFINITY, 1)).toEqual([1, 0]);
  });

  it('find NaN', () => {
    const bad = torch.tensor([1, Number.NaN, 3]);
    expect(list(bad.max())).toBeNaN();
    expect(list(bad.argmin())).toBe(1);
    expect(list(bad.amin(0))).toBeNaN();
    expect(list(bad.max(0).indices)).toBe(1);
  });

  it('share gradients among equals, or give them to the position named', () => {
    const leaf = floats([2, 7, 7]).requiresGrad_();
    leaf.max().backward();
    expect(values(leaf.grad)).toEqual([0, 0.5, 0.5]);
    leaf.grad = null;
    leaf.max(0).values.backward();
    expect(values(leaf.grad)).toEqual([0, 1, 0]);
    leaf.grad = null;
    leaf.median().backward();
    expect(values(leaf.grad)).toEqual([0, 0.5, 0.5]);
  });

  it('count, test and find positions', () => {
    expect(list(x.countNonzero())).toBe(5);
    expect(list(x.countNonzero(0))).toEqual([2, 1, 2]);
    expect([list(x.all()), list(x.any(1))]).toEqual([false, [true, true]]);
    expect(torch.tensor([1, 0], { dtype: uint8 }).any().dtype).toBe(uint8);
    expect(list(x.argmax())).toBe(1);
    expect(x.argmax({ keepdim: true }).shape).toEqual([1, 1]);
    expect(list(x.argmin(0))).toEqual([0, 1, 0]);
    expect(list(cube.all([0, 1]))).toEqual([false, true, true, true]);
  });
});

describe('statistics', () => {
  it('take a correction, or unbiased', () => {
    expect(list(torch.var_(x, 1))).toEqual([expect.closeTo(13 / 3, 5), expect.closeTo(13 / 3, 5)]);
    expect(list(x.var_(false))).toBeCloseTo(17.5 / 6, 5);
    expect(list(x.std(1, false))).toEqual(list(x.std({ dim: 1, correction: 0 })));
    const [spread, centre] = torch.stdMean(cube, [0, 2]);
    expect(list(centre)).toEqual([7.5, 11.5, 15.5]);
    expect(list(spread)).toEqual(new Array(3).fill(expect.closeTo(Math.sqrt(298 / 7), 4)));
    expect(torch.varMean(x, { keepdim: true })[0].shape).toEqual([1, 1]);
    expect(list(torch.ones(1).var_())).toBeNaN();
  });

  it('give constants a deviation with gradient 0', () => {
    const leaf = torch.ones(3).requiresGrad_();
    leaf.std().backward();
    expect(values(leaf.grad)).toEqual([0, 0, 0]);
  });

  it('know every norm', () => {
    const v = floats([3, 0, -4]);
    const norms = [0, 1, 2, 3, 0.5, Infinity, -Infinity].map((p) => list(v.norm(p)));
    const half = (Math.sqrt(3) + 2) ** 2;
    const wanted = [2, 7, 5, 91 ** (1 / 3), half, 4, 0];
    expect(norms).toEqual(wanted.map((n) => expect.closeTo(n, 4)));
    expect(list(v.norm('fro'))).toBe(5);
    expect(list(cube.norm(2, [0, 2], true)).flat(2)).toEqual(
      [cube.at(':', 0), cube.at(':', 1), cube.at(':', 2)].map((part) =>
        expect.closeTo(Number(list(part.norm())), 3),
      ),
    );
    expect(v.norm({ p: 2, dtype: float64 }).dtype).toBe(float64);
    const leaf = torch.zeros(2).requiresGrad_();
    leaf.norm().backward();
    expect(values(leaf.grad)).toEqual([0, 0]);
  });

  it('find medians, modes and quantiles', () => {
    const v = torch.tensor([5, 1, 3, 1]);
    expect(list(v.median())).toBe(1);
    const { values: mid, indices } = floats([[5, 1, 3]]).median(1);
    expect([list(mid), list(indices)]).toEqual([[3], [2]]);
    const holes = torch.tensor([Number.NaN, 2, 1, 4]);
    expect(list(holes.median())).toBeNaN();
    expect(list(holes.median(0).indices)).toBe(0);
    expect(list(holes.nanmedian())).toBe(2);
    expect(list(v.mode().values)).toBe(1);
    expect(list(torch.tensor([2, 2, 1, 1]).mode().indices)).toBe(3);
    const f = v.float();
    expect(list(f.quantile(0.5))).toBe(2);
    expect(list(f.quantile(floats([0, 0.5, 1]), 0))).toEqual([1, 2, 5]);
    const kinds = ['lower', 'higher', 'midpoint', 'nearest'] as const;
    const found = kinds.map((interpolation) => list(f.quantile(0.6, { dim: 0, interpolation })));
    expect(found).toEqual([1, 3, 2, 3]);
    expect(list(holes.nanquantile(0.5))).toBe(2);
    expect(list(holes.quantile(0.5))).toBeNaN();
    expect(torch.ones(2, 3).quantile(0.5, 1, true).shape).toEqual([2, 1]);
  });

  it('never overflow in logsumexp and softmax', () => {
    expect(list(floats([1000, 1000]).logsumexp(0))).toBeCloseTo(1000.6931, 3);
    expect(list(floats([-Infinity, -Infinity]).logsumexp(0))).toBe(-Infinity);
    expect(list(floats([1000, 1000]).softmax(0))).toEqual([0.5, 0.5]);
    expect(list(floats([0, 0]).logSoftmax(-1))[0]).toBeCloseTo(-Math.LN2);
    expect(list(cube.softmax(1).sum(1)).flat()).toEqual(new Array(8).fill(expect.closeTo(1, 5)));
    expect(list(torch.softmin(floats([0, 1000]), 0))).toEqual([1, 0]);
    expect(torch.tensor([1, 2]).softmax(0, float64).dtype).toBe(float64);
  });
});

describe('mistakes', () => {
  it('name the operation, what was given and the way out', () => {
    refuses(
      () => x.sum(2),
      torch.IndexError,
      /sum: dimension 2 is out of range, .* -2 <= dim <= 1/,
    );
    refuses(() => x.sum([0, -2]), torch.ShapeError, /sum: a dimension appears twice in \[0, -2\]/);
    refuses(() => torch.tensor([1, 2]).mean(), torch.DtypeError, /mean: .*torch\.int32; cast with/);
    refuses(() => torch.tensor([1]).std(), torch.DtypeError, /std: .* got torch.int32/);
    refuses(() => torch.zeros(0).max(), torch.ShapeError, /max: .* got shape \[0\].* no identity/);
    refuses(() => torch.zeros(2, 0).amin(1), torch.ShapeError, /amin: .*\[2, 0\]/);
    refuses(() => torch.tensor([true]).argmax(), torch.DtypeError, /argmax: not defined for bool/);
    refuses(() => x.max(0.5), torch.ValueError, /max: expected a dimension or another tensor/);
    refuses(() => x.norm('two' as 'fro'), torch.ValueError, /norm: p is a number.*got 'two'/);
    refuses(() => torch.tensor([1]).norm(), torch.DtypeError, /norm: .*float/);
    refuses(() => x.quantile(2), torch.ValueError, /quantile: q lies between 0 and 1/);
    refuses(() => torch.zeros(2, 0).median(1), torch.ShapeError, /median: dimension 1 .* is empty/);
    const wrong = { dims: 1 } as object;
    refuses(() => x.sum(wrong), torch.ValueError, /sum: unknown option 'dims'. Did you mean 'dim'/);
  });
});

describe('gradients', () => {
  const cases: Record<string, (t: torch.Tensor) => torch.Tensor | torch.Tensor[]> = {
    sum: (t) => t.sum([0, 2]),
    mean: (t) => t.mean([0, 2], true),
    prod: (t) => t.prod(1),
    'prod of all': (t) => t.prod(),
    amax: (t) => t.amax([0, 2]),
    max: (t) => t.max(1).values,
    var: (t) => t.var_([0, 2]),
    'std and mean': (t) => torch.stdMean(t, 1),
    logsumexp: (t) => t.logsumexp([0, 2]),
    softmax: (t) => t.softmax(1),
    logSoftmax: (t) => t.logSoftmax(1),
    'norm 1.5': (t) => t.norm(1.5, [0, 2]),
    'norm 2': (t) => t.norm(2, 1),
    'norm inf': (t) => t.norm(Infinity, 1),
    median: (t) => t.median(1).values,
    quantile: (t) => t.quantile(0.3, 1),
  };
  for (const [name, f] of Object.entries(cases)) {
    it(`of ${name} are those of finite differences, twice`, () => {
      torch.manualSeed(1);
      const input = wanting(torch.randn(2, 3, 2, { dtype: float64 }));
      expect(torch.autograd.gradcheck(f, [input])).toBe(true);
      expect(torch.autograd.gradgradcheck(f, [input])).toBe(true);
      const turned = wanting(torch.randn(2, 3, 2, { dtype: float64 }).permute(2, 1, 0));
      expect(torch.autograd.gradcheck(f, [turned])).toBe(true);
    });
  }

  it('of a product go past zeros, twice', () => {
    const input = wanting(torch.tensor([[2, 0, 3, 0, 1.5]], { dtype: float64 }));
    expect(torch.autograd.gradcheck((t: torch.Tensor) => t.prod(1), [input])).toBe(true);
    expect(torch.autograd.gradgradcheck((t: torch.Tensor) => t.prod(1), [input])).toBe(true);
  });
});

it.each([torch.bool, torch.int16, torch.float32, torch.int64])(
  'any and all of rows and columns of %s, more than a unit of work has',
  (dtype) => {
    const [rows, columns] = [1100, 270];
    // True everywhere but in some rows and columns, or false everywhere but there.
    const odd = torch.arange(rows).remainder(97).eq(5).unsqueeze(1);
    const odder = torch.arange(columns).remainder(50).eq(7);
    const few = odd.logicalAnd(odder).to(dtype);
    const most = odd.logicalOr(odder).logicalNot().to(dtype);
    expect(few.any(1).tolistSync()).toEqual(odd.squeeze(1).tolistSync());
    expect(few.any(0).tolistSync()).toEqual(odder.tolistSync());
    expect(most.all(1).tolistSync()).toEqual(new Array(rows).fill(false));
    expect(most.any(0).tolistSync()).toEqual(odder.logicalNot().tolistSync());
    expect(most.narrow(0, 0, 5).all(0).tolistSync()).toEqual(odder.logicalNot().tolistSync());
    expect([few.any().itemSync(), few.all().itemSync()]).toEqual([true, false]);
    expect([few.narrow(1, 0, 7).any().itemSync(), torch.ones([5000]).all().itemSync()]).toEqual([
      false,
      true,
    ]);
  },
);
