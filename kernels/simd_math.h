// Elementary functions of f32x4 and f64x2, overloaded; names end in an underscore. Those of f32x4
// are polynomials; those of f64x2 are too (simd_double.h), or go through the C library. Each gives IEEE results at 0, -0,
// infinities, NaN, denormals and at overflow and underflow. The errors stated are the largest over
// every float (over 400 million pairs for two arguments), by test/kernels/simd_math.c.
#ifndef ISOTORCH_SIMD_MATH_H
#define ISOTORCH_SIMD_MATH_H

#include "simd.h"

// c[0] + c[1] x + c[2] x^2 + ..., e.g. POLY(x, 1, 0.5f, 0.125f). Estrin's order: pairs, pairs of
// pairs, ..., a chain of dependent operations as long as the logarithm of the degree.
#define POLY(x, ...)                                                                               \
  polynomial(x, (const __typeof__((x)[0])[]){__VA_ARGS__},                                         \
             sizeof((const __typeof__((x)[0])[]){__VA_ARGS__}) / sizeof((x)[0]))
#define M(V, S, I)                                                                                 \
  VFN V polynomial(V x, const S *c, size_t n) {                                                    \
    V t[16];                                                                                       \
    UNROLL for (size_t i = 0; i < n; i++) t[i] = splat(c[i]);                                      \
    UNROLL for (size_t m = n; m > 1; m = (m + 1) / 2, x *= x) {                                    \
      UNROLL for (size_t i = 0; i < (m + 1) / 2; i++) {                                            \
        t[i] = 2 * i + 1 < m ? t[2 * i] + t[2 * i + 1] * x : t[2 * i];                             \
      }                                                                                            \
    }                                                                                              \
    return t[0];                                                                                   \
  }
REAL_TYPES(M)
#undef M

#include "simd_double.h"
#include "simd_libm.h"
#include "simd_trig.h"
#include "simd_wide.h"

// ---- Exponentials -------------------------------------------------------------------------------

#define LOG2_E 0x1.715476p+0f
// ln 2 in two parts; products of the first with whole numbers up to 128 are exact.
#define LN2_HIGH 0x1.62e3p-1f
#define LN2_LOW 0x1.2fefa4p-17f
// Adding this rounds a float below 2^22 to a whole number, found in its low bits.
#define ROUNDER 0x1.8p23f
#define ROUNDER_BITS 0x4b400000

// 2^n for -126 <= n <= 127; only the low nine bits of n count.
VFN f32x4 power_of_two(i32x4 n) { return (f32x4)((n + 127) << 23); }

// p * 2^n for -252 <= n <= 254, in two steps so that denormals and overflow come out rounded once.
VFN f32x4 scale(f32x4 p, i32x4 n) {
  i32x4 half = n >> 1;
  return p * power_of_two(half) * power_of_two(n - half);
}

// The numbers of exp: log2(e), the rounder, ln 2 in two parts, the coefficients, 1.
typedef struct {
  f32x4 k[10];
} Exp;
static const float EXP_NUMBERS[10] = {
    LOG2_E,          ROUNDER,         LN2_HIGH,        LN2_LOW,          0x1.fffffcp-2f,
    0x1.555488p-3f,  0x1.555844p-5f,  0x1.124084p-7f,  0x1.6adbdep-10f,  1};

// x - n ln 2, as t = n + ROUNDER rounds x / ln 2, for |x| below 2^21; n is in the low bits of t.
VFN f32x4 exp_rest(const Exp *e, f32x4 x, f32x4 *t) {
  *t = x * e->k[0] + e->k[1];
  f32x4 whole = *t - e->k[1];
  return (x - whole * e->k[2]) - whole * e->k[3];
}
// exp(r), in [0.7, 1.42], of such a rest.
VFN f32x4 exp_of_rest(const Exp *e, f32x4 r) {
  const f32x4 *c = e->k + 4;
  f32x4 s = r * r, p = (c[4] * s + (c[3] * r + c[2])) * s + (c[1] * r + c[0]);
  return (p * s + r) + c[5];
}
// exp(x) = p * 2^n; n is in the low bits of the second result.
VFN f32x4 exp_split(const Exp *e, f32x4 x, i32x4 *n) {
  f32x4 t, r = exp_rest(e, x, &t);
  *n = (i32x4)t;
  return exp_of_rest(e, r);
}
VFN f32x4 exp_split(f32x4 x, i32x4 *n) {
  Exp e;
  UNROLL for (int i = 0; i < 10; i++) e.k[i] = splat(EXP_NUMBERS[i]);
  return exp_split(&e, x, n);
}

