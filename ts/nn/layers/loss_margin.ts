/** Losses with margins and of distributions, as layers. */

import { type Arguments, bind } from '../../ops/signature.js';
import type { Tensor } from '../../tensor.js';
import * as F from '../functional.js';
import type { Distance } from '../functional_margin.js';
import { Module } from '../module.js';
import { chosenReduction, type Legacy, type Reduction } from '../reduction.js';

type Legacies = [sizeAverage?: Legacy, reduce?: Legacy, reduction?: Reduction];

/** A loss whose fields are the arguments of its constructor. */
abstract class OptionLoss extends Module {
  static override readonly forwardArguments: string = 'input, target';
  declare readonly reduction: Reduction;

  constructor(signature: string, args: readonly unknown[], fields: object) {
    super();
    const values: Record<string, unknown> = { reduction: 'mean', ...fields };
    const given = bind<unknown[]>(new.target.name, signature, args);
    signature.split(', ').forEach((name, i) => {
      if (given[i] !== undefined) values[name] = given[i];
    });
    const { sizeAverage = null, reduce = null, reduction, weight, ...own } = values;
    if (weight !== undefined) this.registerBuffer('weight', weight as Tensor | null);
    const how = chosenReduction(reduction as string, sizeAverage as Legacy, reduce as Legacy);
    Object.assign(this, own, { reduction: how });
  }
}

const GAUSSIAN = 'full, eps, reduction';
type GaussianArguments = [full?: boolean, eps?: number, reduction?: Reduction];

/** 0.5 (log(var) + (input - target)^2 / var) for a normal target; see F.gaussianNllLoss. */
export class GaussianNLLLoss extends OptionLoss {
  static override readonly forwardArguments: string = 'input, target, var';
  declare readonly full: boolean;
  declare readonly eps: number;

  constructor(...args: Arguments<typeof GAUSSIAN, GaussianArguments>) {
    super(GAUSSIAN, args, { full: false, eps: 1e-6 });
  }

  forward(input: Tensor, target: Tensor, variance: Tensor): Tensor {
    const { full, eps, reduction } = this;
    return F.gaussianNllLoss(input, target, variance, { full, eps, reduction });
  }
}

const POISSON = 'logInput, full, sizeAverage, eps, reduce, reduction';
type PoissonArguments = [
  logInput?: boolean,
  full?: boolean,
  sizeAverage?: Legacy,
  eps?: number,
  reduce?: Legacy,
  reduction?: Reduction,
];

/** exp(input) - target input for a Poisson target; see F.poissonNllLoss. */
export class PoissonNLLLoss extends OptionLoss {
  declare readonly logInput: boolean;
  declare readonly full: boolean;
  declare readonly eps: number;

  constructor(...args: Arguments<typeof POISSON, PoissonArguments>) {
    super(POISSON, args, { logInput: true, full: false, eps: 1e-8 });
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { logInput, full, eps, reduction } = this;
    return F.poissonNllLoss(input, target, { logInput, full, eps, reduction });
  }
}

const MARGIN = 'margin, sizeAverage, reduce, reduction';
type MarginArguments = [margin?: number, ...Legacies];

/** input where the target is 1, max(0, margin - input) where it is -1. */
export class HingeEmbeddingLoss extends OptionLoss {
  declare readonly margin: number;

  constructor(...args: Arguments<typeof MARGIN, MarginArguments>) {
    super(MARGIN, args, { margin: 1 });
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { margin, reduction } = this;
    return F.hingeEmbeddingLoss(input, target, { margin, reduction });
  }
}

/** max(0, -target (input1 - input2) + margin). */
export class MarginRankingLoss extends OptionLoss {
  static override readonly forwardArguments: string = 'input1, input2, target';
  declare readonly margin: number;

  constructor(...args: Arguments<typeof MARGIN, MarginArguments>) {
    super(MARGIN, args, { margin: 0 });
  }

  forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    const { margin, reduction } = this;
    return F.marginRankingLoss(input1, input2, target, { margin, reduction });
  }
}

/** 1 - cos(input1, input2) where the target is 1, max(0, cos - margin) where it is -1. */
export class CosineEmbeddingLoss extends OptionLoss {
  static override readonly forwardArguments: string = 'input1, input2, target';
  declare readonly margin: number;

