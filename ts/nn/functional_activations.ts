/** Activations as functions; `inplace` writes the result into the input. */

import { type Dtype, float64 } from '../core/dtype.js';
import { DtypeError, ShapeError, showShape, ValueError } from '../core/errors.js';
import { normalizeDim } from '../core/layout.js';
import { applyBinary, applyPointwise } from '../ops/apply.js';
import { clamp } from '../ops/arithmetic.js';
import { elementwise } from '../ops/elementwise.js';
import { assignFrom, assignInPlace } from '../ops/inplace.js';
import type { PointwiseName } from '../ops/pointwise.js';
import { logSoftmax as logSoftmaxOf, softmax as softmaxOf } from '../ops/reductions.js';
import { op } from '../ops/signature.js';
import { chunk } from '../ops/splitting.js';
import type { Tensor } from '../tensor.js';

/** Runs an elementwise row, in the input's place if asked. */
function run(
  name: string,
  row: PointwiseName,
  input: Tensor,
  scalars: readonly number[],
  inplace: boolean,
): Tensor {
  if (inplace) return assignInPlace(`${name}_`, input, row, [input], scalars);
  return applyPointwise(row, [input], scalars, undefined, name);
}

/** max(input, 0). */
export const relu = op(
  'relu',
  'input, inplace',
  (input: Tensor, inplace = false): Tensor => run('relu', 'relu', input, [], inplace),
);

/** input above 0, negativeSlope * input below. */
export const leakyRelu = op(
  'leakyRelu',
  'input, negativeSlope, inplace',
  (input: Tensor, negativeSlope = 0.01, inplace = false): Tensor =>
    run('leakyRelu', 'leakyReluScalar', input, [negativeSlope], inplace),
);

/** input above 0, alpha * (exp(input) - 1) below. */
export const elu = op(
  'elu',
  'input, alpha, inplace',
  (input: Tensor, alpha = 1, inplace = false): Tensor =>
    run('elu', 'eluScalar', input, [alpha, 1, 1], inplace),
);

/** The elu with the scale and alpha that keep mean 0 and variance 1. */
export const selu = op('selu', 'input, inplace', (input: Tensor, inplace = false): Tensor => {
  const [alpha, scale] = [1.6732632423543772, 1.0507009873554805];
  return run('selu', 'eluScalar', input, [alpha, scale, 1], inplace);
});

/** max(0, input) + min(0, alpha * (exp(input / alpha) - 1)). */
export const celu = op(
  'celu',
  'input, alpha, inplace',
  (input: Tensor, alpha = 1, inplace = false): Tensor => {
    if (alpha === 0) throw new ValueError('celu: alpha cannot be 0');
    return run('celu', 'eluScalar', input, [alpha, 1, 1 / alpha], inplace);
  },
);

/** input * sigmoid(input). */
export const silu = op(
  'silu',
  'input, inplace',
  (input: Tensor, inplace = false): Tensor => run('silu', 'silu', input, [], inplace),
);

/** input * tanh(softplus(input)). */
export const mish = op(
  'mish',
  'input, inplace',
  (input: Tensor, inplace = false): Tensor => run('mish', 'mish', input, [], inplace),
);

/**
 * input * Phi(input), Phi the distribution of a standard normal; with `approximate: 'tanh'`
 * 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
 */
export const gelu = op(
  'gelu',
  'input, approximate',
  (input: Tensor, approximate: 'none' | 'tanh' = 'none'): Tensor => {
    if (approximate !== 'none' && approximate !== 'tanh') {
      throw new ValueError(`gelu: approximate is 'none' or 'tanh', got '${String(approximate)}'`);
    }
    return run('gelu', approximate === 'none' ? 'geluErf' : 'geluTanh', input, [], false);
  },
);

/** log(1 + exp(beta * input)) / beta, and input itself where beta * input > threshold. */
export const softplus = op(
  'softplus',
  'input, beta, threshold',
  (input: Tensor, beta = 1, threshold = 20): Tensor =>
    run('softplus', 'softplusScalar', input, [beta, threshold], false),
);

/** input / (1 + |input|). */
export const softsign = op(
  'softsign',
  'input',
  (input: Tensor): Tensor => input.div(elementwise.abs(input).add(1)),
);

