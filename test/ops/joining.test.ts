import { describe, expect, test } from 'vitest';
import { DtypeError, IndexError, ShapeError, ValueError } from '../../ts/core/errors.js';
import * as torch from '../../ts/index.js';
import { differentiable, precise, range } from './inputs.js';

type Tensor = torch.Tensor;

const shapes = (parts: readonly Tensor[]): number[][] => parts.map((part) => [...part.shape]);

describe('joining', () => {
  test('cat promotes, skips empty vectors and reads any layout', () => {
    const x = range(2, 3);
    expect(torch.cat([x.t(), x.t()], 1).tolistSync()).toEqual([
      [0, 3, 0, 3],
      [1, 4, 1, 4],
      [2, 5, 2, 5],
    ]);
    expect(torch.cat([x, torch.ones(1, 3)]).dtype).toBe(torch.float32);
    expect(torch.cat([torch.tensor([]), torch.ones(2, 3)]).shape).toEqual([2, 3]);
    expect(torch.concat([x, x], { dim: -1 }).shape).toEqual([2, 6]);
    expect(torch.cat([x.bool(), x.bool()]).dtype).toBe(torch.bool);
  });

  test('cat and stack are differentiable twice, with mixed dtypes too', () => {
    const [a, b] = [precise(2, 3), precise(2, 2)];
    differentiable((x, y) => torch.cat([x, y, x], 1).square(), a, b);
    differentiable((x) => torch.stack([x, x.mul(2)], -1).square(), a);
    const single = torch.ones(2, { requiresGrad: true });
    torch
      .cat([single, torch.ones(1, { dtype: torch.float64 })])
      .sum()
      .backward();
    expect(single.grad?.dtype).toBe(torch.float32);
  });

  test('stacks in every direction', () => {
    const [v, m] = [range(3), range(2, 3)];
    expect(torch.stack([v, v], 1).shape).toEqual([3, 2]);
    expect(torch.hstack([v, v]).shape).toEqual([6]);
    expect(torch.hstack([m, m]).shape).toEqual([2, 6]);
    expect(torch.vstack([v, m]).shape).toEqual([3, 3]);
    expect(torch.dstack([v, v]).shape).toEqual([1, 3, 2]);
    expect(torch.columnStack([v, v]).shape).toEqual([3, 2]);
    expect(torch.blockDiag(m, v, torch.tensor(7)).tolistSync()).toEqual([
      [0, 1, 2, 0, 0, 0, 0],
      [3, 4, 5, 0, 0, 0, 0],
      [0, 0, 0, 0, 1, 2, 0],
      [0, 0, 0, 0, 0, 0, 7],
    ]);
  });

  test('makes grids, products and combinations', () => {
    const [a, b] = [range(2), range(3)];
    expect(shapes(torch.meshgrid(a, b))).toEqual([
      [2, 3],
      [2, 3],
    ]);
    const [x, y] = torch.meshgrid([a, b], { indexing: 'xy' });
    expect(x?.tolistSync()).toEqual([
      [0, 1],
      [0, 1],
      [0, 1],
    ]);
    expect(y?.at(':', 0).tolistSync()).toEqual([0, 1, 2]);
    expect(torch.cartesianProd(a, b).tolistSync()).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 0],
      [1, 1],
      [1, 2],
    ]);
    expect(torch.combinations(b).tolistSync()).toEqual([
      [0, 1],
      [0, 2],
      [1, 2],
    ]);
    expect(torch.combinations(b, { r: 3, withReplacement: true }).shape).toEqual([10, 3]);
  });

  test('refuses what does not go together', () => {
    const x = range(2, 3);
    expect(() => torch.cat([x, range(2, 2)])).toThrow(/\[2, 3\].*position 1.*\[2, 2\]/);
    expect(() => torch.cat([x, x], 2)).toThrow(IndexError);
    expect(() => torch.cat([])).toThrow(ValueError);
    expect(() => torch.cat(x as unknown as Tensor[])).toThrow(/list of tensors/);
    expect(() => torch.cat([torch.tensor(1), torch.tensor(2)])).toThrow(/stack/);
    expect(() => torch.stack([x, range(3, 2)])).toThrow(ShapeError);
    expect(() => torch.meshgrid(range(2), torch.ones(2))).toThrow(DtypeError);
    expect(() => torch.meshgrid(x)).toThrow(ShapeError);
    expect(() => torch.combinations(x)).toThrow(ShapeError);
  });
});

