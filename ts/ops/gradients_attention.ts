/** The gradients of fused attention. */

import type { Tensor } from '../tensor.js';
import { applyPrimitive } from './apply.js';
import { none } from './gradient_rules.js';
import { matmul } from './linear.js';
import type * as rows from './primitives/attention.js';
import type { RowsOf } from './rows.js';
import type { GradientRow } from './rule.js';
import type { AttributesOf } from './table.js';
import { fusedUnlessGraph } from './through_composite.js';

export const attentionGradients: {
  readonly [K in keyof RowsOf<typeof rows>]: GradientRow<AttributesOf<K>>;
} = {
  attention: fusedUnlessGraph(
    5,
    [0, 1],
    ([q, k, v, bias, mask], { scale, causal }) => {
      const [query, key, value] = [q, k, v].map((t) => (t as Tensor).transpose(1, 2));
      let scores = matmul(query.mul(scale), key.transpose(2, 3));
      if (bias !== undefined) scores = scores.add(bias.detach());
      const hide = (hidden: Tensor) => scores.maskedFill(hidden, Number.NEGATIVE_INFINITY);
      if (mask !== undefined) scores = hide(mask.logicalNot());
      if (causal) scores = hide(scores.detach().onesLike().triu(1).ne(0));
      return [matmul(scores.softmax(-1), value).transpose(1, 2), undefined];
    },
    ([g], s) => {
      if (g === undefined) return [];
      const [q, k, v, bias, mask] = [0, 1, 2, 3, 4].map((i) => s.optional(i));
      const inputs = [g, q, k, v, s.output(0), s.output(1), bias, mask];
      return applyPrimitive('attentionBackward', inputs, s.attributes);
    },
  ),
  attentionBackward: none('second derivatives are those of softmax(q k^T) v'),
};
