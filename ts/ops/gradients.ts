/**
 * The gradient of every operator of the table, one row each. Rules are written with differentiable
 * operations, so they can be differentiated again. Broadcasting and casts are undone by the gate.
 */

import type { Tensor } from '../tensor.js';
import { applyPointwise } from './apply.js';
import {
  FACTORS,
  keepSame,
  NONE,
  none,
  OUT,
  POWER,
  QUOTIENT,
  rule,
  X,
  X_OUT,
  XY,
  XYZ,
  Y,
  YZ,
} from './gradient_rules.js';
import { kernelGradients } from './gradients_kernels.js';
import { nnGradients } from './gradients_nn.js';
import type { PointwiseName } from './pointwise.js';
import type { GradContext, GradientRow } from './rule.js';
import type { AttributesOf, OpName } from './table.js';
import { addStrided, addWindows, embed } from './view_gradients.js';
import type { ViewName } from './views.js';

/** A threshold that no number is above; WGSL has no infinity. */
const NEVER = 3e38;

/** Runs a row that only gradients use. */
function pw(name: PointwiseName, x: Tensor, y?: Tensor, ...scalars: number[]): Tensor {
  return applyPointwise(name, y === undefined ? [x] : [x, y], scalars);
}

const zero = (g: Tensor): Tensor => g.zerosLike();

/** 1 - x^2 without cancellation near 1. */
const oneMinusSquare = (x: Tensor): Tensor => x.neg().add(1).mul(x.add(1));

const STEP = none('its result is bool');
const BITS = none('it is defined on integers');

/** Whether a power of a base with this logarithm depends on the exponent. */
const hasSlope = (power: Tensor, log: Tensor): Tensor =>
  log.ne(-Infinity).logicalOr(power.abs().gt(1));

/** Runs a row of three operands. */
function pw3(name: PointwiseName, x: Tensor, y: Tensor, z: Tensor): Tensor {
  return applyPointwise(name, [x, y, z]);
}

/** The gradient g of huber to x; the quotient is bounded, so that half floats keep it. */
function huberBackward(g: Tensor, x: Tensor, y: Tensor, bound: number, divisor: number): Tensor {
  return applyPointwise('huberBackward', [g, x, y], [bound, divisor]);
}

/** The gradient of that to x. */
function huberCurve(g: Tensor, s: GradContext<AttributesOf<'huberBackward'>>): Tensor {
  const { bound, divisor } = s.attributes;
  const x = s.y.sub(s.z).div(divisor);
  return pw('insideBounds', x, g.mul(s.x).div(divisor), -bound, bound);
}

/** g where the mask holds, 0 elsewhere. */
function keep(g: Tensor, mask: Tensor): Tensor {
  return g.where(mask, 0);
}

/** The gradient's share of two operands of a maximum: half each where they are equal. */
function share(g: Tensor, mine: Tensor, other: Tensor, wins: 'gt' | 'lt'): Tensor {
  const tie = keep(g.mul(0.5), mine.eq(other));
  return tie.add(keep(g, mine[wins](other).logicalOr(mine.isnan())));
}

/** What binaryCrossEntropyBackward divides by. */
const spread = (x: Tensor): Tensor => x.neg().add(1).mul(x).clampMin(1e-12);

function eluBackward(g: Tensor, x: Tensor, of: AttributesOf<'eluScalar'>): Tensor {
  return pw('eluBackward', g, x, of.alpha, of.scale, of.inputScale);
}

type Pointwise = { readonly [K in PointwiseName]: GradientRow<AttributesOf<K>> };

