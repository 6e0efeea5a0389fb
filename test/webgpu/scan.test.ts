import { test } from 'vitest';
import * as torch from '../../ts/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { agree, withFeatures } from './agree.js';

/** Short and long lines, lines in blocks, inner > 1. */
const LINES: readonly (readonly [readonly number[], number])[] = [
  [[], 0],
  [[1], 0],
  [[0, 4], 0],
  [[4, 0], 1],
  [[5, 7], 1],
  [[5, 7], 0],
  [[200, 130], 1],
  [[3, 9000], 1],
  [[2, 300, 20], 1],
  [[9000, 2], 0],
  [[70000, 3], 1],
];

const HARD = [
  [Number.NaN, 1, 2, Number.POSITIVE_INFINITY, 3],
  [1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 1],
  [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, 1, Number.NaN, 2],
  [-0, 0, -0, 0, -0],
  [3, 3, Number.NaN, Number.NaN, 3],
];

const extremes = (dim: number) => (x: Tensor) => {
  const [most, least] = [x.cummax(dim), x.cummin(dim)];
  return [most.values, most.indices, least.values, least.indices];
};

await withFeatures('running totals on the GPU', () => {
  test('cumsum', async () => {
    for (const [shape, dim] of LINES) {
      await agree([torch.randn(shape)], (x) => x.cumsum(dim));
    }
  });

  test('cumprod', async () => {
    for (const [shape, dim] of LINES) {
      const gradients = shape.reduce((a, b) => a * b, 1) < 1000;
      const x = torch.rand(shape).mul(0.02).add(0.99);
      await agree([x], (t) => t.cumprod(dim), { gradients });
    }
  });

  test('logcumsumexp', async () => {
    for (const [shape, dim] of LINES) {
      const x = torch.randn(shape).mul(5);
      await agree([x], (t) => t.logcumsumexp(dim));
    }
  });

  test('cummax and cummin by bits, with the last of equals', async () => {
    for (const [shape, dim] of LINES) {
      const few = torch.randint(-2, 3, shape);
      for (const x of [torch.randn(shape), few.float(), few.int()]) {
        await agree([x], extremes(dim), { exact: true, gradients: false });
      }
    }
    await agree([torch.randn([6, 50])], extremes(1));
    await agree([torch.randn([6, 50])], extremes(0));
  });

  test('sums and products of integers wrap', async () => {
    for (const [shape, dim] of LINES) {
      const x = torch.randint(-1000000, 1000000, shape).int();
      const dtype = torch.int32;
      const both = (t: Tensor) => [t.cumsum(dim, { dtype }), t.cumprod(dim, { dtype })];
      await agree([x], both, { exact: true, gradients: false });
    }
  });

  test('hard points', async () => {
    const all = (dim: number) => (x: Tensor) => [
      x.cumsum(dim),
      x.cumprod(dim),
      x.logcumsumexp(dim),
    ];
    for (const dim of [0, 1]) {
      await agree([torch.tensor(HARD)], all(dim), { gradients: false });
      await agree([torch.tensor(HARD)], extremes(dim), { exact: true, gradients: false });
    }
  });
});
