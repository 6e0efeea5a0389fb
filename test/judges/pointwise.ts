/** Judges of the elementwise rows. */

import type { PointwiseName } from '../../ts/ops/pointwise.js';
import type { PointwiseJudge, Range } from './judge.js';
import * as special from './special.js';

type F = PointwiseJudge['f'];
type Rest = Partial<Omit<PointwiseJudge, 'kind' | 'f' | 'domain' | 'ulp'>>;

/** A judge with one range for all operands, or one for each. */
function judge(
  f: F,
  domain: Range | readonly Range[],
  ulp: number,
  rest: Rest = {},
): PointwiseJudge {
  const list = (typeof domain[0] === 'number' ? [domain] : domain) as readonly Range[];
  return { kind: 'pointwise', f, domain: list, ulp, ...rest };
}

/** A result that must be right to the bit. */
const exact = (f: F, domain: Range | readonly Range[], rest?: Rest) => judge(f, domain, 0, rest);
/** Piecewise constant or kinked rows have their gradients checked on one side. */
const right: Rest = { smooth: [[0.1, 0.9]] };
const apart: Rest = {
  smooth: [
    [0.5, 1],
    [2, 3],
  ],
};

const WIDE: Range = [-20, 20];
const UNIT: Range = [-0.95, 0.95];
const ABOVE: Range = [0.05, 30];
const SMALL: Range = [-3, 3];

/** Where a factor exp(x) or sigmoid(x) of float32 has lost bits to underflow. */
const underflows = (factor: (...values: number[]) => number): Rest => ({
  excused: {
    reason: 'a factor of the formula is subnormal, as in PyTorch',
    at: (...values) => factor(...values) < -87,
  },
});

/** The slope of gelu by tanh. */
function tanhSlope(x: number): number {
  const k = Math.sqrt(2 / Math.PI);
  const t = Math.tanh(k * (x + 0.044715 * x ** 3));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * k * (1 + 3 * 0.044715 * x * x);
}

/** The slope of mish. */
function mishSlope(x: number): number {
  const t = Math.tanh(special.softplus(x));
  return t + x * special.sigmoid(x) * (1 - t * t);
}

const selu = [1.6732632423543772, 1.0507009873554805, 1] as const;

