/** Judges of fused attention. */

import { noGrad, type Tensor } from '../../ts/index.js';
import type { attentionGradients } from '../../ts/ops/gradients_attention.js';
import type { AttributesOf } from '../../ts/ops/table.js';
import type { InputSpec, SampledJudge } from './judge.js';
import { call, judge, real } from './primitives.js';

const BIAS: InputSpec = { shape: [1, 2, 3, 4], range: [-1, 1], constant: true };
const MASK: InputSpec = {
  shape: [1, 2, 3, 4],
  values: [1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0],
  as: 'bool',
};

const inputs = (n = 1, rows = 3, keys = 4, heads = 2, size = 3, width = 2) => [
  real([n, rows, heads, size]),
  real([n, keys, heads, size]),
  real([n, keys, heads, width]),
];

/** g, q, k and v as the inputs of the backward, with what the forward leaves. */
function withSums(scale: number, causal: boolean) {
  return ([g, q, k, v]: readonly Tensor[]): Tensor[] => {
    const [out, sums] = noGrad(() => {
      const [query, key, value] = [q, k, v].map((t) => t.contiguous().transpose(1, 2));
      let scores = query.matmul(key.transpose(2, 3)).mul(scale);
      if (causal) scores = scores.maskedFill(scores.onesLike().triu(1).ne(0), -Infinity);
      return [scores.softmax(-1).matmul(value).transpose(1, 2), scores.logsumexp(-1)];
    });
    return [g, q, k, v, out, sums];
  };
}

export const attentionJudges: {
  readonly [K in keyof typeof attentionGradients]: SampledJudge<AttributesOf<K>>;
} = {
  attention: judge(
    1e-5,
    [
      call('plain', [...inputs(), undefined, undefined], { scale: 0.5, causal: false }),
      call('causal', inputs(2, 4, 3), { scale: 1, causal: true }),
      call('with a bias', [...inputs(), BIAS, undefined], { scale: 0.7, causal: false }),
      call('with a mask', [...inputs(), undefined, MASK], { scale: 0.7, causal: false }),
      call('one of all', inputs(1, 1, 1, 1, 1, 1), { scale: 1, causal: false }),
    ],
    [0],
  ),
  attentionBackward: judge(1e-5, [
    call(
      'plain',
      [real([1, 3, 2, 2]), ...inputs()],
      { scale: 0.5, causal: false },
      withSums(0.5, false),
    ),
    call(
      'causal',
      [real([1, 3, 2, 2]), ...inputs()],
      { scale: 0.5, causal: true },
      withSums(0.5, true),
    ),
  ]),
};