// exp(x) * 2^k for every x and small k.
VFN f32x4 exp_scaled(f32x4 x, int32_t k) {
  i32x4 n;
  f32x4 p = exp_split(clamp_(x, -104.0f, 90.0f), &n);
  return scale(p, n + (k - ROUNDER_BITS));
}

RUN_FN f32x4 exp_far(f32x4 x) { return exp_scaled(x, 0); }

// exp(x) for |x| < 87.5, and NaN: nothing to bound, one step.
VFN f32x4 exp_near(f32x4 x) {
  i32x4 n;
  f32x4 p = exp_split(x, &n);
  return p * power_of_two(n);
}

// Max 1.01 ULP, at 26.73. Small arguments have neither NaN nor edges: n joins the exponent
// directly. The compare, of bits, takes NaN for large.
VFN f32x4 exp_(f32x4 x) {
  if (any_((i32x4)abs_(x) > 0x42ae0000)) return exp_far(x); // 87
  i32x4 n;
  f32x4 p = exp_split(x, &n);
  return (f32x4)((i32x4)p + (n << 23));
}

// Long functions go over a block of RUN floats twice, a half of the function at a time: what waits
// for its operands fills the processor's queues, half a chain of operations waits half as long.
// Vectors are read and stored in pairs, at addresses that HIDE keeps the compiler from counting
// up: so V8 can pair them.
enum { RUN = 64 };
#define HIDE(...) __asm__("" : __VA_ARGS__)
#define BOTH UNROLL for (int v = 0; v < 2; v++)
#define TURNS(j, n) _Pragma("clang loop unroll(disable)") for (uint32_t j = 0; j < (n); j += 8)

// y = exp(x - shift - rest) for n floats, n a multiple of 16; the same bits as exp_. With sums,
// y = exp(x - shifts), which is added to them. With g, y = g - exp(x - shift - rest) * total.
VFN void exp_runs(const float *x, float *y, uint32_t n, float shift, float rest, const float *shifts,
                  float *sums, const float *g, float total) {
  Exp e;
  read_splats(e.k, EXP_NUMBERS, 10);
  float rests[RUN];
  int32_t powers[RUN];
  for (uint32_t m; n > 0; n -= m, x += m, y += m) {
    m = n < RUN ? n : RUN;
    i32x4 most = {0};
    TURNS(j, m) {
      const float *from = x + j, *less = sums ? shifts + j : x;
      float *r = rests + j;
      int32_t *power = powers + j;
      HIDE("+r"(from), "+r"(less), "+r"(r), "+r"(power));
      f32x4 a[2], t[2];
      BOTH a[v] = load(from + 4 * v);
      BOTH a[v] = sums ? a[v] - load(less + 4 * v) : a[v] - shift - rest;
      BOTH most = max_(most, (i32x4)a[v] & INT32_MAX);
      BOTH a[v] = exp_rest(&e, a[v], &t[v]);
      BOTH store(power + 4 * v, (i32x4)t[v] << 23);
      BOTH store(r + 4 * v, a[v]);
    }
    if (any_(most > 0x42ae0000)) { // 87, as in exp_
#pragma clang loop unroll(disable)
      for (uint32_t j = 0; j < m; j += 4) {
        f32x4 a = load(x + j);
        a = exp_far(sums ? a - load(shifts + j) : a - shift - rest);
        store(y + j, g ? load(g + j) - a * total : a);
        if (sums) store(sums + j, load(sums + j) + a);
      }
      goto next;
    }
    TURNS(j, m) {
      const float *less = g ? g + j : rests;
      float *to = y + j, *r = rests + j, *sum = sums ? sums + j : r;
      int32_t *power = powers + j;
      HIDE("+r"(to), "+r"(r), "+r"(sum), "+r"(power), "+r"(less));
      i32x4 p[2];
      BOTH p[v] = (i32x4)exp_of_rest(&e, load(r + 4 * v)) + load(power + 4 * v);
      if (g) BOTH p[v] = (i32x4)(load(less + 4 * v) - (f32x4)p[v] * total);
      BOTH store(to + 4 * v, (f32x4)p[v]);
      if (sums) {
        BOTH p[v] = (i32x4)(load(sum + 4 * v) + (f32x4)p[v]);
        BOTH store(sum + 4 * v, (f32x4)p[v]);
      }
    }
  next:
    if (sums) shifts += m, sums += m;
    if (g) g += m;
  }
}
VFN void exp_run(const float *x, float *y, uint32_t n, float shift, float rest) {
  exp_runs(x, y, n, shift, rest, NULL, NULL, NULL, 0);
}

