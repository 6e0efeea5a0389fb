import { describe, expect, test } from 'vitest';
import { AutogradError, IndexError, ShapeError, ValueError } from '../../ts/core/errors.js';
import * as torch from '../../ts/index.js';
import { differentiable, precise, range } from './inputs.js';

const { oneHot, pad } = torch.nn.functional;

describe('order of elements', () => {
  const x = range(2, 3);

  test('flips, rolls and turns', () => {
    expect(x.flip(1).tolistSync()).toEqual([
      [2, 1, 0],
      [5, 4, 3],
    ]);
    expect(x.t().flip([0, 1]).tolistSync()).toEqual([
      [5, 2],
      [4, 1],
      [3, 0],
    ]);
    expect(x.flip({ dims: [0] }).tolistSync()).toEqual(x.flipud().tolistSync());
    for (const dtype of [torch.bool, torch.int16, torch.float64]) {
      expect(x.to(dtype).fliplr().fliplr().tolistSync()).toEqual(x.to(dtype).tolistSync());
    }
    expect(x.roll(1).tolistSync()).toEqual([
      [5, 0, 1],
      [2, 3, 4],
    ]);
    expect(x.roll([1, -1], [0, 1]).tolistSync()).toEqual([
      [4, 5, 3],
      [1, 2, 0],
    ]);
    expect(x.rot90().tolistSync()).toEqual([
      [2, 5],
      [1, 4],
      [0, 3],
    ]);
    expect(x.rot90(4).tolistSync()).toEqual(x.tolistSync());
  });

  test('transposes by name', () => {
    expect(range(2, 3, 4).T.shape).toEqual([4, 3, 2]);
    expect(range(2, 3, 4).mT.shape).toEqual([2, 4, 3]);
    expect(x.H.shape).toEqual([3, 2]);
    expect(x.T.storage_).toBe(x.storage_);
    expect(() => range(3).mT).toThrow(ShapeError);
  });

  test('is differentiable twice', () => {
    const a = precise(2, 3);
    differentiable((v) => v.flip(0, 1).square(), a);
    differentiable((v) => v.roll([1, 2], [0, 1]).square(), a);
    differentiable((v) => v.rot90(3).square(), a);
    differentiable((v) => v.T.square(), a);
  });

  test('refuses wrong dimensions', () => {
    expect(() => x.flip(2)).toThrow(IndexError);
    expect(() => x.flip(0, 0)).toThrow(ShapeError);
    expect(() => x.roll([1, 2], [0])).toThrow(ValueError);
    expect(() => x.rot90(1, [0, 0])).toThrow(ShapeError);
    expect(() => range(3).fliplr()).toThrow(ShapeError);
  });
});

describe('triangles and diagonals', () => {
  test('keep one side', () => {
    const x = torch.ones(2, 3, 3);
    expect(x.tril().at(0).tolistSync()).toEqual([
      [1, 0, 0],
      [1, 1, 0],
      [1, 1, 1],
    ]);
    expect(x.triu(1).at(1).tolistSync()).toEqual([
      [0, 1, 1],
      [0, 0, 1],
      [0, 0, 0],
    ]);
    expect(x.bool().tril_(-1).sum().itemSync()).toBe(6);
    expect(torch.trilIndices(2, 3).tolistSync()).toEqual([
      [0, 1, 1],
      [0, 0, 1],
    ]);
    expect(torch.triuIndices(2, 3, 1).tolistSync()).toEqual([
      [0, 0, 1],
      [1, 2, 2],
    ]);
    expect(() => torch.ones(3).tril()).toThrow(ShapeError);
  });

  test('come and go', () => {
    const v = range(2).add(1);
    expect(torch.diag(v, 1).tolistSync()).toEqual([
      [0, 1, 0],
      [0, 0, 2],
      [0, 0, 0],
    ]);
    expect(torch.diag(range(2, 3)).tolistSync()).toEqual([0, 4]);
    expect(torch.diagEmbed(range(2, 3), 0, 0, 2).shape).toEqual([3, 2, 3]);
    expect(torch.diagflat(range(1, 2), -1).shape).toEqual([3, 3]);
    expect(torch.zeros(5, 2).fillDiagonal_(3, { wrap: true }).at(':', 0).tolistSync()).toEqual([
      3, 0, 0, 3, 0,
    ]);
    expect(torch.vander(range(3), { N: 3 }).tolistSync()).toEqual([
      [0, 0, 1],
      [1, 1, 1],
      [4, 2, 1],
    ]);
  });

  test('are differentiable twice', () => {
    differentiable((a) => a.tril().square().add(a.triu(1)), precise(3, 3));
    differentiable((a) => a.diag(1).square(), precise(3));
    differentiable((a) => a.diagEmbed(-1).square(), precise(2, 2));
    differentiable((a) => torch.vander(a), precise(3));
  });
});

