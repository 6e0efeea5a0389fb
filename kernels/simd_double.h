// Exponential, hyperbolic, error functions, logarithms, powers, sine and cosine of double, of plain multiplications and additions; part of
// simd_math.h. Each is one function of a file, over a run of numbers: engines make a constant anew
// wherever it is used, so all come from memory, once for a run. What is rare is mended in branches,
// lane by lane. The errors stated are the largest found over millions of arguments of each kind.
#ifndef ISOTORCH_SIMD_DOUBLE_H
#define ISOTORCH_SIMD_DOUBLE_H

// For what is rare or long: one copy of it in a file is enough.
#define RUN_FN static __attribute__((noinline, unused))

// Numbers, of which a module has one copy.
#define NUMBERS __attribute__((weak)) const double
// Of value(k, x, ...), k the numbers: name_doubles(x, y, n), n even, and name_ of one vector.
#define DOUBLES(name, value, numbers, ...)                                                         \
  RUN_FN void name##_doubles(const double *x, double *y, uint32_t n) {                             \
    f64x2 k[sizeof numbers / 8];                                                                   \
    read_splats(k, numbers, sizeof numbers / 8);                                                   \
    _Pragma("clang loop unroll(disable)") for (uint32_t i = 0; i < n; i += 2)                      \
      store(y + i, value(k, load(x + i) __VA_OPT__(,) __VA_ARGS__));                               \
  }                                                                                                \
  RUN_FN __attribute__((overloadable)) f64x2 name##_(f64x2 x) {                                    \
    f64x2 k[sizeof numbers / 8];                                                                   \
    read_splats(k, numbers, sizeof numbers / 8);                                                   \
    return value(k, x __VA_OPT__(,) __VA_ARGS__);                                                  \
  }

// The first 26 bits of each lane: products of two such are exact. `fraction` has the bits of fractions set.
VFN f64x2 head(f64x2 fraction, f64x2 x) {
  return (f64x2)((i64x2)x & ~(i64x2)((u64x2)fraction >> 25));
}
#define FRACTION 0x0.fffffffffffffp-1022

// c[0] + c[1] x + c[2] x^2 + ..., in Estrin's order.
VFN f64x2 series(const f64x2 *c, size_t n, f64x2 x) {
  f64x2 t[16];
  UNROLL for (size_t i = 0; i < n; i++) t[i] = c[i];
  UNROLL for (size_t m = n; m > 1; m = (m + 1) / 2, x *= x) {
    UNROLL for (size_t i = 0; i < m / 2; i++) t[i] = t[2 * i] + t[2 * i + 1] * x;
    if (m % 2) t[m / 2] = t[m - 1];
  }
  return t[0];
}

// ---- Exponentials -------------------------------------------------------------------------------

// 1, 2; log2(e); what rounds to a whole number, found in the low bits; ln 2 in two parts, products of the
// first with exponents exact; the coefficients of x coth(x / 2) = 2 + x^2 (c0 + c1 x^2 + ...) for
// |x| <= 0.4055; what only one function has.
#define EXP_OF(...)                                                                                \
  {1, 2, 0x1.71547652b82fep+0, 0x1.8p52, 0x1.62e42fefa38p-1, 0x1.ef35793c7673p-45,                 \
   0x1.5555555555495p-3, -0x1.6c16c16b42620p-9, 0x1.1566a9332ab88p-14, -0x1.bbd05d3579b43p-20,     \
   0x1.620d0b54bf854p-25, __VA_ARGS__}
NUMBERS EXP_DOUBLES[] = EXP_OF(708); // results within are normal

// 2^n for -1022 <= n <= 1023; only the low twelve bits of n count.
VFN f64x2 power_of_two(f64x2 one, i64x2 n) { return (f64x2)((n << 52) + (i64x2)one); }

// p * 2^n, n in the low bits of t, in two steps so that denormals and overflow come out rounded
// once.
VFN f64x2 scale(f64x2 one, f64x2 p, f64x2 t) {
  i64x2 n = (i64x2)t, half = (i64x2)((u64x2)n >> 1);
  return p * power_of_two(one, half) * power_of_two(one, n - half);
}

