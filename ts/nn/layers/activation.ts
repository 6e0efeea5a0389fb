/** Activations as layers. */

import { checkProbability } from '../../ops/random_fill.js';
import { type Arguments, bind } from '../../ops/signature.js';
import type { Tensor } from '../../tensor.js';
import { checkSize, type Factory } from '../arguments.js';
import { bool, float, value } from '../format.js';
import * as F from '../functional.js';
import { constant_ } from '../init.js';
import type { Parameter } from '../parameter.js';
import { Layer, setParameters, unset } from './layer.js';

const INPLACE = 'inplace';
type InplaceArguments = [inplace?: boolean];

/** Activations whose only choice is to work in place. */
abstract class InplaceLayer extends Layer {
  readonly inplace: boolean;

  constructor(...args: Arguments<typeof INPLACE, InplaceArguments>) {
    super();
    [this.inplace = false] = bind<InplaceArguments>(new.target.name, INPLACE, args);
  }

  override extraRepr(): string {
    return this.inplace ? 'inplace=True' : '';
  }
}

/** max(input, 0). */
export class ReLU extends InplaceLayer {
  forward(input: Tensor): Tensor {
    return F.relu(input, this.inplace);
  }
}

/** input * sigmoid(input). */
export class SiLU extends InplaceLayer {
  forward(input: Tensor): Tensor {
    return F.silu(input, this.inplace);
  }
}

/** input * tanh(softplus(input)). */
export class Mish extends InplaceLayer {
  forward(input: Tensor): Tensor {
    return F.mish(input, this.inplace);
  }
}

/** The elu with the scale and alpha that keep mean 0 and variance 1. */
export class SELU extends InplaceLayer {
  forward(input: Tensor): Tensor {
    return F.selu(input, this.inplace);
  }
}

const HARDTANH = 'minVal, maxVal, inplace';
type HardtanhArguments = [minVal?: number, maxVal?: number, inplace?: boolean];

/** input held between minVal (default -1) and maxVal (default 1). */
export class Hardtanh extends Layer {
  readonly minVal: number;
  readonly maxVal: number;
  readonly inplace: boolean;

  constructor(...args: Arguments<typeof HARDTANH, HardtanhArguments>) {
    super();
    const given = bind<HardtanhArguments>('Hardtanh', HARDTANH, args);
    [this.minVal = -1, this.maxVal = 1, this.inplace = false] = given;
  }

  forward(input: Tensor): Tensor {
    return F.hardtanh(input, this.minVal, this.maxVal, this.inplace);
  }

  override extraRepr(): string {
    const bounds = `min_val=${float(this.minVal)}, max_val=${float(this.maxVal)}`;
    return this.inplace ? `${bounds}, inplace=True` : bounds;
  }
}

/** min(max(input, 0), 6). */
export class ReLU6 extends InplaceLayer {
  forward(input: Tensor): Tensor {
    return F.relu6(input, this.inplace);
  }
}

const LEAKY = 'negativeSlope, inplace';
type LeakyArguments = [negativeSlope?: number, inplace?: boolean];

/** input above 0, negativeSlope (default 0.01) * input below. */
export class LeakyReLU extends Layer {
  readonly negativeSlope: number;
  readonly inplace: boolean;

  constructor(...args: Arguments<typeof LEAKY, LeakyArguments>) {
    super();
    [this.negativeSlope = 0.01, this.inplace = false] = bind<LeakyArguments>(
      'LeakyReLU',
      LEAKY,
      args,
    );
  }

  forward(input: Tensor): Tensor {
    return F.leakyRelu(input, this.negativeSlope, this.inplace);
  }

  override extraRepr(): string {
    return `negative_slope=${float(this.negativeSlope)}${this.inplace ? ', inplace=True' : ''}`;
  }
}

const ALPHA = 'alpha, inplace';
type AlphaArguments = [alpha?: number, inplace?: boolean];

abstract class AlphaLayer extends Layer {
  readonly alpha: number;
  readonly inplace: boolean;

  constructor(...args: Arguments<typeof ALPHA, AlphaArguments>) {
    super();
    [this.alpha = 1, this.inplace = false] = bind<AlphaArguments>(new.target.name, ALPHA, args);
  }

  override extraRepr(): string {
    return `alpha=${float(this.alpha)}${this.inplace ? ', inplace=True' : ''}`;
  }
}

/** input above 0, alpha * (exp(input) - 1) below. */
export class ELU extends AlphaLayer {
  forward(input: Tensor): Tensor {
    return F.elu(input, this.alpha, this.inplace);
  }
}

/** max(0, input) + min(0, alpha * (exp(input / alpha) - 1)). */
export class CELU extends AlphaLayer {
  forward(input: Tensor): Tensor {
    return F.celu(input, this.alpha, this.inplace);
  }
}

const GELU_NAMES = 'approximate';
type GeluArguments = [approximate?: 'none' | 'tanh'];

/** input * Phi(input), or with `approximate: 'tanh'` its approximation. */
export class GELU extends Layer {
  readonly approximate: 'none' | 'tanh';

  constructor(...args: Arguments<typeof GELU_NAMES, GeluArguments>) {
    super();
    [this.approximate = 'none'] = bind<GeluArguments>('GELU', GELU_NAMES, args);
  }

