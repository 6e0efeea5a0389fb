/** Borders around the last one to three dimensions. */

import { type Arguments, bind } from '../../ops/signature.js';
import type { Tensor } from '../../tensor.js';
import { perDimension } from '../arguments.js';
import { float, value } from '../format.js';
import * as F from '../functional.js';
import { Layer } from './layer.js';

const PADDING = 'padding';
type PaddingArguments = [padding: number | readonly number[]];

abstract class Padding extends Layer {
  /** (before, after) of the last dimension, then of the one before it, and so on. */
  readonly padding: readonly number[];
  /** How many dimensions get a border. */
  protected abstract readonly dims: number;

  constructor(padding: number | readonly number[]) {
    super();
    const { dims } = this as unknown as { dims: number };
    this.padding = perDimension(new.target.name, 'padding', padding, 2 * dims);
  }

  override extraRepr(): string {
    return value(this.padding);
  }
}

abstract class PlainPadding extends Padding {
  constructor(...args: Arguments<typeof PADDING, PaddingArguments>) {
    super(bind<PaddingArguments>(new.target.name, PADDING, args, 1)[0]);
  }
}

const CONSTANT = 'padding, value';
type ConstantArguments = [...PaddingArguments, value: number];

abstract class ConstantPad extends Padding {
  readonly value: number;

  constructor(...args: Arguments<typeof CONSTANT, ConstantArguments>) {
    const given = bind<ConstantArguments>(new.target.name, CONSTANT, args, 2);
    super(given[0]);
    this.value = given[1];
  }

  forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, 'constant', this.value);
  }

  override extraRepr(): string {
    return `padding=${value(this.padding)}, value=${float(this.value)}`;
  }
}

abstract class ReflectionPad extends PlainPadding {
  forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, 'reflect');
  }
}

abstract class ReplicationPad extends PlainPadding {
  forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, 'replicate');
  }
}

/** A border of `value` around [..., W]. */
export class ConstantPad1d extends ConstantPad {
  protected get dims(): number {
    return 1;
  }
}

/** A border of `value` around [..., H, W]. */
export class ConstantPad2d extends ConstantPad {
  protected get dims(): number {
    return 2;
  }
}

/** A border of `value` around [..., D, H, W]. */
export class ConstantPad3d extends ConstantPad {
  protected get dims(): number {
    return 3;
  }
}

/** A border that mirrors the inside, without the edge itself around [..., W]. */
export class ReflectionPad1d extends ReflectionPad {
  protected get dims(): number {
    return 1;
  }
}

/** A border that mirrors the inside, without the edge itself around [..., H, W]. */
export class ReflectionPad2d extends ReflectionPad {
  protected get dims(): number {
    return 2;
  }
}

/** A border that mirrors the inside, without the edge itself around [..., D, H, W]. */
export class ReflectionPad3d extends ReflectionPad {
  protected get dims(): number {
    return 3;
  }
}

/** A border that repeats the edge around [..., W]. */
export class ReplicationPad1d extends ReplicationPad {
  protected get dims(): number {
    return 1;
  }
}

/** A border that repeats the edge around [..., H, W]. */
export class ReplicationPad2d extends ReplicationPad {
  protected get dims(): number {
    return 2;
  }
}

/** A border that repeats the edge around [..., D, H, W]. */
export class ReplicationPad3d extends ReplicationPad {
  protected get dims(): number {
    return 3;
  }
}

/** A border of zeros around [..., H, W]. */
export class ZeroPad2d extends PlainPadding {
  protected get dims(): number {
    return 2;
  }

  forward(input: Tensor): Tensor {
    return F.pad(input, this.padding);
  }
}
