/** Losses that compare with a margin, and negative log-likelihoods of distributions. */

import { noGrad } from '../autograd/mode.js';
import { ShapeError, showShape, ValueError } from '../core/errors.js';
import { broadcastShapes, sameShape } from '../core/layout.js';
import { visible } from '../core/memory.js';
import { arange } from '../ops/creation.js';
import { elementwise } from '../ops/elementwise.js';
import { op } from '../ops/signature.js';
import type { Tensor } from '../tensor.js';
import { logsigmoid, relu } from './functional_activations.js';
import { pairwiseDistance } from './functional_misc.js';
import { type Legacy, type Reduction, reduced, reductionOf } from './reduction.js';

/** 0.5 (log(var) + (input - target)^2 / var), with `var` at least `eps`, for a normal target. */
export const gaussianNllLoss = op(
  'gaussianNllLoss',
  'input, target, var, full, eps, reduction',
  (
    input: Tensor,
    target: Tensor,
    variance: Tensor,
    full = false,
    eps = 1e-6,
    reduction: Reduction = 'mean',
  ): Tensor => {
    const how = reductionOf('gaussianNllLoss', reduction);
    const lead = input.shape.slice(0, -1);
    const short = !sameShape(variance.shape, input.shape) && sameShape(variance.shape, lead);
    const given = short ? variance.unsqueeze(-1) : variance;
    if (!sameShape(given.shape, input.shape) && !sameShape(given.shape, [...lead, 1])) {
      throw new ShapeError(
        `gaussianNllLoss: the variance of an input ${showShape(input.shape)} has its shape, or ` +
          `none or 1 for the last dimension, got ${showShape(variance.shape)}`,
      );
    }
    broadcastShapes(input.shape, target.shape, 'gaussianNllLoss');
    if (given.backend.synchronous && elementwise.lt(given.detach(), 0).any().itemSync()) {
      throw new ValueError('gaussianNllLoss: the variance has negative elements');
    }
    const held = given.clone();
    // The bound is no part of the gradient.
    noGrad(() => held.clampMin_(eps));
    const error = elementwise.square(input.sub(target)).div(held);
    const loss = elementwise.log(held).add(error).mul(0.5);
    return reduced(full ? loss.add(0.5 * Math.log(2 * Math.PI)) : loss, how);
  },
);

/**
 * exp(input) - target input, or with `logInput: false` input - target log(input + eps), for a
 * Poisson target; `full` adds Stirling's approximation of log(target!).
 */
export const poissonNllLoss = op(
  'poissonNllLoss',
  'input, target, logInput, full, sizeAverage, eps, reduce, reduction',
  (
    input: Tensor,
    target: Tensor,
    logInput = true,
    full = false,
    sizeAverage: Legacy = null,
    eps = 1e-8,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
  ): Tensor => {
    const how = reductionOf('poissonNllLoss', reduction, sizeAverage, reduce);
    const loss = logInput
      ? elementwise.exp(input).sub(target.mul(input))
      : input.sub(target.mul(elementwise.log(input.add(eps))));
    if (!full) return reduced(loss, how);
    const log = elementwise.log(target);
    const spread = elementwise.log(target.mul(2 * Math.PI)).mul(0.5);
    const stirling = target.mul(log).sub(target).add(spread);
    return reduced(loss.add(stirling.maskedFill(elementwise.le(target.detach(), 1), 0)), how);
  },
);

/** input where the target is 1, max(0, margin - input) where it is -1. */
export const hingeEmbeddingLoss = op(
  'hingeEmbeddingLoss',
  'input, target, margin, sizeAverage, reduce, reduction',
  (
    input: Tensor,
    target: Tensor,
    margin = 1,
    sizeAverage: Legacy = null,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
  ): Tensor => {
    const how = reductionOf('hingeEmbeddingLoss', reduction, sizeAverage, reduce);
    const outside = input.neg().add(margin).clampMin(0);
    const positive = input.mul(elementwise.ne(target, -1));
    return reduced(outside.mul(elementwise.ne(target, 1)).add(positive), how);
  },
);

