// Judges the float32 functions of simd_math.h, compiled natively from the text that the module is
// built from, against the C library in double. A line per function: name, worst error in ULP,
// arguments, result.
// Fails where an error is beyond the limit stated below.
//   simd_math                     a sample: hard points, every exponent, a million values
//   simd_math exhaustive [name]   every float; for two arguments hard points and 400 million pairs
#include <stdio.h>

#include "simd_math.h"

typedef struct {
  double worst;
  float x, y, got;
} verdict;

// The distance from got to exact in units of exact's last place as a float. Infinite where one is
// NaN and the other not, or where the sign of an exact zero or infinity is wrong.
static double distance(float got, double exact) {
  float rounded = (float)exact;
  if (isnan(rounded) || isnan(got)) return isnan(rounded) && isnan(got) ? 0 : INFINITY;
  if (got == rounded && (exact != 0 || signbit(got) == signbit(exact))) {
    if (isinf(got) || exact == 0) return 0;
  } else if (exact == 0 || isinf(exact) || (isinf(got) && signbit(got) != signbit(exact))) {
    return INFINITY;
  }
  // Beyond the largest float, infinity stands for the next step.
  double value = isinf(got) ? copysign(0x1p128, got) : got;
  double target = isinf(rounded) ? copysign(0x1p128, exact) : exact;
  int exponent = ilogb(target);
  if (exponent < -126) exponent = -126;
  return fabs(value - target) / ldexp(1, exponent - 23);
}

static void judge(verdict *v, float got, double exact, float x, float y) {
  double error = distance(got, exact);
  if (error > v->worst) *v = (verdict){error, x, y, got};
}

// ---- Exact values -------------------------------------------------------------------------------

static double sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double rsqrt(double x) { return 1 / sqrt(x); }
static double log1pexp(double x) { return isnan(x) ? x : fmax(x, 0) + log1p(exp(-fabs(x))); }
static double logsigmoid(double x) { return isnan(x) ? x : fmin(x, 0) - log1p(exp(-fabs(x))); }
static double logaddexp(double a, double b) {
  if (isnan(a) || isnan(b)) return NAN;
  return a == b && isinf(a) ? a : fmax(a, b) + log1p(exp(-fabs(a - b)));
}
static double logaddexp2(double a, double b) {
  if (isnan(a) || isnan(b)) return NAN;
  return a == b && isinf(a) ? a : fmax(a, b) + log1p(exp2(-fabs(a - b))) / log(2);
}
static double xlogy(double x, double y) { return isnan(y) ? y : x == 0 ? 0 : x * log(y); }
static double remainder_of(double x, double y) {
  double r = fmod(x, y);
  return r != 0 && (r < 0) != (y < 0) ? (double)((float)r + (float)y) : r;
}
static double erfinv(double y) {
  double x = erfinv_one(y);
  return isfinite(x) && fabs(erf(x) - y) > 1e-12 ? NAN : x;
}

static double normal_cdf(double x) { return 0.5 * erfc(-x / sqrt(2)); }
static double gelu_slope(double x) {
  return normal_cdf(x) + (isinf(x) ? 0 : x * exp(-x * x / 2) / sqrt(2 * acos(-1)));
}

// M(function, exact value, largest error in ULP)
#define UNARY(M)                                                                                   \
  M(exp, exp, 1.01)                                                                                \
  M(exp2, exp2, 1.48)                                                                              \
  M(expm1, expm1, 1.53)                                                                            \
  M(log, log, 0.91)                                                                                \
  M(log2, log2, 1.59)                                                                              \
  M(log10, log10, 1.99)                                                                            \
  M(log1p, log1p, 1.46)                                                                            \
  M(sin, sin, 1.58)                                                                                \
  M(cos, cos, 1.58)                                                                                \
  M(tan, tan, 0.53)                                                                                \
  M(asin, asin, 1.69)                                                                              \
  M(acos, acos, 1.19)                                                                              \
  M(atan, atan, 1.65)                                                                              \
  M(sinh, sinh, 1.62)                                                                              \
  M(cosh, cosh, 1.45)                                                                              \
  M(tanh, tanh, 1.96)                                                                              \
  M(asinh, asinh, 0.51)                                                                            \
  M(acosh, acosh, 0.51)                                                                            \
  M(atanh, atanh, 0.51)                                                                            \
  M(erf, erf, 1.47)                                                                                \
  M(erfc, erfc, 0.52)                                                                              \
  M(erfinv, erfinv, 0.51)                                                                          \
  M(lgamma, lgamma, 0.51)                                                                          \
  M(sigmoid, sigmoid, 1.75)                                                                        \
  M(rsqrt, rsqrt, 1.49)                                                                            \
  M(log1pexp, log1pexp, 1.73)                                                                      \
  M(logsigmoid, logsigmoid, 1.73)
