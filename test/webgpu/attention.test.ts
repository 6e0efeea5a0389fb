/** Attention on the GPU: sizes that fill tiles and that do not, masks, and its gradients. */

import { describe, test } from 'vitest';
import * as torch from '../../ts/index.js';
import type { Tensor } from '../../ts/tensor.js';
import { agree, withFeatures } from './agree.js';

const { scaledDotProductAttention } = torch.nn.functional;

/** Software adapters take seconds to compile each form. */
const PATIENCE = 180_000;

/** Batch, heads, queries, keys, features of keys and of values. */
const ATTENTIONS = [
  [2, 2, 64, 64, 32, 32],
  [1, 2, 7, 5, 3, 6],
  [1, 1, 100, 70, 8, 40],
  [1, 2, 33, 65, 65, 20],
  [1, 1, 12, 40, 72, 100],
  [1, 1, 8, 8, 132, 136],
];

await withFeatures('attention on the GPU', () => {
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
});
