/** Elementwise functions and their gradients at zeros, kinks, infinities and NaN, as PyTorch 1.13 gives them. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

const F = torch.nn.functional;
const I = Number.POSITIVE_INFINITY;
const N = Number.NaN;
const FLOATS = { dtype: torch.float32 };

/** What `f` makes of tensors of these values, and the gradients of the sum. */
function results(f: (...xs: torch.Tensor[]) => torch.Tensor, ...values: number[][]): unknown[] {
  const xs = values.map((v) => torch.tensor(v, { ...FLOATS, requiresGrad: true }));
  const y = f(...xs);
  y.sum().backward();
  return [y.tolistSync(), ...xs.map((x) => x.grad?.tolistSync())];
}

const POINTS = [-I, -2, -0, 0, 2, I, N];

describe('prelu', () => {
  test('one weight', () => {
    const [y, x, w] = results((a, b) => F.prelu(a, b), POINTS, [0.5]);
    expect(y).toEqual([-I, -1, -0, 0, 2, I, N]);
    expect(x).toEqual([0.5, 0.5, 0.5, 0.5, 1, 1, 0.5]);
    expect(w).toEqual([N]);
  });

  test('what is above 0 gives the weight nothing, infinities neither', () => {
    expect(results((a, b) => F.prelu(a, b), [2, I, -3], [I])).toEqual([
      [2, I, -I],
      [1, 1, I],
      [-3],
    ]);
  });

  test('a weight for each channel, of a permuted input', () => {
    const x = torch
      .tensor([-1, -2, 3, -4, 5, -6], FLOATS)
      .view([1, 3, 2])
      .permute(0, 2, 1)
      .contiguous();
    const seen = x.permute(0, 2, 1).requiresGrad_();
    const weight = torch.tensor([1, 2, 3], { ...FLOATS, requiresGrad: true });
    const y = F.prelu(seen, weight);
    expect(y.tolistSync()).toEqual([
      [
        [-1, -2],
        [3, -8],
        [5, -18],
      ],
    ]);
    y.sum().backward();
    expect(weight.grad?.tolistSync()).toEqual([-3, -4, -6]);
    expect(seen.grad?.tolistSync()).toEqual([
      [
        [1, 1],
        [1, 2],
        [1, 3],
      ],
    ]);
  });

  test('without elements, and of a 0-d tensor', () => {
    expect(F.prelu(torch.empty(0, 3), torch.ones(3)).shape).toEqual([0, 3]);
    expect(F.prelu(torch.tensor(-2, FLOATS), torch.tensor([0.5])).tolistSync()).toBe(-1);
  });
});

describe('clamp between tensors', () => {
  test('NaN of the input or of a bound is the result', () => {
    const low = torch.tensor([0, N, 0, -I]);
    const high = torch.tensor([1, 1, N, I]);
    expect(torch.tensor([N, 5, 5, 5]).clamp(low, high).tolistSync()).toEqual([N, N, N, 5]);
  });

  test('broadcasts, and integers keep their dtype', () => {
    const x = torch.tensor([-5, 0, 5], { dtype: torch.int64 });
    const bounds = torch.tensor([[-1], [2]], { dtype: torch.int64 });
    const raised = x.clampMin(bounds);
    expect(raised.dtype).toBe(torch.int64);
    expect(raised.tolistSync()).toEqual([
      [-1, 0, 5],
      [2, 2, 5],
    ]);
    expect(x.clamp({ max: bounds }).tolistSync()).toEqual([
      [-5, -1, -1],
      [-5, 0, 2],
    ]);
    expect(x.clampMax(0.5).tolistSync()).toEqual([-5, 0, 0.5]);
  });
});

test('nanToNum: what stands for NaN is not replaced again', () => {
  const f = (x: torch.Tensor) => x.nanToNum({ nan: I, posinf: 8, neginf: 9 });
  expect(results(f, [N, I, -I, 3])).toEqual([
    [I, 8, 9, 3],
    [0, 0, 0, 1],
  ]);
  const [largest] = results((x) => x.nanToNum(), [I, -I, N]);
  expect(largest).toEqual([3.4028234663852886e38, -3.4028234663852886e38, 0]);
});

