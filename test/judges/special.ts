/** Functions that JavaScript has no words for, in float64 and as plainly as possible. */

/** C's pow: 1 to any power is 1, and -1 to an infinite one. */
export function pow(x: number, y: number): number {
  if (x === 1) return 1;
  if (x === -1 && Math.abs(y) === Number.POSITIVE_INFINITY) return 1;
  return x ** y;
}

/** Python's x % y. */
export function remainder(x: number, y: number): number {
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
}

/** Python's x // y for floats. */
export function floorDivide(x: number, y: number): number {
  if (y === 0) return x / y;
  const rest = x % y;
  let quotient = (x - rest) / y;
  if (rest !== 0 && rest < 0 !== y < 0) quotient -= 1;
  if (quotient === 0) return Object.is(x / y, -0) || x / y < 0 ? -0 : 0;
  const whole = Math.floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}

export function roundEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  const down = rest === 0.5 ? floor % 2 === 0 : rest < 0.5;
  return copysign(down || rest === 0 ? floor : floor + 1, x);
}

/** erf by its power series near 0 and by the continued fraction of erfc further out. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x;
  const a = Math.abs(x);
  if (a < 0.75) return erfSeries(x);
  return Math.sign(x) * (1 - erfcFraction(a));
}

export function erfc(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x < 0.47) return 1 - erf(x); // above 1/2, where erf's last place counts once
  return erfcFraction(x);
}

function erfSeries(x: number): number {
  // 2 / sqrt(pi) * exp(-x^2) * sum of 2^n x^(2n+1) / (2n+1)!!: all terms of one sign.
  let term = x;
  let sum = x;
  for (let n = 1; n < 200 && Math.abs(term) > 1e-19 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

function erfcFraction(x: number): number {
  if (x > 28) return 0;
  let tail = 0;
  for (let n = 800; n > 0; n--) tail = n / 2 / (x + tail);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + tail);
}

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** log(1 + exp(x)) for every x. */
export function softplus(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}

export function logaddexp(x: number, y: number): number {
  if (x === y) return x + Math.LN2;
  const most = Math.max(x, y);
  return most + Math.log1p(Math.exp(-Math.abs(x - y)));
}

export function logaddexp2(x: number, y: number): number {
  if (x === y) return x + 1;
  const most = Math.max(x, y);
  return most + Math.log1p(2 ** -Math.abs(x - y)) / Math.LN2;
}

/** The larger one, a NaN only if both are. */
export function fmax(x: number, y: number): number {
  return Number.isNaN(x) ? y : Number.isNaN(y) ? x : Math.max(x, y);
}

export function fmin(x: number, y: number): number {
  return Number.isNaN(x) ? y : Number.isNaN(y) ? x : Math.min(x, y);
}

export function copysign(x: number, y: number): number {
  const negative = y < 0 || Object.is(y, -0);
  return negative ? -Math.abs(x) : Math.abs(x);
}

/** The density of the normal distribution. */
export const phi = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

export const normalCdf = (x: number): number => 0.5 * erfc(-x / Math.SQRT2);
