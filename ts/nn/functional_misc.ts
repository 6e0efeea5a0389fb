/** Dropout, distances, attention. */

import { ShapeError, showShape, ValueError } from '../core/errors.js';
import { numelOf } from '../core/layout.js';
import { ones } from '../ops/creation.js';
import { elementwise } from '../ops/elementwise.js';
import { assignFrom } from '../ops/inplace.js';
import { matmul } from '../ops/linear.js';
import { dropoutNoise } from '../ops/random_fill.js';
import { op } from '../ops/signature.js';
import type { Tensor } from '../tensor.js';
import { softmax } from './functional_activations.js';

/** @internal Throws unless p is a probability. */
export function checkProbability(name: string, p: number): void {
  if (p >= 0 && p <= 1) return;
  throw new ValueError(`${name}: the probability p lies between 0 and 1, got ${p}`);
}

function drop(
  name: string,
  input: Tensor,
  p: number,
  training: boolean,
  inplace: boolean,
  whole: boolean,
): Tensor {
  checkProbability(name, p);
  if (p === 0 || !training || input.numel() === 0) return input;
  const noise = dropoutNoise(input, p, whole);
  if (inplace) return assignFrom(`${name}_`, input, (before) => before.mul(noise));
  return input.mul(noise);
}

/** In training, elements become 0 with probability `p`, the others are divided by 1 - p. */
export const dropout = op(
  'dropout',
  'input, p, training, inplace',
  (input: Tensor, p = 0.5, training = true, inplace = false): Tensor =>
    drop('dropout', input, p, training, inplace, false),
);

function channelDropout(name: string, ranks: readonly number[], axes: string) {
  return op(
    name,
    'input, p, training, inplace',
    (input: Tensor, p = 0.5, training = true, inplace = false): Tensor => {
      if (!ranks.includes(input.ndim)) {
        throw new ShapeError(
          `${name}: expected input [N, C, ${axes}], got ${showShape(input.shape)}`,
        );
      }
      const batched = input.ndim === ranks[ranks.length - 1] || !ranks.includes(2);
      if (batched) return drop(name, input, p, training, inplace, true);
      const result = drop(name, input.unsqueeze(0), p, training, inplace, true);
      return inplace ? input : result.squeeze(0);
    },
  );
}

/** Whole channels of [N, C, L] (or [C, L]) become 0. */
export const dropout1d = channelDropout('dropout1d', [2, 3], 'L');
/** Whole channels of [N, C, H, W] become 0; [N, C, L] is taken as by dropout1d. */
export const dropout2d = channelDropout('dropout2d', [3, 4], 'H, W');

/** input / max(norm, eps), the p-norm along `dim`. */
export const normalize = op(
  'normalize',
  'input, p, dim, eps',
  (input: Tensor, p = 2, dim: number | readonly number[] = 1, eps = 1e-12): Tensor =>
    input.div(input.norm(p, dim, true).clampMin(eps)),
);

/** Sum along `dim` of the products of both inputs, each divided by its norm (at least eps). */
export const cosineSimilarity = op(
  'cosineSimilarity',
  'x1, x2, dim, eps',
  (x1: Tensor, x2: Tensor, dim = 1, eps = 1e-8): Tensor => {
    const ndim = Math.max(x1.ndim, x2.ndim);
    const wide = (x: Tensor) =>
      x.ndim === ndim ? x : x.view([...new Array<number>(ndim - x.ndim).fill(1), ...x.shape]);
    const unit = (x: Tensor) => {
      const norm = x.norm(2, dim, true);
      // The bound is no part of the gradient.
      const raise = norm.detach().clampMin(eps).sub(norm.detach());
      return x.div(norm.add(raise));
    };
    const [a, b] = [wide(x1), wide(x2)];
    const along = dim < 0 ? dim + ndim : dim;
    // Broadcasting along the dimension itself repeats elements, which norms must count.
    const size = Math.max(a.shape[along] ?? 1, b.shape[along] ?? 1);
    const whole = (x: Tensor) =>
      x.shape[along] === size ? x : x.expand(x.shape.map((n, d) => (d === along ? size : n)));
    return unit(whole(a))
      .mul(unit(whole(b)))
      .sum(dim);
  },
);

/** The p-norm of x1 - x2 + eps over the last dimension. */
export const pairwiseDistance = op(
  'pairwiseDistance',
  'x1, x2, p, eps, keepdim',
  (x1: Tensor, x2: Tensor, p = 2, eps = 1e-6, keepdim = false): Tensor =>
    x1.sub(x2).add(eps).norm(p, -1, keepdim),
);

