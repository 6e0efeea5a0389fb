// Exponentials, logarithms and powers of double, of plain multiplications and additions; part of
// simd_math.h. Each is one function of a file, over a run of numbers: engines make a constant anew
// wherever it is used, so all come from memory, once for a run. What is rare is mended in branches,
// lane by lane. The errors stated are the largest found over millions of arguments of each kind.
#ifndef ISOTORCH_SIMD_DOUBLE_H
#define ISOTORCH_SIMD_DOUBLE_H

// For what is rare or long: one copy of it in a file is enough.
#define RUN_FN static __attribute__((noinline, unused))

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

// ---- Exponentials -------------------------------------------------------------------------------

// 1, 2; log2(e); what rounds to a whole number, found in the low bits; ln 2 in two parts, products of the
// first with exponents exact; the coefficients of x coth(x / 2) = 2 + x^2 (c0 + c1 x^2 + ...) for
// |x| <= 0.4055; what only one function has.
#define EXP_OF(...)                                                                                \
  {1, 2, 0x1.71547652b82fep+0, 0x1.8p52, 0x1.62e42fefa38p-1, 0x1.ef35793c7673p-45,                 \
   0x1.5555555555495p-3, -0x1.6c16c16b42620p-9, 0x1.1566a9332ab88p-14, -0x1.bbd05d3579b43p-20,     \
   0x1.620d0b54bf854p-25, __VA_ARGS__}
static const double EXP_DOUBLES[] = EXP_OF(708); // results within are normal

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
static const double EXP2_DOUBLES[] = EXP_OF(1022, FRACTION, 0x1.62e42f8p-1, 0x1.be8e7bcd5e4f2p-27);
VFN f64x2 exp2_double(const f64x2 *k, f64x2 x) {
  const bool far = any_((i64x2)abs_(x) > (i64x2)k[11]);
  if (far) x = clamp_(x, -1080.0, 1024.0);
  f64x2 t = x + k[3], r = x - (t - k[3]), first = head(k[12], r);
  f64x2 low = first * k[14] + (r - first) * (k[13] + k[14]);
  f64x2 rest, sum = exp_in_two(k, first * k[13], -low, &rest) + rest;
  return far ? scale(k[0], sum, t) : (f64x2)((i64x2)sum + ((i64x2)t << 52));
}
DOUBLES(exp2, exp2_double, EXP2_DOUBLES) // max 0.80 ULP

// 2^n (sum + rest) - 1, added in two parts. n is 0 from log(3/4) to log(3/2), where results are small, and
// rest's largest part is exact: x c / (2 - c) = (x^2 - x (x - c) + x c^2 / (2 - c)) / 2.
static const double EXPM1_DOUBLES[] = EXP_OF(0.5, 0.05889, FRACTION);
VFN f64x2 expm1_double(const f64x2 *k, f64x2 x) {
  f64x2 near = clamp_(x, -50.0, 710.0), t = (near - k[12]) * k[2] + k[3], n = t - k[3];
  f64x2 high = near - n * k[4], low = n * k[5], r = high - low, less, c = exp_series(k, r, &less);
  f64x2 r1 = head(k[13], r), sum = k[0] + high;
  f64x2 tail = ((r - r1) * (r + r1) - r * less) + r * c * c / (k[1] - c);
  f64x2 rest = (high - (sum - k[0])) + ((r1 * r1 + tail) * k[11] - low);
  f64x2 half = power_of_two(k[0], (i64x2)t - 1), large = sum * half, whole = large - k[11];
  f64x2 back = whole - large, lost = (large - (whole - back)) - (k[11] + back);
  return select(abs_(x) < 0x1p-54, x, k[1] * (whole + (lost + rest * half)));
}
DOUBLES(expm1, expm1_double, EXPM1_DOUBLES) // max 0.81 ULP

// (exp(|x|) + exp(-|x|)) / 2, the first in two parts, both with 2^-2 so as not to overflow.
static const double COSH_DOUBLES[] = EXP_OF(0.0625);
VFN f64x2 cosh_double(const f64x2 *k, f64x2 x) {
  f64x2 rest, t, sum = exp_of_sum(k, clamp_(abs_(x), 0.0, 711.0), (f64x2){0}, &rest, &t);
  f64x2 half = power_of_two(k[0], (i64x2)t - 2), large = sum * half;
  rest *= half;
  return k[1] * (large + (rest + k[11] / (large + rest)));
}
DOUBLES(cosh, cosh_double, COSH_DOUBLES) // max 0.88 ULP

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
static const double LOG_DOUBLES[] = LOG_OF(0x1.62e42fefa38p-1, 0x1.ef35793c7673p-45);
static const double LOG2_DOUBLES[] = LOG_OF(1, 0, 0x1.715476p+0, 0x1.4ae0bf85ddf44p-26);
static const double LOG10_DOUBLES[] =
    LOG_OF(0x1.34413509f7p-2, 0x1.3fde623e2566bp-43, 0x1.bcb7b1p-2, 0x1.49b9438ca9aaep-28);
VFN f64x2 log1p_double(const f64x2 *k, f64x2 x) {
  f64x2 u = k[0] + x, one = u - x, lost = (k[0] - one) + (x - (u - one));
  return (f64x2)((i64x2)log_double(k, u, lost / u, false) | ((i64x2)x & INT64_MIN)); // also of 0
}
DOUBLES(log, log_double, LOG_DOUBLES, (f64x2){0}, false) // max 0.86 ULP
DOUBLES(log2, log_double, LOG2_DOUBLES, (f64x2){0}, true) // max 0.85 ULP
DOUBLES(log10, log_double, LOG10_DOUBLES, (f64x2){0}, true) // max 0.73 ULP
DOUBLES(log1p, log1p_double, LOG_DOUBLES) // max 0.86 ULP

// ---- Powers -------------------------------------------------------------------------------------

// The series of 2 atanh(s / 2) / s - 1 - s^2 / 12, over s^4, for |s| <= 0.2021; 1/12, 12; ln 1.5 in parts
// of 42 and 53 bits; sqrt(1.5), 1/2.
static const double POW_DOUBLES[] = {
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

#undef DOUBLES
#undef EXP_OF
#undef SPLIT_OF
#undef LOG_OF
#undef FRACTION
#endif
