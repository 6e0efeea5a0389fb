// Masks in the numbers of PyTorch's CPU generator: the mt19937 of Matsumoto and Nishimura (1998).
#include "kernel.h"
#define SUFFIX f32

enum { WORDS = 624, SHIFT = 397 };

// The next WORDS words, behind those at `state`.
static NOINLINE void twist(int32_t *state) {
  for (const int32_t *end = state + WORDS; state < end; state += 4) {
    const u32x4 y = ((u32x4)load(state) & 0x80000000) | ((u32x4)load(state + 1) & 0x7fffffff);
    store(state + WORDS, load(state + SHIFT) ^ (i32x4)((y >> 1) ^ (-(y & 1) & 0x9908b0df)));
  }
}

static u32x4 temper(u32x4 y) {
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return y ^ (y >> 18);
}

// out = scale where the 53 lower bits of the next two words are below high * 2^32 + low, else 0. `state` has room for
// twice its words; `next` is the first that is not used. One unit does all: each number follows from those before.
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
    if (over) {
      memcpy(state, state + WORDS, WORDS * sizeof *state);
      at -= WORDS;
    }
  }
}