const pointwiseGradients: Pointwise = {
  exp: rule(OUT, (g, s) => g.mul(s.output())),
  exp2: rule(OUT, (g, s) => g.mul(s.output()).mul(Math.LN2)),
  expm1: rule(OUT, (g, s) => g.mul(s.output().add(1))),
  log: rule(X, (g, s) => g.div(s.x)),
  log2: rule(X, (g, s) => g.div(s.x.mul(Math.LN2))),
  log10: rule(X, (g, s) => g.div(s.x.mul(Math.LN10))),
  log1p: rule(X, (g, s) => g.div(s.x.add(1))),
  sqrt: rule(OUT, (g, s) => g.div(s.output().mul(2))),
  rsqrt: rule(OUT, (g, s) => g.mul(s.output().pow(3)).mul(-0.5)),
  reciprocal: rule(OUT, (g, s) => g.mul(s.output().square()).neg()),
  square: rule(X, (g, s) => g.mul(s.x.mul(2))),
  cube: rule(X, (g, s) => g.mul(s.x.square().mul(3))),
  sin: rule(X, (g, s) => g.mul(s.x.cos())),
  cos: rule(X, (g, s) => g.mul(s.x.sin().neg())),
  tan: rule(OUT, (g, s) => g.mul(s.output().square().add(1))),
  asin: rule(X, (g, s) => g.mul(oneMinusSquare(s.x).rsqrt())),
  acos: rule(X, (g, s) => g.mul(oneMinusSquare(s.x).rsqrt()).neg()),
  atan: rule(X, (g, s) => g.div(s.x.square().add(1))),
  sinh: rule(X, (g, s) => g.mul(s.x.cosh())),
  cosh: rule(X, (g, s) => g.mul(s.x.sinh())),
  tanh: rule(OUT, (g, s) => pw('tanhBackward', g, s.output())),
  asinh: rule(X, (g, s) => g.mul(s.x.square().add(1).rsqrt())),
  acosh: rule(X, (g, s) => g.mul(s.x.sub(1).rsqrt()).mul(s.x.add(1).rsqrt())),
  atanh: rule(X, (g, s) => g.div(oneMinusSquare(s.x))),
  erf: rule(X, (g, s) => g.mul(s.x.square().neg().exp()).mul(2 / Math.sqrt(Math.PI))),
  erfc: rule(X, (g, s) => g.mul(s.x.square().neg().exp()).mul(-2 / Math.sqrt(Math.PI))),
  sigmoid: rule(OUT, (g, s) => pw('sigmoidBackward', g, s.output())),
  logSigmoid: rule(X, (g, s) => pw('softplusBackward', g, s.x, -1, NEVER)),
  neg: rule(NONE, (g) => g.neg()),
  abs: rule(X, (g, s) => g.mul(s.x.sign())),
  sign: rule(NONE, zero),
  floor: rule(NONE, zero),
  ceil: rule(NONE, zero),
  trunc: rule(NONE, zero),
  roundEven: rule(NONE, zero),
  frac: rule(NONE, (g) => g),
  isnan: STEP,
  isinf: STEP,
  isfinite: STEP,
  logicalNot: STEP,
  signbit: STEP,
  addTensors: rule(
    NONE,
    (g) => g,
    (g) => g,
  ),
  addScaled: rule(
    NONE,
    (g) => g,
    (g, s) => g.mul(s.attributes.alpha),
  ),
  subTensors: rule(
    NONE,
    (g) => g,
    (g) => g.neg(),
  ),
  mul: rule(
    FACTORS,
    (g, s) => g.mul(s.operandY),
    (g, s) => g.mul(s.operandX),
  ),
  divTrue: rule(
    QUOTIENT,
    (g, s) => g.div(s.operandY),
    (g, s) => g.mul(s.x.div(s.y)).div(s.y).neg(),
  ),
  divFloor: rule(NONE, zero, zero),
  divTrunc: rule(NONE, zero, zero),
  fmod: rule(
    XY,
    (g) => g,
    (g, s) => g.mul(s.x.div(s.y, 'trunc')).neg(),
  ),
  remainder: rule(
    XY,
    (g) => g,
    (g, s) => g.mul(s.x.div(s.y, 'floor')).neg(),
  ),
  powTensors: rule(
    POWER,
    (g, s) => pw3('powBackward', g, s.y, s.x.pow(s.y.sub(1))),
    (g, s) => pw3('powExponentBackward', g, s.output(), s.x.log()),
  ),
  powBackward: rule(
    XYZ,
    (g, s) => pw3('powBackward', g, s.y, s.z),
    (g, s) => keep(g.mul(s.x).mul(s.z), s.y.ne(0)),
    (g, s) => pw3('powBackward', g, s.y, s.x),
  ),
  powExponentBackward: rule(
    XYZ,
    (g, s) => pw3('powExponentBackward', g, s.y, s.z),
    (g, s) => keep(g.mul(s.x).mul(s.z), hasSlope(s.y, s.z)),
    (g, s) => keep(g.mul(s.x).mul(s.y), hasSlope(s.y, s.z)),
  ),
  atan2: rule(
    XY,
    (g, s) => g.mul(s.y.div(s.x.square().add(s.y.square()))),
    (g, s) => g.mul(s.x.div(s.x.square().add(s.y.square()))).neg(),
  ),
  maximum: rule(
    XY,
    (g, s) => share(g, s.x, s.y, 'gt'),
    (g, s) => share(g, s.y, s.x, 'gt'),
  ),
  minimum: rule(
    XY,
    (g, s) => share(g, s.x, s.y, 'lt'),
    (g, s) => share(g, s.y, s.x, 'lt'),
  ),
  fmax: rule(
    XY,
    (g, s) => keep(g, s.x.ge(s.y).logicalOr(s.y.isnan())),
    (g, s) => keep(g, s.x.ge(s.y).logicalOr(s.y.isnan()).logicalNot()),
  ),
  fmin: rule(
    XY,
    (g, s) => keep(g, s.x.le(s.y).logicalOr(s.y.isnan())),
    (g, s) => keep(g, s.x.le(s.y).logicalOr(s.y.isnan()).logicalNot()),
  ),
  logaddexp: rule(
    XY,
    (g, s) => g.mul(s.x.sub(s.y).sigmoid()),
    (g, s) => g.mul(s.y.sub(s.x).sigmoid()),
  ),
  logaddexp2: rule(
    XY,
    (g, s) => g.mul(s.x.sub(s.y).mul(Math.LN2).sigmoid()),
    (g, s) => g.mul(s.y.sub(s.x).mul(Math.LN2).sigmoid()),
  ),
  xlogy: rule(
    XY,
    (g, s) => g.xlogy(s.y).where(s.x.ne(0).logicalOr(s.y.gt(0)), 0),
    (g, s) => g.mul(s.x).div(s.y),
  ),
  copysign: rule(X_OUT, (g, s) => g.mul(s.x.sign().mul(s.output().sign())), zero),
  heaviside: rule(XY, zero, (g, s) => keep(g, s.x.eq(0))),
  eq: STEP,
  ne: STEP,
  lt: STEP,
  le: STEP,
  gt: STEP,
  ge: STEP,
  logicalAnd: STEP,
  logicalOr: STEP,
  logicalXor: STEP,
  bitwiseAnd: BITS,
  bitwiseOr: BITS,
  bitwiseXor: BITS,
  invertBits: BITS,
  bitwiseLeftShift: BITS,
  bitwiseRightShift: BITS,
  select3: rule(
    X,
    undefined,
    (g, s) => g.where(s.x, 0),
    (g, s) => g.where(s.x.logicalNot(), 0),
  ),
  keepSame: rule(XY, undefined, undefined, (g, s) => keepSame(s.x, s.y, g)),
  clampScalars: rule(X, (g, s) =>
    pw('insideBounds', s.x, g, s.attributes.lower, s.attributes.upper),
  ),
  clampTensors: rule(
    XYZ,
    (g, s) => keep(g, s.x.ge(s.y).logicalAnd(s.x.le(s.z))),
    (g, s) => keep(g, s.x.lt(s.y).logicalAnd(s.y.lt(s.z))),
    (g, s) => keep(g, s.x.gt(s.z).logicalOr(s.y.gt(s.z))),
  ),
  clampMin: rule(
    XY,
    (g, s) =>
      typeof s.operandY === 'number'
        ? pw('insideBounds', s.x, g, s.operandY, Number.POSITIVE_INFINITY)
        : keep(g, s.x.ge(s.y)),
    (g, s) => keep(g, s.x.lt(s.y)),
  ),
  clampMax: rule(
    XY,
    (g, s) =>
      typeof s.operandY === 'number'
        ? pw('insideBounds', s.x, g, Number.NEGATIVE_INFINITY, s.operandY)
        : keep(g, s.x.le(s.y)),
    (g, s) => keep(g, s.x.gt(s.y)),
  ),
  fillBetween: rule(
    { inputs: [1], flat: true },
    (g, s) => pw('fillBetween', g, s.y, s.attributes.lower, s.attributes.upper, 0),
    zero,
  ),
  softshrink: rule(X, (g, s) =>
    pw('fillBetween', g, s.x, s.attributes.lower, s.attributes.upper, 0),
  ),
  nanToNum: rule(X, (g, s) => keep(g, s.x.isfinite())),
  insideBounds: rule(X, zero, (g, s) =>
    pw('insideBounds', s.x, g, s.attributes.lower, s.attributes.upper),
  ),
  hardtanhScalars: rule(X, (g, s) =>
    pw('hardtanhBackward', g, s.x, s.attributes.lower, s.attributes.upper, 1),
  ),
  hardtanhBackward: rule(
    Y,
    (g, { y, attributes: of }) => pw('hardtanhBackward', g, y, of.lower, of.upper, of.scale),
    zero,
  ),
  addcmulTensors: rule(
    YZ,
    (g) => g,
    (g, s) => g.mul(s.z).mul(s.attributes.value),
    (g, s) => g.mul(s.y).mul(s.attributes.value),
  ),
  addcdivTensors: rule(
    YZ,
    (g) => g,
    (g, s) => g.div(s.z).mul(s.attributes.value),
    (g, s) => g.mul(s.y).div(s.z.square()).mul(-s.attributes.value),
  ),
  lerpTensors: rule(
    XYZ,
    (g, s) => g.mul(s.z.neg().add(1)),
    (g, s) => g.mul(s.z),
    (g, s) => g.mul(s.y.sub(s.x)),
  ),
  relu: rule(OUT, (g, s) => pw('reluBackward', g, s.output())),
  reluBackward: rule(Y, (g, s) => pw('reluBackward', g, s.y), zero),
  leakyReluScalar: rule(X, (g, s) => pw('leakyReluBackward', g, s.x, s.attributes.slope)),
  leakyReluBackward: rule(Y, (g, s) => pw('leakyReluBackward', g, s.y, s.attributes.slope), zero),
  prelu: rule(
    { inputs: [0, 1], flat: true },
    (g, s) => pw3('preluBackward', g, s.x, s.y),
    (g, s) => pw('preluWeightGrad', g, s.x),
  ),
  preluBackward: rule(
    XYZ,
    (g, s) => pw3('preluBackward', g, s.y, s.z),
    zero,
    (g, s) => keep(g.mul(s.x), s.y.le(0)),
  ),
  preluWeightGrad: rule(
    XY,
    (g, s) => pw('preluWeightGrad', g, s.y),
    (g, s) => keep(g.mul(s.x), s.y.le(0)),
  ),
  sigmoidBackward: rule(
    XY,
    (g, s) => pw('sigmoidBackward', g, s.y),
    (g, s) => g.mul(s.x).mul(s.y.mul(-2).add(1)),
  ),
  tanhBackward: rule(
    XY,
    (g, s) => pw('tanhBackward', g, s.y),
    (g, s) => g.mul(s.x).mul(s.y).mul(-2),
  ),
  silu: rule(X, (g, s) => pw('siluBackward', g, s.x)),
  siluBackward: rule(
    XY,
    (g, s) => pw('siluBackward', g, s.y),
    (g, s) => {
      // silu'' = s (1 - s) (2 + y (1 - 2 s)), s = sigmoid(y)
      const p = s.y.sigmoid();
      const curve = p.mul(p.neg().add(1)).mul(s.y.mul(p.mul(-2).add(1)).add(2));
      return g.mul(s.x).mul(curve);
    },
  ),
  hardswish: rule(X, (g, s) => pw('hardswishBackward', g, s.x)),
  hardswishBackward: rule(
    XY,
    (g, s) => pw('hardswishBackward', g, s.y),
    (g, s) => pw('hardtanhBackward', g.mul(s.x), s.y, -3, 3, 1 / 3),
  ),
  hardsigmoid: rule(X, (g, s) => pw('hardtanhBackward', g, s.x, -3, 3, 1 / 6)),
  squaredDifference: rule(
    XY,
    (g, s) => pw3('scaledDifference', g, s.x, s.y),
    (g, s) => pw3('scaledDifference', g, s.y, s.x),
  ),
  scaledDifference: rule(
    XYZ,
    (g, s) => pw3('scaledDifference', g, s.y, s.z),
    (g, s) => g.mul(s.x).mul(2),
    (g, s) => g.mul(s.x).mul(-2),
  ),
  huber: rule(
    XY,
    (g, { x, y, attributes: { delta, divisor } }) =>
      huberBackward(g, x, y, delta / divisor, divisor),
    (g, { x, y, attributes: { delta, divisor } }) =>
      huberBackward(g, y, x, delta / divisor, divisor),
  ),
  huberBackward: rule(
    XYZ,
    (g, { y, z, attributes: { bound, divisor } }) => huberBackward(g, y, z, bound, divisor),
    huberCurve,
    (g, s) => huberCurve(g, s).neg(),
  ),
  geluErf: rule(X, (g, s) => pw('geluErfBackward', g, s.x)),
  geluErfBackward: rule(
    XY,
    (g, s) => pw('geluErfBackward', g, s.y),
    (g, s) => {
      // gelu'' = phi(y) (2 - y^2), phi the normal density
      const density = s.y
        .square()
        .mul(-0.5)
        .exp()
        .mul(1 / Math.sqrt(2 * Math.PI));
      return g.mul(s.x).mul(density).mul(s.y.square().neg().add(2));
    },
  ),
  geluTanh: rule(X, (g, s) => pw('geluTanhBackward', g, s.x)),
  geluTanhBackward: rule(
    XY,
    (g, s) => pw('geluTanhBackward', g, s.y),
    (g, s) => {
      // (y p)'' = p (1 - p) (t' (2 + y t' (1 - 2 p)) + y t''), p = sigmoid(t)
      const k = Math.sqrt(8 / Math.PI);
      const square = s.y.square();
      const slope = square.mul(3 * 0.044715 * k).add(k);
      const p = square.mul(0.044715).add(1).mul(s.y).mul(k).sigmoid();
      const bend = s.y.mul(slope).mul(p.mul(-2).add(1)).add(2);
      const curve = slope.mul(bend).add(square.mul(6 * 0.044715 * k));
      return g.mul(s.x).mul(pw('sigmoidBackward', curve, p));
    },
  ),
  softplusScalar: rule(X, (g, s) =>
    pw('softplusBackward', g, s.x, s.attributes.beta, s.attributes.threshold),
  ),
  softplusBackward: rule(
    XY,
    (g, s) => pw('softplusBackward', g, s.y, s.attributes.beta, s.attributes.threshold),
    (g, s) => {
      const { beta, threshold } = s.attributes;
      const p = s.y.mul(beta).sigmoid();
      const curve = p.mul(p.neg().add(1)).mul(beta);
      return g.mul(s.x).mul(curve).where(s.y.mul(beta).le(threshold), 0);
    },
  ),
  eluScalar: rule(X, (g, s) => eluBackward(g, s.x, s.attributes)),
  eluBackward: rule(
    XY,
    (g, s) => eluBackward(g, s.y, s.attributes),
    (g, s) =>
      keep(eluBackward(g.mul(s.x), s.y, s.attributes), s.y.le(0)).mul(s.attributes.inputScale),
  ),
  mish: rule(X, (g, s) => pw('mishBackward', g, s.x)),
  mishBackward: rule(
    XY,
    (g, s) => pw('mishBackward', g, s.y),
    (g, s) => {
      // mish'' = s (1 - t^2) (2 + y (1 - s - 2 s t)), s = sigmoid(y), t = tanh(softplus(y))
      const p = s.y.sigmoid();
      const t = pw('softplusScalar', s.y, undefined, 1, NEVER).tanh();
      const bend = p.mul(t.mul(2).add(1)).neg().add(1).mul(s.y).add(2);
      return g
        .mul(s.x)
        .mul(pw('tanhBackward', p, t))
        .mul(bend);
    },
  ),
  binaryCrossEntropy: rule(
    XY,
    (g, s) => pw3('binaryCrossEntropyBackward', g, s.x, s.y),
    (g, s) => g.mul(s.x.neg().log1p().clampMin(-100).sub(s.x.log().clampMin(-100))),
  ),
  binaryCrossEntropyBackward: rule(
    XYZ,
    (g, s) => pw3('binaryCrossEntropyBackward', g, s.y, s.z),
    (g, s) => {
      const bend = s.y.sub(s.z).square().add(s.z.sub(s.z.square()));
      return g.mul(s.x).mul(bend.div(spread(s.y).square()));
    },
    (g, s) => g.mul(s.x).div(spread(s.y)).neg(),
  ),
  binaryCrossEntropyWithLogits: rule(
    XY,
    (g, s) => pw3('binaryCrossEntropyWithLogitsBackward', g, s.x, s.y),
    (g, s) => g.mul(s.x).neg(),
  ),
  binaryCrossEntropyWithLogitsBackward: rule(
    XYZ,
    (g, s) => pw3('binaryCrossEntropyWithLogitsBackward', g, s.y, s.z),
    (g, s) => pw('sigmoidBackward', g.mul(s.x), s.y.sigmoid()),
    (g, s) => g.mul(s.x).neg(),
  ),
};

