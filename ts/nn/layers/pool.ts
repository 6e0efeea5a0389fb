/** Pooling layers. */

import { type Arguments, bind } from '../../ops/signature.js';
import type { Tensor } from '../../tensor.js';
import { perDimension } from '../arguments.js';
import { bool, value } from '../format.js';
import * as F from '../functional.js';
import type { Size } from '../functional_conv.js';
import type { OutputSize } from '../functional_pool.js';
import { Layer } from './layer.js';

const MAX = 'kernelSize, stride, padding, dilation, returnIndices, ceilMode';
type MaxArguments = [
  kernelSize: Size,
  stride?: Size | null,
  padding?: Size,
  dilation?: Size,
  returnIndices?: boolean,
  ceilMode?: boolean,
];

abstract class MaxPool extends Layer {
  readonly kernelSize: Size;
  readonly stride: Size;
  readonly padding: Size;
  readonly dilation: Size;
  readonly returnIndices: boolean;
  readonly ceilMode: boolean;

  constructor(name: string, args: readonly unknown[]) {
    super();
    const [kernelSize, stride, padding = 0, dilation = 1, returnIndices = false, ceilMode = false] =
      bind<MaxArguments>(name, MAX, args, 1);
    this.kernelSize = kernelSize;
    this.stride = stride ?? kernelSize;
    this.padding = padding;
    this.dilation = dilation;
    this.returnIndices = returnIndices;
    this.ceilMode = ceilMode;
  }

  /** The maxima; with returnIndices they and their places, [maxima, indices]. */
  forward(input: Tensor): Tensor {
    const { kernelSize, stride, padding, dilation, ceilMode, returnIndices } = this;
    const pool = this.pool as (...args: unknown[]) => Tensor;
    return pool(input, kernelSize, stride, padding, dilation, ceilMode, returnIndices);
  }

  protected abstract get pool(): typeof F.maxPool2d;

  override extraRepr(): string {
    const { kernelSize, stride, padding, dilation, ceilMode } = this;
    return (
      `kernel_size=${value(kernelSize)}, stride=${value(stride)}, padding=${value(padding)}, ` +
      `dilation=${value(dilation)}, ceil_mode=${bool(ceilMode)}`
    );
  }
}

/** Maxima of windows of [N, C, L]. */
export class MaxPool1d extends MaxPool {
  constructor(...args: Arguments<typeof MAX, MaxArguments>) {
    super('MaxPool1d', args);
  }

  protected get pool(): typeof F.maxPool2d {
    return F.maxPool1d;
  }
}

/** Maxima of windows of [N, C, H, W]; `stride` is the window's size unless given. */
export class MaxPool2d extends MaxPool {
  constructor(...args: Arguments<typeof MAX, MaxArguments>) {
    super('MaxPool2d', args);
  }

  protected get pool(): typeof F.maxPool2d {
    return F.maxPool2d;
  }
}

const AVG1 = 'kernelSize, stride, padding, ceilMode, countIncludePad';
type Avg1Arguments = [
  kernelSize: Size,
  stride?: Size | null,
  padding?: Size,
  ceilMode?: boolean,
  countIncludePad?: boolean,
];

/** Averages of windows of [N, C, L]. */
export class AvgPool1d extends Layer {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;

  constructor(...args: Arguments<typeof AVG1, Avg1Arguments>) {
    super();
    const [kernelSize, stride, padding = 0, ceilMode = false, countIncludePad = true] =
      bind<Avg1Arguments>('AvgPool1d', AVG1, args, 1);
    this.kernelSize = perDimension('AvgPool1d', 'kernelSize', kernelSize, 1);
    this.stride = perDimension('AvgPool1d', 'stride', stride ?? kernelSize, 1);
    this.padding = perDimension('AvgPool1d', 'padding', padding, 1);
    this.ceilMode = ceilMode;
    this.countIncludePad = countIncludePad;
  }

  forward(input: Tensor): Tensor {
    const { kernelSize, stride, padding, ceilMode, countIncludePad } = this;
    return F.avgPool1d(input, kernelSize, stride, padding, ceilMode, countIncludePad);
  }

  override extraRepr(): string {
    const { kernelSize, stride, padding } = this;
    return `kernel_size=${value(kernelSize)}, stride=${value(stride)}, padding=${value(padding)}`;
  }
}

const AVG2 = 'kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride';
type Avg2Arguments = [
  kernelSize: Size,
  stride?: Size | null,
  padding?: Size,
  ceilMode?: boolean,
  countIncludePad?: boolean,
  divisorOverride?: number | null,
];

/** Averages of windows of [N, C, H, W]. */
export class AvgPool2d extends Layer {
  readonly kernelSize: Size;
  readonly stride: Size;
  readonly padding: Size;
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;
  readonly divisorOverride: number | null;

  constructor(...args: Arguments<typeof AVG2, Avg2Arguments>) {
    super();
    const [kernelSize, stride, padding = 0, ceilMode = false, countIncludePad = true, divisor] =
      bind<Avg2Arguments>('AvgPool2d', AVG2, args, 1);
    this.kernelSize = kernelSize;
    this.stride = stride ?? kernelSize;
    this.padding = padding;
    this.ceilMode = ceilMode;
    this.countIncludePad = countIncludePad;
    this.divisorOverride = divisor ?? null;
  }

  forward(input: Tensor): Tensor {
    const { kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride } = this;
    return F.avgPool2d(
      input,
      kernelSize,
      stride,
      padding,
      ceilMode,
      countIncludePad,
      divisorOverride,
    );
  }

  override extraRepr(): string {
    const { kernelSize, stride, padding } = this;
    return `kernel_size=${value(kernelSize)}, stride=${value(stride)}, padding=${value(padding)}`;
  }
}

const ADAPTIVE = 'outputSize';
type AdaptiveArguments = [outputSize: OutputSize];

abstract class AdaptivePool extends Layer {
  readonly outputSize: OutputSize;

  constructor(name: string, args: readonly unknown[]) {
    super();
    [this.outputSize] = bind<AdaptiveArguments>(name, ADAPTIVE, args, 1);
  }

  override extraRepr(): string {
    return `output_size=${value(this.outputSize)}`;
  }
}

/** Averages that give `outputSize` values whatever the length is. */
export class AdaptiveAvgPool1d extends AdaptivePool {
  constructor(...args: Arguments<typeof ADAPTIVE, AdaptiveArguments>) {
    super('AdaptiveAvgPool1d', args);
  }

  forward(input: Tensor): Tensor {
    return F.adaptiveAvgPool1d(input, this.outputSize);
  }
}

/** Averages that give `outputSize` whatever the image's size is; null keeps a size. */
export class AdaptiveAvgPool2d extends AdaptivePool {
  constructor(...args: Arguments<typeof ADAPTIVE, AdaptiveArguments>) {
    super('AdaptiveAvgPool2d', args);
  }

  forward(input: Tensor): Tensor {
    return F.adaptiveAvgPool2d(input, this.outputSize);
  }
}
