// Judges the functions of simd_double.h, compiled natively from the text that the module is built from,
// against the C library in long double: over their ranges and where they are hard. A line per function:
// name, worst error in ULP, arguments, result. Fails where an error is beyond the limit stated below,
// where a run gives other bits than a vector, or where a result that is a double is not exact.
#include <stdio.h>

#include "simd_math.h"

// The distance from got to exact in units of exact's last place as a double. Infinite where one is NaN
// and the other not, or where the sign of an exact zero or infinity is wrong.
static double distance(double got, long double exact) {
  double rounded = (double)exact;
  if (isnan(rounded) || isnan(got)) return isnan(rounded) && isnan(got) ? 0 : INFINITY;
  if (exact == 0 || isinf(exact)) {
    return got == rounded && signbit(got) == signbit(rounded) ? 0 : INFINITY;
  }
  if (signbit(got) != signbit(rounded)) return INFINITY;
  // Beyond the largest double, infinity stands for the next step.
  long double value = isinf(got) ? copysignl(0x1p1024L, got) : got;
  int exponent = ilogbl(exact);
  if (exponent > 1023) return isinf(got) ? 0 : INFINITY;
  if (exponent < -1022) exponent = -1022;
  return (double)(fabsl(value - exact) / ldexpl(1, exponent - 52));
}

typedef struct {
  double worst, x, y, got;
} verdict;

static void judge(verdict *v, double got, long double exact, double x, double y) {
  double error = distance(got, exact);
  if (error > v->worst) *v = (verdict){error, x, y, got};
}

static double as_double(uint64_t word) {
  double x;
  memcpy(&x, &word, sizeof x);
  return x;
}

static uint64_t state = 88172645463325252;
static uint64_t random_word(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}
static double uniform(double low, double high) {
  return low + (high - low) * ((double)(random_word() >> 11) * 0x1p-53);
}

static const double edges[] = {0, 0x1p-1074, 0x1.fffffffffffffp-1023, 0x1p-1022, 1e-300, 1e-20, 0x1p-54, 0x1p-53,
    1e-5, 0.25, 0.5, 0x1.6a09e667f3bccp-1, 0x1.6a09e667f3bcdp-1, 0x1.fffffffffffffp-1, 1, 0x1.0000000000001p0,
    0x1.6a09e667f3bcdp0, 1.5, 2, 2.5, 3, 4, 5, 10, 36.7, 37.5, 52, 53, 54, 708, 708.5, 709.782712893384,
    0x1.62e42fefa39fp9, 710, 710.4758600739439, 710.475860073944, 745.1332191019411, 745.1332191019412, 746,
    1021.5, 1022, 1022.5, 1023.9999999999999, 1024, 1074, 1074.5, 1075, 1076, 1e10, 0x1p52, 0x1.0000000000001p52,
    0x1p53, 0x1.0000000000001p53, 0x1p62, 0x1p64, 1e300, 0x1.fffffffffffffp1023, INFINITY, NAN};
enum { HALF = sizeof edges / sizeof *edges, EDGES = 2 * HALF, MANY = 1 << 20 };
static double edge(uint64_t i) { return i < HALF ? edges[i] : -edges[i - HALF]; }

// Any bits, a magnitude between 2^-60 and 2^10, or a number from the range.
static double argument(uint64_t i, double low, double high) {
  uint64_t word = random_word();
  if (i % 8 == 0) return as_double(word);
  if (i % 8 == 1) return as_double((word & 0x800fffffffffffff) | (963 + random_word() % 70) << 52);
  return uniform(low, high);
}

// M(function, largest error in ULP, ranges): each range is low, high.
#define UNARY(M)                                                                                   \
  M(exp, 0.78, -1, 1, -746, 710, -746, -708)                                                       \
  M(exp2, 0.80, -1, 1, -1076, 1025, -1076, -1021)                                                  \
  M(expm1, 0.81, -1, 1, -0.01, 0.01, -40, 710)                                                     \
  M(cosh, 0.88, -1, 1, -0.1, 0.1, -711, 711)                                                        \
  M(log, 0.86, 0.5, 2, 0.99, 1.01, 0, 1e4)                                                         \
  M(log2, 0.85, 0.5, 2, 0.99, 1.01, 0, 1e4)                                                        \
  M(log10, 0.73, 0.5, 2, 0.99, 1.01, 0, 1e4)                                                       \
  M(log1p, 0.86, -1, 1, -0.01, 0.01, 0, 1e4)                                                       \
  M(sinh, 0.94, -1, 1, -3, 3, -711, 711)                                                           \
  M(tanh, 0.75, -1, 1, -3, 3, -20, 20)                                                             \
  M(asinh, 1.25, -1, 1, -3, 3, -100, 100)                                                          \
  M(acosh, 1.58, 1, 1.1, 1, 3, 1, 100)                                                             \
  M(atanh, 1.00, -0.2, 0.2, -1, 1, 0.99, 1)                                                        \
  M(sin, 0.80, -1, 1, -100, 100, -0x1p20, 0x1p20)                                                  \
  M(cos, 0.80, -1, 1, -100, 100, -0x1p20, 0x1p20)                                                  \
  M(erf, 0.96, -0.1, 0.1, -1, 1, -6, 6)                                                            \
  M(erfc, 1.61, -1, 1, 0.5, 2, -6, 27.3, 26.5, 27.3)