// Adds exp(x - shift) to four sums, the vectors in turn; stored to y too unless it is null.
RUN_FN void exp_sum(const float *x, float *y, uint32_t n, float shift, f32x4 *sums) {
  float own[256];
  for (uint32_t i = 0; i < n; i += 256) {
    uint32_t count = n - i < 256 ? n - i : 256;
    float *to = y ? y + i : own;
    exp_run(x + i, to, count, shift, 0);
#pragma clang loop unroll(disable)
    for (uint32_t j = 0; j < count; j += 16)
      UNROLL for (uint32_t k = 0; k < 4; k++) sums[k] += load(to + j + 4 * k);
  }
}

VFN f32x4 exp2_split(f32x4 x, i32x4 *n) {
  f32x4 t = x + ROUNDER, r = x - (t - ROUNDER);
  *n = (i32x4)t;
  return 1.0f + r * POLY(r, 0x1.62e430p-1f, 0x1.ebfbe0p-3f, 0x1.c6b066p-5f, 0x1.3b2a5ap-7f,
                         0x1.5db294p-10f, 0x1.4409e0p-13f, 0x1.cd6a90p-17f);
}
// Max 1.48 ULP, at -0.4932.
VFN f32x4 exp2_(f32x4 x) {
  i32x4 n;
  if (any_((i32x4)abs_(x) > 0x42fc0000)) { // 126
    f32x4 p = exp2_split(clamp_(x, -151.0f, 129.0f), &n);
    return scale(p, n - ROUNDER_BITS);
  }
  f32x4 p = exp2_split(x, &n);
  return (f32x4)((i32x4)p + (n << 23));
}

#include "simd_expm1.h"

// ---- Logarithms ---------------------------------------------------------------------------------

// x = (1 + f) * 2^e with 1 + f in [sqrt(1/2), sqrt(2)), for positive normal x.
VFN f32x4 split_exponent(f32x4 x, i32x4 *e) {
  i32x4 shifted = (i32x4)x - 0x3f3504f3;
  *e = shifted >> 23;
  return (f32x4)((shifted & 0x7fffff) + 0x3f3504f3) - 1.0f;
}

// The numbers of log: the series' coefficients, 1/2, ln 2 in two parts, 1.
enum { LOG = 12 };
static const float LOG_NUMBERS[LOG] = {
    0x1.555554p-2f,  -0x1.000228p-2f, 0x1.99a036p-3f, -0x1.54721ep-3f, 0x1.22d5dap-3f, -0x1.0d81c0p-3f,
    0x1.05754ap-3f,  -0x1.390608p-4f, 0.5f,           LN2_LOW,         LN2_HIGH,       1};

// log(1 + f) - f for 1 + f in [sqrt(1/2), sqrt(2)).
VFN f32x4 log1p_rest(const f32x4 *k, f32x4 f) {
  f32x4 s = f * f, low = (k[0] + k[1] * f) + (k[2] + k[3] * f) * s;
  f32x4 p = low + ((k[4] + k[5] * f) + (k[6] + k[7] * f) * s) * (s * s);
  return f * s * p - k[8] * s;
}
VFN f32x4 log1p_rest(f32x4 f) {
  f32x4 k[LOG];
  UNROLL for (int i = 0; i < LOG; i++) k[i] = splat(LOG_NUMBERS[i]);
  return log1p_rest(k, f);
}

