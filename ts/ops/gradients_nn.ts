/** The gradients of convolution, pooling, normalisation and losses. */

import type { Shape } from '../core/layout.js';
import type { Tensor } from '../tensor.js';
import { applyPrimitive } from './apply.js';
import { call, FACTORS, FLAT, NONE, PLAIN, rule, withShape, XY, Y } from './gradient_rules.js';
import { attentionGradients } from './gradients_attention.js';
import { recurrentGradients } from './gradients_recurrent.js';
import { sequenceGradients } from './gradients_sequence.js';
import type { Classes } from './primitives/loss.js';
import type { nnPrimitives } from './primitives/nn.js';
import type { GradContext, GradientRow } from './rule.js';
import type { AttributesOf } from './table.js';
import { throughComposite } from './through_composite.js';

type Pair = readonly [number, number];
const planeOf = (shape: Shape): Pair => [shape[2], shape[3]];
const inputSize = (shape: Shape) => ({ inputSize: planeOf(shape) });
const outputSize = (shape: Shape) => ({ outputSize: planeOf(shape) });
const kernelSize = (shape: Shape) => ({ kernelSize: planeOf(shape) });
const classes = (shape: Shape) => ({ classes: shape[1] });
const AFFINE = { affine: true };
const INPUT_ONLY = { affine: false };

/** (x - mean) * rstd over the last `dims` dimensions, with the statistics recomputed. */
function normalizedGradient(
  g: Tensor,
  x: Tensor,
  mean: Tensor,
  rstd: Tensor,
  weight: Tensor | undefined,
  dims: number[],
): [Tensor, Tensor] {
  const hat = x.sub(mean).mul(rstd);
  const scaled = weight === undefined ? g : g.mul(weight);
  const centred = scaled
    .sub(scaled.mean(dims, true))
    .sub(hat.mul(scaled.mul(hat).mean(dims, true)));
  return [centred.mul(rstd), hat];
}

type Inference = GradContext<{ eps: number }>;

/** weight / sqrt(var + eps). */
function inferenceScale(s: Inference): Tensor {
  const rstd = s.z.add(s.attributes.eps).rsqrt();
  return s.optional(3)?.mul(rstd) ?? rstd;
}

/** The sum of g (x - mean) in each channel. */
function centredSum(g: Tensor, s: Inference): Tensor {
  return g.mul(s.x.sub(s.y.view(1, -1, 1))).sum([0, 2]);
}

/** Mean and 1 / sqrt(var + eps) as functions of x, where eps is what the given rstd implies. */
function statistics(x: Tensor, rstd: Tensor, dims: number[]): [Tensor, Tensor] {
  const mean = x.mean(dims, true);
  const variance = x.sub(mean).square().mean(dims, true);
  const eps = rstd.detach().pow(-2).sub(variance.detach());
  return [mean, variance.add(eps).rsqrt()];
}

/** What the gradient of a mean of losses is divided by. */
function totalOf(s: GradContext<Classes>): Tensor | undefined {
  return s.attributes.reduction === 'mean' ? s.output(1) : undefined;
}

