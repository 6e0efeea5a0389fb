import { describe, expect, test, vi } from 'vitest';
import { DtypeError, IndexError, ShapeError, ValueError } from '../../ts/core/errors.js';
import * as torch from '../../ts/index.js';
import { differentiable, precise, range } from './inputs.js';

const { gradcheck } = torch.autograd;

type Tensor = torch.Tensor;

const ints = (...values: number[]): Tensor => torch.tensor(values);

describe('at', () => {
  test('gives views for numbers and slices', () => {
    const x = range(3, 4).float();
    const row = x.at(1);
    expect(row.storage_).toBe(x.storage_);
    row.fill_(9);
    expect(x.at(1, -1).itemSync()).toBe(9);
    expect(x.at(':', '1:3').shape).toEqual([3, 2]);
    expect(x.at('...', null, '::2').shape).toEqual([3, 1, 2]);
    expect(x.at(-1, ':2').tolistSync()).toEqual([8, 9]);
    expect(x.at().shape).toEqual([3, 4]);
  });

  test('takes tensors, arrays, masks and booleans', () => {
    const x = range(3, 4);
    expect(x.at(ints(2, 0)).tolistSync()).toEqual([
      [8, 9, 10, 11],
      [0, 1, 2, 3],
    ]);
    expect(x.at([0, 1], [1, -1]).tolistSync()).toEqual([1, 7]);
    expect(x.at([[0], [2]], [0, 3]).tolistSync()).toEqual([
      [0, 3],
      [8, 11],
    ]);
    expect(x.at(x.gt(9)).tolistSync()).toEqual([10, 11]);
    expect(x.at([true, false, true], 1).tolistSync()).toEqual([1, 9]);
    expect(x.at(torch.tensor(1)).tolistSync()).toEqual([4, 5, 6, 7]);
    expect(x.at(true).shape).toEqual([1, 3, 4]);
    expect(x.at(false).shape).toEqual([0, 3, 4]);
    expect(x.at([]).shape).toEqual([0, 4]);
    expect(x.at(torch.tensor(BigInt64Array.of(2n)), ints(-1)).tolistSync()).toEqual([11]);
  });

  test('is one launch for one index tensor', () => {
    const x = torch.randn(4, 3);
    const index = ints(1, 1);
    const launch = vi.spyOn(x.backend, 'launch');
    x.at(index);
    expect(launch).toHaveBeenCalledTimes(1);
    launch.mockRestore();
  });

  test('keeps gradients, of first and second order', () => {
    const x = precise(3, 4, 2);
    differentiable((a) => a.at(ints(0, 2), ':', ints(1, 0)).square(), x);
    differentiable((a) => a.at(':', [1, 1, -1]).pow(3), x);
    differentiable((a) => a.at(0, '1:', null).square(), x);
  });

  test('refuses what does not fit', () => {
    const x = range(3, 4);
    expect(() => x.at(3)).toThrow(/index 3 is out of range for dimension 0 of size 3/);
    expect(() => x.at(0, 0, 0)).toThrow(IndexError);
    expect(() => x.at(ints(5))).toThrow(IndexError);
    expect(() => x.at(ints(0, 1), ints(0, 4))).toThrow(/index 4 .* dimension 1 of size 4/);
    expect(() => x.at(ints(0, 1), ints(0, 1, 2))).toThrow(ShapeError);
    expect(() => x.at(torch.tensor([0.5]))).toThrow(DtypeError);
    expect(() => x.at(torch.ones(4).bool())).toThrow(/mask of shape \[4\]/);
    expect(() => x.at('a:b')).toThrow(ValueError);
    expect(() => x.at('::-1')).toThrow(ValueError);
    expect(() => x.at('...', '...')).toThrow(IndexError);
  });
});

