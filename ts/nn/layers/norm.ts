/** Normalisation layers. */

import { noGrad } from '../../autograd/mode.js';
import { float32, int64 } from '../../core/dtype.js';
import { ShapeError, showShape, ValueError } from '../../core/errors.js';
import { type Arguments, bind } from '../../ops/signature.js';
import type { Tensor } from '../../tensor.js';
import { checkSize, type Factory, type FactoryOptions } from '../arguments.js';
import { bool, float, value } from '../format.js';
import * as F from '../functional.js';
import type { Momentum } from '../functional_norm.js';
import { ones_, zeros_ } from '../init.js';
import type { Parameter } from '../parameter.js';
import { Layer, setParameters, unset, unsetTensor } from './layer.js';

const NORM = 'numFeatures, eps, momentum, affine, trackRunningStats, device, dtype';
type NormArguments = [
  numFeatures: number,
  eps?: number,
  momentum?: number | null,
  affine?: boolean,
  trackRunningStats?: boolean,
  ...Factory,
];

/** Parameters and running statistics of batch and instance norm. */
abstract class RunningNorm extends Layer {
  readonly numFeatures: number;
  readonly eps: number;
  /** How far running statistics move towards a batch's; null: they are the mean of all batches. */
  readonly momentum: number | null;
  readonly affine: boolean;
  readonly trackRunningStats: boolean;
  declare weight: Parameter | null;
  declare bias: Parameter | null;
  declare running_mean: Tensor | null;
  declare running_var: Tensor | null;
  declare num_batches_tracked: Tensor | null;

  constructor(args: readonly unknown[], affineDefault: boolean) {
    super();
    const name = this.constructor.name;
    const [numFeatures, eps = 1e-5, momentum = 0.1, affine = affineDefault, track, device, dtype] =
      bind<NormArguments>(name, NORM, args, 1);
    this.numFeatures = checkSize(name, 'numFeatures', numFeatures, 0);
    this.eps = eps;
    this.momentum = momentum;
    this.affine = affine;
    this.trackRunningStats = track ?? affineDefault;
    const factory = { device, dtype };
    setParameters(this, {
      weight: affine ? unset([numFeatures], factory) : null,
      bias: affine ? unset([numFeatures], factory) : null,
    });
    this.makeStatistics(factory);
    this.resetParameters();
  }

  private makeStatistics(factory: FactoryOptions): void {
    const track = this.trackRunningStats;
    const vector = () => (track ? unsetTensor([this.numFeatures], factory) : null);
    this.registerBuffer('running_mean', vector());
    this.registerBuffer('running_var', vector());
    const count = track ? unsetTensor([], { device: factory.device, dtype: int64 }) : null;
    this.registerBuffer('num_batches_tracked', count);
  }

  /** Mean 0 and variance 1, as before any batch. */
  resetRunningStats(): void {
    this.running_mean?.zero_();
    this.running_var?.fill_(1);
    this.num_batches_tracked?.zero_();
  }

  resetParameters(): void {
    this.resetRunningStats();
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
  }

  /** The ranks of input it takes, and how they are written. */
  protected abstract readonly takes: readonly [ranks: readonly number[], form: string];

  protected checkInput(input: Tensor): void {
    const name = this.constructor.name;
    const [ranks, form] = this.takes;
    if (!ranks.includes(input.ndim)) {
      throw new ShapeError(
        `${name}: expected input ${form.replaceAll('C', `${this.numFeatures}`)}, got ` +
          showShape(input.shape),
      );
    }
  }

  /** The share of the batch in the running statistics, once it has been counted. */
  protected countBatch(): Momentum {
    const count = this.num_batches_tracked;
    if (!this.training || count === null) return this.momentum ?? 0;
    noGrad(() => {
      count.add_(1);
    });
    if (this.momentum !== null) return this.momentum;
    if (count.backend.synchronous) return 1 / count.itemSync();
    return count.to(float32).reciprocal();
  }

  override extraRepr(): string {
    const { numFeatures, eps, momentum, affine, trackRunningStats } = this;
    return (
      `${numFeatures}, eps=${float(eps)}, momentum=${float(momentum)}, affine=${bool(affine)}, ` +
      `track_running_stats=${bool(trackRunningStats)}`
    );
  }
}

abstract class BatchNorm extends RunningNorm {
  constructor(...args: Arguments<typeof NORM, NormArguments>) {
    super(args, true);
  }

  forward(input: Tensor): Tensor {
    this.checkInput(input);
    const momentum = this.countBatch();
    const { running_mean, running_var, weight, bias, eps } = this;
    const fromBatch = this.training || running_mean === null || running_var === null;
    const updates = !this.training || this.trackRunningStats;
    return F.batchNorm(
      input,
      updates ? running_mean : null,
      updates ? running_var : null,
      weight,
      bias,
      fromBatch,
      momentum,
      eps,
    );
  }
}

/**
 * (x - mean) / sqrt(var + eps) * weight + bias per channel of [N, C] or [N, C, L]: in training with
 * the statistics of the batch, in eval with the running ones.
 */
export class BatchNorm1d extends BatchNorm {
  protected get takes(): readonly [readonly number[], string] {
    return [[2, 3], '[N, C] or [N, C, L]'];
  }
}