#define M(name, limit, ...)                                                                        \
  static verdict judge_##name(void) {                                                              \
    static const double ranges[] = {__VA_ARGS__};                                                  \
    verdict v = {-1, 0, 0, 0};                                                                     \
    double x[64], y[64];                                                                           \
    for (uint64_t i = 0; i < MANY; i += 64) {                                                      \
      const double *range = ranges + i / 64 % (sizeof ranges / 16) * 2;                            \
      for (uint64_t k = 0; k < 64; k++)                                                            \
        x[k] = i + k < EDGES ? edge(i + k) : argument(i + k, range[0], range[1]);                  \
      name##_doubles(x, y, 64);                                                                    \
      for (uint64_t k = 0; k < 64; k++) {                                                          \
        judge(&v, y[k], name##l(x[k]), x[k], 0);                                                   \
        f64x2 alone = name##_((f64x2){1, x[k]}), with = name##_((f64x2){x[k], NAN});               \
        if (memcmp(&y[k], (double *)&alone + 1, 8) && !isnan(y[k])) judge(&v, 0, NAN, x[k], 1);    \
        if (memcmp(&y[k], &with, 8) && !isnan(y[k])) judge(&v, 0, NAN, x[k], 2);                   \
      }                                                                                            \
    }                                                                                              \
    return v;                                                                                      \
  }
UNARY(M)
#undef M

// Pairs of edges, results over the whole range, bases near 1 with huge exponents, denormals on either
// side, whole numbers, anything.
static void pair(uint64_t i, double *x, double *y) {
  if (i < EDGES * EDGES) {
    *x = edge(i / EDGES);
    *y = edge(i % EDGES);
    return;
  }
  const double power = uniform(-746, 710);
  switch (i % 6) {
    case 0: *x = exp2(uniform(-1074, 1024)); break;
    case 1: *x = 1 + uniform(-1, 1) * exp2(-uniform(1, 52)); break;
    case 2: *x = uniform(0.7, 1.45); break;
    case 3: *x = exp2(uniform(-1074, -1022)); break;
    case 4:
      *x = trunc(uniform(-50, 50));
      *y = trunc(uniform(-20, 20));
      return;
    default:
      *x = as_double(random_word());
      *y = i & 8 ? as_double(random_word()) : uniform(-2, 2);
      return;
  }
  *y = (i % 4 ? power : uniform(-745.3, -708)) / log(*x);
}
static verdict judge_pow(void) {
  verdict v = {-1, 0, 0, 0};
  double x[64], y[64], got[64];
  for (uint64_t i = 0; i < MANY; i += 64) {
    for (uint64_t k = 0; k < 64; k++) pair(i + k, x + k, y + k);
    pow_doubles(x, y, got, 64);
    for (uint64_t k = 0; k < 64; k++) {
      judge(&v, got[k], powl(x[k], y[k]), x[k], y[k]);
      f64x2 alone = pow_((f64x2){2, x[k]}, (f64x2){0.5, y[k]});
      if (memcmp(&got[k], (double *)&alone + 1, 8) && !isnan(got[k])) judge(&v, 0, NAN, x[k], y[k]);
    }
  }
  return v;
}

// What doubles can be, they are.
static verdict judge_exact(void) {
  verdict v = {-1, 0, 0, 0};
#define EXACT(got, want) judge(&v, (got) == (want) ? 0 : INFINITY, 0, got, want)
  for (int n = -1074; n < 1024; n++) {
    double power = ldexp(1, n);
    EXACT(exp2_(splat((double)n))[0], power);
    EXACT(log2_(splat(power))[0], n);
    EXACT(pow_(splat(2.0), splat((double)n))[0], power);
    EXACT(pow_(splat(power), splat(1.0))[0], power);
    if (n % 2 == 0) EXACT(pow_(splat(power), splat(0.5))[0], ldexp(1, n / 2));
  }
  for (int base = -60; base <= 60; base++) {
    double power = 1;
    for (int n = 0; fabs(power) <= 0x1p53 && n < 60; n++, power *= base)
      EXACT(pow_(splat((double)base), splat((double)n))[0], power);
  }
  double ten = 1;
  for (int n = 0; n <= 22; n++, ten *= 10) {
    EXACT(log10_(splat(ten))[0], n);
    EXACT(pow_(splat(10.0), splat((double)n))[0], ten);
  }
  return v.worst < 0 ? (verdict){0, 0, 0, 0} : v;
}

// Returns whether the error is beyond its limit.
static int report(const char *name, verdict v, double limit) {
  int beyond = !(v.worst <= limit);
  const char *note = beyond ? " BEYOND ITS LIMIT" : "";
  printf("%s %.3f at %a %a gave %a%s\n", name, v.worst, v.x, v.y, v.got, note);
  return beyond;
}

int main(void) {
  int failures = 0;
#define M(name, limit, ...) failures += report(#name, judge_##name(), limit);
  UNARY(M)
#undef M
  failures += report("pow", judge_pow(), 0.79);
  failures += report("exact", judge_exact(), 0);
  return failures > 0;
}
