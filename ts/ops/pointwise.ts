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
  readonly doc: string;
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
}

type Extra = Partial<Omit<PointwiseRow, 'kind' | 'doc' | 'c' | 'inputs' | 'result'>>;

/** A row whose common facts are `Base`, with those of `E` in their place. */
type Row<Base, E> = Omit<Base, keyof E> & E & { readonly doc: string; readonly c: string };

function row<Base, const E extends Extra>(base: Base, doc: string, c: string, extra: E) {
  return { ...base, doc, c, ...extra } as unknown as Row<Base, E>;
}

const UNARY = { kind: 'pointwise', inputs: 1, domain: 'real', result: 'same' } as const;
const BINARY = { kind: 'pointwise', inputs: 2, domain: 'number', result: 'same' } as const;
const TERNARY = { kind: 'pointwise', inputs: 3, domain: 'number', result: 'same' } as const;
const TEST = { kind: 'pointwise', inputs: 1, domain: 'number', result: 'bool' } as const;
const COMPARE = { kind: 'pointwise', inputs: 2, domain: 'number', result: 'bool' } as const;

const unary = <const E extends Extra>(doc: string, c: string, extra: E) =>
  row(UNARY, doc, c, extra);
const binary = <const E extends Extra>(doc: string, c: string, extra: E) =>
  row(BINARY, doc, c, extra);
const ternary = <const E extends Extra>(doc: string, c: string, extra: E) =>
  row(TERNARY, doc, c, extra);
/** A function of one tensor to bool. */
const test = <const E extends Extra>(doc: string, c: string, extra: E) => row(TEST, doc, c, extra);
const compare = <const E extends Extra>(doc: string, c: string, extra: E) =>
  row(COMPARE, doc, c, extra);

const SUBTRACT_BOOL = 'use logicalXor() or logicalNot() on bool tensors';