#define M(V)                                                                                       \
  /* x + 2 - x coth(x / 2), x less what is given, too. */                                          \
  VFN V exp_series(const V *k, V x, V *less) {                                                     \
    V s = x * x, s2 = s * s;                                                                       \
    *less = ((k[6] + k[7] * s) + (k[8] + k[9] * s + k[10] * s2) * s2) * s;                         \
    return x - *less;                                                                              \
  }                                                                                                \
  /* exp(high - low) as a sum of two, for |high| < 0.4055: with that series, c, follows */         \
  /* exp(x) = 1 + x + x c / (2 - c). */                                                            \
  VFN V exp_in_two(const V *k, V high, V low, V *rest) {                                           \
    V r = high - low, less, c = exp_series(k, r, &less), sum = k[0] + high;                        \
    *rest = (high - (sum - k[0])) + (r * c / (k[1] - c) - low);                                    \
    return sum;                                                                                    \
  }                                                                                                \
  /* exp(x + more) = (sum + rest) * 2^n for x within bounds, n in the low bits of t. */            \
  VFN V exp_of_sum(const V *k, V x, V more, V *rest, V *t) {                                       \
    *t = x * k[2] + k[3];                                                                          \
    V n = *t - k[3];                                                                               \
    return exp_in_two(k, x - n * k[4], n * k[5] - more, rest);                                     \
  }
M(f64x2)
M(double)
#undef M

VFN f64x2 exp_double(const f64x2 *k, f64x2 x) {
  const bool far = any_((i64x2)abs_(x) > (i64x2)k[11]); // NaN too
  if (far) x = clamp_(x, -750.0, 710.0);
  f64x2 rest, t, sum = exp_of_sum(k, x, (f64x2){0}, &rest, &t) + rest;
  return far ? scale(k[0], sum, t) : (f64x2)((i64x2)sum + ((i64x2)t << 52));
}
DOUBLES(exp, exp_double, EXP_DOUBLES) // max 0.78 ULP

// The bound of what is normal; ln 2 in parts of 26 and 53 bits.
NUMBERS EXP2_DOUBLES[] = EXP_OF(1022, FRACTION, 0x1.62e42f8p-1, 0x1.be8e7bcd5e4f2p-27);
VFN f64x2 exp2_double(const f64x2 *k, f64x2 x) {
  const bool far = any_((i64x2)abs_(x) > (i64x2)k[11]);
  if (far) x = clamp_(x, -1080.0, 1024.0);
  f64x2 t = x + k[3], r = x - (t - k[3]), first = head(k[12], r);
  f64x2 low = first * k[14] + (r - first) * (k[13] + k[14]);
  f64x2 rest, sum = exp_in_two(k, first * k[13], -low, &rest) + rest;
  return far ? scale(k[0], sum, t) : (f64x2)((i64x2)sum + ((i64x2)t << 52));
}
DOUBLES(exp2, exp2_double, EXP2_DOUBLES) // max 0.80 ULP

// (exp(x) - 1) / 2 as a sum of two: 2^n (sum + rest) - 1, added in two parts. n is 0 from log(3/4) to
// log(3/2), where results are small, and rest's largest part is exact: x c / (2 - c) = (x^2 - x (x - c)
// + x c^2 / (2 - c)) / 2.
NUMBERS EXPM1_DOUBLES[] = EXP_OF(0.5, 0.05889, FRACTION);
VFN f64x2 expm1_in_two(const f64x2 *k, f64x2 x, f64x2 *low_part) {
  f64x2 t = (x - k[12]) * k[2] + k[3], n = t - k[3];
  f64x2 high = x - n * k[4], low = n * k[5], r = high - low, less, c = exp_series(k, r, &less);
  f64x2 r1 = head(k[13], r), sum = k[0] + high;
  f64x2 tail = ((r - r1) * (r + r1) - r * less) + r * c * c / (k[1] - c);
  f64x2 rest = (high - (sum - k[0])) + ((r1 * r1 + tail) * k[11] - low);
  f64x2 half = power_of_two(k[0], (i64x2)t - 1), large = sum * half, whole = large - k[11];
  f64x2 back = whole - large, lost = (large - (whole - back)) - (k[11] + back);
  *low_part = lost + rest * half;
  return whole;
}
VFN f64x2 expm1_double(const f64x2 *k, f64x2 x) {
  f64x2 low, high = expm1_in_two(k, clamp_(x, -50.0, 710.0), &low);
  return select(abs_(x) < 0x1p-54, x, k[1] * (high + low));
}
DOUBLES(expm1, expm1_double, EXPM1_DOUBLES) // max 0.81 ULP