export const pointwiseJudges: { readonly [K in PointwiseName]: PointwiseJudge } = {
  exp: judge(Math.exp, WIDE, 2, { smooth: [SMALL] }),
  exp2: judge((x) => 2 ** x, WIDE, 2, { smooth: [SMALL] }),
  expm1: judge(Math.expm1, WIDE, 3, { smooth: [SMALL] }),
  log: judge(Math.log, ABOVE, 2),
  log2: judge(Math.log2, ABOVE, 2),
  log10: judge(Math.log10, ABOVE, 2),
  log1p: judge(Math.log1p, [-0.9, 30], 2),
  sqrt: exact(Math.sqrt, ABOVE),
  rsqrt: judge((x) => 1 / Math.sqrt(x), ABOVE, 1),
  reciprocal: exact((x) => 1 / x, ABOVE),
  square: exact((x) => x * x, WIDE),
  cube: judge((x) => x * x * x, WIDE, 1),
  sin: judge(Math.sin, WIDE, 2),
  cos: judge(Math.cos, WIDE, 2),
  tan: judge(Math.tan, WIDE, 3, { smooth: [[-1.2, 1.2]] }),
  asin: judge(Math.asin, UNIT, 3),
  acos: judge(Math.acos, UNIT, 3),
  atan: judge(Math.atan, WIDE, 3),
  sinh: judge(Math.sinh, WIDE, 3, { smooth: [SMALL] }),
  cosh: judge(Math.cosh, WIDE, 3, { smooth: [SMALL] }),
  tanh: judge(Math.tanh, SMALL, 2),
  asinh: judge(Math.asinh, WIDE, 3),
  acosh: judge(Math.acosh, [1.05, 30], 3, { smooth: [[1.5, 4]] }),
  atanh: judge(Math.atanh, UNIT, 3, { smooth: [[-0.8, 0.8]] }),
  erf: judge(special.erf, SMALL, 2),
  erfc: judge(special.erfc, SMALL, 4),
  sigmoid: judge(special.sigmoid, SMALL, 3),
  logSigmoid: judge((x) => -special.softplus(-x), WIDE, 3, { smooth: [SMALL] }),
  neg: exact((x) => -x, WIDE),
  abs: exact(Math.abs, WIDE, right),
  sign: exact((x) => (x > 0 ? 1 : x < 0 ? -1 : 0), WIDE, right),
  floor: exact(Math.floor, WIDE, right),
  ceil: exact(Math.ceil, WIDE, right),
  trunc: exact(Math.trunc, WIDE, right),
  roundEven: exact(special.roundEven, WIDE, { smooth: [[0.6, 1.4]] }),
  frac: exact((x) => x - Math.trunc(x), WIDE, right),
  isnan: exact(Number.isNaN, WIDE),
  isinf: exact((x) => Math.abs(x) === Number.POSITIVE_INFINITY, WIDE),
  isfinite: exact(Number.isFinite, WIDE),
  logicalNot: exact((x) => x === 0, WIDE),
  signbit: exact((x) => x < 0 || Object.is(x, -0), WIDE, {
    excused: { reason: 'JavaScript does not say which sign a NaN has', at: Number.isNaN },
  }),

  addTensors: exact((x, y) => x + y, WIDE),
  addScaled: judge((x, y, alpha) => x + alpha * y, WIDE, 1, { scalars: [2] }),
  subTensors: exact((x, y) => x - y, WIDE),
  mul: exact((x, y) => x * y, WIDE),
  divTrue: exact((x, y) => x / y, [WIDE, ABOVE], { smooth: [SMALL, [0.5, 3]] }),
  divFloor: exact(special.floorDivide, [WIDE, ABOVE], {
    smooth: [
      [3.1, 3.9],
      [1, 1.01],
    ],
  }),
  divTrunc: exact((x, y) => Math.trunc(x / y), [WIDE, ABOVE], {
    smooth: [
      [3.1, 3.9],
      [1, 1.01],
    ],
    excused: {
      reason: 'the quotient may round to a whole number before it is cut, in PyTorch too',
      at: (x, y) => x % y !== 0 && Math.abs(x / y - Math.round(x / y)) < 2 ** -22 * Math.abs(x / y),
    },
  }),
  fmod: exact((x, y) => x % y, WIDE, {
    smooth: [
      [3.1, 3.9],
      [1, 1.01],
    ],
  }),
  remainder: judge(special.remainder, WIDE, 1, {
    smooth: [
      [3.1, 3.9],
      [1, 1.01],
    ],
  }),
  powTensors: judge(special.pow, [[0.05, 4], SMALL], 4),
  powBackward: judge((x, y, z) => (y === 0 ? 0 : x * y * z), SMALL, 2),
  powExponentBackward: judge(
    (x, y, z) => (z === -Infinity && Math.abs(y) <= 1 ? 0 : x * y * z),
    SMALL,
    2,
  ),
  atan2: judge(Math.atan2, SMALL, 3, { smooth: [[0.5, 2]] }),
  maximum: exact(Math.max, WIDE, apart),
  minimum: exact(Math.min, WIDE, apart),
  fmax: exact(special.fmax, WIDE, apart),
  fmin: exact(special.fmin, WIDE, apart),
  logaddexp: judge(special.logaddexp, SMALL, 3, { cancels: 4 }),
  logaddexp2: judge(special.logaddexp2, SMALL, 3, { cancels: 4 }),
  xlogy: judge((x, y) => (Number.isNaN(y) ? y : x === 0 ? 0 : x * Math.log(y)), [SMALL, ABOVE], 3),
  copysign: exact(special.copysign, WIDE, {
    smooth: [
      [0.5, 3],
      [0.5, 3],
    ],
    excused: {
      reason: 'JavaScript does not say which sign a NaN has',
      at: (_x, y) => Number.isNaN(y),
    },
  }),
  heaviside: exact((x, y) => (Number.isNaN(x) ? x : x === 0 ? y : x > 0 ? 1 : 0), WIDE, apart),

  eq: exact((x, y) => x === y, WIDE),
  ne: exact((x, y) => x !== y, WIDE),
  lt: exact((x, y) => x < y, WIDE),
  le: exact((x, y) => x <= y, WIDE),
  gt: exact((x, y) => x > y, WIDE),
  ge: exact((x, y) => x >= y, WIDE),
  logicalAnd: exact((x, y) => x !== 0 && y !== 0, WIDE),
  logicalOr: exact((x, y) => x !== 0 || y !== 0, WIDE),
  logicalXor: exact((x, y) => (x !== 0) !== (y !== 0), WIDE),
  bitwiseAnd: exact((x, y) => x & y, WIDE),
  bitwiseOr: exact((x, y) => x | y, WIDE),
  bitwiseXor: exact((x, y) => x ^ y, WIDE),
  invertBits: exact((x) => ~x, WIDE),
  bitwiseLeftShift: exact((x, y) => x << y, [WIDE, [0, 4]]),
  bitwiseRightShift: exact((x, y) => x >> y, [WIDE, [0, 4]]),

  keepSame: exact((x, y, z) => (Object.is(x + 0, y + 0) ? z : 0), WIDE, {}),
  select3: exact((x, y, z) => (x ? y : z), WIDE),
  clampScalars: exact((x, low, high) => Math.min(Math.max(x, low), high), WIDE, {
    scalars: [-1, 2],
  }),
  clampTensors: exact((x, low, high) => Math.min(Math.max(x, low), high), WIDE, {
    smooth: [
      [0.5, 1],
      [-2, -1],
      [2, 3],
    ],
  }),
  clampMin: exact(Math.max, WIDE, apart),
  clampMax: exact(Math.min, WIDE, apart),
  fillBetween: exact((x, y, low, high, value) => (y >= low && y <= high ? value : x), WIDE, {
    scalars: [-1, 2, 5],
    smooth: [SMALL, [0.1, 0.9]],
  }),
  softshrink: judge((x, low, high) => x - Math.min(Math.max(x, low), high), WIDE, 1, {
    scalars: [-0.5, 0.5],
    smooth: [[0.6, 3]],
  }),
  nanToNum: exact(
    (x, missing, above, below) =>
      Number.isNaN(x) ? missing : x === Infinity ? above : x === -Infinity ? below : x,
    WIDE,
    { scalars: [1, 2, 3] },
  ),
  insideBounds: exact((x, y, low, high) => (x >= low && x <= high ? y : 0), WIDE, {
    scalars: [-1, 2],
  }),
  addcmulTensors: judge((x, y, z, value) => x + value * y * z, SMALL, 2, {
    scalars: [0.5],
    cancels: 8,
  }),
  addcdivTensors: judge((x, y, z, value) => x + (value * y) / z, [SMALL, SMALL, [0.5, 3]], 2, {
    scalars: [0.5],
    cancels: 8,
  }),
  lerpTensors: judge(
    (x, y, z) => (Math.abs(z) < 0.5 ? x + z * (y - x) : y - (y - x) * (1 - z)),
    [SMALL, SMALL, [0, 1]],
    2,
    { cancels: 8 },
  ),

  relu: exact((x) => (x <= 0 ? 0 : x), WIDE, right),
  reluBackward: exact((x, y) => (y <= 0 ? 0 : x), WIDE, apart),
  leakyReluScalar: exact((x, slope) => (x > 0 ? x : x * slope), WIDE, { scalars: [0.25] }),
  leakyReluBackward: exact((x, y, slope) => (y > 0 ? x : x * slope), WIDE, { scalars: [0.25] }),
  prelu: exact((x, y) => (x > 0 ? x : x * y), WIDE, apart),
  preluBackward: exact((x, y, z) => (y > 0 ? x : x * z), WIDE, {
    smooth: [SMALL, [-2, -1], SMALL],
  }),
  preluWeightGrad: exact((x, y) => (y > 0 ? 0 : x * y), WIDE, { smooth: [SMALL, [-2, -1]] }),
  sigmoidBackward: judge((x, y) => x * (1 - y) * y, [SMALL, [0.05, 0.95]], 2),
  tanhBackward: judge((x, y) => x * (1 - y * y), [SMALL, [-0.9, 0.9]], 2, { cancels: 4 }),
  silu: judge(
    (x) => x * special.sigmoid(x),
    SMALL,
    4,
    underflows((x) => x as number),
  ),
  siluBackward: judge(
    (x, y) => x * special.sigmoid(y) * (1 + y * (1 - special.sigmoid(y))),
    SMALL,
    4,
    { cancels: 8 },
  ),
  geluErf: judge((x) => x * special.normalCdf(x), SMALL, 4, { cancels: 4 }),
  geluErfBackward: judge((x, y) => x * (special.normalCdf(y) + y * special.phi(y)), SMALL, 4, {
    cancels: 8,
  }),
  geluTanh: judge(
    (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    SMALL,
    4,
    { cancels: 4 },
  ),
  geluTanhBackward: judge((x, y) => x * tanhSlope(y), SMALL, 4, { cancels: 8 }),
  hardtanhScalars: exact((x, low, high) => Math.min(Math.max(x, low), high), WIDE, {
    scalars: [-2, 3],
    ...right,
  }),
  hardtanhBackward: exact(
    (x, y, low, high, scale) => (y <= low || y >= high ? 0 : x * scale),
    SMALL,
    {
      scalars: [-2, 2.5, 0.5],
      ...right,
    },
  ),
  softplusScalar: judge(
    (x, beta, threshold) => (x * beta > threshold ? x : special.softplus(x * beta) / beta),
    SMALL,
    3,
    { scalars: [2, 20] },
  ),
  softplusBackward: judge(
    (x, y, beta, threshold) => (y * beta > threshold ? x : x * special.sigmoid(y * beta)),
    SMALL,
    4,
    { scalars: [2, 20], ...underflows((_x, y) => 2 * (y as number)) },
  ),
  eluScalar: judge(
    (x, alpha, scale, inputScale) =>
      x > 0 ? x * scale : alpha * scale * Math.expm1(x * inputScale),
    SMALL,
    4,
    { scalars: selu },
  ),
  eluBackward: judge(
    (x, y, alpha, scale, inputScale) =>
      y > 0 ? x * scale : x * alpha * scale * inputScale * Math.exp(y * inputScale),
    SMALL,
    4,
    { scalars: selu, ...apart, ...underflows((_x, y) => y as number) },
  ),
  hardswish: judge((x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6, WIDE, 3, {
    smooth: [[-2, 2]],
    excused: {
      reason: 'x * 6 is infinite, as in PyTorch',
      at: (x) => Math.abs(x as number) > 5e37,
    },
  }),
  hardswishBackward: judge((x, y) => (y < -3 ? 0 : y <= 3 ? x * (y / 3 + 0.5) : x), WIDE, 3, {
    smooth: [[0.1, 0.9]],
    cancels: 4,
  }),
  huberBackward: judge(
    (x, y, z, bound, divisor) => x * Math.min(Math.max((y - z) / divisor, -bound), bound),
    SMALL,
    3,
    { scalars: [3, 0.5], smooth: [SMALL, [0.5, 0.9], [0.2, 0.6]] },
  ),
  hardsigmoid: judge((x) => Math.min(Math.max(x + 3, 0), 6) / 6, WIDE, 1, {
    smooth: [[-2, 2]],
    cancels: 2,
  }),
  squaredDifference: judge((x, y) => (x - y) ** 2, SMALL, 2),
  scaledDifference: judge((x, y, z) => 2 * x * (y - z), SMALL, 2),
  huber: judge(
    (x, y, delta, divisor) => {
      const d = Math.abs(x - y);
      return (d <= delta ? 0.5 * d * d : delta * (d - 0.5 * delta)) / divisor;
    },
    SMALL,
    3,
    { scalars: [1.5, 0.5], cancels: 4 },
  ),
  mish: judge(
    (x) => x * Math.tanh(special.softplus(x)),
    SMALL,
    4,
    underflows((x) => x as number),
  ),
  mishBackward: judge((x, y) => x * mishSlope(y), SMALL, 4, {
    cancels: 8,
    ...underflows((_x, y) => y as number),
  }),
  binaryCrossEntropy: judge(
    (x, y) => -(y * Math.max(Math.log(x), -100) + (1 - y) * Math.max(Math.log1p(-x), -100)),
    [0.05, 0.95],
    4,
    { cancels: 4 },
  ),
  binaryCrossEntropyBackward: judge(
    (x, y, z) => (x * (y - z)) / Math.max((1 - y) * y, 1e-12),
    [SMALL, [0.05, 0.95], [0, 1]],
    4,
  ),
  binaryCrossEntropyWithLogits: judge(
    (x, y) => (1 - y) * x + special.softplus(-x),
    [SMALL, [0, 1]],
    4,
    { cancels: 8 },
  ),
  binaryCrossEntropyWithLogitsBackward: judge(
    (x, y, z) => x * (special.sigmoid(y) - z),
    [SMALL, SMALL, [0, 1]],
    4,
    { cancels: 8 },
  ),
};