// The logarithms of (1 + f) * 2^e.
VFN f32x4 log_of_split(const f32x4 *k, f32x4 f, f32x4 e) {
  return (log1p_rest(k, f) + e * k[9]) + f + e * k[10];
}
VFN f32x4 log_of_split(f32x4 f, f32x4 e) {
  return (log1p_rest(f) + e * LN2_LOW) + f + e * LN2_HIGH;
}
VFN f32x4 log2_of_split(f32x4 f, f32x4 e) {
  const float over = 0x1.c551dap-2f; // log2(e) - 1
  f32x4 rest = log1p_rest(f);
  return ((rest * over + f * over) + rest) + f + e;
}
VFN f32x4 log10_of_split(f32x4 f, f32x4 e) {
  const float e_high = 0x1.bcp-2f, e_low = 0x1.6f62a4p-11f; // log10(e)
  const float two_high = 0x1.34p-2f, two_low = 0x1.04d428p-12f; // log10(2)
  f32x4 rest = log1p_rest(f);
  f32x4 sum = (rest * e_low + f * e_low) + e * two_low;
  return sum + rest * e_high + f * e_high + e * two_high;
}

// Whether any lane is other than positive, normal and finite.
VFN i32x4 unusual(f32x4 x) { return (i32x4)((u32x4)((i32x4)x - 0x00800000) >= 0x7f000000u); }
VFN bool any_unusual(f32x4 x) { return any_(unusual(x)); }
// The value where x may be unusual: -inf at 0, NaN below, x at inf and NaN.
VFN f32x4 log_special(f32x4 x, f32x4 value) {
  f32x4 special = select(x < 0, splat(NAN), select(x == 0, splat(-INFINITY), x));
  return select((x < 0) | (x == 0) | ~isfinite_(x), special, value);
}
// Denormals times 2^23, with what that adds to the exponent.
VFN f32x4 lift_tiny(f32x4 x, i32x4 *lifted) {
  i32x4 tiny = x < 0x1p-126f;
  *lifted = tiny & 23;
  return select(tiny, x * 0x1p23f, x);
}

#define M(name, of_split)                                                                          \
  VFN f32x4 name(f32x4 x) {                                                                        \
    i32x4 e, lifted;                                                                               \
    f32x4 f = split_exponent(x, &e);                                                               \
    f32x4 value = of_split(f, to_f32(e));                                                          \
    if (any_unusual(x)) {                                                                          \
      f = split_exponent(lift_tiny(x, &lifted), &e);                                               \
      value = log_special(x, of_split(f, to_f32(e - lifted)));                                     \
    }                                                                                              \
    return value;                                                                                  \
  }
M(log_, log_of_split)     // max 0.91 ULP, at 0.7066
M(log2_, log2_of_split)   // max 1.59 ULP, at 1.397
M(log10_, log10_of_split) // max 1.99 ULP, at 1.330
#undef M

// What the sum u = 1 + x loses.
VFN f32x4 lost_of_sum(f32x4 x, f32x4 u) {
  f32x4 one = u - x;
  return (1.0f - one) + (x - (u - one));
}
// Max 1.46 ULP, at 0.4427. What the sum loses is added to its fraction. The result has x's sign,
// also at 0. One copy of it in a file: five functions of elementwise kernels hold it.
RUN_FN __attribute__((overloadable)) f32x4 log1p_(f32x4 x) {
  f32x4 u = x + 1.0f, lost = lost_of_sum(x, u);
  i32x4 e;
  f32x4 f = split_exponent(u, &e);
  f += lost * power_of_two(-pmin_(e, splat(126)));
  f32x4 value = (f32x4)((i32x4)log_of_split(f, to_f32(e)) | ((i32x4)x & INT32_MIN));
  if (any_unusual(u)) value = log_special(u, value);
  return value;
}

