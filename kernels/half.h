// Runs of float16 and bfloat16 as float32 and back, eight at a time where all are ordinary.
#ifndef ISOTORCH_HALF_H
#define ISOTORCH_HALF_H

#include "kernel.h"

// Before loops of an instruction or two, which their counting would outlast.
#ifdef __wasm__
#define WIDE _Pragma("clang loop vectorize(enable) interleave_count(4)")
#else
#define WIDE
#endif

static inline float float_of(uint32_t word) {
  float value;
  memcpy(&value, &word, sizeof value);
  return value;
}

static inline uint32_t word_of(float value) {
  uint32_t word;
  memcpy(&word, &value, sizeof word);
  return word;
}

static inline float half_to_float(uint16_t half) {
  const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = (half >> 10) & 31, fraction = half & 1023;
  const uint32_t tiny = word_of((float)(int32_t)fraction * 0x1p-24f), top = exponent == 31 ? 0x7f800000 : (exponent + 112) << 23;
  return float_of(sign | (exponent == 0 ? tiny : top | fraction << 13));
}

// Nearest, ties to even.
static inline uint16_t float_to_half(float value) {
  const uint32_t word = word_of(value), sign = (word >> 16) & 0x8000, size = word & 0x7fffffff;
  // Below 2^-14: adding 1/2 puts the units of 2^-24 into the lowest bits, rounded by the addition.
  const uint32_t tiny = word_of(float_of(size) + 0.5f) - 0x3f000000;
  const uint32_t near = (size - 0x38000000 + 0xfff + ((size >> 13) & 1)) >> 13;
  const uint32_t far = size > 0x7f800000 ? 0x7e00 : 0x7c00;
  return (uint16_t)(sign | (size < 0x38800000 ? tiny : size >= 0x477ff000 ? far : near));
}

static inline float bfloat_to_float(uint16_t half) { return float_of((uint32_t)half << 16); }

static inline uint16_t float_to_bfloat(float value) {
  const uint32_t word = word_of(value);
  const uint32_t rounded = (word + 0x7fff + ((word >> 16) & 1)) >> 16;
  return (uint16_t)((word & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : rounded);
}

typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef int16_t s16x8 __attribute__((vector_size(16)));

static inline u16x8 load_halves(const uint16_t *p) {
  u16x8 v;
  memcpy(&v, p, sizeof v);
  return v;
}

// Four of eight as words.
#define WORDS_OF(v, ...) __builtin_convertvector(__builtin_shufflevector(v, v, __VA_ARGS__), i32x4)

// The upper halves of eight words.
static inline void store_upper(uint16_t *p, i32x4 low, i32x4 high) {
  u16x8 v = __builtin_shufflevector((u16x8)low, (u16x8)high, 1, 3, 5, 7, 9, 11, 13, 15);
  memcpy(p, &v, sizeof v);
}
static inline i32x4 words_at(const float *x) { return bits(load(x)); }

static inline void bfloats_to_floats(const uint16_t *restrict x, float *restrict to, uint32_t n) {
  WIDE for (uint32_t i = 0; i < n; i++) to[i] = bfloat_to_float(x[i]);
}

static inline void floats_to_bfloats(const float *restrict x, uint16_t *restrict to, uint32_t n) {
  uint32_t i = 0, last;
#define ROUNDED(w) ((w) + 0x7fff + (((w) >> 16) & 1))
  for (; i < n; i = last) {
    // Sums are NaN if a number is.
    for (; i + 16 <= n; i += 16) {
      i32x4 w[4];
      UNROLL for (int k = 0; k < 4; k++) w[k] = words_at(x + i + 4 * k);
      if (any_(isnan_((from_bits(w[0]) + from_bits(w[1])) + (from_bits(w[2]) + from_bits(w[3]))))) break;
      store_upper(to + i, ROUNDED(w[0]), ROUNDED(w[1]));
      store_upper(to + i + 8, ROUNDED(w[2]), ROUNDED(w[3]));
    }
    for (last = MIN(n, i + 16); i < last; i++) to[i] = float_to_bfloat(x[i]);
  }
}

// Zeros keep their exponent; eight with infinities, NaN or subnormals are left to one at a time.
static inline void halves_to_floats(const uint16_t *restrict x, float *restrict to, uint32_t n) {
  uint32_t i = 0, last;
  for (; i < n; i = last) {
    for (; i + 8 <= n; i += 8) {
      const s16x8 v = (s16x8)load_halves(x + i), size = v & 0x7fff, zero = size == 0;
      if (any_((i64x2)((size > 0x7bff) | ((size < 0x400) & ~zero)))) break;
      const i32x4 low = (WORDS_OF(v, 0, 1, 2, 3) << 13) & (int32_t)0x8fffffff;
      const i32x4 high = (WORDS_OF(v, 4, 5, 6, 7) << 13) & (int32_t)0x8fffffff;
      store(to + i, from_bits(low + ((low << 1 != 0) & 0x38000000)));
      store(to + i + 4, from_bits(high + ((high << 1 != 0) & 0x38000000)));
    }
    for (last = MIN(n, i + 8); i < last; i++) to[i] = half_to_float(x[i]);
  }
}

// The upper half of each word, of sizes that are zero or normal in both.
static inline i32x4 half_words(i32x4 w, i32x4 size, i32x4 zero) {
  const i32x4 rounded = size + (0xfff - 0x38000000) + ((w >> 13) & 1);
  return ((rounded << 3) & ~zero) | (w & INT32_MIN);
}

static inline void floats_to_halves(const float *restrict x, uint16_t *restrict to, uint32_t n) {
  uint32_t i = 0, last;
  for (; i < n; i = last) {
    for (; i + 8 <= n; i += 8) {
      const i32x4 a = words_at(x + i), b = words_at(x + i + 4), s = a & INT32_MAX, t = b & INT32_MAX;
      const i32x4 zero_s = s == 0, zero_t = t == 0;
      const i32x4 near_s = ((s > 0x387fffff) | zero_s) & (s < 0x477ff000);
      const i32x4 near_t = ((t > 0x387fffff) | zero_t) & (t < 0x477ff000);
      if (!all_(near_s & near_t)) break;
      store_upper(to + i, half_words(a, s, zero_s), half_words(b, t, zero_t));
    }
    for (last = MIN(n, i + 8); i < last; i++) to[i] = float_to_half(x[i]);
  }
}

#endif
