import { expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { agree, withFeatures } from './agree.js';

/** Shapes with the dimension that is reduced: short, long, in blocks, many lines, inner > 1. */
const LINES: readonly (readonly [readonly number[], number])[] = [
  [[], 0],
  [[1], 0],
  [[7, 1], 1],
  [[0, 3], 1],
  [[5, 7], 0],
  [[20, 300], 1],
  [[20000], 0],
  [[3, 9000], 1],
  [[2, 300, 5], 1],
  [[9000, 4], 0],
  [[70000, 3], 1],
];

const HARD = [
  [Number.NaN, 1, -0],
  [0, Number.NaN, 3],
  [Number.POSITIVE_INFINITY, 1, Number.NEGATIVE_INFINITY],
  [-0, 0, -0],
  [0, -0, 0],
  [2, 2, -2],
];

type Reduction = (x: Tensor, dim: number) => Tensor | readonly Tensor[];
const pair = ({ values, indices }: { values: Tensor; indices: Tensor }) => [values, indices];

const EXACT: Readonly<Record<string, Reduction>> = {
  amax: (x, dim) => x.amax(dim),
  amin: (x, dim) => x.amin(dim),
  argmax: (x, dim) => x.argmax(dim),
  argmin: (x, dim) => x.argmin(dim),
  max: (x, dim) => pair(x.max(dim)),
  min: (x, dim) => pair(x.min(dim)),
  any: (x, dim) => x.any(dim),
  all: (x, dim) => x.all(dim),
};

const CLOSE: readonly (readonly [string, Reduction])[] = [
  ['sum', (x, dim) => x.sum(dim)],
  ['mean', (x, dim) => x.mean(dim)],
  ['variance and mean', (x, dim) => torch.varMean(x, dim)],
  ['standard deviation of all', (x, dim) => x.std(dim, { correction: 0 })],
];

const few = (shape: readonly number[]) => torch.randint(-2, 3, shape);

await withFeatures('reductions on the GPU', () => {
  test.each(Object.entries(EXACT))('%s by bits: floats, integers and ties', async (_, reduce) => {
    for (const [shape, dim] of LINES) {
      if (shape[dim] === 0) continue;
      for (const x of [torch.randn(shape), few(shape).float(), few(shape).int()]) {
        await agree([x], (t) => reduce(t, dim), { exact: true, gradients: false });
      }
    }
    for (const dim of [0, 1]) {
      await agree([torch.tensor(HARD)], (t) => reduce(t, dim), { exact: true, gradients: false });
    }
  });

  test.each(CLOSE)('%s', async (_, reduce) => {
    for (const [shape, dim] of LINES) {
      await agree([torch.randn(shape).add(3)], (t) => reduce(t, dim));
    }
    await agree([torch.tensor(HARD)], (t) => reduce(t, 1), { gradients: false });
  });

  test.each([0, 0.5, 1, 2, 3, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'the norm of p = %s',
    async (p) => {
      for (const [shape, dim] of LINES) {
        if (shape[dim] === 0 && p < 0) continue;
        const gradients = shape.length > 0 && shape[0] < 100;
        const x = torch.randn(shape).add(2);
        await agree([x], (t) => t.norm(p, dim), { gradients });
      }
      await agree([torch.tensor(HARD)], (t) => t.norm(p, 1), { gradients: false });
    },
  );

  test('products, and sums of integers that wrap', async () => {
    for (const [shape, dim] of LINES) {
      const near = torch.rand(shape).mul(0.002).add(0.999);
      await agree([near], (t) => t.prod(dim), { gradients: false });
      const ints = torch.randint(-1000000, 1000000, shape).int();
      const wrapping = (t: Tensor) => [
        t.sum(dim, { dtype: torch.int32 }),
        t.prod(dim, { dtype: torch.int32 }),
      ];
      await agree([ints], wrapping, { exact: true, gradients: false });
    }
  });

  test('masks, small integers and halves have truths of their own width', async () => {
    const x = torch.randint(0, 2, [40, 37]);
    for (const dtype of [torch.bool, torch.uint8, torch.int16, torch.float16]) {
      await agree([x.to(dtype)], (t) => [t.any(1), t.all(0), t.any()], { gradients: false });
    }
  });

  test('the mean of large values keeps the small variance', async () => {
    const x = torch.randn([3, 20000]).add(3000);
    await agree([x], (t) => t.var_(1), { gradients: false });
  });

  test('a sum has the same bits in every run', async () => {
    const x = torch.randn([100000]).to('webgpu');
    const [a, b] = await Promise.all([x.sum().item(), x.sum().item()]);
    expect(a).toBe(b);
  });
});
