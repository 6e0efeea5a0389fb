/** Losses as layers: called with the output of a network and the target. */

import { type Arguments, bind } from '../../ops/signature.js';
import type { Tensor } from '../../tensor.js';
import * as F from '../functional.js';
import { Module } from '../module.js';
import { chosenReduction, type Legacy, type Reduction } from '../reduction.js';

abstract class Loss extends Module {
  static override readonly forwardArguments: string = 'input, target';
  declare reduction: string;

  abstract override forward(input: Tensor, target: Tensor): Tensor;
}

const PLAIN = 'sizeAverage, reduce, reduction';
type PlainArguments = [sizeAverage?: Legacy, reduce?: Legacy, reduction?: Reduction];

abstract class PlainLoss extends Loss {
  declare reduction: Reduction;

  constructor(...args: Arguments<typeof PLAIN, PlainArguments>) {
    super();
    const given = bind<PlainArguments>(new.target.name, PLAIN, args);
    const [average = null, reduce = null, reduction = 'mean'] = given;
    this.reduction = chosenReduction(reduction, average, reduce);
  }
}

/** Mean of (input - target)^2. */
export class MSELoss extends PlainLoss {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.mseLoss(input, target, null, null, this.reduction);
  }
}

/** Mean of |input - target|. */
export class L1Loss extends PlainLoss {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.l1Loss(input, target, null, null, this.reduction);
  }
}

const SMOOTH = 'sizeAverage, reduce, reduction, beta';
type SmoothArguments = [...PlainArguments, beta?: number];

/** With d = |input - target|: 0.5 d^2 / beta below beta, d - 0.5 beta above. */
export class SmoothL1Loss extends Loss {
  declare reduction: Reduction;
  readonly beta: number;

  constructor(...args: Arguments<typeof SMOOTH, SmoothArguments>) {
    super();
    const given = bind<SmoothArguments>('SmoothL1Loss', SMOOTH, args);
    const [average = null, reduce = null, reduction = 'mean', beta = 1] = given;
    this.reduction = chosenReduction(reduction, average, reduce);
    this.beta = beta;
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return F.smoothL1Loss(input, target, null, null, this.reduction, this.beta);
  }
}

const HUBER = 'reduction, delta';
type HuberArguments = [reduction?: Reduction, delta?: number];

/** With d = |input - target|: 0.5 d^2 up to delta, delta (d - 0.5 delta) above. */
export class HuberLoss extends Loss {
  declare reduction: Reduction;
  readonly delta: number;

  constructor(...args: Arguments<typeof HUBER, HuberArguments>) {
    super();
    const [reduction = 'mean', delta = 1] = bind<HuberArguments>('HuberLoss', HUBER, args);
    this.reduction = reduction;
    this.delta = delta;
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return F.huberLoss(input, target, this.reduction, this.delta);
  }
}

const KL = 'sizeAverage, reduce, reduction, logTarget';
type KlArguments = [
  sizeAverage?: Legacy,
  reduce?: Legacy,
  reduction?: Reduction | 'batchmean',
  logTarget?: boolean,
];

/** Mean of target (log(target) - input), for log-probabilities as input. */
export class KLDivLoss extends Loss {
  declare reduction: Reduction | 'batchmean';
  readonly logTarget: boolean;

  constructor(...args: Arguments<typeof KL, KlArguments>) {
    super();
    const given = bind<KlArguments>('KLDivLoss', KL, args);
    const [average = null, reduce = null, reduction = 'mean', logTarget = false] = given;
    this.reduction = chosenReduction(reduction, average, reduce);
    this.logTarget = logTarget;
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return F.klDiv(input, target, null, null, this.reduction, this.logTarget);
  }
}

const CROSS = 'weight, sizeAverage, ignoreIndex, reduce, reduction, labelSmoothing';
type CrossArguments = [
  weight?: Tensor | null,
  sizeAverage?: Legacy,
  ignoreIndex?: number,
  reduce?: Legacy,
  reduction?: Reduction,
  labelSmoothing?: number,
];