/** x1^T A_k x2 + b_k for each matrix A_k of `weight` [out, in1, in2]. */
export const bilinear = op(
  'bilinear',
  'input1, input2, weight, bias',
  (input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor => {
    const [out, in1, in2] = weight.shape;
    const lead = input1.shape.slice(0, -1);
    const fits =
      weight.ndim === 3 &&
      input1.shape[input1.ndim - 1] === in1 &&
      input2.shape[input2.ndim - 1] === in2 &&
      showShape(lead) === showShape(input2.shape.slice(0, -1));
    if (!fits) {
      throw new ShapeError(
        `bilinear: expected inputs [..., ${in1}] and [..., ${in2}] for weight ` +
          `${showShape(weight.shape)}, got ${showShape(input1.shape)} and ${showShape(input2.shape)}`,
      );
    }
    const rows = numelOf(lead);
    const first = input1.reshape([rows, in1]);
    // [rows, in1] by [in1, out * in2]: every A_k^T x1 at once.
    const folded = weight.permute(1, 0, 2).reshape([in1, out * in2]);
    const products = matmul(first, folded).view([rows, out, in2]);
    const second = input2.reshape([rows, 1, in2]);
    const result = products
      .mul(second)
      .sum(-1)
      .view([...lead, out]);
    return bias === null ? result : result.add(bias);
  },
);

/** softmax(query key^T scale + mask): what attention weighs values with. */
function attentionWeights(
  query: Tensor,
  key: Tensor,
  attnMask: Tensor | null,
  isCausal: boolean,
  scale: number,
): Tensor {
  if (isCausal && attnMask !== null) {
    throw new ValueError('scaledDotProductAttention: give an attnMask or isCausal, not both');
  }
  const [rows, columns] = [query.shape[query.ndim - 2], key.shape[key.ndim - 2]];
  const scores = matmul(query.mul(scale), key.transpose(-2, -1));
  let mask = attnMask;
  if (isCausal) mask = ones([rows, columns], { device: query.device }).tril().ne(0);
  if (mask === null) return softmax(scores, -1);
  const seen = mask.dtype.isFloatingPoint
    ? scores.add(mask)
    : scores.maskedFill(elementwise.logicalNot(mask), Number.NEGATIVE_INFINITY);
  return softmax(seen, -1);
}

function checkAttention(query: Tensor, key: Tensor, value: Tensor): void {
  const size = query.shape[query.ndim - 1];
  const fits =
    [query, key, value].every((x) => x.ndim >= 2) &&
    key.shape[key.ndim - 1] === size &&
    key.shape[key.ndim - 2] === value.shape[value.ndim - 2];
  if (fits) return;
  const shapes = [query, key, value].map((x) => showShape(x.shape)).join(', ');
  throw new ShapeError(
    'scaledDotProductAttention: expected query [..., L, E], key [..., S, E] and value ' +
      `[..., S, Ev], got ${shapes}`,
  );
}

/**
 * softmax(query key^T / sqrt(E)) value for query [..., L, E], key [..., S, E] and value
 * [..., S, Ev]. A bool `attnMask` is true where attention is allowed, a float one is added to the
 * scores; `isCausal` lets position i see positions up to i.
 */
export const scaledDotProductAttention = op(
  'scaledDotProductAttention',
  'query, key, value, attnMask, dropoutP, isCausal, scale',
  (
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attnMask: Tensor | null = null,
    dropoutP = 0,
    isCausal = false,
    scale: number | null = null,
  ): Tensor => {
    checkAttention(query, key, value);
    const factor = scale ?? 1 / Math.sqrt(query.shape[query.ndim - 1]);
    const weights = attentionWeights(query, key, attnMask, isCausal, factor);
    return matmul(dropoutP > 0 ? dropout(weights, dropoutP) : weights, value);
  },
);

/** As scaledDotProductAttention, in the form of PyTorch 1.13: [output, weights]. */
export const _scaledDotProductAttention = op(
  '_scaledDotProductAttention',
  'query, key, value, attnMask, dropoutP, needAttnWeights, isCausal',
  (
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attnMask: Tensor | null = null,
    dropoutP = 0,
    _needAttnWeights = false,
    isCausal = false,
  ): [Tensor, Tensor] => {
    checkAttention(query, key, value);
    const scale = 1 / Math.sqrt(query.shape[query.ndim - 1]);
    const weights = attentionWeights(query, key, attnMask, isCausal, scale);
    const kept = dropoutP > 0 ? dropout(weights, dropoutP) : weights;
    return [matmul(kept, value), kept];
  },
);