// ---- Hyperbolic ---------------------------------------------------------------------------------

// Max 1.62 ULP, at 1.419: x + x^3 P(x^2) near 0, else exp(|x|) / 2 less its inverse / 4.
VFN f32x4 sinh_(f32x4 x) {
  f32x4 size = abs_(x), s = x * x;
  f32x4 small = POLY(s, 0x1.555556p-3f, 0x1.1110e0p-7f, 0x1.a022bap-13f, 0x1.756cb4p-19f);
  f32x4 half = exp_scaled(size, -1);
  return select(size < 1, x + x * s * small, copysign_(half - 0.25f / half, x));
}

// Max 1.45 ULP, at 4.552.
VFN f32x4 cosh_(f32x4 x) {
  f32x4 half = exp_scaled(abs_(x), -1);
  return half + 0.25f / half;
}

// ---- Error function -----------------------------------------------------------------------------

// Max 1.47 ULP, at 0.9353: x P(x^2) near 0, else 1 - exp(-P(|x|)).
VFN f32x4 erf_(f32x4 x) {
  f32x4 size = clamp_(abs_(x), 0.0f, 4.0f), s = size * size;
  f32x4 small = POLY(s, 0x1.06eba8p-3f, -0x1.812740p-2f, 0x1.ce2d64p-4f, -0x1.b8011ap-6f,
                     0x1.544a1ap-8f, -0x1.a60a2cp-11f, 0x1.4f674ap-14f);
  f32x4 tail = POLY(size, 0x1.5d1124p-13f, 0x1.20b752p+0f, 0x1.4621bap-1f, 0x1.aa7324p-4f,
                    -0x1.6d9ce6p-6f, 0x1.91cd20p-9f, -0x1.9fb33ep-13f);
  f32x4 large = 1.0f - exp_near(-tail);
  return copysign_(select(size < 0.92f, size + size * small, large), x);
}

// ---- Normal distribution ------------------------------------------------------------------------

// Functions that are a half and an odd function: 1/2 + x P(s) / Q(s) of s = x^2 while |x| < 3. The
// numbers: 1/2, Q's, P's but for the leading 1.
enum { CDF = 8, SLOPE = 10 };
static const float CDF_NUMBERS[CDF] = {
    0.5f,           0x1.2c4eaep+8f,   0x1.0c118p+6f,   0x1.8a8abp+2f,
    0x1.fd9b1ap-3f, -0x1.825d24p-10f, 0x1.df38c6p+6f,  0x1.b11f6p+2f};
static const float SLOPE_NUMBERS[SLOPE] = {
    0.5f,           0x1.a8f456p+16f, 0x1.ec89bap+14f,  0x1.ffb092p+11f, 0x1.2a70f4p+8f,
    0x1.829cdep+3f, 0x1.531084p+16f, -0x1.d8c38ap+11f, 0x1.5c031ap+10f, 0x1.770e7cp+1f};

VFN f32x4 quotient(const f32x4 *k, size_t count, f32x4 s) {
  f32x4 p = s + k[count - 1], q = k[5];
  UNROLL for (size_t i = count - 2; i > 5; i--) p = p * s + k[i];
  UNROLL for (size_t i = 5; i > 1; i--) q = q * s + k[i - 1];
  return p / q;
}

// The same for every x: farther out through the tail Q(|x|) = exp(-x^2 / 2) P(1 / x^2) / |x|.
VFN f32x4 half_and_odd(const f32x4 *k, size_t count, f32x4 x) {
  f32x4 s = x * x, near = x * quotient(k, count, s) + k[0];
  if (!any_((i32x4)s >= 0x41100000)) return near; // 9
  f32x4 size = pmin_(abs_(x), splat(20.0f)), r = 1.0f / size;
  f32x4 tail = r * POLY(r * r, 0x1.988444p-2f, -0x1.985a96p-2f, 0x1.2d7448p+0f, -0x1.4514c2p+2f,
                        0x1.3f067cp+4f, -0x1.4ad456p+5f);
  if (count == SLOPE) tail -= size * 0x1.988454p-2f;
  tail = tail * exp_scaled(size * size * -0.5f, 0);
  return select(s < 9, near, select(x < 0, tail, 1.0f - tail));
}