// With h = (exp(-2|x|) - 1) / 2, the sign of x times h / (1 + h), both in two parts.
VFN f64x2 tanh_double(const f64x2 *k, f64x2 x) {
  f64x2 low, high = expm1_in_two(k, -k[1] * pmin_(abs_(x), splat(25.0)), &low), h = high + low;
  low = (high - h) + low;
  f64x2 d = k[0] + h, v = k[0] / d, q1 = head(k[13], h * v), d1 = head(k[13], d);
  f64x2 rest = (h - q1 * d1) - q1 * ((d - d1) + (((k[0] - d) + h) + low));
  return copysign_(q1 + (rest + low) * v, x);
}
DOUBLES(tanh, tanh_double, EXPM1_DOUBLES) // max 0.75 ULP

// (exp(|x|) + exp(-|x|)) / 2 or their difference, the first in two parts, both with 2^-2 so as not to
// overflow.
VFN f64x2 half_of_two(const f64x2 *k, f64x2 x, bool sum_of_two) {
  f64x2 rest, t, sum = exp_of_sum(k, clamp_(abs_(x), 0.0, 711.0), (f64x2){0}, &rest, &t);
  f64x2 half = power_of_two(k[0], (i64x2)t - 2), large = sum * half;
  rest *= half;
  f64x2 inverse = k[11] / (large + rest);
  return k[1] * (large + (sum_of_two ? rest + inverse : rest - inverse));
}
NUMBERS COSH_DOUBLES[] = EXP_OF(0.0625);
DOUBLES(cosh, half_of_two, COSH_DOUBLES, true) // max 0.88 ULP

// The same, but x + x^3 P(x^2) for |x| < 1.
NUMBERS SINH_DOUBLES[] =
    EXP_OF(0.0625, 0x1.5555555555555p-3, 0x1.11111111110fdp-7, 0x1.a01a01a01ee80p-13,
           0x1.71de3a4e13e79p-19, 0x1.ae6460fbe69f8p-26, 0x1.611cb2bd8485ap-33, 0x1.b412593bafed7p-41);
VFN f64x2 sinh_double(const f64x2 *k, f64x2 x) {
  f64x2 s = x * x, near = x + x * s * series(k + 12, 7, s);
  return select(abs_(x) < 1, near, copysign_(half_of_two(k, x, false), x));
}
DOUBLES(sinh, sinh_double, SINH_DOUBLES) // max 0.94 ULP

// ---- Error function -----------------------------------------------------------------------------

// 1/2, the least x whose erfc is 0, the bound of what is near 0; z0, and the series of erf(x) / x - 1 in
// x^2 - z0 there; P and Q in x, with x exp(x^2) erfc(x) = 1/2 + P / Q beyond.
NUMBERS ERF_DOUBLES[] =
    EXP_OF(0.5, FRACTION, 27.3, 0.875, 0.375,
           0x1.ecdcb3fadb1c4p-10, -0x1.350d94d118e26p-2, 0x1.62bad8f5b13aep-4, -0x1.498fcbc3d14f6p-6,
           0x1.f8a20cbf02658p-9, -0x1.46ba7f89e5d40p-11, 0x1.6db16a0e16436p-14, -0x1.6804440608091p-17,
           0x1.3c24e8d2fd834p-20, -0x1.f4f13424272b1p-24, 0x1.6a6ceac1d9d4fp-27, -0x1.dc9f95ba681e7p-31,
           -0x1.d08d78e9fe573p+8, -0x1.3441cb72e27fap+9, -0x1.52956ed796424p+8, -0x1.1fa7d47e42a88p+5,
           0x1.2312e7d52d251p+6, 0x1.c603569240033p+5, 0x1.69a88cd934529p+4, 0x1.66c777c4b88d2p+2,
           0x1.b3a2c3cf43098p-1, 0x1.06eba82156e6bp-4,
           0x1.d08d778e713d1p+9, 0x1.8267a571d4983p+11, 0x1.29ae0711b707dp+12, 0x1.17fb546efd71cp+12,
           0x1.643a73b890836p+11, 0x1.4029d86a1b3cfp+10, 0x1.9a645f74b8443p+8, 0x1.6eea10d37767fp+6,
           0x1.a82b49c503b88p+3, 1);

