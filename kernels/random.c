// Numbers of PyTorch's CPU generator: the mt19937 of Matsumoto and Nishimura (1998).
#include "kernel.h"
#include "simd_math.h"
#define SUFFIX f32

enum { WORDS = 624, SHIFT = 397 };

// The next WORDS words, behind those at `state`.
static NOINLINE void twist(int32_t *state) {
  for (const int32_t *end = state + WORDS; state < end; state += 4) {
    const u32x4 y = ((u32x4)load(state) & 0x80000000) | ((u32x4)load(state + 1) & 0x7fffffff);
    store(state + WORDS, load(state + SHIFT) ^ (i32x4)((y >> 1) ^ (-(y & 1) & 0x9908b0df)));
  }
}

// Moves the next words to the front; returns where `at`, the first that is not used, then is.
static NOINLINE uint32_t settle(int32_t *state, uint32_t at) {
  memcpy(state, state + WORDS, WORDS * sizeof *state);
  return at - WORDS;
}

static u32x4 temper(u32x4 y) {
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return y ^ (y >> 18);
}

// Both kernels: `state` has room for twice its words; `next` is the first that is not used. One unit does all: each
// number follows from those before.

// out = scale where the 53 lower bits of the next two words are below high * 2^32 + low, else 0.
KERNEL(drawMask) {
  int32_t *const state = OUT(int32_t, state);
  uint32_t at = p->next;
  float *out = OUT(float, out);
  const u32x4 high = (u32x4)splat((int32_t)p->high), low = (u32x4)splat((int32_t)p->low);
  const i32x4 scale = (i32x4)splat(p->scale);
  (void)begin, (void)end;
  for (uint32_t left = p->count; left > 0;) {
    const uint32_t some = MIN(left, 4);
    const bool over = at + 2 * some > WORDS;
    if (over) twist(state);
    const u32x4 a = (u32x4)load(state + at), b = (u32x4)load(state + at + 4);
    const u32x4 upper = temper(__builtin_shufflevector(a, b, 0, 2, 4, 6)) & 0x1fffff;
    const u32x4 lower = temper(__builtin_shufflevector(a, b, 1, 3, 5, 7));
    const f32x4 kept = (f32x4)(scale & ((upper < high) | ((upper == high) & (lower < low))));
    if (some == 4) store(out, kept);
    else store_tail(out, kept, some);
    out += some;
    left -= some;
    at += 2 * some;
    if (over) at = settle(state, at);
  }
}

// out = v * scale + shift, in double, of uniform v in [0, 1), the 24 lower bits of a word each; or of `normal` ones, by
// Box and Muller from the numbers i and i + 8 of each 16, of which there are whole blocks.
KERNEL(drawFloats) {
  enum { BLOCK = 16 };
  int32_t *const state = OUT(int32_t, state);
  uint32_t at = p->next;
  float *out = OUT(float, out);
  const f64x2 scale = splat(F64(p->scale)), shift = splat(F64(p->shift));
  (void)begin, (void)end;
  for (uint32_t left = p->count, some; left > 0; left -= some) {
    some = MIN(left, BLOCK);
    const bool over = at + some > WORDS;
    if (over) twist(state);
    f32x4 v[4];
    for (int k = 0; k < 4; k++) {
      v[k] = to_f32((i32x4)(temper((u32x4)load(state + at + 4 * k)) & 0xffffff)) * 0x1p-24f;
    }
    for (int k = 0; k < 2 && p->normal; k++) {
      i32x4 exponent, quadrant;
      const f32x4 fraction = split_exponent(1.0f - v[k], &exponent);
      const f32x4 radius = sqrt_(-2.0f * log_of_split(fraction, to_f32(exponent)));
      const f32x4 rest = reduce_near(v[k + 2] * 0x1.921fb6p+2f, &quadrant);
      v[k] = radius * sin_quadrant(rest, quadrant + 1);
      v[k + 2] = radius * sin_quadrant(rest, quadrant);
    }
    for (uint32_t k = 0, done = 0; done < some; k++, done += 4) {
      const f32x4 scaled = narrow(widen_low(v[k]) * scale + shift, widen_high(v[k]) * scale + shift);
      if (some - done >= 4) store(out + done, scaled);
      else store_tail(out + done, scaled, some - done);
    }
    out += some;
    at += some;
    if (over) at = settle(state, at);
  }
}
