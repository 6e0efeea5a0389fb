// The bits that the float32 functions of simd_math.h give for a sample of all floats, hashed: the
// same natively and as WebAssembly, so what the judge finds natively holds there. NaNs count as
// one.
#include "simd_math.h"

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

#ifndef __wasm__
#include <stdio.h>
int main(void) {
#define M(name) printf("hash_%s %u\n", #name, hash_##name());
  UNARY(M)
  BINARY(M)
}
#endif