  constructor(...args: Arguments<typeof MARGIN, MarginArguments>) {
    super(MARGIN, args, { margin: 0 });
  }

  forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    const { margin, reduction } = this;
    return F.cosineEmbeddingLoss(input1, input2, target, { margin, reduction });
  }
}

const TRIPLET = 'margin, p, eps, swap, sizeAverage, reduce, reduction';
type TripletArguments = [margin?: number, p?: number, eps?: number, swap?: boolean, ...Legacies];

/** max(0, |anchor - positive| - |anchor - negative| + margin); see F.tripletMarginLoss. */
export class TripletMarginLoss extends OptionLoss {
  static override readonly forwardArguments: string = 'anchor, positive, negative';
  declare readonly margin: number;
  declare readonly p: number;
  declare readonly eps: number;
  declare readonly swap: boolean;

  constructor(...args: Arguments<typeof TRIPLET, TripletArguments>) {
    super(TRIPLET, args, { margin: 1, p: 2, eps: 1e-6, swap: false });
  }

  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    const { margin, p, eps, swap, reduction } = this;
    return F.tripletMarginLoss(anchor, positive, negative, { margin, p, eps, swap, reduction });
  }
}

const DISTANCE = 'distanceFunction, margin, swap, reduction';
type DistanceArguments = [
  distanceFunction?: Distance | null,
  margin?: number,
  swap?: boolean,
  reduction?: Reduction,
];

/** As TripletMarginLoss, with any distance of two tensors. */
export class TripletMarginWithDistanceLoss extends OptionLoss {
  static override readonly forwardArguments: string = 'anchor, positive, negative';
  declare readonly distanceFunction: Distance | null;
  declare readonly margin: number;
  declare readonly swap: boolean;

  constructor(...args: Arguments<typeof DISTANCE, DistanceArguments>) {
    super(DISTANCE, args, { distanceFunction: null, margin: 1, swap: false });
  }

  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    const { distanceFunction, margin, swap, reduction } = this;
    return F.tripletMarginWithDistanceLoss(anchor, positive, negative, {
      distanceFunction,
      margin,
      swap,
      reduction,
    });
  }
}

const MULTI = 'p, margin, weight, sizeAverage, reduce, reduction';
type MultiArguments = [p?: number, margin?: number, weight?: Tensor | null, ...Legacies];

/** sum over i != target of max(0, margin - input[target] + input[i])^p / C. */
export class MultiMarginLoss extends OptionLoss {
  declare readonly p: number;
  declare readonly margin: number;
  declare readonly weight: Tensor | null;

  constructor(...args: Arguments<typeof MULTI, MultiArguments>) {
    super(MULTI, args, { p: 1, margin: 1, weight: null });
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { p, margin, weight, reduction } = this;
    return F.multiMarginLoss(input, target, { p, margin, weight, reduction });
  }
}

const PLAIN = 'sizeAverage, reduce, reduction';
type PlainArguments = [...Legacies];

/** Targets list classes, up to a negative number; see F.multilabelMarginLoss. */
export class MultiLabelMarginLoss extends OptionLoss {
  constructor(...args: Arguments<typeof PLAIN, PlainArguments>) {
    super(PLAIN, args, {});
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { reduction } = this;
    return F.multilabelMarginLoss(input, target, { reduction });
  }
}

/** log(1 + exp(-target input)) for targets 1 and -1. */
export class SoftMarginLoss extends OptionLoss {
  constructor(...args: Arguments<typeof PLAIN, PlainArguments>) {
    super(PLAIN, args, {});
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { reduction } = this;
    return F.softMarginLoss(input, target, { reduction });
  }
}

const WEIGHTED = 'weight, sizeAverage, reduce, reduction';
type WeightedArguments = [weight?: Tensor | null, ...Legacies];

/** Mean over classes of the binary cross-entropies of sigmoid(input) with the target. */
export class MultiLabelSoftMarginLoss extends OptionLoss {
  declare readonly weight: Tensor | null;

  constructor(...args: Arguments<typeof WEIGHTED, WeightedArguments>) {
    super(WEIGHTED, args, { weight: null });
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { weight, reduction } = this;
    return F.multilabelSoftMarginLoss(input, target, { weight, reduction });
  }
}