export const nnGradients: {
  readonly [K in keyof typeof nnPrimitives]: GradientRow<AttributesOf<K>>;
} = {
  ...attentionGradients,
  ...recurrentGradients,
  ...sequenceGradients,

  conv2d: rule(
    FACTORS,
    (g, s) =>
      call('conv2dInputGrad', [g, s.y], withShape(s.attributes, s.geometries[0], inputSize)),
    (g, s) =>
      call('conv2dWeightGrad', [s.x, g], withShape(s.attributes, s.geometries[1], kernelSize)),
    (g) => g.sum([0, 2, 3]),
  ),
  conv2dInputGrad: rule(
    XY,
    (g, s) => call('conv2d', [g, s.y, undefined], s.attributes),
    (g, s) =>
      call('conv2dWeightGrad', [g, s.x], withShape(s.attributes, s.geometries[1], kernelSize)),
  ),
  conv2dWeightGrad: rule(
    XY,
    (g, s) =>
      call('conv2dInputGrad', [s.y, g], withShape(s.attributes, s.geometries[0], inputSize)),
    (g, s) => call('conv2d', [s.x, g, undefined], s.attributes),
  ),

  maxPool2d: {
    kind: 'joint',
    saves: { outputs: [1], flat: true },
    grads: ([g], s) =>
      g === undefined
        ? []
        : [
            call(
              'maxPool2dBackward',
              [g, s.output(1)],
              withShape(s.attributes, s.geometries[0], inputSize),
            ),
          ],
  },
  maxPool2dBackward: rule(Y, (g, s) => {
    const [n, c, h, w] = s.geometries[0].shape;
    const places = s.y.reshape(n * c, h * w, 1);
    const planes = g.reshape(n * c, -1, 1);
    return call('gather', [planes, places], PLAIN).reshape(n, c, h, w);
  }),
  avgPool2d: rule(FLAT, (g, s) =>
    call('avgPool2dBackward', [g], withShape(s.attributes, s.geometries[0], inputSize)),
  ),
  avgPool2dBackward: rule(NONE, (g, s) => call('avgPool2d', [g], s.attributes)),
  adaptiveAvgPool2d: rule(FLAT, (g, s) =>
    call('adaptiveAvgPool2dBackward', [g], withShape(PLAIN, s.geometries[0], inputSize)),
  ),
  adaptiveAvgPool2dBackward: rule(NONE, (g, s) =>
    call('adaptiveAvgPool2d', [g], withShape(PLAIN, s.geometries[0], outputSize)),
  ),

  groupNorm: {
    kind: 'joint',
    saves: { inputs: [0, 1], outputs: [1, 2] },
    grads: ([g], s) => {
      if (g === undefined) return [];
      const affine = s.needs(1) || s.needs(2);
      const inputs = [g, s.x, s.output(1), s.output(2), s.optional(1)];
      const [gx, gWeight, gBias] = applyPrimitive(
        'groupNormBackward',
        inputs,
        affine ? AFFINE : INPUT_ONLY,
      );
      return affine ? [gx, gWeight, gBias] : [gx, undefined, undefined];
    },
  },
  groupNormBackward: throughComposite(5, ([g, x, , rstd, weight], { affine }) => {
    const [input, grad, scale] = [x as Tensor, g as Tensor, rstd as Tensor];
    const [outer, groups, channels] = input.shape;
    const [mean, invStd] = statistics(input, scale.view(outer, groups, 1, 1), [2, 3]);
    const vector = weight?.reshape(1, groups, channels, 1);
    const [gx, hat] = normalizedGradient(grad, input, mean, invStd, vector, [2, 3]);
    if (!affine) return [gx];
    return [gx, grad.mul(hat).sum([0, 3]).reshape(-1), grad.sum([0, 3]).reshape(-1)];
  }),
  batchNorm: {
    kind: 'joint',
    saves: { inputs: [0, 1], outputs: [1, 3] },
    grads: ([g], s) =>
      g === undefined
        ? []
        : applyPrimitive(
            'batchNormBackward',
            [g, s.x, s.output(1), s.output(3), s.optional(1)],
            PLAIN,
          ),
  },
  batchNormBackward: throughComposite(5, ([g, x, , rstd, weight]) => {
    const [input, grad, scale] = [x as Tensor, g as Tensor, rstd as Tensor];
    const [mean, invStd] = statistics(input, scale.view(1, -1, 1), [0, 2]);
    const vector = weight?.view(1, -1, 1);
    const [gx, hat] = normalizedGradient(grad, input, mean, invStd, vector, [0, 2]);
    return [gx, grad.mul(hat).sum([0, 2]), grad.sum([0, 2])];
  }),
  batchNormInference: rule(
    { inputs: [0, 1, 2, 3] },
    (g, s) => g.mul(inferenceScale(s).view(1, -1, 1)),
    (g, s) => g.sum([0, 2]).mul(inferenceScale(s)).neg(),
    (g, s) => centredSum(g, s).mul(inferenceScale(s)).div(s.z.add(s.attributes.eps).mul(-2)),
    (g, s) => centredSum(g, s).mul(s.z.add(s.attributes.eps).rsqrt()),
    (g) => g.sum([0, 2]),
  ),

  crossEntropy: {
    kind: 'joint',
    saves: { inputs: [0, 1, 2], outputs: [1, 2, 3] },
    grads: ([g], s) => {
      if (g === undefined) return [];
      const inputs = [g, s.x, s.y, s.output(2), s.output(3), s.optional(2), totalOf(s)];
      return [call('crossEntropyBackward', inputs, s.attributes)];
    },
  },
  crossEntropyBackward: throughComposite(7, ([g, x, target, , , weight, total], attributes) => {
    // d loss / dx = softmax(x) * sum_c q_c - q, q the weighted (smoothed) target distribution.
    const { ignoreIndex = -100, labelSmoothing = 0 } = attributes;
    const [given, input, index] = [g as Tensor, x as Tensor, target as Tensor];
    const grad = total === undefined ? given : given.div(total.detach());
    const classes = input.shape[1];
    const counted = index.ne(ignoreIndex);
    const safe = index.where(counted, 0).unsqueeze(1);
    const ones = safe.onesLike({ dtype: input.dtype });
    const hot = call('scatter', [input.detach().zerosLike(), safe, ones], PLAIN);
    const even = hot.mul(1 - labelSmoothing).add(labelSmoothing / classes);
    const weighted = weight === undefined ? even : even.mul(weight.view(1, -1, 1));
    const q = weighted.mul(counted.unsqueeze(1));
    const slope = input.softmax(1).mul(q.sum(1, true)).sub(q);
    return [slope.mul(grad.unsqueeze(1))];
  }),
  nllLoss: {
    kind: 'joint',
    saves: { inputs: [1, 2], outputs: [1], flat: true },
    grads: ([g], s) =>
      g === undefined
        ? []
        : [
            call(
              'nllLossBackward',
              [g, s.y, s.optional(2), totalOf(s)],
              withShape(s.attributes, s.geometries[0], classes),
            ),
          ],
  },
  nllLossBackward: {
    kind: 'rule',
    saves: { inputs: [1, 2, 3] },
    grads: [
      (g, s) => {
        const { ignoreIndex, reduction } = s.attributes;
        const attributes = { ignoreIndex, reduction: reduction && ('sum' as const) };
        const sum = call('nllLoss', [g, s.y, s.optional(2)], attributes);
        const total = s.optional(3);
        return total === undefined ? sum : sum.div(total.detach());
      },
    ],
  },
};