describe('fills', () => {
  test('write numbers and 0-d tensors', () => {
    expect(torch.zeros(2).fill_(3).tolistSync()).toEqual([3, 3]);
    expect(torch.fill(range(2), true).tolistSync()).toEqual([1, 1]);
    expect(torch.ones(2).fill_(torch.tensor(5)).tolistSync()).toEqual([5, 5]);
    expect(torch.ones(2, 2).t().zero_().sum().itemSync()).toBe(0);
    expect(() => torch.ones(2).fill_(torch.ones(2))).toThrow(ShapeError);
    expect(() => torch.ones(1, { requiresGrad: true }).fill_(2)).toThrow(AutogradError);
  });

  test('stop gradients to what they overwrite', () => {
    const x = precise(3);
    const value = torch.tensor(2, { dtype: torch.float64, requiresGrad: true });
    const y = x.mul(3);
    y.at('1:').fill_(value);
    y.square().sum().backward();
    expect(x.grad?.at('1:').tolistSync()).toEqual([0, 0]);
    expect(value.grad?.itemSync()).toBe(8);
    const z = x.mul(3).zero_();
    expect(z.requiresGrad).toBe(true);
    differentiable((a, v) => torch.fill(a, v.square()), x, value);
  });
});

describe('borders', () => {
  test('of every mode', () => {
    const x = range(1, 1, 3);
    const rows = (mode: 'reflect' | 'replicate' | 'circular') =>
      pad(x, [2, 1], mode).reshape([-1]).tolistSync();
    expect(rows('reflect')).toEqual([2, 1, 0, 1, 2, 1]);
    expect(rows('replicate')).toEqual([0, 0, 0, 1, 2, 2]);
    expect(rows('circular')).toEqual([1, 2, 0, 1, 2, 0]);
    expect(pad(x, [1, -1], { value: 7 }).reshape([-1]).tolistSync()).toEqual([7, 0, 1]);
    expect(torch.constantPadNd(range(2, 2), [0, 1, 1, 0], 5).tolistSync()).toEqual([
      [5, 5, 5],
      [0, 1, 5],
      [2, 3, 5],
    ]);
  });

  test('are differentiable twice', () => {
    const x = precise(1, 2, 3, 3);
    for (const mode of ['constant', 'reflect', 'replicate', 'circular'] as const) {
      differentiable((a) => pad(a, [1, 2, 0, 1], mode).square(), x);
    }
    differentiable((a) => pad(a, [-1, 2]).square(), x);
  });

  test('refuse more than there is', () => {
    const x = range(1, 1, 3);
    expect(() => pad(x, [3, 0], 'reflect')).toThrow(ShapeError);
    expect(() => pad(x, [4, 0], 'circular')).toThrow(ShapeError);
    expect(() => pad(x, [1], 'constant')).toThrow(ValueError);
    expect(() => pad(x, [-2, -2])).toThrow(ShapeError);
    expect(() => pad(x, [1, 1], 'mirror' as 'reflect')).toThrow(ValueError);
    expect(() => pad(x, [1, 1, 1, 1, 1, 1], 'reflect')).toThrow(ShapeError);
  });

  test('one-hot rows', () => {
    const classes = torch.tensor([2, 0]);
    expect(oneHot(classes).tolistSync()).toEqual([
      [0, 0, 1],
      [1, 0, 0],
    ]);
    expect(oneHot(classes.long(), 4).dtype).toBe(torch.int64);
    expect(oneHot(torch.tensor(1), 3).tolistSync()).toEqual([0, 1, 0]);
    expect(oneHot(torch.zeros([2, 0], { dtype: torch.int64 }), 3).shape).toEqual([2, 0, 3]);
    expect(() => oneHot(torch.zeros([0], { dtype: torch.int64 }))).toThrow(/empty tensor/);
    const many = torch.arange(3000).mul(7).remainder(9).view(3, 1000).byte();
    const rows = oneHot(many, 10);
    expect(rows.dtype).toBe(torch.int32);
    expect(rows.equal(many.unsqueeze(-1).eq(torch.arange(10)).int())).toBe(true);
    expect(() => oneHot(classes, 2)).toThrow(/at least 3 classes/);
    expect(() => oneHot(torch.tensor([-1]))).toThrow(ValueError);
  });
});
