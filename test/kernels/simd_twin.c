// The bits that the float32 functions of simd_math.h give for a sample of all floats, and those of
// simd_double.h for a sample of doubles, hashed: the same natively and as WebAssembly, so what the
// judges find natively holds there. NaNs count as one.
#include "simd_math.h"

#include "libm.c"

static uint32_t hash(uint32_t sum, f32x4 v) {
  v = select(isnan_(v), splat(NAN), v);
  for (int i = 0; i < 4; i++) sum = (sum ^ (uint32_t)bits(v)[i]) * 16777619u;
  return sum;
}

static bool alike(float a, float b) { return (a != a && b != b) || memcmp(&a, &b, sizeof a) == 0; }

#define UNARY(M)                                                                                   \
  M(exp) M(exp2) M(expm1) M(log) M(log2) M(log10) M(log1p) M(sin) M(cos) M(tan) M(asin)            \
  M(acos) M(atan) M(sinh) M(cosh) M(tanh) M(asinh) M(acosh) M(atanh) M(erf) M(erfc)                \
  M(sigmoid) M(rsqrt) M(log1pexp) M(logsigmoid) M(floor) M(round) M(sign)
#define BINARY(M)                                                                                  \
  M(pow) M(atan2) M(hypot) M(xlogy) M(remainder) M(floor_div) M(logaddexp)                         \
  M(logaddexp2) M(min) M(fmax)

#define M(name)                                                                                    \
  uint32_t hash_##name(void) {                                                                     \
    uint32_t sum = 2166136261u;                                                                    \
    for (uint32_t i = 0; i < 1 << 16; i++) {                                                       \
      u32x4 word = (i * 4 + (u32x4){0, 1, 2, 3} * 0x51ed270b) * 16411u;                            \
      f32x4 x = (f32x4)word, v = name##_(x);                                                       \
      for (int k = 0; k < 4; k++) {                                                                \
        if (!alike(v[k], name##_(splat(x[k]))[k])) return 0;                                       \
      }                                                                                            \
      sum = hash(sum, v);                                                                          \
    }                                                                                              \
    return sum;                                                                                    \
  }
UNARY(M)
#undef M
#define M(name)                                                                                    \
  uint32_t hash_##name(void) {                                                                     \
    uint32_t sum = 2166136261u;                                                                    \
    for (uint32_t i = 0; i < 1 << 16; i++) {                                                       \
      u32x4 word = i * 4 + (u32x4){0, 1, 2, 3}, y = word * 2654435761u;                            \
      u32x4 x = word * 40503u * 65537u;                                                            \
      /* half of the pairs with magnitudes between 1/8 and 16 */                                   \
      if (i & 1) {                                                                                 \
        x = (x & 0x83ffffff) | 0x3c000000;                                                         \
        y = (y & 0x83ffffff) | 0x3c000000;                                                         \
      }                                                                                            \
      f32x4 v = name##_((f32x4)x, (f32x4)y);                                                       \
      for (int k = 0; k < 4; k++) {                                                                \
        f32x4 one = splat(((f32x4)x)[k]), other = splat(((f32x4)y)[k]);                            \
        if (!alike(v[k], name##_(one, other)[k])) return 0;                                        \
      }                                                                                            \
      sum = hash(sum, v);                                                                          \
    }                                                                                              \
    return sum;                                                                                    \
  }
BINARY(M)
#undef M

// ---- Doubles ------------------------------------------------------------------------------------

#define DOUBLES(M)                                                                                 \
  M(exp) M(exp2) M(expm1) M(log) M(log2) M(log10) M(log1p)                                         \
  M(sinh) M(cosh) M(tanh) M(asinh) M(acosh) M(atanh) M(erf) M(erfc)
#define ANGLES(M) M(sin) M(cos)
static bool same(double a, double b) { return (a != a && b != b) || memcmp(&a, &b, sizeof a) == 0; }
static uint32_t hash_doubles(uint32_t sum, const double *y, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    uint64_t word;
    memcpy(&word, y + i, sizeof word);
    if (y[i] != y[i]) word = 0;
    sum = ((sum ^ (uint32_t)word) * 16777619u ^ (uint32_t)(word >> 32)) * 16777619u;
  }
  return sum;
}
// One of two with a magnitude between 1/16 and 4096.
static double sample(uint64_t i) {
  uint64_t word = (i + 1) * 0x9e3779b97f4a7c15u;
  word ^= word >> 29;
  if (i & 1) word = (word & 0x800fffffffffffff) | (1019 + (word >> 52) % 16) << 52;
  double x;
  memcpy(&x, &word, sizeof x);
  return x;
}
// Beyond, sine and cosine are those of the C library.
static double angle(uint64_t i) { return fabs(sample(i)) < 0x1p20 ? sample(i) : (double)i; }
#define M(name, sample, run, vector)                                                               \
  uint32_t hash_##name##_doubles(void) {                                                           \
    uint32_t sum = 2166136261u;                                                                    \
    double x[64], y[64], to[64];                                                                   \
    for (uint64_t i = 0; i < 1 << 16; i += 64) {                                                   \
      for (uint64_t k = 0; k < 64; k++) x[k] = sample(i + k), y[k] = sample(3 * (i + k) + 1);      \
      run;                                                                                         \
      for (uint64_t k = 0; k < 64; k++) {                                                          \
        f64x2 a = {x[k], x[k ^ 7]}, b = {y[k], y[k ^ 7]};                                          \
        (void)b;                                                                                   \
        if (!same(to[k], vector[0])) return 0;                                                     \
      }                                                                                            \
      sum = hash_doubles(sum, to, 64);                                                             \
    }                                                                                              \
    return sum;                                                                                    \
  }
#define OF_ONE(name) M(name, sample, name##_doubles(x, to, 64), name##_(a))
DOUBLES(OF_ONE)
#define OF_ANGLE(name) M(name, angle, name##_doubles(x, to, 64), name##_(a))
ANGLES(OF_ANGLE)
M(pow, sample, pow_doubles(x, y, to, 64), pow_(a, b))
#undef M

// Whether what the C library calls, as WebAssembly, gives the bits of vectors.
uint32_t hash_libm(void) {
#ifdef __wasm__
  for (uint64_t i = 0; i < 1 << 16; i++) {
    double x = sample(i);
    if (!same(exp(x), exp_(splat(x))[0]) || !same(log(x), log_(splat(x))[0])) return 0;
  }
#endif
  return 1;
}

#ifndef __wasm__
#include <stdio.h>
int main(void) {
#define M(name) printf("hash_%s %u\n", #name, hash_##name());
  UNARY(M)
  BINARY(M)
#undef M
#define M(name) printf("hash_%s_doubles %u\n", #name, hash_##name##_doubles());
  DOUBLES(M)
  ANGLES(M)
  M(pow)
#undef M
  printf("hash_libm %u\n", hash_libm());
}
#endif
