/** Activations made of straight lines, and the softmax over channels. */

import { ShapeError, showShape } from '../../core/errors.js';
import { type Arguments, bind } from '../../ops/signature.js';
import type { Tensor } from '../../tensor.js';
import { float, value } from '../format.js';
import * as F from '../functional.js';
import { Layer } from './layer.js';

const INPLACE = 'inplace';
type InplaceArguments = [inplace?: boolean];

abstract class HardLayer extends Layer {
  readonly inplace: boolean;

  constructor(...args: Arguments<typeof INPLACE, InplaceArguments>) {
    super();
    [this.inplace = false] = bind<InplaceArguments>(new.target.name, INPLACE, args);
  }
}

/** min(max(input + 3, 0), 6) / 6. */
export class Hardsigmoid extends HardLayer {
  forward(input: Tensor): Tensor {
    return F.hardsigmoid(input, this.inplace);
  }
}

/** input * min(max(input + 3, 0), 6) / 6. */
export class Hardswish extends HardLayer {
  forward(input: Tensor): Tensor {
    return F.hardswish(input, this.inplace);
  }
}

const LAMBD = 'lambd';
type LambdArguments = [lambd?: number];

abstract class ShrinkLayer extends Layer {
  readonly lambd: number;

  constructor(...args: Arguments<typeof LAMBD, LambdArguments>) {
    super();
    [this.lambd = 0.5] = bind<LambdArguments>(new.target.name, LAMBD, args);
  }
}

/** input outside of [-lambd, lambd] (default 0.5), 0 inside. */
export class Hardshrink extends ShrinkLayer {
  forward(input: Tensor): Tensor {
    return F.hardshrink(input, this.lambd);
  }

  override extraRepr(): string {
    return float(this.lambd);
  }
}

/** input moved towards 0 by `lambd` (default 0.5), and 0 where it is not farther away. */
export class Softshrink extends ShrinkLayer {
  forward(input: Tensor): Tensor {
    return F.softshrink(input, this.lambd);
  }

  override extraRepr(): string {
    return value(this.lambd);
  }
}

const THRESHOLD = 'threshold, value, inplace';
type ThresholdArguments = [threshold: number, value: number, inplace?: boolean];

/** input above `threshold`, `value` elsewhere. */
export class Threshold extends Layer {
  readonly threshold: number;
  readonly value: number;
  readonly inplace: boolean;

  constructor(...args: Arguments<typeof THRESHOLD, ThresholdArguments>) {
    super();
    const given = bind<ThresholdArguments>('Threshold', THRESHOLD, args, 2);
    [this.threshold, this.value, this.inplace = false] = given;
  }

  forward(input: Tensor): Tensor {
    return F.threshold(input, this.threshold, this.value, this.inplace);
  }

  override extraRepr(): string {
    const inplace = this.inplace ? ', inplace=True' : '';
    return `threshold=${float(this.threshold)}, value=${float(this.value)}${inplace}`;
  }
}

const RRELU = 'lower, upper, inplace';
type RReluArguments = [lower?: number, upper?: number, inplace?: boolean];

/**
 * input above 0, a slope times input below: in training one drawn for each element from
 * [lower, upper) (default 1/8 to 1/3), else the middle.
 */
export class RReLU extends Layer {
  readonly lower: number;
  readonly upper: number;
  readonly inplace: boolean;

  constructor(...args: Arguments<typeof RRELU, RReluArguments>) {
    super();
    const given = bind<RReluArguments>('RReLU', RRELU, args);
    [this.lower = 1 / 8, this.upper = 1 / 3, this.inplace = false] = given;
  }

  forward(input: Tensor): Tensor {
    return F.rrelu(input, this.lower, this.upper, this.training, this.inplace);
  }

  override extraRepr(): string {
    const inplace = this.inplace ? ', inplace=True' : '';
    return `lower=${value(this.lower)}, upper=${value(this.upper)}${inplace}`;
  }
}

/** Softmax over the channels of [N, C, H, W] or [C, H, W]. */
export class Softmax2d extends Layer {
  forward(input: Tensor): Tensor {
    if (input.ndim !== 3 && input.ndim !== 4) {
      throw new ShapeError(
        `Softmax2d: expected input [N, C, H, W] or [C, H, W], got ${showShape(input.shape)}`,
      );
    }
    return F.softmax(input, -3);
  }
}
