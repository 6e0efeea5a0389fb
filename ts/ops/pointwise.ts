/**
 * Rows of the elementwise operators: facts only. Kernels are instantiated from `c` at build time,
 * functions and methods are typed from the rows.
 *
 * In `c` the inputs are x, y, z (vectors of the compute dtype; masks are all-ones or zero lanes),
 * scalars stand under their names, and K(1.5) is a constant. Functions come from kernels/simd.h
 * and kernels/simd_math.h.
 */

/** What the arithmetic of a row is done in; other operands are cast first. */
export type PointwiseDomain =
  /** float32 and float64; integers and bools become the default float. */
  | 'real'
  /** float32, float64, int32, int64; the smaller ones are cast and cast back. */
  | 'number'
  /** Integers and bools; floats are an error. */
  | 'int';

export interface PointwiseRow {
  readonly kind: 'pointwise';
  /** The C expression of one vector of results. */
  readonly c: string;
  /** Number of tensor inputs, named x, y, z in `c`. */
  readonly inputs: 1 | 2 | 3;
  /** Input positions that hold bool masks and take no part in promotion. */
  readonly masks?: readonly number[];
  /** Names of scalar attributes, in the order of the function's arguments. */
  readonly scalars?: readonly string[];
  readonly domain: PointwiseDomain;
  /** Result dtype: the promoted one, or bool. */
  readonly result: 'same' | 'bool';
  /** Bool operands are refused, with this advice. */
  readonly noBool?: string;
  /** Integers and bools come back unchanged (rounding functions). */
  readonly keepsIntegers?: boolean;
  /** Bools count as integers 0 and 1. */
  readonly boolAsInt?: boolean;
  /** Has no `name_` form. */
  readonly noInPlace?: boolean;
  /** How many operands, from the first on, cannot be plain numbers. Default 0. */
  readonly tensors?: 1 | 2;
  /** Serves composites and gradients; not a public function. */
  readonly internal?: boolean;
  /** The row whose kernels compute this one, for rows that differ in their gradients only. */
  readonly kernel?: string;
}

type Extra = Partial<Omit<PointwiseRow, 'kind' | 'c' | 'inputs' | 'result'>>;

/** A row whose common facts are `Base`, with those of `E` in their place. */
type Row<Base, E> = Omit<Base, keyof E> & E & { readonly c: string };

function row<Base, const E extends Extra>(base: Base, c: string, extra: E) {
  return { ...base, c, ...extra } as unknown as Row<Base, E>;
}

/** What gelu by tanh takes for the normal distribution at x. */
const tanhCdf = (x: string) =>
  `sigmoid_(K(1.5957691216057308) * (${x} + K(0.044715) * ${x} * ${x} * ${x}))`;
const CDF_AT_Y = tanhCdf('y');

/**
 * tanh(log(1 + e)) of mish is n / (n + 2) with n = e (e + 2), and its derivative
 * (n + 4 x e (1 + e) / (n + 2)) / (n + 2); both are 1 to the last bit from 40 on.
 */
const mishRatio = (e: string) => `(${e} * (${e} + K(2)))`;
const MISH_E = 'exp_(pmin_(x, K(40)))';
const MISH_E_AT_Y = 'exp_(pmin_(y, K(40)))';
const MISH_N = /* @__PURE__ */ mishRatio(MISH_E);
const MISH_N_AT_Y = /* @__PURE__ */ mishRatio(MISH_E_AT_Y);
const MISH_BEND = `pmin_(y, K(40)) * ${MISH_E_AT_Y} * (${MISH_E_AT_Y} + K(1))`;

const UNARY = { kind: 'pointwise', inputs: 1, domain: 'real', result: 'same' } as const;
const BINARY = { kind: 'pointwise', inputs: 2, domain: 'number', result: 'same' } as const;
const TERNARY = { kind: 'pointwise', inputs: 3, domain: 'number', result: 'same' } as const;
const TEST = { kind: 'pointwise', inputs: 1, domain: 'number', result: 'bool' } as const;
const COMPARE = { kind: 'pointwise', inputs: 2, domain: 'number', result: 'bool' } as const;