#define BINARY(M)                                                                                  \
  M(pow, pow, 0.51)                                                                                \
  M(atan2, atan2, 1.62)                                                                            \
  M(hypot, hypot, 0.51)                                                                            \
  M(xlogy, xlogy, 1.81)                                                                            \
  M(fmod, fmod, 0)                                                                                 \
  M(remainder, remainder_of, 0)                                                                    \
  M(logaddexp, logaddexp, 1.67)                                                                    \
  M(logaddexp2, logaddexp2, 1.05)
// Parts of sums: M(function, exact value, largest error in units of 2^-24)
#define FLAT(M)                                                                                    \
  M(normal_cdf, normal_cdf, 3.1)                                                                   \
  M(gelu_slope, gelu_slope, 3.7)

// ---- Arguments ----------------------------------------------------------------------------------

static const float edges[] = {0.0f, 0x1p-149f, 0x1.8p-148f, 0x1.fffffcp-127f, 0x1p-126f, 1e-20f,
    1e-5f, 0.25f, 0.5f, 0x1.fffffep-1f, 1.0f, 0x1.000002p0f, 1.5f, 2.0f, 2.5f, 3.0f, 4.0f, 7.0f,
    10.0f, 17.5f, 87.5f, 88.0f, 88.7228f, 89.0f, 89.5f, 103.97f, 104.5f, 126.5f, 128.0f, 150.0f,
    1000.0f, 0x1p20f, 16777215.0f, 16777216.0f, 0x1p31f, 0x1p64f, 0x1p100f, 0x1.fffffep127f,
    INFINITY, NAN};
enum { HALF = sizeof edges / sizeof *edges, EDGES = 2 * HALF };
static float edge(uint64_t i) { return i < HALF ? edges[i] : -edges[i - HALF]; }

static float as_float(uint32_t word) {
  float x;
  memcpy(&x, &word, sizeof x);
  return x;
}

static uint32_t state = 12345;
static uint32_t random_word(void) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}
// Any bits, or a magnitude between 1/4 and 512.
static float random_float(uint64_t i) {
  uint32_t word = random_word();
  return as_float(i & 1 ? word : (word & 0x807fffff) | (125 + random_word() % 12) << 23);
}

// ---- Judges -------------------------------------------------------------------------------------

#define M(name, exact, limit)                                                                      \
  static verdict judge_##name(uint64_t step) {                                                     \
    verdict v = {-1, 0, 0, 0};                                                                     \
    for (uint64_t word = 0; word < 1ull << 32; word += 4 * step) {                                 \
      f32x4 x;                                                                                     \
      for (uint64_t i = 0; i < 4; i++) x[i] = as_float((uint32_t)(word + i * step));               \
      f32x4 got = name##_(x);                                                                      \
      for (int i = 0; i < 4; i++) judge(&v, got[i], exact(x[i]), x[i], 0);                         \
    }                                                                                              \
    for (uint64_t i = 0; i < EDGES; i++) {                                                         \
      float x = edge(i);                                                                           \
      judge(&v, name##_((f32x4){1, x, 1, x})[1], exact(x), x, 0);                                  \
    }                                                                                              \
    return v;                                                                                      \
  }
UNARY(M)
#undef M

// Where its terms (at least 1/2) cancel, logaddexp's error is judged by their size.
#define M(name, exact, limit)                                                                      \
  static verdict judge_##name(uint64_t count) {                                                    \
    verdict v = {-1, 0, 0, 0};                                                                     \
    int sum = (void *)exact == (void *)logaddexp || (void *)exact == (void *)logaddexp2;           \
    for (uint64_t k = 0; k < EDGES * EDGES + count; k++) {                                         \
      f32x4 x, y;                                                                                  \
      for (int i = 0; i < 4; i++) {                                                                \
        int hard = k < EDGES * EDGES;                                                              \
        x[i] = hard ? edge(k / EDGES) : random_float(k);                                           \
        y[i] = hard ? edge(k % EDGES) : random_float(k >> 1);                                      \
      }                                                                                            \
      f32x4 got = name##_(x, y);                                                                   \
      for (int i = 0; i < 4; i++) {                                                                \
        double value = exact(x[i], y[i]), most = fmax(0.5, fmax(fabs(x[i]), fabs(y[i])));          \
        if (sum && fabs(value) < most && most < 1e30) {                                            \
          judge(&v, (float)(most + (got[i] - value)), most, x[i], y[i]);                           \
        } else {                                                                                   \
          judge(&v, got[i], value, x[i], y[i]);                                                    \
        }                                                                                          \
      }                                                                                            \
    }                                                                                              \
    return v;                                                                                      \
  }
BINARY(M)
#undef M

