// Whole loops of elementwise kernels, in blocks of RUN floats; the end of simd_math.h, whose macros they use.
#ifndef ISOTORCH_SIMD_RUN_H
#define ISOTORCH_SIMD_RUN_H

RUN_FN void exp_all(const float *x, float *y, uint32_t n) { exp_run(x, y, n, 0, 0); }

// out = s = sigmoid(x) for n floats, n a multiple of 16; or x s; or g times the slope of x s.
enum { SIGMOID, SILU, SILU_SLOPE };
RUN_FN void sigmoid_run(const float *g, const float *x, float *out, uint32_t n, int kind) {
  float e[RUN];
  for (uint32_t m; n > 0; n -= m, g += m, x += m, out += m) {
    m = n < RUN ? n : RUN;
    TURNS(j, m) BOTH store(e + j + 4 * v, -abs_(load(x + j + 4 * v)));
    exp_all(e, e, m);
    TURNS(j, m) BOTH {
      f32x4 a = load(x + j + 4 * v), s = sigmoid_of(a, load(e + j + 4 * v));
      if (kind == SILU) s *= a;
      if (kind == SILU_SLOPE) s = load(g + j + 4 * v) * s * (1.0f + a * (1.0f - s));
      store(out + j + 4 * v, s);
    }
  }
}

#endif