// erf(x), or 1 - erf(x). x^2 is taken in two parts: near 0, where the polynomial's argument is their sum less
// z0, as its error would count fourfold in erfc, and in the exponential of the tail.
VFN f64x2 erf_or_rest(const f64x2 *k, f64x2 x, bool is_rest) {
  const f64x2 *c = k + 16;
  f64x2 a = pmin_(abs_(x), k[13]), a1 = head(k[12], a), a2 = a - a1;
  f64x2 square = a1 * a1, more = a2 * (a1 + a), z = (square - k[15]) + more;
  f64x2 bend = x * (c[0] + z * (c[1] + z * series(c + 2, 10, z))), less = k[0] - x;
  f64x2 near = is_rest ? less + (((k[0] - less) - x) - bend) : x + bend;
  i64x2 far = (i64x2)a >= (i64x2)k[14]; // NaN too
  if (!any_(far)) return near;
  f64x2 ratio = series(c + 12, 10, a) / series(c + 22, 10, a), inverse = k[0] / a;
  f64x2 rest, t, sum = exp_of_sum(k, -square, -more, &rest, &t) * k[11];
  rest = rest * (k[11] + ratio) + (sum + sum) * ratio;
  f64x2 tail = sum + rest, q1 = head(k[12], tail * inverse);
  tail = q1 + (((tail - q1 * a1) - q1 * a2) + ((sum - tail) + rest)) * inverse;
  tail = scale(k[0], tail, t);
  return select(far, is_rest ? select(x < 0, k[1] - tail, tail) : copysign_(k[0] - tail, x), near);
}
DOUBLES(erf, erf_or_rest, ERF_DOUBLES, false) // max 0.96 ULP
DOUBLES(erfc, erf_or_rest, ERF_DOUBLES, true) // max 1.61 ULP

// ---- Logarithms ---------------------------------------------------------------------------------

// 1, 2^52 and that with the bias of exponents, the bits of fractions, the least x whose exponent is to be
// 0, two numbers for `unusual`.
#define SPLIT_OF(least) 1, 0x1p52, 0x1p52 + 1023, FRACTION, least, INFINITY, -0x1.fffffffffffffp1022
enum { SPLIT = 7 };

// Whether lanes are other than positive, normal and finite.
VFN i64x2 unusual(const f64x2 *k, f64x2 x) { return (i64x2)x + (i64x2)k[5] > (i64x2)k[6]; }
// x = m * 2^e with m in [least, 2 least); of denormals if `any` is.
VFN f64x2 split_exponent(const f64x2 *k, f64x2 x, bool any, f64x2 *e) {
  f64x2 bias = k[2];
  if (any) {
    i64x2 tiny = x < 0x1p-1022;
    x = select(tiny, x * 0x1p54, x);
    bias = select(tiny, bias + 54.0, bias);
  }
  i64x2 shifted = (i64x2)x + ((i64x2)k[0] - (i64x2)k[4]);
  *e = (f64x2)((i64x2)((u64x2)shifted >> 52) | (i64x2)k[1]) - bias;
  return (f64x2)((shifted & (i64x2)k[3]) + (i64x2)k[4]);
}

// 2, 1/2; with s = f / (2 + f), log(1 + f) = 2 atanh(s) = 2s + s^3 P(s^2), for |s| <= 0.1716; then of
// the base, log(2) in parts of 42 and 53 bits and log(e) in parts of 26 and 53.
#define LOG_OF(...)                                                                                \
  {SPLIT_OF(0x1.6a09e667f3bcdp-1), 2, 0.5, 0x1.5555555555592p-1, 0x1.999999997ff4fp-2,             \
   0x1.24924941dd1c4p-2, 0x1.c71c52182c451p-3, 0x1.74663c1ba3550p-3, 0x1.39a1fdd61b9d0p-3,         \
   0x1.2f02ebcc65770p-3, __VA_ARGS__}

