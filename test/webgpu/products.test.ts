/** Products on the GPU, of all forms and sizes. */

import { test } from 'vitest';
import * as torch from '../../ts/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { agree, withFeatures } from './agree.js';

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

await withFeatures('products on the GPU', () => {
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
});
