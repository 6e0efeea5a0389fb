import { test } from 'vitest';
import * as torch from '../../ts/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { agree, withFeatures } from './agree.js';

/** Lines that share a workgroup, fill one, and are merged; inner > 1. */
const LINES: readonly (readonly [readonly number[], number])[] = [
  [[], 0],
  [[1], 0],
  [[0, 4], 0],
  [[4, 0], 1],
  [[5, 7], 1],
  [[5, 7], 0],
  [[1024], 0],
  [[1025], 0],
  [[3, 2500], 1],
  [[2, 1500, 3], 1],
  [[2, 70, 20], 1],
  [[70000, 3], 1],
];

const nan = Number.NaN;
const inf = Number.POSITIVE_INFINITY;
const HARD = [nan, 1, 2, inf, 1, -inf, -0, 0, -0, 3, nan, 4, -1, -inf];

const pair = ({ values, indices }: { values: Tensor; indices: Tensor }) => [values, indices];
const EXACT = { exact: true, gradients: false };

await withFeatures('sorting on the GPU', () => {
  test.each([false, true])('sort, descending = %s: stable, NaN as the greatest', async (down) => {
    for (const [shape, dim] of LINES) {
      const few = torch.randint(-2, 3, shape);
      for (const x of [torch.randn(shape), few.float(), few.int()]) {
        await agree([x], (t) => pair(t.sort(dim, down)), EXACT);
      }
      if (shape[0] * shape[1] < 3000)
        await agree([torch.randn(shape)], (t) => pair(t.sort(dim, down)));
    }
    for (const x of [torch.tensor(HARD), torch.tensor(HARD).repeat(100)]) {
      await agree([x], (t) => [...pair(t.sort(0, down)), t.argsort(0, down)], EXACT);
    }
  });

  test.each([false, true])('topk, largest = %s', async (largest) => {
    for (const [shape, dim] of LINES) {
      const few = torch.randint(-2, 3, shape).float();
      for (const k of [1, 5, 100, 1000]) {
        if (k > (shape[dim] ?? 1)) continue;
        await agree([few], (t) => pair(t.topk(k, dim, largest)), EXACT);
      }
    }
    await agree([torch.randn([40, 9])], (t) => pair(t.topk(3, 1, largest)));
    await agree([torch.tensor(HARD)], (t) => pair(t.topk(4, 0, largest)), EXACT);
  });

  test.each([false, true])('searchsorted, right = %s', async (right) => {
    const search = (sorted: Tensor, values: Tensor) =>
      torch.searchsorted(sorted, values, { right });
    const values = torch.randn([3, 50]);
    const special = [Number.NEGATIVE_INFINITY, -1, -0, 0, 0, 2, Number.POSITIVE_INFINITY];
    const sorted = torch.tensor([...special, Number.NaN, Number.NaN]);
    await agree([torch.randn([200]).sort(0).values, values], search, EXACT);
    await agree([torch.randn([3, 40]).sort(1).values, values], search, EXACT);
    await agree([sorted, torch.tensor(HARD)], search, EXACT);
    await agree([torch.zeros([0]), values], search, EXACT);
    await agree([torch.arange(9).int(), torch.randint(-2, 12, [30]).int()], search, EXACT);
  });

  test('what is made from sorting: medians, quantiles and the k-th value', async () => {
    const x = torch.randn([7, 9]);
    await agree([x], (t) => [...pair(t.median(1)), t.median(), t.quantile(0.3, 1)]);
    await agree([x], (t) => pair(t.kthvalue(3, 1)));
  });
});