type Views = { readonly [K in ViewName]: GradientRow<AttributesOf<K>> };

/** Dimensions of a permutation in the order that undoes it. */
function inverse(dims: readonly number[]): number[] {
  const result = new Array<number>(dims.length);
  dims.forEach((dim, i) => {
    result[dim] = i;
  });
  return result;
}

const viewGradients: Views = {
  alias: rule(NONE, (g) => g),
  view: rule(NONE, (g, s) => g.reshape(s.geometries[0].shape)),
  permute: rule(NONE, (g, s) => g.permute(inverse(s.attributes.dims))),
  expand: rule(NONE, (g) => g),
  sliceDim: rule(NONE, (g, s) => embed(g, 'sliceDim', s.attributes, s.geometries[0].shape)),
  selectDim: rule(NONE, (g, s) => embed(g, 'selectDim', s.attributes, s.geometries[0].shape)),
  diagonalView: rule(NONE, (g, s) => embed(g, 'diagonalView', s.attributes, s.geometries[0].shape)),
  unfoldView: rule(NONE, (g, s) => addWindows(g, s.attributes, s.geometries[0].shape)),
  asStridedView: rule(NONE, (g, s) => addStrided(g, s.attributes)),
};

export const gradients: { readonly [K in OpName]: GradientRow<AttributesOf<K>> } = {
  ...pointwiseGradients,
  ...viewGradients,
  ...kernelGradients,
  ...nnGradients,
};
