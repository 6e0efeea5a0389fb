/** Normalisations. */

import { ShapeError, showShape, ValueError } from '../core/errors.js';
import { type Geometry, numelOf, rowMajor, type Shape, sameShape, sized } from '../core/layout.js';
import { giveBack, lend, lend3 } from '../core/lend.js';
import { Memo } from '../core/memo.js';
import { applyCanonical, firstOf } from '../ops/canonical.js';
import { op } from '../ops/signature.js';
import type { Tensor } from '../tensor.js';

type Maybe = Tensor | null;

/** The share of a batch in running statistics; a tensor where reading it would wait. */
export type Momentum = number | Tensor;

const known = new Memo([0], ([eps]) => ({ eps }));

function attributesOf(eps: number): { eps: number } {
  known.key[0] = eps;
  return known.get();
}

/** Moves running statistics towards those of a batch of `count` values per channel. */
function updateRunning(
  runningMean: Maybe,
  runningVar: Maybe,
  mean: Tensor,
  variance: Tensor,
  count: number,
  momentum: Momentum,
): void {
  if (count === 0) return;
  const move = (running: Maybe, batch: Tensor, scale: number) => {
    const moved = running?.detach();
    if (typeof momentum === 'number') {
      moved?.mul_(1 - momentum).add_(batch.detach(), momentum * scale);
    } else moved?.add_(batch.detach().mul(scale).sub(moved).mul(momentum));
  };
  move(runningMean, mean, 1);
  move(runningVar, variance, count / (count - 1));
}

interface BatchStatistics {
  output: Tensor;
  mean: Tensor;
  variance: Tensor;
  rstd: Tensor;
}

function checkChannels(name: string, x: Tensor, vectors: Readonly<Record<string, Maybe>>): void {
  if (x.ndim < 2) {
    throw new ShapeError(
      `${name}: expected input [N, C, ...], got ${showShape(x.shape)}; ` +
        'a single sample needs a batch dimension: x.unsqueeze(0)',
    );
  }
  for (const [what, vector] of Object.entries(vectors)) {
    if (vector === null || vector.numel() === x.shape[1]) continue;
    throw new ShapeError(
      `${name}: the input ${showShape(x.shape)} has ${x.shape[1]} channels (dim 1), ` +
        `${what} has ${vector.numel()} values`,
    );
  }
}

/** [N, C, length] of [N, C, ...]. */
function channelForm(x: Tensor): { shape: number[] } {
  return { shape: [x.shape[0], x.shape[1], numelOf(x.shape.slice(2))] };
}

function withBatch(x: Tensor, weight: Maybe, bias: Maybe, eps: number): BatchStatistics {
  const channels = [x.shape[1]];
  const [output, mean, variance, rstd] = applyCanonical(
    'batchNorm',
    [x, weight ?? undefined, bias ?? undefined],
    [channelForm(x), undefined, undefined],
    [x.shape, channels, channels, channels],
    attributesOf(eps),
    'NativeBatchNormBackward0',
  );
  return { output, mean, variance, rstd };
}

function withRunning(
  x: Tensor,
  mean: Tensor,
  variance: Tensor,
  weight: Maybe,
  bias: Maybe,
  eps: number,
): Tensor {
  return applyCanonical(
    'batchNormInference',
    [x, mean, variance, weight ?? undefined, bias ?? undefined],
    [channelForm(x), undefined, undefined, undefined, undefined],
    [x.shape],
    attributesOf(eps),
    'NativeBatchNormBackward0',
  )[0];
}

/**
 * (x - mean) / sqrt(var + eps) * weight + bias for each channel of [N, C, ...]: with the
 * statistics of the batch in training (the running ones move towards them by `momentum`), else
 * with the running ones.
 */
