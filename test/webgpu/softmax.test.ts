import { test } from 'vitest';
import * as torch from '../../ts/index.js';
import { agree, withFeatures } from './agree.js';

const F = torch.nn.functional;

const LINES: readonly (readonly [readonly number[], number])[] = [
  [[], 0],
  [[1], 0],
  [[7, 1], 1],
  [[0, 4], 1],
  [[4, 0], 1],
  [[5, 7], 1],
  [[64, 130], 1],
  [[3, 9000], 1],
  [[2, 300, 40], 1],
  [[2, 3, 5, 5], 1],
  [[20000, 3], 0],
  [[70000, 2], 1],
];

const HARD = [
  [Number.NaN, 1, 2],
  [Number.POSITIVE_INFINITY, 1, 2],
  [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
  [Number.NEGATIVE_INFINITY, 0, 1],
  [1e30, -1e30, 0],
  [1000, 1001, 999],
  [-0, 0, -0],
];

await withFeatures('softmax on the GPU', () => {
  test.each([
    ['softmax', F.softmax],
    ['logSoftmax', F.logSoftmax],
  ] as const)('%s, and its gradient', async (_, compute) => {
    for (const [shape, dim] of LINES) {
      await agree([torch.randn(shape).mul(3)], (x) => compute(x, dim));
    }
    // Lines of whole vectors, and those that begin between two.
    await agree([torch.randn([601, 128])], (x) => compute(x.flatten().slice(0, 128), 0));
    await agree([torch.randn([130])], (x) => compute(x.slice(0, 2), 0));
    const hard = torch.tensor(HARD);
    for (const copies of [4, 44]) {
      await agree([hard.repeat([1, copies])], (x) => compute(x, 1), { gradients: false });
    }
    for (const dim of [0, 1]) {
      await agree([hard], (x) => compute(x, dim), { gradients: false });
      await agree([hard.t()], (x) => compute(x, dim), { gradients: false });
    }
  });

  test('the gradient of a gradient', async () => {
    const twice = (x: torch.Tensor) => {
      const y = F.softmax(x, 1).pow(2).sum();
      const [g] = torch.autograd.grad([y], [x], { createGraph: true });
      return g as torch.Tensor;
    };
    await agree([torch.randn([4, 6])], (x) => twice(x.mul(1)));
  });
});