test('shrinks and thresholds at their bounds', () => {
  const at = [-0.6, -0.5, 0, 0.5, 0.75];
  expect(results((x) => F.hardshrink(x), at)[1]).toEqual([1, 0, 0, 0, 1]);
  expect(results((x) => F.softshrink(x), [-1, -0.5, 0, 0.5, 0.75])).toEqual([
    [-0.5, 0, 0, 0, 0.25],
    [1, 0, 0, 0, 1],
  ]);
  expect(results((x) => F.threshold(x, 0.5, 7), [-I, 0.5, 0.75, N])).toEqual([
    [7, 7, 0.75, N],
    [0, 0, 1, 1],
  ]);
  const ints = torch.tensor([1, 2, 3], { dtype: torch.int32 });
  expect(F.threshold(ints, 2, 9).tolistSync()).toEqual([9, 9, 3]);
});

test('threshold in place keeps the gradient of what was there', () => {
  const x = torch.tensor([-1, 2], { ...FLOATS, requiresGrad: true });
  F.threshold(x.mul(3), 0, 5, true).sum().backward();
  expect(x.grad?.tolistSync()).toEqual([0, 3]);
});

test('the gradients of powers of 0', () => {
  const f = (x: torch.Tensor, y: torch.Tensor) => x.pow(y);
  expect(results(f, [0, 0, 0, 2, 0], [0, 2, 1, 0, -1])).toEqual([
    [1, 0, 0, 1, I],
    [0, 0, 1, 0, -I],
    [0, 0, 0, Math.fround(Math.LN2), -I],
  ]);
});

test('the result of a power may be changed if no exponent wants a gradient', () => {
  const x = torch.tensor([3], { ...FLOATS, requiresGrad: true });
  x.pow(4).add_(1).backward();
  expect(x.grad?.tolistSync()).toEqual([108]);
});

describe('binary cross-entropy', () => {
  test('probabilities 0 and 1 keep finite gradients', () => {
    const loss = (x: torch.Tensor, y: torch.Tensor) =>
      F.binaryCrossEntropy(x, y, { reduction: 'none' });
    const [y, x] = results(loss, [0, 1, 0, 1], [0, 1, 1, 0]);
    expect(y).toEqual([0, -0, 100, 100]);
    expect(x).toEqual([0, 0, -Math.fround(1 / 1e-12), Math.fround(1 / 1e-12)]);
  });

  test.each(['none', 'mean', 'sum'] as const)('%s: refuses what is no probability', (reduction) => {
    const target = torch.tensor([0, 1, 0], FLOATS);
    for (const wrong of [-1e-7, 1.5, N]) {
      const x = torch.tensor([0.5, wrong, 0.5]);
      expect(() => F.binaryCrossEntropy(x, target, { reduction })).toThrow(/between 0 and 1/);
    }
    const unknown = torch.tensor([N, 0, 1]);
    const loss = F.binaryCrossEntropy(torch.tensor([0.5, 0.5, 0.5]), unknown, { reduction });
    expect(loss.sum().itemSync()).toBeNaN();
  });

  test('of logits far from 0, digits of the gradient stay', () => {
    const loss = (x: torch.Tensor, y: torch.Tensor) =>
      F.binaryCrossEntropyWithLogits(x, y, { reduction: 'none' });
    const [, x] = results(loss, [30, -30, 30, -30], [1, 0, 0, 1]) as [unknown, number[]];
    const small = Math.exp(-30);
    expect(Math.abs(x[0] / -small - 1)).toBeLessThan(1e-6);
    expect(Math.abs(x[1] / small - 1)).toBeLessThan(1e-6);
    expect(x.slice(2)).toEqual([1, -1]);
  });
});

test('mish and its slope far from 0', () => {
  const [y, slope] = results((x) => F.mish(x), [-200, -50, 0, 50, 1e30]) as number[][];
  expect([y[2], y[3], y[4]]).toEqual([0, 50, Math.fround(1e30)]);
  expect([Math.abs(y[0]), Math.abs(slope[0])]).toEqual([0, 0]);
  expect(Math.abs(y[1] / (-50 * Math.exp(-50)) - 1)).toBeLessThan(1e-5);
  expect(slope.slice(2)).toEqual([Math.fround(0.6), 1, 1]);
});

test('a power to its exponent, of zeros of either sign', () => {
  const [, , exponent] = results((a, b) => a.pow(b), [-0, 0, -0, 0, 0, 0], [-1, -1, -2, 0, 1, 2]);
  expect(exponent).toEqual([I, -I, -I, 0, 0, 0]);
});