describe('setAt', () => {
  test('writes numbers, tensors and arrays, broadcast', () => {
    const x = torch.zeros(3, 4);
    x.setAt(0, 1);
    x.setAt([':', 3], torch.tensor([7, 8, 9]).float());
    x.setAt(
      [
        [1, 2],
        [0, 1],
      ],
      [5, 6],
    );
    expect(x.tolistSync()).toEqual([
      [1, 1, 1, 7],
      [5, 0, 0, 8],
      [0, 6, 0, 9],
    ]);
    x.setAt(x.gt(4), -1);
    expect(x.at(':', 3).tolistSync()).toEqual([-1, -1, -1]);
    x.setAt([1], torch.ones(1, 4));
    expect(x.at(1).tolistSync()).toEqual([1, 1, 1, 1]);
  });

  test('lets gradients pass to the values and around them', () => {
    const x = precise(3, 2);
    const values = precise(2, 2);
    differentiable(
      (a, v) =>
        a
          .mul(1)
          .setAt([ints(2, 0)], v)
          .square(),
      x,
      values,
    );
    differentiable((a, v) => a.mul(1).setAt([':', 1], v.at(0, 1)).square(), x, values);
  });

  test('leaves the tensor alone when it refuses', () => {
    const x = torch.zeros(3, 4);
    expect(() => x.setAt([ints(0, 3)], 1)).toThrow(IndexError);
    expect(() => x.setAt(0, torch.ones(3))).toThrow(ShapeError);
    expect(() => x.setAt([ints(0)], torch.ones(4, { dtype: torch.float64 }))).toThrow(DtypeError);
    expect(x.sum().itemSync()).toBe(0);
    const leaf = torch.zeros(2, { requiresGrad: true });
    expect(() => leaf.setAt(0, 1)).toThrow(/leaf/);
  });
});

describe('gather and scatter', () => {
  const index = torch.tensor([
    [0, 1, 1],
    [2, 0, 2],
  ]);

  test('are differentiable twice', () => {
    const x = precise(3, 3);
    const src = precise(2, 3);
    const unique = torch.tensor([
      [0, 1, 2],
      [2, 0, 1],
    ]);
    differentiable((a) => a.gather(0, index).square(), x);
    differentiable((a, s) => a.scatter(0, unique, s).square(), x, src);
    differentiable((a, s) => a.scatterAdd(0, index, s).square(), x, src);
    for (const reduce of ['sum', 'mean', 'prod', 'amax', 'amin'] as const) {
      const f = (a: Tensor, s: Tensor) => a.scatterReduce(1, index.t(), s.t(), reduce).square();
      expect(gradcheck(f, [x, src])).toBe(true);
    }
  });

  test('extremes of what is pointed at alone, in every integer dtype', () => {
    for (const dtype of [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]) {
      const src = torch.tensor([5, 4, 3], { dtype });
      const least = (mode: 'amin' | 'amax') =>
        torch
          .zeros(3, { dtype })
          .scatterReduce(0, ints(0, 0, 1), src, mode, { includeSelf: false });
      expect(least('amin').int().tolistSync()).toEqual([4, 3, 0]);
      expect(least('amax').int().tolistSync()).toEqual([5, 3, 0]);
    }
  });

  test('products keep their gradients where a factor is 0', () => {
    const x = torch.tensor([2, 0, 3], { dtype: torch.float64, requiresGrad: true });
    const src = torch.tensor([0, 4, 5], { dtype: torch.float64, requiresGrad: true });
    expect(gradcheck((a, s) => a.scatterReduce(0, ints(0, 1, 1), s, 'prod'), [x, src])).toBe(true);
  });

  test('rows at indices', () => {
    const x = precise(2, 3);
    const src = precise(2, 2);
    differentiable((a) => a.indexSelect(1, ints(2, 0, 2)).square(), x);
    differentiable((a, s) => a.indexAdd(1, ints(0, 0), s, { alpha: 2 }).square(), x, src);
    differentiable((a, s) => a.indexCopy(1, ints(2, 0), s).square(), x, src);
    differentiable((a, s) => a.indexFill(1, ints(1), s.sum()).square(), x, src);
    differentiable((a, s) => a.put(ints(0, -1, 2, 3), s, true).square(), x, src);
    differentiable((a) => a.take(ints(0, -1, 0)).square(), x);
    differentiable((a, s) => a.indexPut([ints(0, 1), ints(2, 2)], s.at(0)).square(), x, src);
  });

  test('int64 indices and small dtypes', () => {
    const long = index.long();
    for (const dtype of [torch.float16, torch.int8, torch.uint8, torch.int64, torch.bool]) {
      const x = range(3, 3).to(dtype);
      expect(x.gather(0, long).dtype).toBe(dtype);
      expect(x.scatterAdd(0, index, torch.ones(2, 3).to(dtype)).dtype).toBe(dtype);
    }
  });

  test('refuse what does not fit', () => {
    const x = torch.zeros(3, 3);
    expect(() => x.gather(0, torch.tensor([[3]]))).toThrow(/index 3 .* size 3/);
    expect(() => x.gather(0, ints(0))).toThrow(ShapeError);
    expect(() => x.scatter(0, index, torch.zeros(1, 3))).toThrow(ShapeError);
    expect(() => x.scatterAdd(0, index, torch.zeros(2, 3, { dtype: torch.float64 }))).toThrow(
      /float64/,
    );
    expect(() => x.indexSelect(0, torch.tensor([0.5]))).toThrow(DtypeError);
    expect(() => x.indexAdd(0, ints(0, 1), torch.zeros(1, 3))).toThrow(ShapeError);
    expect(() => x.scatterReduce(0, index, x, 'median' as 'sum')).toThrow(ValueError);
  });
});