export const batchNorm = op(
  'batchNorm',
  'input, runningMean, runningVar, weight, bias, training, momentum, eps',
  (
    input: Tensor,
    runningMean: Maybe,
    runningVar: Maybe,
    weight: Maybe = null,
    bias: Maybe = null,
    training = false,
    momentum: Momentum = 0.1,
    eps = 1e-5,
  ): Tensor => {
    // As PyTorch, which takes an empty vector for no channels at all.
    if (input.ndim === 1 && input.numel() === 0) return input.clone();
    checkChannels('batchNorm', input, { runningMean, runningVar, weight, bias });
    if (!training) {
      if (!runningMean || !runningVar) {
        throw new ValueError(
          'batchNorm: without training it needs runningMean and runningVar; give both, ' +
            'or { training: true } for the statistics of the batch',
        );
      }
      return withRunning(input, runningMean, runningVar, weight, bias, eps);
    }
    const count = input.numel() / Math.max(1, input.shape[1]);
    if (count === 1) {
      throw new ValueError(
        'batchNorm: training needs more than 1 value per channel, got input ' +
          `${showShape(input.shape)}; use larger batches, or eval()`,
      );
    }
    const { output, mean, variance } = withBatch(input, weight, bias, eps);
    updateRunning(runningMean, runningVar, mean, variance, count, momentum);
    return output;
  },
);

/** Batch norm with the mean and 1 / sqrt(var + eps) it used: [output, mean, rstd]. */
export const nativeBatchNorm = op(
  'nativeBatchNorm',
  'input, weight, bias, runningMean, runningVar, training, momentum, eps',
  (
    input: Tensor,
    weight: Maybe,
    bias: Maybe,
    runningMean: Maybe,
    runningVar: Maybe,
    training: boolean,
    momentum: number,
    eps: number,
  ): [Tensor, Tensor, Tensor] => {
    if (!training) {
      const output = batchNorm(input, runningMean, runningVar, weight, bias, false, momentum, eps);
      const none = input.detach().newZeros([0]);
      return [output, none, none];
    }
    checkChannels('nativeBatchNorm', input, { runningMean, runningVar, weight, bias });
    const { output, mean, variance, rstd } = withBatch(input, weight, bias, eps);
    const count = input.numel() / Math.max(1, input.shape[1]);
    updateRunning(runningMean, runningVar, mean, variance, count, momentum);
    return [output, mean.detach(), rstd.detach()];
  },
);

function groups(
  x: Tensor,
  form: Geometry,
  weight: Maybe,
  bias: Maybe,
  eps: number,
  statistics: readonly number[],
  shown: string,
): Tensor[] {
  const inputs = lend3<Tensor | undefined>(x, weight ?? undefined, bias ?? undefined);
  const vector = sized(form.shape[1] * form.shape[2]);
  const shapes = lend3<Shape>(x.shape, statistics, statistics);
  const forms = lend3(form, vector, vector);
  return applyCanonical('groupNorm', inputs, forms, shapes, attributesOf(eps), shown);
}

function checkVector(what: string, vector: Maybe, normalizedShape: Shape): void {
  if (vector === null || sameShape(vector.shape, normalizedShape)) return;
  throw new ShapeError(
    `layerNorm: expected a ${what} of shape ${showShape(normalizedShape)}, got ` +
      showShape(vector.shape),
  );
}

function overLast(input: Tensor, last: Shape, weight: Maybe, bias: Maybe, eps: number): Tensor[] {
  const { shape } = input;
  const lead = shape.length - last.length;
  let same = last.length > 0;
  for (let i = 0; i < last.length; i++) same &&= shape[lead + i] === last[i];
  if (!same) {
    throw new ShapeError(
      `layerNorm: expected input [..., ${last.join(', ')}], got ${showShape(shape)}`,
    );
  }
  checkVector('weight', weight, last);
  checkVector('bias', bias, last);
  const sizes = lend<number>(shape.length);
  let outer = 1;
  for (let i = 0; i < shape.length; i++) {
    sizes[i] = i < lead ? shape[i] : 1;
    outer *= sizes[i];
  }
  const statistics = rowMajor(sizes).shape;
  giveBack(sizes);
  const form = sized(outer, 1, numelOf(last), 1);
  return groups(input, form, weight, bias, eps, statistics, 'NativeLayerNormBackward0');
}