// log(x (1 + more)) for more below the last place: 2s = f - s f, so that log(1 + f) = f - (f^2 / 2 - s (f^2 / 2
// + s^2 P)). To other bases than e in two parts.
VFN f64x2 log_double(const f64x2 *k, f64x2 x, f64x2 more, bool other) {
  const bool any = any_(unusual(k, x));
  f64x2 e, f = split_exponent(k, x, any, &e) - k[0];
  const f64x2 *c = k + SPLIT + 2, *base = c + 7;
  f64x2 s = f / (k[SPLIT] + f), z = s * s, z2 = z * z, half = k[SPLIT + 1] * f * f;
  f64x2 p = (c[0] + c[1] * z) + ((c[2] + c[3] * z) + (c[4] + c[5] * z + c[6] * z2) * z2) * z2;
  f64x2 rest = s * (half + z * p), value;
  if (other) {
    f64x2 high = head(k[3], f - half), low = ((f - high) - half) + rest;
    f64x2 whole = e * base[0], large = high * base[2], sum = whole + large;
    low = low * base[2] + (low + high) * base[3] + e * base[1];
    value = sum + (((whole - sum) + large) + low);
  } else {
    value = e * base[0] - ((half - (rest + (e * base[1] + more))) - f);
  }
  if (any) {
    f64x2 special = select(x == 0, splat((double)-INFINITY), select(x < 0, splat((double)NAN), x));
    value = select((x > 0) & (x < INFINITY), value, special);
  }
  return value;
}
NUMBERS LOG_DOUBLES[] = LOG_OF(0x1.62e42fefa38p-1, 0x1.ef35793c7673p-45);
NUMBERS LOG2_DOUBLES[] = LOG_OF(1, 0, 0x1.715476p+0, 0x1.4ae0bf85ddf44p-26);
NUMBERS LOG10_DOUBLES[] =
    LOG_OF(0x1.34413509f7p-2, 0x1.3fde623e2566bp-43, 0x1.bcb7b1p-2, 0x1.49b9438ca9aaep-28);
VFN f64x2 log1p_double(const f64x2 *k, f64x2 x) {
  f64x2 u = k[0] + x, one = u - x, lost = (k[0] - one) + (x - (u - one));
  return (f64x2)((i64x2)log_double(k, u, lost / u, false) | ((i64x2)x & INT64_MIN)); // also of 0
}
DOUBLES(log, log_double, LOG_DOUBLES, (f64x2){0}, false) // max 0.86 ULP
DOUBLES(log2, log_double, LOG2_DOUBLES, (f64x2){0}, true) // max 0.85 ULP
DOUBLES(log10, log_double, LOG10_DOUBLES, (f64x2){0}, true) // max 0.73 ULP
DOUBLES(log1p, log1p_double, LOG_DOUBLES) // max 0.86 ULP

// Half the logarithm of u = (1 + |x|) / (1 - |x|), and of what that division loses.
VFN f64x2 atanh_double(const f64x2 *k, f64x2 x) {
  f64x2 a = abs_(x), over = k[0] + a, under = k[0] - a, u = over / under;
  f64x2 u1 = head(k[3], u), u2 = u - u1, d1 = head(k[3], under), d2 = under - d1;
  f64x2 lost = (((over - u1 * d1) - u1 * d2) - u2 * d1) - u2 * d2;
  lost += (a - (over - k[0])) - u * ((k[0] - under) - a);
  f64x2 value = log_double(k, u, lost / over, false);
  return copysign_(k[SPLIT + 1] * select(a == 1, u, value), x);
}
DOUBLES(atanh, atanh_double, LOG_DOUBLES) // max 1.00 ULP

// log1p(a + (sqrt(1 + s) - 1)), s = a^2.
VFN f64x2 asinh_of_square(const f64x2 *k, f64x2 a, f64x2 s) {
  f64x2 more = s / (k[0] + sqrt_(k[0] + s)), y = a + more, u = k[0] + y, one = u - y;
  f64x2 lost = ((k[0] - one) + (y - (u - one))) + ((a - y) + more);
  i64x2 far = a > 0x1p54; // log(a) + log(2) is the same
  more = select(far, splat(0x1.62e42fefa39efp-1), lost / u);
  return log_double(k, select(far, a, u), more, false);
}
VFN f64x2 asinh_double(const f64x2 *k, f64x2 x) {
  f64x2 a = abs_(x);
  return copysign_(asinh_of_square(k, a, a * a), x);
}
DOUBLES(asinh, asinh_double, LOG_DOUBLES) // max 1.25 ULP
// 2 asinh(sqrt(s)), s = (x - 1) / 2.
VFN f64x2 acosh_double(const f64x2 *k, f64x2 x) {
  f64x2 s = k[SPLIT + 1] * (x - k[0]);
  return k[SPLIT] * asinh_of_square(k, sqrt_(s), s);
}
DOUBLES(acosh, acosh_double, LOG_DOUBLES) // max 1.58 ULP

// ---- Powers -------------------------------------------------------------------------------------

