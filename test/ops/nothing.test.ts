/** Operands without elements, and operations that have nothing to do. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

const leaf = (...shape: number[]) => torch.ones(shape, { requiresGrad: true });

test('a tensor without elements is contiguous whatever its strides', () => {
  expect(torch.empty(2, 0, 3).permute(2, 1, 0).isContiguous()).toBe(true);
  expect(torch.empty(0, 3).t().isContiguous()).toBe(true);
  expect(torch.empty(2, 1, 3).permute(2, 1, 0).isContiguous()).toBe(false);
});

test('an expanded tensor without elements can be written: no two of them share a place', () => {
  const x = torch.ones(2, 1, 0).expand(2, 3, 0);
  expect(x.add_(1).shape).toEqual([2, 3, 0]);
  expect(() => torch.ones(2, 1).expand(2, 3).add_(1)).toThrow(torch.ValueError);
});

describe('operands without elements get gradients of their shape', () => {
  test('in cat()', () => {
    const parts = [leaf(0), leaf(0, 3), leaf(2, 3)];
    torch.cat(parts).mul(2).sum().backward();
    expect(parts.map((part) => part.grad?.shape)).toEqual([[0], [0, 3], [2, 3]]);
    expect(parts[2].grad?.tolistSync()).toEqual([
      [2, 2, 2],
      [2, 2, 2],
    ]);
  });

  test('in cat() along the last dimension', () => {
    const parts = [leaf(2, 3), leaf(0), leaf(2, 1)];
    torch.cat(parts, 1).sum().backward();
    expect(parts.map((part) => part.grad?.shape)).toEqual([[2, 3], [0], [2, 1]]);
  });

  const none = torch.zeros(0, { dtype: torch.int64 });
  const writes: Record<string, (x: torch.Tensor, v: torch.Tensor) => torch.Tensor> = {
    scatter: (x, v) => x.scatter(0, none, v),
    scatterAdd: (x, v) => x.scatterAdd(0, none, v),
    scatterReduce: (x, v) => x.scatterReduce(0, none, v, 'amax'),
    indexAdd: (x, v) => x.indexAdd(0, none, v),
    indexCopy: (x, v) => x.indexCopy(0, none, v),
  };
  test.each(Object.entries(writes))('in %s()', (_, write) => {
    const [x, values] = [leaf(3), leaf(0)];
    write(x, values).sum().backward();
    expect(values.grad?.shape).toEqual([0]);
    expect(x.grad?.tolistSync()).toEqual([1, 1, 1]);
    const written = write(torch.tensor([-0, 0.5, 2]), leaf(0));
    expect(written.requiresGrad).toBe(true);
    expect(Object.is((written.tolistSync() as number[])[0], -0)).toBe(true);
  });

  test('in scatter() with values that no index takes', () => {
    const values = torch.full([2], Number.POSITIVE_INFINITY).requiresGrad_();
    const sum = torch.zeros(3).scatterAdd(0, none, values).sum();
    sum.backward();
    expect([sum.itemSync(), values.grad?.tolistSync()]).toEqual([0, [0, 0]]);
  });
});

describe('the tensor itself', () => {
  const x = leaf(3);
  const y = leaf(2, 3);

  test('is what flatten() of one dimension gives', () => {
    expect(x.flatten()).toBe(x);
    expect(y.flatten(1)).toBe(y);
    expect(torch.flatten(y, 0, 0)).toBe(y);
    expect(y.flatten().shape).toEqual([6]);
    expect(torch.ones([]).flatten().shape).toEqual([1]);
  });

  test('is what positive() gives', () => {
    expect(x.positive()).toBe(x);
    expect(() => torch.ones(2).gt(0).positive()).toThrow(torch.DtypeError);
  });

  test('is what atleast1d() to atleast3d() give of enough dimensions', () => {
    expect(torch.atleast1d(x)).toBe(x);
    expect(torch.atleast2d(y)).toBe(y);
    const z = torch.ones(1, 1, 1);
    expect(torch.atleast3d(z)).toBe(z);
  });
});

test.each([
  [[Number.POSITIVE_INFINITY, 1, 2], Number.POSITIVE_INFINITY],
  [[1, Number.NEGATIVE_INFINITY], Number.NEGATIVE_INFINITY],
  [[Number.POSITIVE_INFINITY], Number.POSITIVE_INFINITY],
  [[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], Number.NaN],
  [[Number.NaN, Number.POSITIVE_INFINITY], Number.NaN],
])('the mean beside a variance of %j is %d', (values, mean) => {
  for (const dtype of [torch.float32, torch.float64]) {
    const line = torch.tensor(values, { dtype });
    // As rows, as columns, and in lines of several blocks.
    const long = torch.cat([line, torch.zeros(70_000, { dtype })]);
    const lines = [line, torch.stack([line, line, line, line, line]), long];
    for (const x of lines) {
      for (const seen of [x, x.ndim > 1 ? x.t().contiguous().t() : x]) {
        const [variance, found] = torch.varMean(seen, -1);
        expect(found.flatten().at(0).itemSync()).toBe(mean);
        expect(variance.flatten().at(-1).itemSync()).toBeNaN();
        expect(torch.stdMean(seen, -1)[1].flatten().at(0).itemSync()).toBe(mean);
      }
    }
    const [, columns] = torch.varMean(lines[1].t().contiguous(), 0);
    expect(columns.tolistSync()).toEqual(new Array(5).fill(mean));
  }
});
