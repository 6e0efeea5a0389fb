/** What goes through tiles: products, attention, and copies that transpose. */

import { describe, test } from 'vitest';
import * as torch from '../../ts/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { agree, withFeatures } from './agree.js';

const { scaledDotProductAttention } = torch.nn.functional;

/** Software adapters take seconds to compile each form. */
const PATIENCE = 180_000;

/** Batch, rows, depth and columns: of whole vectors, of none, and in between. */
const PRODUCTS = [
  [1, 64, 64, 64],
  [1, 100, 36, 72],
  [3, 33, 20, 132],
  [1, 68, 300, 12],
  [2, 12, 1028, 8],
  [1, 16, 40, 256],
  [1, 130, 17, 9],
];

/** Batch, heads, queries, keys, features of keys and of values. */
const ATTENTIONS = [
  [2, 2, 64, 64, 32, 32],
  [1, 2, 7, 5, 3, 6],
  [1, 1, 100, 70, 8, 40],
  [1, 2, 33, 65, 65, 20],
  [1, 1, 12, 40, 72, 100],
  [1, 1, 8, 8, 132, 136],
];

await withFeatures('tiles on the GPU', () => {
  for (const form of ['NN', 'NT', 'TN', 'TT']) {
    test(
      `products ${form}`,
      async () => {
        for (const [batch, m, k, n] of PRODUCTS) {
          const [a, b] = [torch.randn(batch, m, k), torch.randn(batch, k, n)];
          const turned = (x: Tensor, i: number) => (form[i] === 'T' ? x.mT.contiguous() : x);
          const back = (x: Tensor, i: number) => (form[i] === 'T' ? x.mT : x);
          const inputs = [a, b].map(turned);
          await agree(inputs, (x, y) => back(x, 0).matmul(back(y, 1)));
          const first = (x: Tensor, i: number) => back(x.at(0), i);
          await agree([...inputs, torch.randn(n)], (x, y, bias) =>
            torch.addmm(bias, first(x, 0), first(y, 1)),
          );
        }
      },
      PATIENCE,
    );
  }

  test('products of integers, and of parts that begin anywhere', async () => {
    const x = torch.randint(-9, 9, [64, 64], { dtype: torch.int32 });
    await agree([x, x.t().contiguous()], (a, b) => a.matmul(b.t()), { exact: true });
    const parts = (from: number) => (a: Tensor, b: Tensor) =>
      a.narrow(1, from, 40).matmul(b.narrow(0, from, 40));
    for (const from of [0, 1, 4]) {
      await agree([torch.randn(50, 64), torch.randn(64, 36)], parts(from));
    }
  });

  describe.each(ATTENTIONS)('attention of %i x %i, %i by %i, features %i and %i', (...sizes) => {
    const [n, h, rows, keys, size, width] = sizes;
    const inputs = () => [
      torch.randn(n, h, rows, size),
      torch.randn(n, h, keys, size),
      torch.randn(n, h, keys, width),
    ];

    test(
      'plain, causal, and of heads that lie apart',
      async () => {
        await agree(inputs(), (q, k, v) => scaledDotProductAttention(q, k, v));
        const causal = (q: Tensor, k: Tensor, v: Tensor) =>
          scaledDotProductAttention(q, k, v, { isCausal: true });
        await agree(inputs(), causal);
        const apart = inputs().map((x) => x.transpose(1, 2).contiguous());
        await agree(apart, (...list) => {
          const [q, k, v] = list.map((x) => x.transpose(1, 2));
          return scaledDotProductAttention(q, k, v);
        });
      },
      PATIENCE,
    );

    test(
      'with masks; a query that sees nothing is NaN',
      async () => {
        const seen = torch.rand(rows, keys).gt(0.3);
        seen.select(0, rows - 1).fill_(false);
        seen
          .select(1, 0)
          .narrow(0, 0, rows - 1)
          .fill_(true);
        const masked = (q: Tensor, k: Tensor, v: Tensor) =>
          scaledDotProductAttention(q, k, v, { attnMask: seen.to(q.device) });
        await agree(inputs(), masked, { gradients: false });
        const some = inputs().map((x, i) => (i === 0 ? x.narrow(2, 0, rows - 1) : x));
        const above = seen.narrow(0, 0, rows - 1);
        const partly = (q: Tensor, k: Tensor, v: Tensor) =>
          scaledDotProductAttention(q, k, v, { attnMask: above.to(q.device) });
        await agree(some, partly);
        const bias = torch.randn(rows, keys);
        const biased = (q: Tensor, k: Tensor, v: Tensor) =>
          scaledDotProductAttention(q, k, v, { attnMask: bias.to(q) });
        await agree(inputs(), biased);
      },
      PATIENCE,
    );
  });

  test('copies that transpose', async () => {
    const cases = [
      { shape: [100, 70], order: [1, 0] },
      { shape: [33, 33], order: [1, 0] },
      { shape: [4, 40, 50], order: [0, 2, 1] },
      { shape: [40, 4, 50], order: [2, 1, 0] },
      { shape: [3, 20, 5, 36], order: [3, 1, 2, 0] },
      { shape: [2, 20, 17, 30], order: [0, 3, 1, 2] },
      { shape: [2, 3, 20, 5, 20], order: [4, 1, 2, 3, 0] },
    ];
    for (const { shape, order } of cases) {
      const turn = (x: Tensor) => x.permute(order);
      const copies = (x: Tensor) => [turn(x).contiguous(), torch.cat([turn(x), turn(x)], -1)];
      await agree([torch.randn(shape)], copies, { exact: true, gradients: false });
    }
  });
});