/** max(0, -target (input1 - input2) + margin): a target of 1 ranks input1 higher, -1 input2. */
export const marginRankingLoss = op(
  'marginRankingLoss',
  'input1, input2, target, margin, sizeAverage, reduce, reduction',
  (
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin = 0,
    sizeAverage: Legacy = null,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
  ): Tensor => {
    const how = reductionOf('marginRankingLoss', reduction, sizeAverage, reduce);
    checkRanks('marginRankingLoss', [input1, input2, target]);
    const wrong = target.neg().mul(input1.sub(input2));
    return reduced(wrong.add(margin).clampMin(0), how);
  },
);

function checkRanks(name: string, tensors: readonly Tensor[]): void {
  if (tensors.every((tensor) => tensor.ndim === tensors[0].ndim)) return;
  const shapes = tensors.map((tensor) => showShape(tensor.shape)).join(', ');
  throw new ShapeError(`${name}: all tensors have the same number of dimensions, got ${shapes}`);
}

/** 1 - cos(input1, input2) where the target is 1, max(0, cos - margin) where it is -1. */
export const cosineEmbeddingLoss = op(
  'cosineEmbeddingLoss',
  'input1, input2, target, margin, sizeAverage, reduce, reduction',
  (
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin = 0,
    sizeAverage: Legacy = null,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
  ): Tensor => {
    const how = reductionOf('cosineEmbeddingLoss', reduction, sizeAverage, reduce);
    const rank = target.ndim + 1;
    if (rank > 2 || input1.ndim !== rank || input2.ndim !== rank) {
      throw new ShapeError(
        'cosineEmbeddingLoss: expected inputs [N, D] and a target [N], or [D] and [], got ' +
          [input1, input2, target].map((x) => showShape(x.shape)).join(', '),
      );
    }
    const dot = (a: Tensor, b: Tensor) => a.mul(b).sum(-1);
    const squares = dot(input1, input1).add(1e-12).mul(dot(input2, input2).add(1e-12));
    const cos = dot(input1, input2).div(elementwise.sqrt(squares));
    const similar = cos.neg().add(1).mul(elementwise.eq(target, 1));
    return reduced(similar.add(cos.sub(margin).clampMin(0).mul(elementwise.eq(target, -1))), how);
  },
);

/** A distance of pairs of tensors. */
export type Distance = (x1: Tensor, x2: Tensor) => Tensor;

/** As tripletMarginLoss, with any distance instead of a p-norm. */
export const tripletMarginWithDistanceLoss = op(
  'tripletMarginWithDistanceLoss',
  'anchor, positive, negative, distanceFunction, margin, swap, reduction',
  (
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    distanceFunction: Distance | null = null,
    margin = 1,
    swap = false,
    reduction: Reduction = 'mean',
  ): Tensor => {
    const how = reductionOf('tripletMarginLoss', reduction);
    checkRanks('tripletMarginLoss', [anchor, positive, negative]);
    const given = distanceFunction ?? ((a: Tensor, b: Tensor) => pairwiseDistance(a, b));
    const distance: Distance = (a, b) => visible(() => given(a, b));
    let far = distance(anchor, negative);
    if (swap) far = elementwise.minimum(far, distance(positive, negative));
    return reduced(distance(anchor, positive).add(margin).sub(far).clampMin(0), how);
  },
);

/**
 * max(0, |anchor - positive| - |anchor - negative| + margin) for p-norms of the last dimension;
 * with `swap` the nearer of anchor and positive is what the negative is compared with.
 */
export const tripletMarginLoss = op(
  'tripletMarginLoss',
  'anchor, positive, negative, margin, p, eps, swap, sizeAverage, reduce, reduction',
  (
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin = 1,
    p = 2,
    eps = 1e-6,
    swap = false,
    sizeAverage: Legacy = null,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
  ): Tensor => {
    const how = reductionOf('tripletMarginLoss', reduction, sizeAverage, reduce);
    const distance = (a: Tensor, b: Tensor) => pairwiseDistance(a, b, p, eps);
    return tripletMarginWithDistanceLoss(anchor, positive, negative, distance, margin, swap, how);
  },
);

/** [N, C] of [N, C], [C] or [] (one class). */
function rows(name: string, input: Tensor, target: Tensor, expected: readonly number[]): Tensor {
  if (input.ndim <= 2 && sameShape(target.shape, expected)) {
    return input.ndim === 2 ? input : input.reshape([1, -1]);
  }
  throw new ShapeError(
    `${name}: expected input [N, C] or [C] and a target ${showShape(expected)}, got ` +
      `${showShape(input.shape)} and ${showShape(target.shape)}`,
  );
}