// out = by * half_and_odd(x) for n floats, n a multiple of 4; the same bits.
VFN void half_and_odd_run(const float *numbers, size_t count, const float *x, const float *by,
                          float *out, uint32_t n) {
  f32x4 k[SLOPE];
  read_splats(k, numbers, count);
  float ratios[RUN];
  for (uint32_t m; n > 0; n -= m, x += m, by += m, out += m) {
    m = n < RUN ? n & ~7u : RUN;
    i32x4 most = {0};
    TURNS(j, m) {
      const float *from = x + j;
      float *ratio = ratios + j;
      HIDE("+r"(from), "+r"(ratio));
      f32x4 s[2];
      BOTH s[v] = load(from + 4 * v);
      BOTH s[v] = s[v] * s[v];
      BOTH most = max_(most, (i32x4)s[v]);
      BOTH s[v] = quotient(k, count, s[v]);
      BOTH store(ratio + 4 * v, s[v]);
    }
    if (m == 0 || any_(most >= 0x41100000)) { // 9
      m = m ? m : 4;
#pragma clang loop unroll(disable)
      for (uint32_t j = 0; j < m; j += 4)
        store(out + j, load(by + j) * half_and_odd(k, count, load(x + j)));
      continue;
    }
    TURNS(j, m) {
      const float *from = x + j, *factor = by + j, *ratio = ratios + j;
      float *to = out + j;
      HIDE("+r"(from), "+r"(factor), "+r"(to), "+r"(ratio));
      f32x4 y[2];
      BOTH y[v] = load(from + 4 * v) * load(ratio + 4 * v) + k[0];
      BOTH y[v] *= load(factor + 4 * v);
      BOTH store(to + 4 * v, y[v]);
    }
  }
}