/** Cross-entropy of scores [N, C, ...] with class indices [N, ...], or with probabilities. */
export class CrossEntropyLoss extends Loss {
  declare reduction: Reduction;
  declare weight: Tensor | null;
  readonly ignoreIndex: number;
  readonly labelSmoothing: number;

  constructor(...args: Arguments<typeof CROSS, CrossArguments>) {
    super();
    const given = bind<CrossArguments>('CrossEntropyLoss', CROSS, args);
    const [weight = null, average = null, ignoreIndex = -100, reduce = null] = given;
    this.registerBuffer('weight', weight);
    this.reduction = chosenReduction(given[4] ?? 'mean', average, reduce);
    this.ignoreIndex = ignoreIndex;
    this.labelSmoothing = given[5] ?? 0;
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { weight, ignoreIndex, reduction, labelSmoothing } = this;
    return F.crossEntropy(
      input,
      target,
      weight,
      null,
      ignoreIndex,
      null,
      reduction,
      labelSmoothing,
    );
  }
}

const NLL = 'weight, sizeAverage, ignoreIndex, reduce, reduction';
type NllArguments = [
  weight?: Tensor | null,
  sizeAverage?: Legacy,
  ignoreIndex?: number,
  reduce?: Legacy,
  reduction?: Reduction,
];

/** -input[target] for log-probabilities [N, C, ...] and class indices [N, ...]. */
export class NLLLoss extends Loss {
  declare reduction: Reduction;
  declare weight: Tensor | null;
  readonly ignoreIndex: number;

  constructor(...args: Arguments<typeof NLL, NllArguments>) {
    super();
    const given = bind<NllArguments>('NLLLoss', NLL, args);
    const [weight = null, average = null, ignoreIndex = -100, reduce = null] = given;
    this.registerBuffer('weight', weight);
    this.reduction = chosenReduction(given[4] ?? 'mean', average, reduce);
    this.ignoreIndex = ignoreIndex;
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { weight, ignoreIndex, reduction } = this;
    return F.nllLoss(input, target, weight, null, ignoreIndex, null, reduction);
  }
}

const BCE = 'weight, sizeAverage, reduce, reduction';
type BceArguments = [weight?: Tensor | null, ...PlainArguments];

/** -(target log(input) + (1 - target) log(1 - input)) for probabilities. */
export class BCELoss extends Loss {
  declare reduction: Reduction;
  declare weight: Tensor | null;

  constructor(...args: Arguments<typeof BCE, BceArguments>) {
    super();
    const given = bind<BceArguments>('BCELoss', BCE, args);
    const [weight = null, average = null, reduce = null, reduction = 'mean'] = given;
    this.registerBuffer('weight', weight);
    this.reduction = chosenReduction(reduction, average, reduce);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropy(input, target, this.weight, null, null, this.reduction);
  }
}

const LOGITS = 'weight, sizeAverage, reduce, reduction, posWeight';
type LogitsArguments = [...BceArguments, posWeight?: Tensor | null];

/** Binary cross-entropy of sigmoid(input); `posWeight` scales the losses of positive targets. */
export class BCEWithLogitsLoss extends Loss {
  declare reduction: Reduction;
  declare weight: Tensor | null;
  declare pos_weight: Tensor | null;

  constructor(...args: Arguments<typeof LOGITS, LogitsArguments>) {
    super();
    const given = bind<LogitsArguments>('BCEWithLogitsLoss', LOGITS, args);
    const [weight = null, average = null, reduce = null, reduction = 'mean'] = given;
    this.registerBuffer('weight', weight);
    this.registerBuffer('pos_weight', given[4] ?? null);
    this.reduction = chosenReduction(reduction, average, reduce);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { weight, reduction, pos_weight } = this;
    return F.binaryCrossEntropyWithLogits(input, target, weight, null, null, reduction, pos_weight);
  }
}