describe('masks', () => {
  const mask = torch.tensor([true, false, true]);

  test('are differentiable twice', () => {
    const x = precise(2, 3);
    const values = precise(5);
    differentiable((a) => a.maskedSelect(mask).square(), x);
    differentiable((a, v) => a.maskedFill(mask, v.sum()).square(), x, values);
    differentiable((a, v) => a.maskedScatter(mask, v).square(), x, values);
  });

  test('find the true elements', async () => {
    const x = torch.tensor([
      [0, 2, 0],
      [3, 0, Number.NaN],
    ]);
    expect((await torch.nonzero(x)).tolistSync()).toEqual([
      [0, 1],
      [1, 0],
      [1, 2],
    ]);
    expect(torch.where(x.gt(0)).map((part) => part.tolistSync())).toEqual([
      [0, 1],
      [1, 0],
    ]);
    expect(torch.nonzero(torch.tensor(5), { asTuple: true })[0]?.tolistSync()).toEqual([0]);
    expect(torch.argwhere(torch.tensor(5)).shape).toEqual([1, 0]);
  });

  test('fill in place', () => {
    const x = torch.zeros(2, 3);
    expect(x.maskedFill_(mask, 4)).toBe(x);
    expect(x.at(0).tolistSync()).toEqual([4, 0, 4]);
    expect(() => range(3).maskedFill(mask, 0.5)).toThrow(DtypeError);
    expect(() => x.maskedFill(mask, torch.ones(1))).toThrow(ShapeError);
    expect(() => x.maskedFill(torch.ones(3), 0)).toThrow(DtypeError);
    expect(() => x.maskedScatter(mask, torch.ones(3))).toThrow(/4 true elements/);
  });
});

describe('parts replaced', () => {
  test('by views of the result', () => {
    const x = precise(3, 3);
    const row = precise(3);
    differentiable((a, r) => a.selectScatter(r, 0, -1).square(), x, row);
    differentiable((a, r) => a.diagonalScatter(r).square(), x, row);
    differentiable((a, r) => a.sliceScatter(r.view(3, 1), 1, 0, 1).square(), x, row);
    expect(() => x.selectScatter(torch.ones(2), 0, 0)).toThrow(ShapeError);
  });
});

describe('embedding', () => {
  const { embedding } = torch.nn.functional;

  test('gives rows and scales their gradients', () => {
    const weight = torch.tensor(
      [
        [1, 2],
        [3, 4],
        [5, 6.5],
      ],
      { requiresGrad: true },
    );
    const index = torch.tensor([
      [0, 2],
      [2, 1],
    ]);
    embedding(index, weight, { paddingIdx: 1, scaleGradByFreq: true }).sum().backward();
    expect(weight.grad?.tolistSync()).toEqual([
      [1, 1],
      [0, 0],
      [1, 1],
    ]);
    differentiable((w) => embedding(index, w).square(), precise(3, 2));
  });

  test('brings rows down to a norm in place', () => {
    const weight = torch.tensor([
      [3.0, 4.0],
      [0.3, 0.4],
      [6.0, 8.5],
    ]);
    embedding(ints(0, 1, 0), weight, { maxNorm: 1 });
    const [first, second, third] = weight.tolistSync() as number[][];
    expect(first![0]).toBeCloseTo(0.6, 5);
    expect(second![1]).toBeCloseTo(0.4, 6);
    expect(third).toEqual([6, 8.5]);
  });

  test('refuses rows that are not there', () => {
    const weight = torch.zeros(3, 2);
    expect(() => embedding(ints(3), weight)).toThrow(IndexError);
    expect(() => embedding(torch.ones(2), weight)).toThrow(DtypeError);
    expect(() => embedding(ints(0), weight, { paddingIdx: 4 })).toThrow(IndexError);
    expect(() => embedding(ints(0), torch.zeros(2))).toThrow(ShapeError);
  });
});