/** sum over i != target of max(0, margin - input[target] + input[i])^p / C. */
export const multiMarginLoss = op(
  'multiMarginLoss',
  'input, target, p, margin, weight, sizeAverage, reduce, reduction',
  (
    input: Tensor,
    target: Tensor,
    p = 1,
    margin = 1,
    weight: Tensor | null = null,
    sizeAverage: Legacy = null,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
  ): Tensor => {
    const how = reductionOf('multiMarginLoss', reduction, sizeAverage, reduce);
    if (p !== 1 && p !== 2) throw new ValueError(`multiMarginLoss: p is 1 or 2, got ${p}`);
    const single = input.ndim < 2;
    const scalar = single && target.ndim === 0 ? [] : [1];
    const x = rows('multiMarginLoss', input, target, single ? scalar : input.shape.slice(0, 1));
    const classes = x.shape[1];
    if (weight !== null && !sameShape(weight.shape, [classes])) {
      throw new ShapeError(
        `multiMarginLoss: expected a weight for each of the ${classes} classes, got ` +
          showShape(weight.shape),
      );
    }
    const column = target.reshape([-1, 1]);
    const margins = relu(x.sub(x.gather(1, column)).add(margin));
    const others = elementwise.ne(arange(classes, { device: x.device }), column);
    let losses = (p === 2 ? elementwise.square(margins) : margins).mul(others);
    if (weight !== null)
      losses = losses.mul(weight.to(x.dtype).indexSelect(0, column.view(-1)).unsqueeze(1));
    const means = losses.sum(1).div(classes);
    return reduced(target.ndim === 0 ? means.squeeze(0) : means, how);
  },
);

/**
 * sum over target classes j and other classes i of max(0, 1 - input[j] + input[i]) / C. A row of
 * the target [N, C] lists classes, and ends with the first negative number.
 */
export const multilabelMarginLoss = op(
  'multilabelMarginLoss',
  'input, target, sizeAverage, reduce, reduction',
  (
    input: Tensor,
    target: Tensor,
    sizeAverage: Legacy = null,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
  ): Tensor => {
    const how = reductionOf('multilabelMarginLoss', reduction, sizeAverage, reduce);
    const x = rows('multilabelMarginLoss', input, target, input.shape);
    const listed = target.reshape(x.shape);
    const used = elementwise.eq(elementwise.lt(listed, 0).int().cumsum(1), 0);
    const indices = listed.clampMin(0);
    const classes = arange(x.shape[1], { device: x.device });
    const hits = elementwise.eq(indices.unsqueeze(-1), classes);
    const isTarget = elementwise.logicalAnd(hits, used.unsqueeze(-1)).any(1);
    const pairs = x.unsqueeze(1).sub(x.gather(1, indices).unsqueeze(-1)).add(1);
    const counted = elementwise.logicalNot(isTarget).unsqueeze(1);
    const mask = elementwise.logicalAnd(used.unsqueeze(-1), counted);
    const losses = relu(pairs).mul(mask).sum([1, 2]).div(x.shape[1]);
    return reduced(input.ndim < 2 ? losses.squeeze(0) : losses, how);
  },
);

/** Mean over classes of the binary cross-entropies of sigmoid(input) with the target. */
export const multilabelSoftMarginLoss = op(
  'multilabelSoftMarginLoss',
  'input, target, weight, sizeAverage, reduce, reduction',
  (
    input: Tensor,
    target: Tensor,
    weight: Tensor | null = null,
    sizeAverage: Legacy = null,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
  ): Tensor => {
    const how = reductionOf('multilabelSoftMarginLoss', reduction, sizeAverage, reduce);
    const no = target.neg().add(1).mul(logsigmoid(input.neg()));
    const loss = target.mul(logsigmoid(input)).add(no).neg();
    return reduced((weight === null ? loss : loss.mul(weight)).mean(-1), how);
  },
);

/** log(1 + exp(-target input)) for targets 1 and -1. */
export const softMarginLoss = op(
  'softMarginLoss',
  'input, target, sizeAverage, reduce, reduction',
  (
    input: Tensor,
    target: Tensor,
    sizeAverage: Legacy = null,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
  ): Tensor => {
    const how = reductionOf('softMarginLoss', reduction, sizeAverage, reduce);
    return reduced(elementwise.log1p(elementwise.exp(target.neg().mul(input))), how);
  },
);