/** As BatchNorm1d, for [N, C, H, W]. */
export class BatchNorm2d extends BatchNorm {
  protected get takes(): readonly [readonly number[], string] {
    return [[4], '[N, C, H, W]'];
  }
}

/** As BatchNorm1d, for [N, C, D, H, W]. */
export class BatchNorm3d extends BatchNorm {
  protected get takes(): readonly [readonly number[], string] {
    return [[5], '[N, C, D, H, W]'];
  }
}

abstract class InstanceNorm extends RunningNorm {
  constructor(...args: Arguments<typeof NORM, NormArguments>) {
    super(args, false);
  }

  forward(input: Tensor): Tensor {
    this.checkInput(input);
    const [ranks] = this.takes;
    const single = input.ndim === ranks[0];
    const x = single ? input.unsqueeze(0) : input;
    const { running_mean, running_var, weight, bias, momentum, eps, trackRunningStats } = this;
    const own = this.training || !trackRunningStats;
    const result = F.instanceNorm(
      x,
      running_mean,
      running_var,
      weight,
      bias,
      own,
      momentum ?? 0,
      eps,
    );
    return single ? result.squeeze(0) : result;
  }
}

/** Each channel of each sample of [N, C, L] (or [C, L]) normalised by itself. */
export class InstanceNorm1d extends InstanceNorm {
  protected get takes(): readonly [readonly number[], string] {
    return [[2, 3], '[N, C, L] or [C, L]'];
  }
}

/** Each channel of each sample of [N, C, H, W] (or [C, H, W]) normalised by itself. */
export class InstanceNorm2d extends InstanceNorm {
  protected get takes(): readonly [readonly number[], string] {
    return [[3, 4], '[N, C, H, W] or [C, H, W]'];
  }
}

const LAYER_NORM = 'normalizedShape, eps, elementwiseAffine, device, dtype';
type LayerNormArguments = [
  normalizedShape: number | readonly number[],
  eps?: number,
  elementwiseAffine?: boolean,
  ...Factory,
];

/** (x - mean) / sqrt(var + eps) * weight + bias over the last dimensions. */
export class LayerNorm extends Layer {
  readonly normalizedShape: readonly number[];
  readonly eps: number;
  readonly elementwiseAffine: boolean;
  declare weight: Parameter | null;
  declare bias: Parameter | null;

  constructor(...args: Arguments<typeof LAYER_NORM, LayerNormArguments>) {
    super();
    const [shape, eps = 1e-5, affine = true, device, dtype] = bind<LayerNormArguments>(
      'LayerNorm',
      LAYER_NORM,
      args,
      1,
    );
    this.normalizedShape = typeof shape === 'number' ? [shape] : shape;
    this.eps = eps;
    this.elementwiseAffine = affine;
    const factory = { device, dtype };
    setParameters(this, {
      weight: affine ? unset(this.normalizedShape, factory) : null,
      bias: affine ? unset(this.normalizedShape, factory) : null,
    });
    this.resetParameters();
  }

  resetParameters(): void {
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
  }

  forward(input: Tensor): Tensor {
    return F.layerNorm(input, this.normalizedShape, this.weight, this.bias, this.eps);
  }

  override extraRepr(): string {
    const { normalizedShape, eps, elementwiseAffine } = this;
    return `${value(normalizedShape)}, eps=${float(eps)}, elementwise_affine=${bool(elementwiseAffine)}`;
  }
}

const GROUP_NORM = 'numGroups, numChannels, eps, affine, device, dtype';
type GroupNormArguments = [
  numGroups: number,
  numChannels: number,
  eps?: number,
  affine?: boolean,
  ...Factory,
];

/** (x - mean) / sqrt(var + eps) * weight + bias over each group of channels of [N, C, ...]. */
export class GroupNorm extends Layer {
  readonly numGroups: number;
  readonly numChannels: number;
  readonly eps: number;
  readonly affine: boolean;
  declare weight: Parameter | null;
  declare bias: Parameter | null;

  constructor(...args: Arguments<typeof GROUP_NORM, GroupNormArguments>) {
    super();
    const [numGroups, numChannels, eps = 1e-5, affine = true, device, dtype] =
      bind<GroupNormArguments>('GroupNorm', GROUP_NORM, args, 2);
    this.numGroups = checkSize('GroupNorm', 'numGroups', numGroups);
    this.numChannels = checkSize('GroupNorm', 'numChannels', numChannels);
    if (numChannels % numGroups !== 0) {
      throw new ValueError(
        `GroupNorm: ${numChannels} channels do not divide into ${numGroups} groups`,
      );
    }
    this.eps = eps;
    this.affine = affine;
    const factory = { device, dtype };
    setParameters(this, {
      weight: affine ? unset([numChannels], factory) : null,
      bias: affine ? unset([numChannels], factory) : null,
    });
    this.resetParameters();
  }

  resetParameters(): void {
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
  }

  forward(input: Tensor): Tensor {
    return F.groupNorm(input, this.numGroups, this.weight, this.bias, this.eps);
  }

  override extraRepr(): string {
    const { numGroups, numChannels, eps, affine } = this;
    return `${numGroups}, ${numChannels}, eps=${float(eps)}, affine=${bool(affine)}`;
  }
}