// Infinite where a run gives other bits than one vector does.
static double flat_distance(float got, float alone, double exact) {
  if (isnan(got) || isnan(exact)) return isnan(got) && isnan(alone) && isnan(exact) ? 0 : INFINITY;
  return got == alone ? fabs(got - exact) * 0x1p24 : INFINITY;
}

enum { MANY = 3 * RUN + 12 };
#define M(name, exact, limit)                                                                      \
  static verdict judge_##name(uint64_t step) {                                                     \
    verdict v = {-1, 0, 0, 0};                                                                     \
    float x[MANY], one[MANY], got[MANY];                                                           \
    for (uint32_t i = 0; i < MANY; i++) one[i] = 1;                                                \
    for (uint64_t word = 0; word < 1ull << 32; word += MANY * step) {                              \
      /* Near and far values one by one, and blocks of near ones. */                               \
      for (uint64_t i = 0; i < MANY; i++) x[i] = as_float((uint32_t)(word + i * step));            \
      for (uint64_t i = 0; word % 3 && i < EDGES; i++) x[i] = edge(i);                             \
      name##_run(x, one, got, MANY);                                                               \
      for (uint32_t i = 0; i < MANY; i += 4) {                                                     \
        f32x4 alone = name##_(load(x + i));                                                        \
        for (uint32_t k = 0; k < 4; k++) {                                                         \
          double error = flat_distance(got[i + k], alone[k], exact(x[i + k]));                     \
          if (error > v.worst) v = (verdict){error, x[i + k], 0, got[i + k]};                      \
        }                                                                                          \
      }                                                                                            \
    }                                                                                              \
    return v;                                                                                      \
  }
FLAT(M)
#undef M

// Runs give the bits of one vector: M(run, function, whole run of x to y).
#define RUNS(M)                                                                                    \
  M(exp_run, exp, exp_run(x, y, n, 0, 0))                                                          \
  M(log1p_run, log1p, log1p_run(x, y, n))                                                          \
  M(sigmoid_run, sigmoid, sigmoid_run(x, y, n))                                                    \
  M(expm1_run, expm1, expm1_run(x, y, n))                                                          \
  M(tanh_run, tanh, tanh_run(x, y, n))
#define M(run, function, ...)                                                                      \
  static verdict judge_##run(uint64_t step) {                                                      \
    verdict v = {-1, 0, 0, 0};                                                                     \
    float x[4 * RUN], y[4 * RUN];                                                                  \
    const uint32_t n = 4 * RUN - 16;                                                               \
    for (uint64_t word = 0; word < 1ull << 32; word += 4 * RUN * step) {                           \
      for (uint64_t i = 0; i < 4 * RUN; i++) x[i] = as_float((uint32_t)(word + i * step));         \
      for (uint64_t i = 0; word % 3 == 1 && i < EDGES; i++) x[i] = edge(i);                        \
      __VA_ARGS__;                                                                                 \
      for (uint32_t i = 0; i < n; i++) {                                                           \
        float alone = function##_(splat(x[i]))[0];                                                 \
        if (memcmp(y + i, &alone, 4) && !(isnan(alone) && isnan(y[i])))                            \
          judge(&v, INFINITY, y[i], x[i], 0);                                                      \
      }                                                                                            \
    }                                                                                              \
    return v.worst < 0 ? (verdict){0, 0, 0, 1} : v;                                                \
  }
RUNS(M)
#undef M

// Returns whether the error is beyond its limit.
static int report(const char *name, verdict v, double limit) {
  int beyond = !(v.worst <= limit);
  const char *note = beyond ? " BEYOND ITS LIMIT" : "";
  printf("%s %.3f at %a %a gave %a%s\n", name, v.worst, v.x, v.y, v.got, note);
  fflush(stdout);
  return beyond;
}

int main(int argc, char **argv) {
  int exhaustive = argc > 1 && strcmp(argv[1], "exhaustive") == 0, failures = 0;
  const char *only = argc > 2 ? argv[2] : NULL;
  uint64_t step = exhaustive ? 1 : 4099, pairs = exhaustive ? 100000000 : 250000;
#define M(name, exact, limit)                                                                      \
  if (!only || !strcmp(only, #name)) failures += report(#name, judge_##name(step), limit);
  UNARY(M)
#undef M
#define M(name, exact, limit)                                                                      \
  if (!only || !strcmp(only, #name)) failures += report(#name, judge_##name(pairs), limit);
  BINARY(M)
#undef M
#define M(name, exact, limit)                                                                      \
  if (!only || !strcmp(only, #name)) failures += report(#name, judge_##name(step), limit);
  FLAT(M)
#undef M
#define M(run, function, ...)                                                                      \
  if (!only || !strcmp(only, #run)) failures += report(#run, judge_##run(step), 0);
  RUNS(M)
#undef M
  return failures > 0;
}