// The series of 2 atanh(s / 2) / s - 1 - s^2 / 12, over s^4, for |s| <= 0.2021; 1/12, 12; ln 1.5 in parts
// of 42 and 53 bits; sqrt(1.5), 1/2.
NUMBERS POW_DOUBLES[] = {
    SPLIT_OF(0x1.bb67ae8584caap-1), // sqrt(3) / 2
    0x1.999999999995ap-7, 0x1.24924924a6e98p-9, 0x1.c71c7177536a8p-12, 0x1.745d62ef53065p-14,
    0x1.3aedee5534b8ap-16, 0x1.1a9218f830360p-18, 1.0 / 12, 12, 0x1.9f323ecbf9p-2,
    0x1.097e56d1aecdfp-43, 0x1.3988e1409212ep+0, 0.5};

// log(x) for x > 0 as a sum of two, the first of 26 bits: with c = 1 or 1.5 and s = 2 (m - c) / (m + c)
// log(m / c) = s (1 + s^2 / 12 + ...), each factor in two parts.
VFN f64x2 log_in_two(const f64x2 *k, const f64x2 *l, f64x2 x, bool any, f64x2 *low) {
  f64x2 e, m = split_exponent(k, x, any, &e);
  const f64x2 *c = k + SPLIT;
  i64x2 large = m >= c[10];
  f64x2 center = k[0] + (f64x2)(large & (i64x2)c[11]), u = m - center, d = m + center;
  f64x2 v = k[0] / d, twice = u + u, s = twice * v;
  f64x2 s1 = head(k[3], s), d1 = head(k[3], d), d2 = m - (d1 - center);
  f64x2 s2 = ((twice - s1 * d1) - s1 * d2) * v, z = s * s, z2 = z * z;
  f64x2 p = (c[0] + c[1] * z) + ((c[2] + c[3] * z) + (c[4] + c[5] * z) * z2) * z2;
  f64x2 square = s1 * s1, bend = z2 * p + s2 * (s1 + s) * c[6];
  f64x2 t1 = head(k[3], k[0] + (square * c[6] + bend));
  f64x2 t2 = bend + (square - (t1 - k[0]) * c[7]) * c[6];
  f64x2 a = s1 * t1, b = s2 * t1 + t2 * s;
  f64x2 whole = e * l[4] + (f64x2)(large & (i64x2)c[8]);
  b += e * l[5] + (f64x2)(large & (i64x2)c[9]);
  f64x2 high = head(k[3], whole + a);
  *low = (a - (high - whole)) + b;
  return high;
}

// y * (high + low) as a sum of two.
VFN f64x2 product_in_two(f64x2 fraction, f64x2 y, f64x2 high, f64x2 low, f64x2 *rest) {
  f64x2 y1 = head(fraction, y), a = y1 * high, b = (y - y1) * high + y * low, sum = a + b;
  *rest = b - (sum - a);
  return sum;
}

// exp(y log|x|). Whatever y has of its own shows in the product, too.
VFN f64x2 pow_double(const f64x2 *k, const f64x2 *l, f64x2 x, f64x2 y) {
  const bool any = any_(unusual(k, x));
  f64x2 size = any ? abs_(x) : x, low, high = log_in_two(k, l, size, any, &low);
  f64x2 more, power = product_in_two(k[3], y, high, low, &more);
  const bool far = any_((i64x2)abs_(power) > (i64x2)l[11]); // NaN too
  if (far) {
    f64x2 sum = product_in_two(k[3], clamp_(y, -0x1p64, 0x1p64), high, low, &more);
    power = clamp_(sum, -750.0, 710.0);
    more = (f64x2)((i64x2)more & (sum == power));
  }
  f64x2 rest, t, value = exp_of_sum(l, power, more, &rest, &t) + rest;
  value = far ? scale(l[0], value, t) : (f64x2)((i64x2)value + ((i64x2)t << 52));
  if (any | far) {
    i64x2 end = (x == 0) | isinf_(x), grows = (abs_(x) > 1) ^ (y < 0);
    value = select(end, (f64x2)((i64x2)splat((double)INFINITY) & grows), value);
    f64x2 half = y * 0.5;
    i64x2 whole = trunc_(y) == y, odd = whole & (trunc_(half) != half);
    value = (f64x2)((i64x2)value ^ ((i64x2)x & odd & INT64_MIN));
    value = select((x < 0) & isfinite_(x) & ~whole, splat((double)NAN), value);
    value = select(isnan_(x) | isnan_(y), x + y, value);
    value = select((x == 1) | (y == 0), splat(1.0), value);
  }
  return value;
}
// Max 0.79 ULP, with all of C's special cases.
RUN_FN void pow_doubles(const double *x, const double *y, double *out, uint32_t n) {
  f64x2 k[sizeof POW_DOUBLES / 8], l[sizeof EXP_DOUBLES / 8];
  read_splats(k, POW_DOUBLES, sizeof POW_DOUBLES / 8);
  read_splats(l, EXP_DOUBLES, sizeof EXP_DOUBLES / 8);
#pragma clang loop unroll(disable)
  for (uint32_t i = 0; i < n; i += 2) store(out + i, pow_double(k, l, load(x + i), load(y + i)));
}
RUN_FN __attribute__((overloadable)) f64x2 pow_(f64x2 x, f64x2 y) {
  f64x2 k[sizeof POW_DOUBLES / 8], l[sizeof EXP_DOUBLES / 8];
  read_splats(k, POW_DOUBLES, sizeof POW_DOUBLES / 8);
  read_splats(l, EXP_DOUBLES, sizeof EXP_DOUBLES / 8);
  return pow_double(k, l, x, y);
}