const unary = <const E extends Extra>(c: string, extra: E) => row(UNARY, c, extra);
const binary = <const E extends Extra>(c: string, extra: E) => row(BINARY, c, extra);
const ternary = <const E extends Extra>(c: string, extra: E) => row(TERNARY, c, extra);
/** A function of one tensor to bool. */
const test = <const E extends Extra>(c: string, extra: E) => row(TEST, c, extra);
const compare = <const E extends Extra>(c: string, extra: E) => row(COMPARE, c, extra);

export const SUBTRACT_BOOL = 'use logicalNot() or logicalXor(), or cast with int()';

export const pointwise = {
  // Exponentials and logarithms.
  /** e to the power of x. */
  exp: unary('exp_(x)', {}),
  /** 2 to the power of x. */
  exp2: unary('exp2_(x)', {}),
  /** exp(x) - 1, exact near 0. */
  expm1: unary('expm1_(x)', {}),
  /** Natural logarithm. */
  log: unary('log_(x)', {}),
  /** Logarithm to base 2. */
  log2: unary('log2_(x)', {}),
  /** Logarithm to base 10. */
  log10: unary('log10_(x)', {}),
  /** log(1 + x), exact near 0. */
  log1p: unary('log1p_(x)', {}),

  // Powers.
  /** Square root. */
  sqrt: unary('sqrt_(x)', {}),
  /** 1 / sqrt(x). */
  rsqrt: unary('K(1) / sqrt_(x)', {}),
  /** 1 / x. */
  reciprocal: unary('K(1) / x', {}),
  /** x * x. */
  square: unary('x * x', { domain: 'number', boolAsInt: true }),
  cube: unary('x * x * x', { domain: 'number', internal: true }),

  // Trigonometric and hyperbolic functions.
  /** Sine; x in radians. */
  sin: unary('sin_(x)', {}),
  /** Cosine; x in radians. */
  cos: unary('cos_(x)', {}),
  /** Tangent; x in radians. */
  tan: unary('tan_(x)', {}),
  /** Arc sine. */
  asin: unary('asin_(x)', {}),
  /** Arc cosine. */
  acos: unary('acos_(x)', {}),
  /** Arc tangent. */
  atan: unary('atan_(x)', {}),
  /** Hyperbolic sine. */
  sinh: unary('sinh_(x)', {}),
  /** Hyperbolic cosine. */
  cosh: unary('cosh_(x)', {}),
  /** Hyperbolic tangent. */
  tanh: unary('tanh_(x)', {}),
  /** Inverse hyperbolic sine. */
  asinh: unary('asinh_(x)', {}),
  /** Inverse hyperbolic cosine. */
  acosh: unary('acosh_(x)', {}),
  /** Inverse hyperbolic tangent. */
  atanh: unary('atanh_(x)', {}),

  // Special functions.
  /** Error function. */
  erf: unary('erf_(x)', {}),
  /** Complementary error function, 1 - erf(x). */
  erfc: unary('erfc_(x)', {}),
  /** 1 / (1 + exp(-x)). */
  sigmoid: unary('sigmoid_(x)', {}),
  /** log(sigmoid(x)), never overflowing. */
  logSigmoid: unary('-log1pexp_(-x)', { internal: true }),

  // Signs and rounding.
  /** -x. */
  neg: unary('neg_(x)', { domain: 'number', noBool: SUBTRACT_BOOL }),
  /** Absolute value. */
  abs: unary('abs_(x)', { domain: 'number', noBool: 'cast it first' }),
  /** -1, 0 or 1; 0 for NaN. */
  sign: unary('sign_(x)', { domain: 'number' }),
  /** Largest integer not above x. */
  floor: unary('floor_(x)', { keepsIntegers: true }),
  /** Smallest integer not below x. */
  ceil: unary('ceil_(x)', { keepsIntegers: true }),
  /** x without its fraction. */
  trunc: unary('trunc_(x)', { keepsIntegers: true }),
  /** Nearest integer, ties to even. */
  roundEven: unary('round_(x)', {
    keepsIntegers: true,
    internal: true,
  }),
  /** x - trunc(x). */
  frac: unary('x - trunc_(x)', {}),

  // Tests.
  /** Where x is NaN. */
  isnan: test('isnan_(x)', {}),
  /** Where x is infinite. */
  isinf: test('isinf_(x)', {}),
  /** Where x is neither infinite nor NaN. */
  isfinite: test('isfinite_(x)', {}),
  /** Where x is 0 or false. */
  logicalNot: test('x == K(0)', {}),
  /** Where the sign bit of x is set. */
  signbit: test('signbit_(x)', { noInPlace: true }),

  // Arithmetic.
  addTensors: binary('x + y', { internal: true }),
  addScaled: binary('x + alpha * y', {
    scalars: ['alpha'],
    internal: true,
  }),
  subTensors: binary('x - y', { internal: true, noBool: SUBTRACT_BOOL }),
  /** x * y. */
  mul: binary('x * y', {}),
  /** x / y as floats. */
  divTrue: binary('x / y', { domain: 'real', internal: true }),
  /** floor(x / y). */
  divFloor: binary('floor_div_(x, y)', { internal: true }),
  /** trunc(x / y). */
  divTrunc: binary('trunc_div_(x, y)', { internal: true }),
  /** C remainder: the sign of x. */
  fmod: binary('fmod_(x, y)', { tensors: 1 }),
  /** Python remainder: the sign of y. */
  remainder: binary('remainder_(x, y)', {}),
  /** x to the power of y. */
  powTensors: binary('pow_(x, y)', { internal: true }),
  /** x y z, 0 where y is 0: the gradient of a power to its base, y the exponent and z the power less one. */
  powBackward: ternary('select(y == K(0), K(0), x * (y * z))', { domain: 'real', internal: true }),
  /** x y z for a power y and the logarithm z of its base: the gradient to the exponent. 0 for powers 0 and 1 of 0. */
  powExponentBackward: ternary(
    'select(isinf_(z) & (z < K(0)) & (abs_(y) <= K(1)), K(0), x * (y * z))',
    {
      domain: 'real',
      internal: true,
    },
  ),
  /** Angle of (y, x) in radians. */
  atan2: binary('atan2_(x, y)', { tensors: 2, domain: 'real' }),
  /** The larger one; NaN if either is. */
  maximum: binary('max_(x, y)', {
    tensors: 2,
    noInPlace: true,
  }),
  /** The smaller one; NaN if either is. */
  minimum: binary('min_(x, y)', {
    tensors: 2,
    noInPlace: true,
  }),
  /** The larger one; NaN only if both are. */
  fmax: binary('fmax_(x, y)', {
    tensors: 2,
    noInPlace: true,
  }),
  /** The smaller one; NaN only if both are. */
  fmin: binary('fmin_(x, y)', {
    tensors: 2,
    noInPlace: true,
  }),
  /** log(exp(x) + exp(y)). */
  logaddexp: binary('logaddexp_(x, y)', {
    tensors: 2,
    domain: 'real',
    noInPlace: true,
  }),
  /** log2(2^x + 2^y). */
  logaddexp2: binary('logaddexp2_(x, y)', {
    tensors: 2,
    domain: 'real',
    noInPlace: true,
  }),
  /** x * log(y), 0 where x is 0. */
  xlogy: binary('xlogy_(x, y)', { domain: 'real' }),
  /** |x| with the sign of y. */
  copysign: binary('copysign_(x, y)', { tensors: 1, domain: 'real' }),
  /** 0 below 0, y at 0, 1 above 0. */
  heaviside: binary('select(isnan_(x), x, select(x == K(0), y, select(x > K(0), K(1), K(0))))', {
    tensors: 2,
  }),

  // Comparison and logic.
  /** x == y. */
  eq: compare('x == y', { tensors: 1 }),
  /** x != y. */
  ne: compare('x != y', { tensors: 1 }),
  /** x < y. */
  lt: compare('x < y', { tensors: 1 }),
  /** x <= y. */
  le: compare('x <= y', { tensors: 1 }),
  /** x > y. */
  gt: compare('x > y', { tensors: 1 }),
  /** x >= y. */
  ge: compare('x >= y', { tensors: 1 }),
  /** Both nonzero. */
  logicalAnd: compare('(x != K(0)) & (y != K(0))', { tensors: 2 }),
  /** Either nonzero. */
  logicalOr: compare('(x != K(0)) | (y != K(0))', { tensors: 2 }),
  /** Just one nonzero. */
  logicalXor: compare('(x == K(0)) != (y == K(0))', { tensors: 2 }),
  /** Bits set in both. */
  bitwiseAnd: binary('x & y', { domain: 'int' }),
  /** Bits set in either. */
  bitwiseOr: binary('x | y', { domain: 'int' }),
  /** Bits set in just one. */
  bitwiseXor: binary('x ^ y', { domain: 'int' }),
  /** All bits flipped. */
  invertBits: unary('~x', { domain: 'int', internal: true }),
  /** x * 2^y. */
  bitwiseLeftShift: binary('shl_(x, y)', { domain: 'int' }),
  /** floor(x / 2^y). */
  bitwiseRightShift: binary('shr_(x, y)', { domain: 'int' }),

  // Choice and bounds.
  /** y where x is true, else z. */
  select3: ternary('select(x, y, z)', {
    masks: [0],
    internal: true,
  }),
  /**
   * z where x is y or both are NaN, else 0.
   * How extremes take their gradient.
   */
  keepSame: ternary('select((x == y) | (isnan_(x) & isnan_(y)), z, K(0))', {
    domain: 'real',
    internal: true,
  }),
  /** x held between lower and upper, neither of which is NaN. */
  clampScalars: unary('pmin_(pmax_(x, lower), upper)', {
    domain: 'number',
    scalars: ['lower', 'upper'],
    internal: true,
  }),
  /** x held between y and z; NaN if one of them is. */
  clampTensors: ternary('min_(max_(x, y), z)', { internal: true }),
  /** x, at least y. */
  clampMin: binary('max_(x, y)', { kernel: 'maximum', internal: true }),
  /** x, at most y. */
  clampMax: binary('min_(x, y)', { kernel: 'minimum', internal: true }),
  /**
   * y where lower <= x <= upper, else 0.
   * y inside the bounds, 0 outside: the gradient of clamp.
   */
  insideBounds: binary('select((x >= lower) & (x <= upper), y, K(0))', {
    domain: 'real',
    scalars: ['lower', 'upper'],
    internal: true,
  }),
  /** x, and value where lower <= y <= upper. */
  fillBetween: binary('select((y >= lower) & (y <= upper), value, x)', {
    domain: 'real',
    scalars: ['lower', 'upper', 'value'],
    internal: true,
  }),
  /** x less what lies between lower and upper. */
  softshrink: unary('x - pmin_(pmax_(x, lower), upper)', {
    scalars: ['lower', 'upper'],
    internal: true,
  }),
  /** x held between lower and upper, neither of which is NaN, with slope 0 at these: hardtanh. */
  hardtanhScalars: unary('pmin_(pmax_(x, lower), upper)', {
    kernel: 'clampScalars',
    scalars: ['lower', 'upper'],
    internal: true,
  }),
  /** x * scale where y is between lower and upper or NaN, else 0. */
  hardtanhBackward: binary('select((y <= lower) | (y >= upper), K(0), x * scale)', {
    domain: 'real',
    scalars: ['lower', 'upper', 'scale'],
    internal: true,
  }),
  /** x, or what stands for NaN and the infinities. */
  nanToNum: unary(
    'select(isnan_(x), forNan, select(isinf_(x), select(x > K(0), above, below), x))',
    {
      scalars: ['forNan', 'above', 'below'],
      internal: true,
    },
  ),
  addcmulTensors: ternary('x + value * y * z', {
    scalars: ['value'],
    internal: true,
  }),
  addcdivTensors: ternary('x + value * y / z', {
    domain: 'real',
    scalars: ['value'],
    internal: true,
  }),
  /** x + z * (y - x), exact at both ends. */
  lerpTensors: ternary('select(abs_(z) < K(0.5), x + z * (y - x), y - (y - x) * (K(1) - z))', {
    domain: 'real',
    internal: true,
  }),

  // Activations and their backwards (g is x, the saved tensor is y).
  /** max(x, 0). */
  relu: unary('select(x < K(0), K(0), x)', { domain: 'number', noBool: 'cast it' }),
  /** x where y > 0, else 0. */
  reluBackward: binary('select(y <= K(0), K(0), x)', { domain: 'real', internal: true }),
  /** x above 0, slope * x below. */
  leakyReluScalar: unary('select(x > K(0), x, x * slope)', {
    scalars: ['slope'],
    internal: true,
  }),
  /** x where y > 0, else slope * x. */
  leakyReluBackward: binary('select(y > K(0), x, x * slope)', {
    domain: 'real',
    scalars: ['slope'],
    internal: true,
  }),
  /** x above 0, y * x below. */
  prelu: binary('select(x > K(0), x, x * y)', { domain: 'real', internal: true }),
  /** x where y > 0, else z * x: the gradient of prelu at y, with slope z. */
  preluBackward: ternary('select(y > K(0), x, x * z)', { domain: 'real', internal: true }),
  /** 0 where y > 0, else x * y: that to the slope. */
  preluWeightGrad: binary('select(y > K(0), K(0), x * y)', { domain: 'real', internal: true }),
  /** x * y * (1 - y). */
  sigmoidBackward: binary('x * (K(1) - y) * y', {
    domain: 'real',
    internal: true,
  }),
  /** x * (1 - y^2). */
  tanhBackward: binary('x * (K(1) - y * y)', { domain: 'real', internal: true }),
  /** x * sigmoid(x). */
  silu: unary('x * sigmoid_(x)', { internal: true }),
  /** x times the derivative of silu at y. */
  siluBackward: binary('x * sigmoid_(y) * (K(1) + y * (K(1) - sigmoid_(y)))', {
    domain: 'real',
    internal: true,
  }),
  /** x * Phi(x), Phi the normal distribution. */
  geluErf: unary('x * normal_cdf_(x)', {
    internal: true,
  }),
  /** x * (Phi(y) + y * phi(y)). */
  geluErfBackward: binary('x * gelu_slope_(y)', {
    domain: 'real',
    internal: true,
  }),
  /** x / 2 * (1 + tanh(t / 2)), t = sqrt(8 / pi) * (x + 0.044715 x^3): x * sigmoid(t). */
  geluTanh: unary(`x * ${tanhCdf('x')}`, { internal: true }),
  /** x times the derivative of that at y. */
  geluTanhBackward: binary(
    `x * (${CDF_AT_Y} + ${CDF_AT_Y} * (K(1) - ${CDF_AT_Y}) * y * ` +
      '(K(1.5957691216057308) + K(0.21406444881780073) * y * y))',
    { domain: 'real', internal: true },
  ),
  /** log(1 + exp(beta x)) / beta; x itself where beta x > threshold. */
  softplusScalar: unary('select(x * beta > threshold, x, log1pexp_(x * beta) / beta)', {
    scalars: ['beta', 'threshold'],
    internal: true,
  }),
  /** x * sigmoid(beta y), x itself where beta y > threshold. */
  softplusBackward: binary('select(y * beta > threshold, x, x * sigmoid_(y * beta))', {
    domain: 'real',
    scalars: ['beta', 'threshold'],
    internal: true,
  }),
  /** scale * x above 0, alpha * scale * (exp(inputScale x) - 1) below. */
  eluScalar: unary('select(x > K(0), x * scale, expm1_(x * inputScale) * (alpha * scale))', {
    scalars: ['alpha', 'scale', 'inputScale'],
    internal: true,
  }),
  /** x times the derivative of that at y; what it is at 0 is that from below. */
  eluBackward: binary(
    'select(y > K(0), x * scale, x * (alpha * scale * inputScale) * exp_(y * inputScale))',
    { domain: 'real', scalars: ['alpha', 'scale', 'inputScale'], internal: true },
  ),
  /** x * min(max(x + 3, 0), 6) / 6. */
  hardswish: unary('x * pmin_(pmax_(x + K(3), K(0)), K(6)) / K(6)', { internal: true }),
  /** x times the slope of that at y. */
  hardswishBackward: binary(
    'select(y < K(-3), K(0), select(y <= K(3), x * (y / K(3) + K(0.5)), x))',
    { domain: 'real', internal: true },
  ),
  /** min(max(x + 3, 0), 6) / 6. */
  hardsigmoid: unary('pmin_(pmax_(x + K(3), K(0)), K(6)) / K(6)', { internal: true }),
  /** (x - y)^2, and 2 x (y - z) for its gradient. */
  squaredDifference: binary('(x - y) * (x - y)', { domain: 'real', internal: true }),
  scaledDifference: ternary('x * (K(2) * (y - z))', { domain: 'real', internal: true }),
  /** With d = |x - y| and m = min(d, delta): m / divisor * (d - m / 2). */
  huber: binary(
    'min_(abs_(x - y), delta) / divisor * (abs_(x - y) - K(0.5) * min_(abs_(x - y), delta))',
    { domain: 'real', scalars: ['delta', 'divisor'], internal: true },
  ),
  /** x times the slope of that at a difference y - z. */
  huberBackward: ternary('x * pmin_(pmax_((y - z) / divisor, -bound), bound)', {
    domain: 'real',
    scalars: ['bound', 'divisor'],
    internal: true,
  }),
  /** x * tanh(softplus(x)). */
  mish: unary(`x * (${MISH_N} / (${MISH_N} + K(2)))`, { internal: true }),
  /** x times the derivative of that at y. */
  mishBackward: binary(
    `x * ((${MISH_N_AT_Y} + K(4) * ${MISH_BEND} / (${MISH_N_AT_Y} + K(2))) / (${MISH_N_AT_Y} + K(2)))`,
    { domain: 'real', internal: true },
  ),
  /** -y log(x) - (1 - y) log(1 - x), with logarithms of at least -100. */
  binaryCrossEntropy: binary(
    '-(y * max_(log_(x), K(-100)) + (K(1) - y) * max_(log1p_(-x), K(-100)))',
    { domain: 'real', internal: true },
  ),
  /** x times the derivative of that at y, against z. */
  binaryCrossEntropyBackward: ternary('x * (y - z) / max_((K(1) - y) * y, K(1e-12))', {
    domain: 'real',
    internal: true,
  }),
  /** The same of sigmoid(x). */
  binaryCrossEntropyWithLogits: binary('(K(1) - y) * x + log1pexp_(-x)', {
    domain: 'real',
    internal: true,
  }),
  /** x (sigmoid(y) - z), by the sigmoid that is near 0. */
  binaryCrossEntropyWithLogitsBackward: ternary(
    'x * select(y < K(0), sigmoid_(-abs_(y)) - z, (K(1) - z) - sigmoid_(-abs_(y)))',
    { domain: 'real', internal: true },
  ),
} as const satisfies Record<string, PointwiseRow>;

export type PointwiseName = keyof typeof pointwise;

/** Whether the row is a public function of its own. */
export function isPublic(row: PointwiseRow): boolean {
  return row.scalars === undefined && row.inputs < 3 && !row.internal;
}