  forward(input: Tensor): Tensor {
    return F.gelu(input, this.approximate);
  }

  override extraRepr(): string {
    return `approximate='${this.approximate}'`;
  }
}

const SOFTPLUS = 'beta, threshold';
type SoftplusArguments = [beta?: number, threshold?: number];

/** log(1 + exp(beta * input)) / beta, and input itself where beta * input > threshold. */
export class Softplus extends Layer {
  readonly beta: number;
  readonly threshold: number;

  constructor(...args: Arguments<typeof SOFTPLUS, SoftplusArguments>) {
    super();
    [this.beta = 1, this.threshold = 20] = bind<SoftplusArguments>('Softplus', SOFTPLUS, args);
  }

  forward(input: Tensor): Tensor {
    return F.softplus(input, this.beta, this.threshold);
  }

  override extraRepr(): string {
    return `beta=${value(this.beta)}, threshold=${value(this.threshold)}`;
  }
}

/** input / (1 + |input|). */
export class Softsign extends Layer {
  forward(input: Tensor): Tensor {
    return F.softsign(input);
  }
}

/** 1 / (1 + exp(-input)). */
export class Sigmoid extends Layer {
  forward(input: Tensor): Tensor {
    return F.sigmoid(input);
  }
}

/** log(sigmoid(input)). */
export class LogSigmoid extends Layer {
  forward(input: Tensor): Tensor {
    return F.logsigmoid(input);
  }
}

/** Hyperbolic tangent. */
export class Tanh extends Layer {
  forward(input: Tensor): Tensor {
    return F.tanh(input);
  }
}

/** input - tanh(input). */
export class Tanhshrink extends Layer {
  forward(input: Tensor): Tensor {
    return F.tanhshrink(input);
  }
}

const DIM = 'dim';
type DimArguments = [dim?: number | null];

abstract class DimLayer extends Layer {
  readonly dim: number | null;

  constructor(...args: Arguments<typeof DIM, DimArguments>) {
    super();
    [this.dim = null] = bind<DimArguments>(new.target.name, DIM, args);
  }

  override extraRepr(): string {
    return `dim=${value(this.dim)}`;
  }
}

/** exp(input) / sum(exp(input)) along `dim`. */
export class Softmax extends DimLayer {
  forward(input: Tensor): Tensor {
    return F.softmax(input, this.dim);
  }
}

/** log(softmax(input)) along `dim`. */
export class LogSoftmax extends DimLayer {
  forward(input: Tensor): Tensor {
    return F.logSoftmax(input, this.dim);
  }
}

/** softmax(-input) along `dim`. */
export class Softmin extends DimLayer {
  forward(input: Tensor): Tensor {
    return F.softmin(input, this.dim);
  }
}

/** The first half of `dim` (default the last) times the sigmoid of the second. */
export class GLU extends DimLayer {
  forward(input: Tensor): Tensor {
    return F.glu(input, this.dim ?? -1);
  }

  override extraRepr(): string {
    return `dim=${this.dim ?? -1}`;
  }
}

const PRELU = 'numParameters, init, device, dtype';
type PReluArguments = [numParameters?: number, init?: number, ...Factory];

/** input above 0, weight * input below, with one weight or one per channel; it starts at 0.25. */
export class PReLU extends Layer {
  readonly numParameters: number;
  declare weight: Parameter;

  constructor(...args: Arguments<typeof PRELU, PReluArguments>) {
    super();
    const [count = 1, init = 0.25, device, dtype] = bind<PReluArguments>('PReLU', PRELU, args);
    this.numParameters = checkSize('PReLU', 'numParameters', count);
    setParameters(this, { weight: unset([count], { device, dtype }) });
    constant_(this.weight, init);
  }

  forward(input: Tensor): Tensor {
    return F.prelu(input, this.weight);
  }

  override extraRepr(): string {
    return `num_parameters=${this.numParameters}`;
  }
}

const DROPOUT = 'p, inplace';
type DropoutArguments = [p?: number, inplace?: boolean];

abstract class DropoutLayer extends Layer {
  readonly p: number;
  readonly inplace: boolean;

  constructor(...args: Arguments<typeof DROPOUT, DropoutArguments>) {
    super();
    [this.p = 0.5, this.inplace = false] = bind<DropoutArguments>(new.target.name, DROPOUT, args);
    checkProbability(new.target.name, this.p);
  }

  override extraRepr(): string {
    return `p=${float(this.p)}, inplace=${bool(this.inplace)}`;
  }
}

/** In training, elements become 0 with probability `p`, the others are divided by 1 - p. */
export class Dropout extends DropoutLayer {
  forward(input: Tensor): Tensor {
    return F.dropout(input, this.p, this.training, this.inplace);
  }
}

/** Whole channels of [N, C, L] become 0. */
export class Dropout1d extends DropoutLayer {
  forward(input: Tensor): Tensor {
    return F.dropout1d(input, this.p, this.training, this.inplace);
  }
}

/** Whole channels of [N, C, H, W] become 0. */
export class Dropout2d extends DropoutLayer {
  forward(input: Tensor): Tensor {
    return F.dropout2d(input, this.p, this.training, this.inplace);
  }
}
