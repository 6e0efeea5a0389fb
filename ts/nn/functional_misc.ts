/** Dropout, distances, attention. */

import { DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { broadcastShapes, numelOf, type Shape, sameShape } from '../core/layout.js';
import { applyPrimitive } from '../ops/apply.js';
import { ones } from '../ops/creation.js';
import { elementwise } from '../ops/elementwise.js';
import { assignFrom } from '../ops/inplace.js';
import { matmul } from '../ops/linear.js';
import { checkProbability, dropoutNoise } from '../ops/random_fill.js';
import { op } from '../ops/signature.js';
import type { Tensor } from '../tensor.js';
import { softmax } from './functional_activations.js';

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
  if (!input.dtype.isFloatingPoint) {
    throw new DtypeError(`${name}: expected floating point, got ${input.dtype}; use float()`);
  }
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

/** The p-norm of x1 - x2 + eps over the last dimension. */
export const pairwiseDistance = op(
  'pairwiseDistance',
  'x1, x2, p, eps, keepdim',
  (x1: Tensor, x2: Tensor, p = 2, eps = 1e-6, keepdim = false): Tensor =>
    x1.sub(x2).add(eps).norm(p, -1, keepdim),
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

/** [..., L, E] as [N, L, H, E], a view where strides allow it; `lead` are N and H before. */
function asHeads(x: Tensor, lead: Shape): Tensor {
  const [rows, size] = x.shape.slice(-2);
  const full = [...lead, rows, size];
  const heads = lead.length > 1 ? lead[lead.length - 1] : 1;
  const wide = sameShape(x.shape, full) ? x : x.expand(full);
  const shape = [numelOf(lead) / heads, heads, rows, size];
  return (sameShape(shape, full) ? wide : wide.reshape(shape)).transpose(1, 2);
}

/** Fused attention where it applies: no weight is dropped, no mask takes a gradient. */
function fusedAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  attnMask: Tensor | null,
  causal: boolean,
  scale: number,
): Tensor | undefined {
  const { dtype } = query;
  const fits =
    dtype.isFloatingPoint &&
    dtype === key.dtype &&
    dtype === value.dtype &&
    !(attnMask?.requiresGrad === true) &&
    !(causal && attnMask !== null) &&
    [query, key, value].every((x) => x.numel() > 0);
  if (!fits) return undefined;
  if (dtype.size < 4) {
    const [q, k, v] = [query, key, value].map((x) => x.float());
    return fusedAttention(q, k, v, attnMask, causal, scale)?.to(dtype);
  }
  const name = 'scaledDotProductAttention';
  const leads = [query, key, value].map((x): Shape => x.shape.slice(0, -2));
  const lead = leads.reduce((a, b) => broadcastShapes(a, b, name));
  const [q, k, v] = [query, key, value].map((x) => asHeads(x, lead));
  const isBias = attnMask?.dtype.isFloatingPoint === true;
  let mask = attnMask ?? undefined;
  if (mask !== undefined) {
    const scores = [...lead, q.shape[1], k.shape[1]];
    mask = asHeads((isBias ? mask.to(dtype) : mask).expand(scores), lead).transpose(1, 2);
  }
  const inputs = [q, k, v, isBias ? mask : undefined, isBias ? undefined : mask];
  const out = applyPrimitive('attention', inputs, { scale, causal })[0].transpose(1, 2);
  const shape = [...lead, ...out.shape.slice(2)];
  return sameShape(shape, out.shape) ? out : out.reshape(shape);
}

/**
 * softmax(query key^T / sqrt(E)) value for query [..., L, E], key [..., S, E] and value
 * [..., S, Ev]. A bool `attnMask` is true where attention is allowed, a float one is added to the
 * scores; `isCausal` lets position i see positions up to i. Scores are made in blocks and never
 * kept, but for `dropoutP` above 0 and masks that take gradients.
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
    if (dropoutP === 0) {
      const out = fusedAttention(query, key, value, attnMask, isCausal, factor);
      if (out !== undefined) return out;
    }
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

function shuffleFactor(name: string, input: Tensor, factor: number, divisors: number[]): void {
  const { shape } = input;
  const fits = divisors.every((divisor, i) => shape[shape.length - 3 + i] % divisor === 0);
  if (Number.isInteger(factor) && factor > 0 && shape.length >= 3 && fits) return;
  const form =
    divisors[0] > 1 ? `[..., C * ${factor}^2, H, W]` : `[..., H * ${factor}, W * ${factor}]`;
  throw new ShapeError(`${name}: expected input ${form}, got ${showShape(shape)}`);
}

/** [..., C r^2, H, W] to [..., C, H r, W r]: channels become pixels. */
export const pixelShuffle = op(
  'pixelShuffle',
  'input, upscaleFactor',
  (input: Tensor, r: number): Tensor => {
    shuffleFactor('pixelShuffle', input, r, [r * r, 1, 1]);
    const [c, h, w] = input.shape.slice(-3);
    const lead = input.shape.slice(0, -3);
    const split = input.reshape(numelOf(lead), c / (r * r), r, r, h, w).permute(0, 1, 4, 2, 5, 3);
    return split.clone('contiguousFormat').view([...lead, c / (r * r), h * r, w * r]);
  },
);

/** [..., C, H r, W r] to [..., C r^2, H, W]: the inverse of pixelShuffle. */
export const pixelUnshuffle = op(
  'pixelUnshuffle',
  'input, downscaleFactor',
  (input: Tensor, r: number): Tensor => {
    shuffleFactor('pixelUnshuffle', input, r, [1, r, r]);
    const [c, h, w] = input.shape.slice(-3);
    const lead = input.shape.slice(0, -3);
    const split = input.reshape(numelOf(lead), c, h / r, r, w / r, r).permute(0, 1, 3, 5, 2, 4);
    return split.clone('contiguousFormat').view([...lead, c * r * r, h / r, w / r]);
  },
);