/** log(sigmoid(input)), never overflowing. */
export const logsigmoid = op(
  'logsigmoid',
  'input',
  (input: Tensor): Tensor => run('logsigmoid', 'logSigmoid', input, [], false),
);

/** 1 / (1 + exp(-input)). */
export const sigmoid = op(
  'sigmoid',
  'input',
  (input: Tensor): Tensor => elementwise.sigmoid(input),
);

/** Hyperbolic tangent. */
export const tanh = op('tanh', 'input', (input: Tensor): Tensor => elementwise.tanh(input));

/** Runs a composite, in the input's place if asked. */
function composed(
  name: string,
  input: Tensor,
  inplace: boolean,
  compute: (input: Tensor) => Tensor,
): Tensor {
  return inplace ? assignFrom(`${name}_`, input, compute) : compute(input);
}

/** Held between the bounds; unlike clamp's, the gradient at a bound itself is 0. */
function bounded(name: string, input: Tensor, low: number, high: number, inplace: boolean): Tensor {
  const none = Number.isNaN(low) || Number.isNaN(high);
  return input.dtype.isFloatingPoint && !none
    ? run(name, 'hardtanhScalars', input, [low, high], inplace)
    : composed(name, input, inplace, (before) => clamp(before, low, high));
}

/** input held between minVal and maxVal; at these the gradient is 0. */
export const hardtanh = op(
  'hardtanh',
  'input, minVal, maxVal, inplace',
  (input: Tensor, minVal = -1, maxVal = 1, inplace = false): Tensor =>
    bounded('hardtanh', input, minVal, maxVal, inplace),
);

/** min(max(input, 0), 6). */
export const relu6 = op(
  'relu6',
  'input, inplace',
  (input: Tensor, inplace = false): Tensor => bounded('relu6', input, 0, 6, inplace),
);

/** min(max(input + 3, 0), 6) / 6. */
export const hardsigmoid = op(
  'hardsigmoid',
  'input, inplace',
  (input: Tensor, inplace = false): Tensor => run('hardsigmoid', 'hardsigmoid', input, [], inplace),
);

/** input * min(max(input + 3, 0), 6) / 6. */
export const hardswish = op(
  'hardswish',
  'input, inplace',
  (input: Tensor, inplace = false): Tensor => run('hardswish', 'hardswish', input, [], inplace),
);

/** input, but `value` where it lies between the bounds. */
function filled(
  name: 'hardshrink' | 'threshold',
  input: Tensor,
  low: number,
  high: number,
  value: number,
  inplace: boolean,
): Tensor {
  return composed(name, input, inplace, (x) => {
    const y = x.detach();
    if (y.dtype.isFloatingPoint) {
      return applyPointwise('fillBetween', [x, y], [low, high, value], undefined, name);
    }
    return x.maskedFill(elementwise.ge(y, low).logicalAnd(elementwise.le(y, high)), value);
  });
}

/** input outside of [-lambd, lambd], 0 inside. */
export const hardshrink = op(
  'hardshrink',
  'input, lambd',
  (input: Tensor, lambd = 0.5): Tensor => filled('hardshrink', input, -lambd, lambd, 0, false),
);

/** input moved towards 0 by `lambd`, and 0 where it is not farther away than that. */
export const softshrink = op('softshrink', 'input, lambd', (input: Tensor, lambd = 0.5): Tensor => {
  if (!(lambd >= 0)) throw new ValueError(`softshrink: lambd is not negative, got ${lambd}`);
  return run('softshrink', 'softshrink', input, [-lambd, lambd], false);
});

/** input above `threshold`, `value` elsewhere. */
export const threshold = op(
  'threshold',
  'input, threshold, value, inplace',
  (input: Tensor, limit: number, value: number, inplace = false): Tensor =>
    filled('threshold', input, -Infinity, limit, value, inplace),
);