// ---- Sine and cosine ----------------------------------------------------------------------------

// 2/pi; what rounds to a whole number, found in the low bits; pi/2 in parts of 33, 31 and 53 bits; 1/2, 1; the
// bound of what is reduced here, and how near to a multiple of pi/2 that is; (sin(r) / r - 1) / z and
// (cos(r) - 1 + z / 2) / z^2 in z = r^2, for |r| <= pi/4.
NUMBERS SIN_DOUBLES[] = {
    0x1.45f306dc9c883p-1, 0x1.8p52, 0x1.921fb544p+0, 0x1.0b4611a4p-34, 0x1.13198a2e03707p-65, 0.5, 1, 0x1p20, 0x1p-50,
    -0x1.5555555555549p-3, 0x1.111111110f87ap-7, -0x1.a01a019c1191dp-13, 0x1.71de3577ba15bp-19,
    -0x1.ae5e6644349d5p-26, 0x1.5d930594140b7p-33,
    0x1.555555555554bp-5, -0x1.6c16c16c15052p-10, 0x1.a01a019c98779p-16, -0x1.27e4f7f9c808dp-22,
    0x1.1ee9e2032c840p-29, -0x1.8fa9edd6ea5d1p-37};

// Lanes that a reduction in three parts does not serve: large ones, infinities, NaN, and those next to a multiple
// of pi/2.
RUN_FN f64x2 sin_of_far(f64x2 x, i64x2 far, f64x2 value, bool is_cos) {
  for (int i = 0; i < 2; i++)
    if (far[i]) value[i] = is_cos ? cos(x[i]) : sin(x[i]);
  return value;
}

// Of |x|, and for a sine with its sign. The first two products are exact, and so is all that is lost behind them.
VFN f64x2 sin_double(const f64x2 *k, f64x2 x, bool is_cos) {
  f64x2 a = abs_(x), t = a * k[0] + k[1], n = t - k[1], first = a - n * k[2], more = n * k[3];
  f64x2 near = first - more, lost = ((first - near) - more) - n * k[4];
  f64x2 r = near + lost, low = (near - r) + lost, z = r * r, half = k[5] * z, one = k[6] - half;
  f64x2 sine = r + (low * one + r * z * series(k + 9, 6, z));
  f64x2 cosine = one + (((k[6] - one) - half) + (z * z * series(k + 15, 6, z) - r * low));
  i64x2 quadrant = (i64x2)t + is_cos, sign = is_cos ? (i64x2){0} : (i64x2)x;
  f64x2 value = select(-(quadrant & 1), cosine, sine);
  value = (f64x2)((i64x2)value ^ (((quadrant << 62) ^ sign) & INT64_MIN));
  i64x2 far = ~(a < k[7]) | (abs_(near) < n * k[8]);
  return any_(far) ? sin_of_far(x, far, value, is_cos) : value;
}
DOUBLES(sin, sin_double, SIN_DOUBLES, false) // max 0.80 ULP
DOUBLES(cos, sin_double, SIN_DOUBLES, true) // max 0.80 ULP

#undef NUMBERS
#undef DOUBLES
#undef EXP_OF
#undef SPLIT_OF
#undef LOG_OF
#undef FRACTION
#endif
