/** Linear and bilinear layers, and the layer that does nothing. */

import { type Arguments, bind } from '../../ops/signature.js';
import type { Tensor } from '../../tensor.js';
import { checkSize, type Factory } from '../arguments.js';
import { bool } from '../format.js';
import * as F from '../functional.js';
import { kaimingUniform_, uniform_ } from '../init.js';
import { Module } from '../module.js';
import type { Parameter } from '../parameter.js';
import { Layer, setParameters, unset } from './layer.js';

/** Gives back its input; takes and ignores any arguments. */
export class Identity extends Layer {
  constructor(..._ignored: unknown[]) {
    super();
  }

  forward(input: Tensor): Tensor {
    return input;
  }
}

const LINEAR = 'inFeatures, outFeatures, bias, device, dtype';
type LinearArguments = [inFeatures: number, outFeatures: number, bias?: boolean, ...Factory];

/**
 * input @ weight^T + bias: [..., inFeatures] to [..., outFeatures]. `weight` is
 * [outFeatures, inFeatures]; both start uniform in +-1 / sqrt(inFeatures).
 */
export class Linear extends Layer {
  readonly inFeatures: number;
  readonly outFeatures: number;
  declare weight: Parameter;
  declare bias: Parameter | null;

  constructor(...args: Arguments<typeof LINEAR, LinearArguments>) {
    super();
    const given = bind<LinearArguments>('Linear', LINEAR, args, 2);
    const [inFeatures, outFeatures, bias = true, device, dtype] = given;
    this.inFeatures = checkSize('Linear', 'inFeatures', inFeatures, 0);
    this.outFeatures = checkSize('Linear', 'outFeatures', outFeatures, 0);
    const factory = { device, dtype };
    setParameters(this, {
      weight: unset([outFeatures, inFeatures], factory),
      bias: bias ? unset([outFeatures], factory) : null,
    });
    this.resetParameters();
  }

  /** Draws the parameters anew. */
  resetParameters(): void {
    kaimingUniform_(this.weight, Math.sqrt(5));
    const bound = this.inFeatures > 0 ? 1 / Math.sqrt(this.inFeatures) : 0;
    if (this.bias) uniform_(this.bias, -bound, bound);
  }

  forward(input: Tensor): Tensor {
    return F.linear(input, this.weight, this.bias);
  }

  override extraRepr(): string {
    const { inFeatures, outFeatures, bias } = this;
    return `in_features=${inFeatures}, out_features=${outFeatures}, bias=${bool(bias !== null)}`;
  }
}

const BILINEAR = 'in1Features, in2Features, outFeatures, bias, device, dtype';
type BilinearArguments = [
  in1Features: number,
  in2Features: number,
  outFeatures: number,
  bias?: boolean,
  ...Factory,
];

/** x1^T A_k x2 + b_k for each of `outFeatures` matrices A_k [in1Features, in2Features]. */
export class Bilinear extends Module {
  static override readonly forwardArguments: string = 'input1, input2';
  readonly in1Features: number;
  readonly in2Features: number;
  readonly outFeatures: number;
  declare weight: Parameter;
  declare bias: Parameter | null;

  constructor(...args: Arguments<typeof BILINEAR, BilinearArguments>) {
    super();
    const given = bind<BilinearArguments>('Bilinear', BILINEAR, args, 3);
    const [in1Features, in2Features, outFeatures, bias = true, device, dtype] = given;
    this.in1Features = checkSize('Bilinear', 'in1Features', in1Features);
    this.in2Features = checkSize('Bilinear', 'in2Features', in2Features);
    this.outFeatures = checkSize('Bilinear', 'outFeatures', outFeatures);
    const factory = { device, dtype };
    setParameters(this, {
      weight: unset([outFeatures, in1Features, in2Features], factory),
      bias: bias ? unset([outFeatures], factory) : null,
    });
    this.resetParameters();
  }

  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.in1Features);
    uniform_(this.weight, -bound, bound);
    if (this.bias) uniform_(this.bias, -bound, bound);
  }

  forward(input1: Tensor, input2: Tensor): Tensor {
    return F.bilinear(input1, input2, this.weight, this.bias);
  }

  override extraRepr(): string {
    const { in1Features, in2Features, outFeatures, bias } = this;
    return (
      `in1_features=${in1Features}, in2_features=${in2Features}, ` +
      `out_features=${outFeatures}, bias=${bool(bias !== null)}`
    );
  }
}

const FLATTEN = 'startDim, endDim';
type FlattenArguments = [startDim?: number, endDim?: number];

/** The dimensions from `startDim` (default 1) to `endDim` (default the last) as one. */
export class Flatten extends Layer {
  readonly startDim: number;
  readonly endDim: number;

  constructor(...args: Arguments<typeof FLATTEN, FlattenArguments>) {
    super();
    const [startDim = 1, endDim = -1] = bind<FlattenArguments>('Flatten', FLATTEN, args);
    this.startDim = startDim;
    this.endDim = endDim;
  }

  forward(input: Tensor): Tensor {
    return input.flatten(this.startDim, this.endDim);
  }

  override extraRepr(): string {
    return `start_dim=${this.startDim}, end_dim=${this.endDim}`;
  }
}

const UNFLATTEN = 'dim, unflattenedSize';
type UnflattenArguments = [dim: number, unflattenedSize: readonly number[]];

/** Dimension `dim` as several ones of `unflattenedSize`. */
export class Unflatten extends Layer {
  readonly dim: number;
  readonly unflattenedSize: readonly number[];

  constructor(...args: Arguments<typeof UNFLATTEN, UnflattenArguments>) {
    super();
    const [dim, size] = bind<UnflattenArguments>('Unflatten', UNFLATTEN, args, 2);
    this.dim = dim;
    this.unflattenedSize = size;
  }

  forward(input: Tensor): Tensor {
    return input.unflatten(this.dim, this.unflattenedSize);
  }

  override extraRepr(): string {
    const sizes = this.unflattenedSize;
    return `dim=${this.dim}, unflattened_size=torch.Size([${sizes.join(', ')}])`;
  }
}