/** Slopes of rrelu: 1 above 0, else drawn; where elements can be read, as many as are needed. */
function drawnSlopes(input: Tensor, lower: number, upper: number): Tensor {
  const x = input.detach();
  const below = elementwise.le(x, 0);
  const all = x.onesLike();
  if (!x.backend.synchronous) return x.emptyLike().uniform_(lower, upper).where(below, all);
  // PyTorch draws doubles whatever the dtype is.
  const drawn = x.newEmpty([below.sum().itemSync()], { dtype: float64 }).uniform_(lower, upper);
  return all.maskedScatter(below, drawn.to(x.dtype));
}

/**
 * input above 0, a slope times input below: in training one drawn for each element from
 * [lower, upper), else (lower + upper) / 2.
 */
export const rrelu = op(
  'rrelu',
  'input, lower, upper, training, inplace',
  (input: Tensor, lower = 1 / 8, upper = 1 / 3, training = false, inplace = false): Tensor => {
    if (!(lower <= upper)) {
      throw new ValueError(`rrelu: lower is at most upper, got ${lower} and ${upper}`);
    }
    if (!training) return leakyRelu(input, (lower + upper) / 2, inplace);
    return composed('rrelu', input, inplace, (x) => x.mul(drawnSlopes(x, lower, upper)));
  },
);

/** input above 0, weight * input below; `weight` has one value, or one per channel (dim 1). */
export const prelu = op('prelu', 'input, weight', (input: Tensor, weight: Tensor): Tensor => {
  if (weight.dtype !== input.dtype) {
    throw new DtypeError(`prelu: input is ${input.dtype}, weight ${weight.dtype}; cast one`);
  }
  if (weight.ndim > 1) {
    throw new ShapeError(
      `prelu: the weight is a number or a vector, got shape ${showShape(weight.shape)}`,
    );
  }
  const count = weight.numel();
  let slope = weight;
  if (count !== 1) {
    const channels = input.ndim > 1 ? input.shape[1] : 1;
    if (input.ndim === 0 || count !== channels) {
      throw new ShapeError(
        `prelu: ${count} weights for input ${showShape(input.shape)}, which has ` +
          `${input.ndim === 0 ? 0 : channels} channels (dim 1); give 1 weight or one per channel`,
      );
    }
    if (input.ndim > 1) slope = slope.view([-1, ...new Array<number>(input.ndim - 2).fill(1)]);
  } else if (weight.ndim === 1 && input.ndim === 0) slope = slope.view([]);
  return applyBinary('prelu', input, slope);
});

/** The dimension softmax takes when none is named: 0 for 0-d, 1-d and 3-d tensors, else 1. */
function softmaxDim(ndim: number): number {
  return ndim === 0 || ndim === 1 || ndim === 3 ? 0 : 1;
}

/** exp(input) / sum(exp(input)) along `dim`. */
export const softmax = op(
  'softmax',
  'input, dim, dtype',
  (input: Tensor, dim: number | null = null, dtype: Dtype | null = null): Tensor =>
    softmaxOf(input, dim ?? softmaxDim(input.ndim), dtype),
);

/** log(softmax(input)) along `dim`. */
export const logSoftmax = op(
  'logSoftmax',
  'input, dim, dtype',
  (input: Tensor, dim: number | null = null, dtype: Dtype | null = null): Tensor =>
    logSoftmaxOf(input, dim ?? softmaxDim(input.ndim), dtype),
);

/** softmax(-input) along `dim`. */
export const softmin = op(
  'softmin',
  'input, dim, dtype',
  (input: Tensor, dim: number | null = null, dtype: Dtype | null = null): Tensor =>
    softmaxOf(elementwise.neg(input), dim ?? softmaxDim(input.ndim), dtype),
);

/** input - tanh(input). */
export const tanhshrink = op(
  'tanhshrink',
  'input',
  (input: Tensor): Tensor => input.sub(elementwise.tanh(input)),
);

/** The first half of `dim` times the sigmoid of the second. */
export const glu = op('glu', 'input, dim', (input: Tensor, dim = -1): Tensor => {
  const along = normalizeDim(dim, input.ndim, 'glu');
  const size = input.shape[along];
  if (size === undefined || size % 2 !== 0) {
    throw new ShapeError(
      `glu: dimension ${dim} of shape ${showShape(input.shape)} cannot be halved`,
    );
  }
  const [first, gate] = chunk(input, 2, along);
  return first.mul(elementwise.sigmoid(gate));
});