#define M(name, NAMES)                                                                             \
  VFN f32x4 name(f32x4 x) {                                                                        \
    f32x4 k[NAMES];                                                                                \
    UNROLL for (size_t i = 0; i < NAMES; i++) k[i] = splat(NAMES##_NUMBERS[i]);                    \
    return half_and_odd(k, NAMES, x);                                                              \
  }                                                                                                \
  VFN void name##run(const float *x, const float *by, float *out, uint32_t n) {                    \
    half_and_odd_run(NAMES##_NUMBERS, NAMES, x, by, out, n);                                       \
  }
// (1 + erf(x / sqrt(2))) / 2, within 3.1 units of 2^-24.
M(normal_cdf_, CDF)
// The derivative of x * normal_cdf_(x), within 3.7 units of 2^-24.
M(gelu_slope_, SLOPE)
#undef M
VFN f64x2 normal_cdf_(f64x2 x) { return 0.5 * (1.0 + erf_(x * 0.70710678118654752440)); }

VFN f64x2 gelu_slope_(f64x2 x) {
  return normal_cdf_(x) + x * 0.39894228040143267794 * exp_(-0.5 * x * x);
}

// ---- Composed, of both types --------------------------------------------------------------------

// exp's numbers for exp(-x), with the exponent's bias in the rounder.
static const float SIGMOID_NUMBERS[10] = {
    -LOG2_E,         ROUNDER + 127,  -LN2_HIGH,       -LN2_LOW,        0x1.fffffcp-2f,
    -0x1.555488p-3f, 0x1.555844p-5f, -0x1.124084p-7f, 0x1.6adbdep-10f, 1};
enum { SIGMOID_NEAR = 0x42ae0000 }; // 87

// 1 + exp(-x), where r is the rest of x and power 2^n, rounded once: what exp(-r) is beyond 1 is
// scaled alone, and what power + 1 loses is added to that.
VFN f32x4 sigmoid_below(const Exp *e, f32x4 r, f32x4 power) {
  const f32x4 *c = e->k + 4;
  f32x4 s = r * r, p = (c[4] * s + (c[3] * r + c[2])) * s + (c[1] * r + c[0]);
  f32x4 sum = power + c[5], lost = c[5] - (sum - power);
  return (power * (p * s - r) + lost) + sum;
}
VFN f32x4 sigmoid_near(f32x4 x) {
  Exp e;
  UNROLL for (int i = 0; i < 10; i++) e.k[i] = splat(SIGMOID_NUMBERS[i]);
  f32x4 t, r = exp_rest(&e, x, &t);
  return 1.0f / sigmoid_below(&e, r, (f32x4)((i32x4)t << 23));
}
// Beyond 87 by e = exp(-|x|), so that small results keep their digits.
RUN_FN f32x4 sigmoid_any(f32x4 x) {
  f32x4 e = exp_far(-abs_(x)), far = select(x < 0, e, (f32x4){1, 1, 1, 1}) / (e + 1.0f);
  return select((i32x4)abs_(x) > SIGMOID_NEAR, far, sigmoid_near(x));
}
// Max 1.75 ULP, at -1.100. 1 / (1 + exp(-x)).
VFN f32x4 sigmoid_(f32x4 x) {
  return any_((i32x4)abs_(x) > SIGMOID_NEAR) ? sigmoid_any(x) : sigmoid_near(x);
}
VFN f64x2 sigmoid_(f64x2 x) {
  f64x2 e = exp_(-abs_(x));
  return select(x < 0, e, (f64x2){1, 1}) / (1.0 + e);
}

#define M(V, S, I)                                                                                 \
  /* max 1.49 ULP */                                                                               \
  VFN V rsqrt_(V x) { return (S)1 / sqrt_(x); }                                                    \
  /* log(1 + exp(x)) without overflow (softplus), and log(sigmoid(x)): max 1.73 ULP */             \
  VFN V log1pexp_(V x) { return max_(x, splat((S)0)) + log1p_(exp_(-abs_(x))); }                   \
  VFN V logsigmoid_(V x) { return min_(x, splat((S)0)) - log1p_(exp_(-abs_(x))); }                 \
  /* log(exp(a) + exp(b)); equal infinities have no difference. Max 1.67 ULP of the largest of */  \
  /* |a|, |b|, 1/2 */                                                                              \
  VFN V logaddexp_(V a, V b) {                                                                     \
    V most = max_(a, b), gap = -abs_(a - b);                                                       \
    return select(isinf_(a) & (a == b), a, most + log1p_(exp_(gap)));                              \
  }                                                                                                \
  /* x * log(y), 0 where x is 0 unless y is NaN: max 1.81 ULP */                                   \
  VFN V xlogy_(V x, V y) {                                                                         \
    V product = select(x == 0, splat((S)0), x * log_(y));                                          \
    return select(isnan_(y), y, product);                                                          \
  }
REAL_TYPES(M)
#undef M

// The same to base 2: max 1.1 ULP. For floats in double, since log1p's error would count in units
// of log2's.
VFN f64x2 logaddexp2_(f64x2 a, f64x2 b) {
  f64x2 most = max_(a, b), less = log1p_(exp2_(-abs_(a - b))) * LOG2_E_WIDE;
  return select(isinf_(a) & (a == b), a, most + less);
}
VFN f64x2 logaddexp2_wide(f64x2 a, f64x2 b) {
  f64x2 gap = clamp_(-abs_(a - b), -200.0, 0.0);
  f64x2 less = log_wide(1.0 + exp2_wide(gap)) * LOG2_E_WIDE;
  return select(isinf_(a) & (a == b), a, max_(a, b) + less);
}
VFN f32x4 logaddexp2_(f32x4 a, f32x4 b) {
  f64x2 low = logaddexp2_wide(widen_low(a), widen_low(b));
  return narrow(low, logaddexp2_wide(widen_high(a), widen_high(b)));
}

#undef PI
#undef PI_HALF
#undef PI_HALF_LOW
#undef LN2
#undef LN2_HIGH
#undef LN2_LOW
#undef LOG2_E
#undef LOG2_E_WIDE
#undef ROUNDER
#undef ROUNDER_BITS
#undef WIDE
#include "simd_run.h"
#undef HIDE
#undef BOTH
#undef TURNS

#endif