/**
 * (x - mean) / sqrt(var + eps) * weight + bias over the last dimensions, which are
 * `normalizedShape`, with the statistics: [output, mean, 1 / sqrt(var + eps)].
 */
export const nativeLayerNorm = op(
  'nativeLayerNorm',
  'input, normalizedShape, weight, bias, eps',
  (
    input: Tensor,
    normalizedShape: readonly number[],
    weight: Maybe,
    bias: Maybe,
    eps: number,
  ): [Tensor, Tensor, Tensor] => {
    const [output, mean, rstd] = overLast(input, normalizedShape, weight, bias, eps);
    return [output, mean.detach(), rstd.detach()];
  },
);

/** (x - mean) / sqrt(var + eps) * weight + bias over the last dimensions. */
export const layerNorm = op(
  'layerNorm',
  'input, normalizedShape, weight, bias, eps',
  (
    input: Tensor,
    normalizedShape: readonly number[],
    weight: Maybe = null,
    bias: Maybe = null,
    eps = 1e-5,
  ): Tensor => firstOf(overLast(input, normalizedShape, weight, bias, eps)),
);

/** (x - mean) / sqrt(var + eps) * weight + bias over each of `numGroups` groups of channels. */
export const groupNorm = op(
  'groupNorm',
  'input, numGroups, weight, bias, eps',
  (
    input: Tensor,
    numGroups: number,
    weight: Maybe = null,
    bias: Maybe = null,
    eps = 1e-5,
  ): Tensor => {
    checkChannels('groupNorm', input, { weight, bias });
    const [batch, channels] = input.shape;
    if (!Number.isInteger(numGroups) || numGroups < 1 || channels % numGroups !== 0) {
      throw new ShapeError(
        `groupNorm: the ${channels} channels of input ${showShape(input.shape)} do not divide ` +
          `into ${numGroups} groups`,
      );
    }
    const length = numelOf(input.shape.slice(2));
    const form = sized(batch, numGroups, channels / numGroups, length);
    const statistics = [batch, numGroups];
    const shown = 'NativeGroupNormBackward0';
    return firstOf(groups(input, form, weight, bias, eps, statistics, shown));
  },
);

/** Each channel of each sample normalised by itself, or with the running statistics. */
export const instanceNorm = op(
  'instanceNorm',
  'input, runningMean, runningVar, weight, bias, useInputStats, momentum, eps',
  (
    input: Tensor,
    runningMean: Maybe = null,
    runningVar: Maybe = null,
    weight: Maybe = null,
    bias: Maybe = null,
    useInputStats = true,
    momentum: Momentum = 0.1,
    eps = 1e-5,
  ): Tensor => {
    checkChannels('instanceNorm', input, { runningMean, runningVar, weight, bias });
    if (!useInputStats) {
      if (!runningMean || !runningVar) {
        throw new ValueError('instanceNorm: without useInputStats it needs running statistics');
      }
      return withRunning(input, runningMean, runningVar, weight, bias, eps);
    }
    const [batch, channels] = input.shape;
    const length = numelOf(input.shape.slice(2));
    if (length <= 1) {
      throw new ValueError(
        'instanceNorm: it needs more than 1 value per channel of a sample, got input ' +
          showShape(input.shape),
      );
    }
    const form = sized(batch, channels, 1, length);
    const [output, mean, rstd] = groups(
      input,
      form,
      weight,
      bias,
      eps,
      [batch, channels],
      'NativeBatchNormBackward0',
    );
    if (runningMean || runningVar) {
      const variance = rstd.detach().pow(-2).sub(eps).mean(0);
      updateRunning(runningMean, runningVar, mean.detach().mean(0), variance, length, momentum);
    }
    return output;
  },
);
