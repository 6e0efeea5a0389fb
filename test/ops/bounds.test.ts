/** Gradients of clamp() and hardtanh() at, between and beyond bounds, as PyTorch gives them. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

const F = torch.nn.functional;
const N = Number.NaN;

/** The gradients of a sum of what `f` makes of tensors of these values. */
function gradients(f: (...xs: torch.Tensor[]) => torch.Tensor, ...values: number[][]) {
  const xs = values.map((v) => torch.tensor(v, { dtype: torch.float64, requiresGrad: true }));
  f(...xs)
    .sum()
    .backward();
  return xs.map((x) => x.grad?.tolistSync());
}

const five = (value: number) => new Array<number>(5).fill(value);
const spread = [0, 1, 1.5, 2, 3];

describe('clamp', () => {
  test('between numbers that are equal: only what lies on them', () => {
    const [x] = gradients((v) => v.clamp(1, 1), [-1, 1, 3, N]);
    expect(x).toEqual([0, 1, 0, 0]);
  });

  test('between constant tensors that are equal, or crossed', () => {
    const bound = (value: number) => torch.tensor(value, { dtype: torch.float64 });
    expect(gradients((v) => v.clamp(bound(1), bound(1)), [-1, 1, 3, N])).toEqual([[0, 1, 0, 0]]);
    expect(gradients((v) => v.clamp(bound(2), bound(1)), spread)).toEqual([five(0)]);
  });

  test.each([
    [1, 2, [0, 1, 1, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 1]],
    [2, 1, five(0), five(0), five(1)],
    [1, 1, [0, 1, 0, 0, 0], five(0), [0, 0, 1, 1, 1]],
  ])('between tensors of %d and %d', (low, high, ...expected) => {
    const clamp = (v: torch.Tensor, a: torch.Tensor, b: torch.Tensor) => v.clamp(a, b);
    expect(gradients(clamp, spread, five(low), five(high))).toEqual(expected);
  });

  test('with one tensor', () => {
    const low = gradients((v, a) => v.clamp({ min: a }), spread, five(1));
    expect(low).toEqual([
      [0, 1, 1, 1, 1],
      [1, 0, 0, 0, 0],
    ]);
    const high = gradients((v, a) => v.clamp({ max: a }), spread, five(1));
    expect(high).toEqual([
      [1, 1, 0, 0, 0],
      [0, 0, 1, 1, 1],
    ]);
  });

  test('has the same values whether it is recorded or not', () => {
    const values = [-1, 0.5, 2, N, Number.POSITIVE_INFINITY, -0];
    for (const low of [0, 1, 2, N]) {
      for (const high of [0, 1, 2, N]) {
        const x = torch.tensor(values);
        const [a, b] = [low, high].map((v) => torch.full([1], v, { dtype: torch.float32 }));
        const plain = x.clamp(a, b).tolistSync();
        const recorded = x.requiresGrad_().clamp(a, b.requiresGrad_());
        expect(recorded.tolistSync()).toEqual(plain);
      }
    }
  });
});

test('hardtanh passes nothing at its bounds, and what NaN got', () => {
  expect(gradients((v) => F.hardtanh(v, -1, 1), [-1, 0, 1, 2, N])).toEqual([[0, 1, 0, 0, 1]]);
  expect(gradients((v) => F.hardtanh(v, 1, 1), [0, 1, 2, N])).toEqual([[0, 0, 0, 1]]);
});

test('a bound of NaN gives NaN', () => {
  const x = torch.tensor([-2, 0.5, 2]);
  for (const [low, high] of [
    [N, 1],
    [-1, N],
  ]) {
    expect(x.clamp(low, high).tolistSync()).toEqual([N, N, N]);
    expect(F.hardtanh(x, low, high).tolistSync()).toEqual([N, N, N]);
  }
});

test('hardtanh of integers is their clamp', () => {
  const x = torch.tensor([5, -3]);
  expect(F.hardtanh(x, 0, Number.POSITIVE_INFINITY).tolistSync()).toEqual([5, 0]);
  expect(F.hardtanh(x, -2, 3)).toMatchObject({ dtype: torch.int32 });
  expect(F.hardtanh(x, -2, 3).tolistSync()).toEqual([3, -2]);
  expect(F.relu6(torch.tensor([7, 2])).tolistSync()).toEqual([6, 2]);
});

test('hardswish has the slopes of PyTorch where its pieces meet', () => {
  const at = [-3, 3, -4, 4];
  expect(gradients((v) => F.hardswish(v), at)).toEqual([[-0.5, 1.5, 0, 1]]);
  const x = torch.tensor(at, { dtype: torch.float64, requiresGrad: true });
  const [slope] = torch.autograd.grad(F.hardswish(x).sum(), x, { createGraph: true });
  const [second] = torch.autograd.grad((slope as torch.Tensor).sum(), x);
  expect(second?.tolistSync()).toEqual([0, 0, 0, 0]);
});
