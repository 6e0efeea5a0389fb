/** Losses as functions. */

import { isGradEnabled } from '../autograd/mode.js';
import { AutogradError, DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { broadcastShapes, type Shape, sameShape, sized } from '../core/layout.js';
import { lend, lend3 } from '../core/lend.js';
import { Memo } from '../core/memo.js';
import { warnOnce } from '../core/options.js';
import { applyBinary, applyPointwise } from '../ops/apply.js';
import { applyCanonical, type Form, firstOf } from '../ops/canonical.js';
import { elementwise } from '../ops/elementwise.js';
import type { Smoothing } from '../ops/primitives/loss.js';
import { op } from '../ops/signature.js';
import type { Tensor } from '../tensor.js';
import { logsigmoid } from './functional_activations.js';
import { roundedOnce } from './precision.js';
import { type Legacy, type Reduction, reduced, reductionOf } from './reduction.js';

export type { Reduction } from './reduction.js';

/** Gives the node of a composite the name that PyTorch prints. */
function shown(loss: Tensor, name: string): Tensor {
  const node = loss.meta?.gradFn;
  if (node !== undefined) node.name = `${name}Backward0`;
  return loss;
}

function checkPair(name: string, input: Tensor, target: Tensor): void {
  if (!input.dtype.isFloatingPoint) {
    throw new DtypeError(`${name}: the input is floating point, got ${input.dtype}; use float()`);
  }
  if (sameShape(input.shape, target.shape)) return;
  broadcastShapes(input.shape, target.shape, name);
  warnOnce(
    `${name}: the input has shape ${showShape(input.shape)}, the target ${showShape(target.shape)}: ` +
      'broadcast, each element is compared with several. Give them one shape',
  );
}

function checkSame(name: string, input: Tensor, target: Tensor): void {
  if (!sameShape(input.shape, target.shape)) {
    throw new ShapeError(
      `${name}: input ${showShape(input.shape)} and target ${showShape(target.shape)} have one ` +
        'shape; reshape the target, perhaps unsqueeze(1)',
    );
  }
  checkPair(name, input, target);
}

/** Mean of (input - target)^2. */
export const mseLoss = op(
  'mseLoss',
  'input, target, sizeAverage, reduce, reduction',
  (
    input: Tensor,
    target: Tensor,
    sizeAverage: Legacy = null,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
  ): Tensor => {
    const how = reductionOf('mseLoss', reduction, sizeAverage, reduce);
    checkPair('mseLoss', input, target);
    const squares = applyPointwise('squaredDifference', [input, target]);
    return shown(reduced(squares, how), 'MseLoss');
  },
);

/** Mean of |input - target|. */
export const l1Loss = op(
  'l1Loss',
  'input, target, sizeAverage, reduce, reduction',
  (
    input: Tensor,
    target: Tensor,
    sizeAverage: Legacy = null,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
  ): Tensor => {
    const how = reductionOf('l1Loss', reduction, sizeAverage, reduce);
    checkPair('l1Loss', input, target);
    return reduced(elementwise.abs(input.sub(target)), how);
  },
);

/** With d = |input - target| and m = min(d, delta): m / divisor * (d - 0.5 m). */
const huber = (input: Tensor, target: Tensor, delta: number, divisor: number): Tensor =>
  applyPointwise('huber', [input, target], [delta, divisor]);

/** With d = |input - target|: 0.5 d^2 / beta below beta, d - 0.5 beta above. */
export const smoothL1Loss = op(
  'smoothL1Loss',
  'input, target, sizeAverage, reduce, reduction, beta',
  (
    input: Tensor,
    target: Tensor,
    sizeAverage: Legacy = null,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
    beta = 1,
  ): Tensor => {
    const how = reductionOf('smoothL1Loss', reduction, sizeAverage, reduce);
    checkPair('smoothL1Loss', input, target);
    if (beta < 0) throw new ValueError(`smoothL1Loss: beta is not negative, got ${beta}`);
    if (beta === 0) return l1Loss(input, target, { reduction: how });
    return shown(reduced(huber(input, target, beta, beta), how), 'SmoothL1Loss');
  },
);

/** With d = |input - target|: 0.5 d^2 up to delta, delta (d - 0.5 delta) above. */
export const huberLoss = op(
  'huberLoss',
  'input, target, reduction, delta',
  (input: Tensor, target: Tensor, reduction: Reduction = 'mean', delta = 1): Tensor => {
    const how = reductionOf('huberLoss', reduction);
    checkPair('huberLoss', input, target);
    if (!(delta > 0)) throw new ValueError(`huberLoss: delta is positive, got ${delta}`);
    return shown(reduced(huber(input, target, delta, 1), how), 'HuberLoss');
  },
);

/** Mean of target (log(target) - input), for log-probabilities `input`. */
export const klDiv = op(
  'klDiv',
  'input, target, sizeAverage, reduce, reduction, logTarget',
  (
    input: Tensor,
    target: Tensor,
    sizeAverage: Legacy = null,
    reduce: Legacy = null,
    reduction: Reduction | 'batchmean' = 'mean',
    logTarget = false,
  ): Tensor => {
    const known = ['none', 'batchmean', 'mean', 'sum'];
    const how = reductionOf('klDiv', reduction, sizeAverage, reduce, known);
    checkPair('klDiv', input, target);
    const loss = logTarget
      ? elementwise.exp(target).mul(target.sub(input))
      : elementwise.xlogy(target, target).sub(elementwise.mul(target, input));
    if (how === 'batchmean') return loss.sum().div(input.shape[0] ?? 1);
    return reduced(loss, how);
  },
);

// --- Probabilities of two classes ----------------------------------------------------------------

/** Throws if the input is no probability somewhere: then the loss is NaN, or the sum of all. */
function checkProbabilities(input: Tensor, loss: Tensor): void {
  if (!input.backend.synchronous || !Number.isNaN(loss.sum().itemSync())) return;
  const x = input.detach();
  if (elementwise.logicalAnd(elementwise.ge(x, 0), elementwise.le(x, 1)).all().itemSync()) return;
  throw new ValueError(
    'binaryCrossEntropy: probabilities lie between 0 and 1; apply sigmoid() first, ' +
      'or use binaryCrossEntropyWithLogits',
  );
}

/**
 * -(target log(input) + (1 - target) log(1 - input)) for probabilities `input`; logarithms are at
 * least -100. `weight` scales the losses.
 */
export const binaryCrossEntropy = op(
  'binaryCrossEntropy',
  'input, target, weight, sizeAverage, reduce, reduction',
  (
    input: Tensor,
    target: Tensor,
    weight: Tensor | null = null,
    sizeAverage: Legacy = null,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
  ): Tensor => {
    const how = reductionOf('binaryCrossEntropy', reduction, sizeAverage, reduce);
    checkSame('binaryCrossEntropy', input, target);
    if (input.dtype !== target.dtype) {
      throw new DtypeError(
        `binaryCrossEntropy: input is ${input.dtype}, target ${target.dtype}; cast the target`,
      );
    }
    const loss = applyBinary('binaryCrossEntropy', input, target);
    const weighted = weight === null ? loss : loss.mul(weight);
    const result = reduced(weighted, how);
    checkProbabilities(input, result.detach());
    return shown(result, 'BinaryCrossEntropy');
  },
);

/**
 * Binary cross-entropy of sigmoid(input), never overflowing. `posWeight` scales the losses of
 * positive targets.
 */
export const binaryCrossEntropyWithLogits = op(
  'binaryCrossEntropyWithLogits',
  'input, target, weight, sizeAverage, reduce, reduction, posWeight',
  (
    input: Tensor,
    target: Tensor,
    weight: Tensor | null = null,
    sizeAverage: Legacy = null,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
    posWeight: Tensor | null = null,
  ): Tensor => {
    const how = reductionOf('binaryCrossEntropyWithLogits', reduction, sizeAverage, reduce);
    checkSame('binaryCrossEntropyWithLogits', input, target);
    const result = roundedOnce(input, (x) => {
      const loss =
        posWeight === null
          ? applyBinary('binaryCrossEntropyWithLogits', x, target)
          : target
              .neg()
              .add(1)
              .mul(x)
              .sub(logsigmoid(x).mul(posWeight.sub(1).mul(target).add(1)));
      return reduced(weight === null ? loss : loss.mul(weight), how);
    });
    return shown(result, 'BinaryCrossEntropyWithLogits');
  },
);

// --- Classes -------------------------------------------------------------------------------------

/** Whether a target has a place for each position of scores [N, C, ...], or of a single sample. */
function isTarget({ shape }: Tensor, target: Shape): boolean {
  if (target.length !== Math.max(0, shape.length - 2) + Number(shape.length > 1)) return false;
  for (let i = 0; i < target.length; i++) {
    if (target[i] !== shape[i === 0 ? 0 : i + 1]) return false;
  }
  return shape.length > 0;
}

function checkClasses(name: string, input: Tensor, target: Tensor, weight: Tensor | null): void {
  const { shape } = input;
  if (weight?.requiresGrad && isGradEnabled()) {
    throw new AutogradError(
      `${name}: the loss has no derivative for 'weight'; give the class weights as ` +
        'weight.detach(), or requiresGrad_(false)',
    );
  }
  if (!input.dtype.isFloatingPoint) {
    throw new DtypeError(
      `${name}: scores are floating point numbers, got ${input.dtype}; are input and target swapped?`,
    );
  }
  if (!isTarget(input, target.shape)) {
    const expected = shape.filter((_, i) => shape.length > 1 && i !== 1);
    const form = shape.length === 0 ? 'scores [N, C, ...]' : `a target ${showShape(expected)}`;
    throw new ShapeError(
      `${name}: expected ${form} for input ${showShape(shape)}, got ${showShape(target.shape)}. ` +
        'The class dimension of the input is 1 (0 for a single sample)',
    );
  }
  const classes = shape[shape.length === 1 ? 0 : 1];
  if (weight !== null && (weight.ndim !== 1 || weight.shape[0] !== classes)) {
    throw new ShapeError(
      `${name}: expected a weight for each of the ${classes} classes, got ` +
        showShape(weight.shape),
    );
  }
}

const REDUCED = [undefined, 'mean', 'sum'] as const;

/** Attributes by what they are. */
const known = new Memo<number[], Smoothing>(
  [-100, 0, 0],
  ([ignoreIndex, labelSmoothing, reduction]) => ({
    ignoreIndex,
    labelSmoothing,
    reduction: REDUCED[reduction],
  }),
);

function againstClasses(
  name: 'crossEntropy' | 'nllLoss',
  input: Tensor,
  target: Tensor,
  weight: Tensor | null,
  ignoreIndex: number,
  labelSmoothing: number,
  how: Reduction,
): Tensor {
  checkClasses(name, input, target, weight);
  const { key } = known;
  key[0] = ignoreIndex;
  key[1] = labelSmoothing;
  key[2] = REDUCED.indexOf(how === 'none' ? undefined : how);
  const attributes = known.get();
  const { shape } = input;
  const single = shape.length === 1;
  const outer = single ? 1 : shape[0];
  let inner = 1;
  for (let i = 2; i < shape.length; i++) inner *= shape[i];
  const scores = sized(outer, shape[single ? 0 : 1], inner);
  const inputs = lend3<Tensor | undefined>(input, target, weight ?? undefined);
  const forms = lend3<Form | undefined>(scores, sized(outer, inner), undefined);
  const shapes = lend<Shape>(4).fill(target.shape);
  if (attributes.reduction !== undefined) shapes.fill(SCALAR, 0, 2);
  return firstOf(applyCanonical(name, inputs, forms, shapes, attributes, 'NllLossBackward0'));
}

const SCALAR: Shape = [];

/** -weight[target] * input[target] for log-probabilities [N, C, ...] and classes [N, ...]. */
export const nllLoss = op(
  'nllLoss',
  'input, target, weight, sizeAverage, ignoreIndex, reduce, reduction',
  (
    input: Tensor,
    target: Tensor,
    weight: Tensor | null = null,
    sizeAverage: Legacy = null,
    ignoreIndex = -100,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
  ): Tensor => {
    const how = reductionOf('nllLoss', reduction, sizeAverage, reduce);
    return againstClasses('nllLoss', input, target, weight, ignoreIndex, 0, how);
  },
);

/** Cross-entropy with a distribution over the classes for each sample. */
function againstDistributions(
  input: Tensor,
  target: Tensor,
  weight: Tensor | null,
  smoothing: number,
  how: Reduction,
): Tensor {
  if (!target.dtype.isFloatingPoint) {
    throw new DtypeError(
      `crossEntropy: a target of the input's shape ${showShape(input.shape)} holds ` +
        `probabilities, got ${target.dtype}; cast it with float(), or give class indices`,
    );
  }
  const dim = input.ndim === 1 ? 0 : 1;
  const classes = input.shape[dim];
  const log = input.logSoftmax(dim);
  const smooth = smoothing > 0 ? target.mul(1 - smoothing).add(smoothing / classes) : target;
  const lead = new Array<number>(input.ndim - 1 - dim).fill(1);
  const weighted = weight === null ? smooth : smooth.mul(weight.view([-1, ...lead]));
  const losses = elementwise.neg(log.mul(weighted).sum(dim));
  if (how !== 'mean') return how === 'none' ? losses : losses.sum();
  return losses.sum().div(input.numel() / classes);
}

/**
 * Cross-entropy of scores [N, C, ...] with class indices [N, ...], or with probabilities of the
 * scores' shape. `weight` [C] scales classes, targets equal to `ignoreIndex` do not count, and
 * `labelSmoothing` mixes the even distribution into the target.
 */
export const crossEntropy = op(
  'crossEntropy',
  'input, target, weight, sizeAverage, ignoreIndex, reduce, reduction, labelSmoothing',
  (
    input: Tensor,
    target: Tensor,
    weight: Tensor | null = null,
    sizeAverage: Legacy = null,
    ignoreIndex = -100,
    reduce: Legacy = null,
    reduction: Reduction = 'mean',
    labelSmoothing = 0,
  ): Tensor => {
    const how = reductionOf('crossEntropy', reduction, sizeAverage, reduce);
    if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
      throw new ValueError(
        `crossEntropy: labelSmoothing lies between 0 and 1, got ${labelSmoothing}`,
      );
    }
    if (sameShape(input.shape, target.shape) && input.ndim > 0) {
      return againstDistributions(input, target, weight, labelSmoothing, how);
    }
    return againstClasses('crossEntropy', input, target, weight, ignoreIndex, labelSmoothing, how);
  },
);
