/** The gradient of the singular value decomposition. */

import type { Tensor } from '../tensor.js';
import { eye } from './creation.js';
import { call, PLAIN } from './gradient_rules.js';
import type { JointRule } from './rule.js';

function product(a: Tensor, b: Tensor): Tensor {
  return call('matmul', [a, b, undefined], PLAIN);
}

/**
 * What a gradient of u means for x = u diag(s) vh, with K columns each. PyTorch's svd_backward
 * (torch/csrc/autograd/FunctionsManual.cpp) for real matrices: with W = u^T g,
 * u ((W - W^T) / E) diag(s) vh, where E[i, j] = s[j]^2 - s[i]^2 (1 if i = j), and for more rows
 * than K (1 - u u^T) g diag(1 / s) vh. Undefined where singular values are equal (or 0).
 */
function throughVectors(g: Tensor, u: Tensor, s: Tensor, vh: Tensor): Tensor {
  const [, m, k] = u.shape;
  const row = s.unsqueeze(1);
  const squares = row.square();
  const gaps = squares.sub(squares.mT).add(eye(k, { dtype: s.dtype, device: s.device }));
  const inside = product(u.mT, g);
  let left = product(u, inside.sub(inside.mT).div(gaps).mul(row));
  if (m > k) {
    const outside = g.div(row);
    left = left.add(outside).sub(product(u, product(u.mT, outside)));
  }
  return product(left, vh);
}

/** As in PyTorch, vectors that only complete a basis have no gradient. */
export const svdGradient: JointRule<object>['grads'] = ([gu, gs, gvh], context) => {
  const s = context.output(1);
  const k = s.shape[1];
  const u = context.output(0).narrow(2, 0, k);
  const vh = context.output(2).narrow(1, 0, k);
  const terms = [
    gs && product(u.mul(gs.unsqueeze(1)), vh),
    gu && throughVectors(gu.narrow(2, 0, k), u, s, vh),
    gvh && throughVectors(gvh.narrow(1, 0, k).mT, vh.mT, s, u.mT).mT,
  ];
  return [terms.reduce((sum, term) => (sum && term ? sum.add(term) : (sum ?? term)))];
};
