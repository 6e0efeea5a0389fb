/** Convolution layers. */

import { ValueError } from '../../core/errors.js';
import { numelOf } from '../../core/layout.js';
import type { PadMode } from '../../ops/padding.js';
import { type Arguments, bind } from '../../ops/signature.js';
import type { Tensor } from '../../tensor.js';
import { checkSize, type Factory, type FactoryOptions, perDimension } from '../arguments.js';
import { value } from '../format.js';
import * as F from '../functional.js';
import type { ConvPadding, Size } from '../functional_conv.js';
import { kaimingUniform_, uniform_ } from '../init.js';
import type { Parameter } from '../parameter.js';
import { Layer, setParameters, unset } from './layer.js';

/** What lies around the input: zeros, or parts of the input itself. */
export type PaddingMode = 'zeros' | Exclude<PadMode, 'constant'>;

const SIZES = 'inChannels, outChannels, kernelSize, stride, padding, dilation';
const CONV = `${SIZES}, groups, bias, paddingMode, device, dtype` as const;
type ConvSignature = typeof CONV;
type ConvArguments = [
  inChannels: number,
  outChannels: number,
  kernelSize: Size,
  stride?: Size,
  padding?: ConvPadding,
  dilation?: Size,
  groups?: number,
  bias?: boolean,
  paddingMode?: PaddingMode,
  ...Factory,
];

type PaddingList = readonly number[] | 'same' | 'valid';

/** Sizes, parameters and printing of convolutions of any rank. */
abstract class Conv extends Layer {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: PaddingList;
  readonly dilation: readonly number[];
  readonly groups: number;
  readonly paddingMode: PaddingMode;
  declare weight: Parameter;
  declare bias: Parameter | null;

  constructor(name: string, rank: number, args: readonly unknown[]) {
    super();
    const given = bind<ConvArguments>(name, CONV, args, 3);
    const [inChannels, outChannels, kernelSize, stride = 1, padding = 0, dilation = 1] = given;
    const [groups = 1, bias = true, paddingMode = 'zeros', device, dtype] = given.slice(6) as [
      number?,
      boolean?,
      PaddingMode?,
      FactoryOptions['device']?,
      FactoryOptions['dtype']?,
    ];
    this.inChannels = checkSize(name, 'inChannels', inChannels);
    this.outChannels = checkSize(name, 'outChannels', outChannels);
    this.groups = checkSize(name, 'groups', groups);
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw new ValueError(
        `${name}: inChannels ${inChannels} and outChannels ${outChannels} must divide into ` +
          `${groups} groups`,
      );
    }
    this.kernelSize = perDimension(name, 'kernelSize', kernelSize, rank);
    for (const size of this.kernelSize) checkSize(name, 'kernelSize', size);
    this.stride = perDimension(name, 'stride', stride, rank);
    this.dilation = perDimension(name, 'dilation', dilation, rank);
    this.padding = this.checkPadding(name, padding, rank);
    this.paddingMode = paddingMode;
    if (!['zeros', 'reflect', 'replicate', 'circular'].includes(paddingMode)) {
      throw new ValueError(
        `${name}: paddingMode is 'zeros', 'reflect', 'replicate' or 'circular', ` +
          `got '${String(paddingMode)}'`,
      );
    }
    const factory = { device, dtype };
    setParameters(this, {
      weight: unset([outChannels, inChannels / groups, ...this.kernelSize], factory),
      bias: bias ? unset([outChannels], factory) : null,
    });
    this.resetParameters();
  }

  private checkPadding(name: string, padding: ConvPadding, rank: number): PaddingList {
    if (typeof padding !== 'string') return perDimension(name, 'padding', padding, rank);
    if (padding !== 'same' && padding !== 'valid') {
      throw new ValueError(
        `${name}: padding is a size, 'same' or 'valid', got '${String(padding)}'`,
      );
    }
    if (padding === 'same' && this.stride.some((step) => step !== 1)) {
      throw new ValueError(`${name}: padding 'same' needs stride 1, got ${value(this.stride)}`);
    }
    return padding;
  }

  /** Draws the parameters anew. */
  resetParameters(): void {
    kaimingUniform_(this.weight, Math.sqrt(5));
    if (!this.bias) return;
    const bound = 1 / Math.sqrt(numelOf(this.weight.shape.slice(1)));
    uniform_(this.bias, -bound, bound);
  }

  forward(input: Tensor): Tensor {
    if (this.paddingMode === 'zeros') return this.convolve(input, this.padding);
    return this.convolve(F.pad(input, this.borders(), this.paddingMode), 0);
  }

  protected abstract convolve(input: Tensor, padding: ConvPadding): Tensor;

  /** (before, after) of the last dimension, then of the one before it. */
  private borders(): number[] {
    const { padding, kernelSize, dilation } = this;
    const pairs = kernelSize.map((size, d) => {
      if (padding === 'valid') return [0, 0];
      if (padding !== 'same') return [padding[d], padding[d]];
      const total = dilation[d] * (size - 1);
      const before = Math.floor(total / 2);
      return [before, total - before];
    });
    return pairs.reverse().flat();
  }

  override extraRepr(): string {
    const { inChannels, outChannels, kernelSize, stride, padding, dilation } = this;
    const parts = [
      `${inChannels}, ${outChannels}, kernel_size=${value(kernelSize)}, stride=${value(stride)}`,
    ];
    if (typeof padding === 'string') parts.push(`padding=${padding}`);
    else if (padding.some((size) => size !== 0)) parts.push(`padding=${value(padding)}`);
    if (dilation.some((size) => size !== 1)) parts.push(`dilation=${value(dilation)}`);
    if (this.groups !== 1) parts.push(`groups=${this.groups}`);
    if (this.bias === null) parts.push('bias=False');
    if (this.paddingMode !== 'zeros') parts.push(`padding_mode=${this.paddingMode}`);
    return parts.join(', ');
  }
}

/**
 * Convolution of [N, inChannels, L] (or [inChannels, L]). `weight` is
 * [outChannels, inChannels / groups, kernelSize].
 */
export class Conv1d extends Conv {
  constructor(...args: Arguments<ConvSignature, ConvArguments>) {
    super('Conv1d', 1, args);
  }

  protected convolve(input: Tensor, padding: ConvPadding): Tensor {
    const { weight, bias, stride, dilation, groups } = this;
    return F.conv1d(input, weight, bias, stride, padding, dilation, groups);
  }
}

/**
 * Convolution of [N, inChannels, H, W] (or [inChannels, H, W]). `weight` is
 * [outChannels, inChannels / groups, kh, kw]. `padding` is a size, 'same' or 'valid'.
 */
export class Conv2d extends Conv {
  constructor(...args: Arguments<ConvSignature, ConvArguments>) {
    super('Conv2d', 2, args);
  }

  protected convolve(input: Tensor, padding: ConvPadding): Tensor {
    const { weight, bias, stride, dilation, groups } = this;
    return F.conv2d(input, weight, bias, stride, padding, dilation, groups);
  }
}