describe('splitting', () => {
  const x = range(5, 4);

  test('gives views of the sizes asked for', () => {
    expect(shapes(x.split(2))).toEqual([
      [2, 4],
      [2, 4],
      [1, 4],
    ]);
    expect(shapes(x.split([1, 3], 1))).toEqual([
      [5, 1],
      [5, 3],
    ]);
    expect(shapes(x.chunk(3, 1))).toEqual([
      [5, 2],
      [5, 2],
    ]);
    expect(shapes(x.tensorSplit(3))).toEqual([
      [2, 4],
      [2, 4],
      [1, 4],
    ]);
    expect(shapes(x.tensorSplit([1, 9], 1))).toEqual([
      [5, 1],
      [5, 3],
      [5, 0],
    ]);
    expect(shapes(x.hsplit(2))).toEqual([
      [5, 2],
      [5, 2],
    ]);
    expect(x.unbind(1)[2]?.tolistSync()).toEqual([2, 6, 10, 14, 18]);
    expect(x.split(2)[1]?.storage_).toBe(x.storage_);
  });

  test('gives gradients back to their part', () => {
    differentiable(
      (a) => a.chunk(2, 1)[1]!.square().add(a.unbind(1)[0]!.view(-1, 1)),
      precise(2, 4),
    );
  });

  test('refuses parts that do not add up', () => {
    expect(() => x.split([1, 1])).toThrow(/add up to 5/);
    expect(() => x.split(0)).toThrow(ValueError);
    expect(() => x.chunk(0)).toThrow(ValueError);
    expect(() => x.vsplit(2)).toThrow(/tensorSplit/);
    expect(() => torch.tensor(1).unbind()).toThrow(ShapeError);
    expect(() => range(3).dsplit(1)).toThrow(ShapeError);
  });
});

describe('repeating', () => {
  test('whole tensors, and their slices', () => {
    const x = range(2, 2);
    expect(x.repeat(1, 2).tolistSync()).toEqual([
      [0, 1, 0, 1],
      [2, 3, 2, 3],
    ]);
    expect(x.repeat([2, 1, 1]).shape).toEqual([2, 2, 2]);
    expect(x.tile(2).shape).toEqual([2, 4]);
    expect(x.repeatInterleave(2, 1).tolistSync()).toEqual([
      [0, 0, 1, 1],
      [2, 2, 3, 3],
    ]);
    expect(x.repeatInterleave(torch.tensor([0, 3]), 0).tolistSync()).toEqual([
      [2, 3],
      [2, 3],
      [2, 3],
    ]);
    expect(torch.repeatInterleave(torch.tensor([1, 0, 2])).tolistSync()).toEqual([0, 2, 2]);
    expect(x.repeat(1, 1).storage_).not.toBe(x.storage_);
  });

  test('is differentiable twice', () => {
    differentiable((a) => a.repeat(2, 1, 2).square(), precise(2, 3));
    differentiable((a) => a.repeatInterleave(torch.tensor([2, 0, 1]), 1).square(), precise(2, 3));
    differentiable((a) => a.repeatInterleave(2).square(), precise(2, 3));
  });

  test('refuses counts that do not fit', () => {
    expect(() => range(2, 2).repeat(2)).toThrow(ShapeError);
    expect(() => range(2, 2).repeatInterleave(torch.tensor([1, 2, 3]), 0)).toThrow(IndexError);
    expect(() => range(2, 2).repeatInterleave(-1)).toThrow(ValueError);
  });
});

describe('cat of many short rows', () => {
  test.each([1, 2, 3, 4, 5, 8, 12, 16, 17])('%i wide', (width) => {
    for (const dtype of [torch.float32, torch.float64, torch.uint8]) {
      const x = torch
        .arange(3 * 37 * width)
        .remainder(251)
        .to(dtype)
        .view(3, 37, width);
      const y = x.narrow(2, 0, 1);
      const joined = torch.cat([x, y, x], 2);
      const [rows, firsts] = [x, y].map((t) => t.tolistSync() as number[][][]);
      expect(joined.tolistSync()).toEqual(
        rows.map((part, i) => part.map((row, j) => [...row, ...firsts[i][j], ...row])),
      );
      const back = joined.narrow(2, width + 1, width).contiguous();
      expect(back.tolistSync()).toEqual(rows);
    }
  });
});