describe('indexSelect', () => {
  const weights = [1, 3, 4, 5, 7, 12, 16, 17, 63, 64, 65, 255, 256, 300];
  test.each(weights)('takes rows of %i elements, whatever is near', (width) => {
    const index = [3, 0, 4, 4, 1, -1, 2, 3, 0, 1, -5, 2];
    for (const dtype of [torch.float32, torch.float64, torch.float16, torch.uint8]) {
      const x = torch
        .arange(5 * width)
        .remainder(199)
        .to(dtype)
        .view(1, 5, width);
      const both = torch.cat([x, x.add(1)]);
      const found = both
        .at(':', ints(...index))
        .to(torch.float64)
        .tolistSync() as number[][][];
      const rows = both.to(torch.float64).tolistSync() as number[][][];
      expect(found).toEqual(rows.map((part) => index.map((i) => part.at(i))));
    }
    const x = torch.zeros(5, width);
    for (const bad of [5, -6]) expect(() => x.at(ints(0, 1, 2, 3, 4, 0, bad))).toThrow(IndexError);
  });
});

test('scatter of many indices: the last of equal ones wins', () => {
  const [rows, columns] = [37, 131];
  const numbers = Array.from({ length: rows * columns }, (_, i) => i);
  const place = numbers.map((i) => (i * 7919) % 23);
  const index = torch.tensor(place).view(rows, columns);
  const src = torch.tensor(numbers).view(rows, columns);
  for (const dim of [0, 1]) {
    const shape = dim === 0 ? [23, columns] : [rows, 23];
    const expected = Array.from({ length: shape[0] }, () => new Array<number>(shape[1]).fill(-1));
    for (const i of numbers) {
      const [r, c, at] = [Math.floor(i / columns), i % columns, place[i]];
      if (dim === 0) expected[at][c] = i;
      else expected[r][at] = i;
    }
    const base = torch.full(shape, -1, { dtype: torch.int32 });
    expect(base.scatter(dim, index, src).tolistSync()).toEqual(expected);
  }
});

describe('indices of 64 bits', () => {
  /** Also of plans: the second call of a kind is recorded, and the dtypes take turns. */
  test.each([
    [[3, 1030], 1],
    [[1030, 3], 0],
    [[2, 5, 600], 1],
  ] as const)('are those of 32 bits, %j along %i', (shape, dim) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const size = shape[dim];
    const x = torch.arange(count).mul(7).remainder(1009).view(shape);
    const short = x.remainder(2 * size).sub(size);
    for (let i = 0; i < 3; i++) {
      const long = short.long();
      expect(x.gather(dim, long).equal(x.gather(dim, short))).toBe(true);
      expect(x.scatter(dim, long, x).equal(x.scatter(dim, short, x))).toBe(true);
    }
    const at = short.clone();
    at.view(-1)
      .at(count - 2)
      .fill_(size);
    const message = new RegExp(`index ${size} at position ${count - 2} `);
    const far = short.long();
    far
      .view(-1)
      .at(count - 2)
      .fill_(2 ** 32 + 1);
    expect(() => x.gather(dim, far)).toThrow(`index ${2 ** 32 + 1} at position ${count - 2} `);
    far
      .view(-1)
      .at(count - 2)
      .fill_(-(2 ** 40));
    expect(() => x.scatter(dim, far, x)).toThrow(`index ${-(2 ** 40)} at position`);
    for (const index of [at, at.long()]) {
      expect(() => x.gather(dim, index)).toThrow(message);
      expect(() => x.scatter(dim, index, x)).toThrow(message);
    }
  });
});