export const pointwise = {
  // Exponentials and logarithms.
  exp: unary('e to the power of x.', 'exp_(x)', {}),
  exp2: unary('2 to the power of x.', 'exp2_(x)', {}),
  expm1: unary('exp(x) - 1, exact near 0.', 'expm1_(x)', {}),
  log: unary('Natural logarithm.', 'log_(x)', {}),
  log2: unary('Logarithm to base 2.', 'log2_(x)', {}),
  log10: unary('Logarithm to base 10.', 'log10_(x)', {}),
  log1p: unary('log(1 + x), exact near 0.', 'log1p_(x)', {}),

  // Powers.
  sqrt: unary('Square root.', 'sqrt_(x)', {}),
  rsqrt: unary('1 / sqrt(x).', 'K(1) / sqrt_(x)', {}),
  reciprocal: unary('1 / x.', 'K(1) / x', {}),
  square: unary('x * x.', 'x * x', { domain: 'number', boolAsInt: true }),
  cube: unary('x * x * x.', 'x * x * x', { domain: 'number', internal: true }),

  // Trigonometric and hyperbolic functions.
  sin: unary('Sine; x in radians.', 'sin_(x)', {}),
  cos: unary('Cosine; x in radians.', 'cos_(x)', {}),
  tan: unary('Tangent; x in radians.', 'tan_(x)', {}),
  asin: unary('Arc sine.', 'asin_(x)', {}),
  acos: unary('Arc cosine.', 'acos_(x)', {}),
  atan: unary('Arc tangent.', 'atan_(x)', {}),
  sinh: unary('Hyperbolic sine.', 'sinh_(x)', {}),
  cosh: unary('Hyperbolic cosine.', 'cosh_(x)', {}),
  tanh: unary('Hyperbolic tangent.', 'tanh_(x)', {}),
  asinh: unary('Inverse hyperbolic sine.', 'asinh_(x)', {}),
  acosh: unary('Inverse hyperbolic cosine.', 'acosh_(x)', {}),
  atanh: unary('Inverse hyperbolic tangent.', 'atanh_(x)', {}),

  // Special functions.
  erf: unary('Error function.', 'erf_(x)', {}),
  erfc: unary('Complementary error function, 1 - erf(x).', 'erfc_(x)', {}),
  sigmoid: unary('1 / (1 + exp(-x)).', 'sigmoid_(x)', {}),
  logSigmoid: unary('log(sigmoid(x)), never overflowing.', '-log1pexp_(-x)', { internal: true }),

  // Signs and rounding.
  neg: unary('-x.', 'neg_(x)', { domain: 'number', noBool: SUBTRACT_BOOL }),
  abs: unary('Absolute value.', 'abs_(x)', { domain: 'number', noBool: 'cast it first' }),
  sign: unary('-1, 0 or 1; 0 for NaN.', 'sign_(x)', { domain: 'number' }),
  floor: unary('Largest integer not above x.', 'floor_(x)', { keepsIntegers: true }),
  ceil: unary('Smallest integer not below x.', 'ceil_(x)', { keepsIntegers: true }),
  trunc: unary('x without its fraction.', 'trunc_(x)', { keepsIntegers: true }),
  roundEven: unary('Nearest integer, ties to even.', 'round_(x)', {
    keepsIntegers: true,
    internal: true,
  }),
  frac: unary('x - trunc(x).', 'x - trunc_(x)', {}),

  // Tests.
  isnan: test('Where x is NaN.', 'isnan_(x)', {}),
  isinf: test('Where x is infinite.', 'isinf_(x)', {}),
  isfinite: test('Where x is neither infinite nor NaN.', 'isfinite_(x)', {}),
  logicalNot: test('Where x is 0 or false.', 'x == K(0)', {}),
  signbit: test('Where the sign bit of x is set.', 'signbit_(x)', { noInPlace: true }),

  // Arithmetic.
  addTensors: binary('x + y.', 'x + y', { internal: true }),
  addScaled: binary('x + alpha * y.', 'x + alpha * y', {
    scalars: ['alpha'],
    internal: true,
  }),
  subTensors: binary('x - y.', 'x - y', { internal: true, noBool: SUBTRACT_BOOL }),
  mul: binary('x * y.', 'x * y', {}),
  divTrue: binary('x / y as floats.', 'x / y', { domain: 'real', internal: true }),
  divFloor: binary('floor(x / y).', 'floor_div_(x, y)', { internal: true }),
  divTrunc: binary('trunc(x / y).', 'trunc_div_(x, y)', { internal: true }),
  fmod: binary('C remainder: the sign of x.', 'fmod_(x, y)', { tensors: 1 }),
  remainder: binary('Python remainder: the sign of y.', 'remainder_(x, y)', {}),
  powTensors: binary('x to the power of y.', 'pow_(x, y)', { internal: true }),
  atan2: binary('Angle of (y, x) in radians.', 'atan2_(x, y)', { tensors: 2, domain: 'real' }),
  maximum: binary('The larger one; NaN if either is.', 'max_(x, y)', {
    tensors: 2,
    noInPlace: true,
  }),
  minimum: binary('The smaller one; NaN if either is.', 'min_(x, y)', {
    tensors: 2,
    noInPlace: true,
  }),
  fmax: binary('The larger one; NaN only if both are.', 'fmax_(x, y)', {
    tensors: 2,
    noInPlace: true,
  }),
  fmin: binary('The smaller one; NaN only if both are.', 'fmin_(x, y)', {
    tensors: 2,
    noInPlace: true,
  }),
  logaddexp: binary('log(exp(x) + exp(y)).', 'logaddexp_(x, y)', {
    tensors: 2,
    domain: 'real',
    noInPlace: true,
  }),
  logaddexp2: binary('log2(2^x + 2^y).', 'logaddexp2_(x, y)', {
    tensors: 2,
    domain: 'real',
    noInPlace: true,
  }),
  xlogy: binary('x * log(y), 0 where x is 0.', 'xlogy_(x, y)', { domain: 'real' }),
  copysign: binary('|x| with the sign of y.', 'copysign_(x, y)', { tensors: 1, domain: 'real' }),
  heaviside: binary(
    '0 below 0, y at 0, 1 above 0.',
    'select(isnan_(x), x, select(x == K(0), y, select(x > K(0), K(1), K(0))))',
    { tensors: 2 },
  ),

  // Comparison and logic.
  eq: compare('x == y.', 'x == y', { tensors: 1 }),
  ne: compare('x != y.', 'x != y', { tensors: 1 }),
  lt: compare('x < y.', 'x < y', { tensors: 1 }),
  le: compare('x <= y.', 'x <= y', { tensors: 1 }),
  gt: compare('x > y.', 'x > y', { tensors: 1 }),
  ge: compare('x >= y.', 'x >= y', { tensors: 1 }),
  logicalAnd: compare('Both nonzero.', '(x != K(0)) & (y != K(0))', { tensors: 2 }),
  logicalOr: compare('Either nonzero.', '(x != K(0)) | (y != K(0))', { tensors: 2 }),
  logicalXor: compare('Just one nonzero.', '(x == K(0)) != (y == K(0))', { tensors: 2 }),
  bitwiseAnd: binary('Bits set in both.', 'x & y', { domain: 'int' }),
  bitwiseOr: binary('Bits set in either.', 'x | y', { domain: 'int' }),
  bitwiseXor: binary('Bits set in just one.', 'x ^ y', { domain: 'int' }),
  invertBits: unary('All bits flipped.', '~x', { domain: 'int', internal: true }),
  bitwiseLeftShift: binary('x * 2^y.', 'shl_(x, y)', { domain: 'int' }),
  bitwiseRightShift: binary('floor(x / 2^y).', 'shr_(x, y)', { domain: 'int' }),

  // Choice and bounds.
  select3: ternary('y where x is true, else z.', 'select(x, y, z)', {
    masks: [0],
    internal: true,
  }),
  /** How extremes take their gradient. */
  keepSame: ternary(
    'z where x is y or both are NaN, else 0.',
    'select((x == y) | (isnan_(x) & isnan_(y)), z, K(0))',
    { domain: 'real', internal: true },
  ),
  clampScalars: unary('x held between lower and upper.', 'min_(max_(x, lower), upper)', {
    domain: 'number',
    scalars: ['lower', 'upper'],
    internal: true,
  }),
  clampMinScalar: unary('x, at least lower.', 'max_(x, lower)', {
    domain: 'number',
    scalars: ['lower'],
    internal: true,
  }),
  clampMaxScalar: unary('x, at most upper.', 'min_(x, upper)', {
    domain: 'number',
    scalars: ['upper'],
    internal: true,
  }),
  /** y inside the bounds, 0 outside: the gradient of clamp. */
  insideBounds: binary(
    'y where lower <= x <= upper, else 0.',
    'select((x >= lower) & (x <= upper), y, K(0))',
    { scalars: ['lower', 'upper'], internal: true },
  ),
  addcmulTensors: ternary('x + value * y * z.', 'x + value * y * z', {
    scalars: ['value'],
    internal: true,
  }),
  addcdivTensors: ternary('x + value * y / z.', 'x + value * y / z', {
    domain: 'real',
    scalars: ['value'],
    internal: true,
  }),
  lerpTensors: ternary(
    'x + z * (y - x), exact at both ends.',
    'select(abs_(z) < K(0.5), x + z * (y - x), y - (y - x) * (K(1) - z))',
    { domain: 'real', internal: true },
  ),

  // Activations and their backwards (g is x, the saved tensor is y).
  relu: unary('max(x, 0).', 'select(x < K(0), K(0), x)', { domain: 'number', noBool: 'cast it' }),
  reluBackward: binary('x where y > 0, else 0.', 'select(y <= K(0), K(0), x)', {
    internal: true,
  }),
  leakyReluScalar: unary('x above 0, slope * x below.', 'select(x > K(0), x, x * slope)', {
    scalars: ['slope'],
    internal: true,
  }),
  leakyReluBackward: binary('x where y > 0, else slope * x.', 'select(y > K(0), x, x * slope)', {
    domain: 'real',
    scalars: ['slope'],
    internal: true,
  }),
  sigmoidBackward: binary('x * y * (1 - y).', 'x * (K(1) - y) * y', {
    domain: 'real',
    internal: true,
  }),
  tanhBackward: binary('x * (1 - y^2).', 'x * (K(1) - y * y)', { domain: 'real', internal: true }),
  silu: unary('x * sigmoid(x).', 'x * sigmoid_(x)', { internal: true }),
  siluBackward: binary(
    'x times the derivative of silu at y.',
    'x * sigmoid_(y) * (K(1) + y * (K(1) - sigmoid_(y)))',
    { domain: 'real', internal: true },
  ),
  geluErf: unary('x * Phi(x), Phi the normal distribution.', 'x * normal_cdf_(x)', {
    internal: true,
  }),
  geluErfBackward: binary('x * (Phi(y) + y * phi(y)).', 'x * gelu_slope_(y)', {
    domain: 'real',
    internal: true,
  }),
  geluTanh: unary(
    'x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).',
    'K(0.5) * x * (K(1) + tanh_(K(0.79788456080286535588) * (x + K(0.044715) * x * x * x)))',
    { internal: true },
  ),
  softplusScalar: unary(
    'log(1 + exp(beta x)) / beta; x itself where beta x > threshold.',
    'select(x * beta > threshold, x, log1pexp_(x * beta) / beta)',
    { scalars: ['beta', 'threshold'], internal: true },
  ),
  softplusBackward: binary(
    'x * sigmoid(beta y), x itself where beta y > threshold.',
    'select(y * beta > threshold, x, x * sigmoid_(y * beta))',
    { domain: 'real', scalars: ['beta', 'threshold'], internal: true },
  ),
  eluScalar: unary(
    'scale * x above 0, alpha * scale * (exp(inputScale x) - 1) below.',
    'select(x > K(0), x * scale, expm1_(x * inputScale) * (alpha * scale))',
    { scalars: ['alpha', 'scale', 'inputScale'], internal: true },
  ),
  mish: unary('x * tanh(softplus(x)).', 'x * tanh_(log1pexp_(x))', { internal: true }),
} as const satisfies Record<string, PointwiseRow>;

export type PointwiseName = keyof typeof pointwise;

/** Whether the row is a public function of its own. */
export function isPublic(row: PointwiseRow): boolean {
  return row.scalars === undefined && row.inputs < 3 && !row.internal;
}
