// Whole loops of elementwise kernels, in blocks of RUN floats; the end of simd_math.h, whose macros they use.
#ifndef ISOTORCH_SIMD_RUN_H
#define ISOTORCH_SIMD_RUN_H

RUN_FN void exp_all(const float *x, float *y, uint32_t n) { exp_run(x, y, n, 0, 0); }

// out = s = sigmoid(x) for n floats, n a multiple of 8; or x s; or g times the slope of x s.
enum { SIGMOID, SILU, SILU_SLOPE };
VFN f32x4 sigmoid_result(f32x4 s, const float *g, const float *x, int kind) {
  if (kind == SIGMOID) return s;
  f32x4 a = load(x);
  return kind == SILU ? a * s : load(g) * s * (1.0f + a * (1.0f - s));
}
VFN void sigmoid_runs(const float *g, const float *x, float *out, uint32_t n, int kind) {
  Exp e;
  read_splats(e.k, SIGMOID_NUMBERS, 10);
  float rests[RUN], powers[RUN];
  for (uint32_t m; n > 0; n -= m, g += m, x += m, out += m) {
    m = n < RUN ? n : RUN;
    i32x4 most = {0};
    TURNS(j, m) {
      const float *from = x + j;
      float *r = rests + j, *power = powers + j;
      HIDE("+r"(from), "+r"(r), "+r"(power));
      f32x4 a[2], t[2];
      BOTH a[v] = load(from + 4 * v);
      BOTH most = max_(most, (i32x4)a[v] & INT32_MAX);
      BOTH a[v] = exp_rest(&e, a[v], &t[v]);
      BOTH store(power + 4 * v, (f32x4)((i32x4)t[v] << 23));
      BOTH store(r + 4 * v, a[v]);
    }
    if (any_(most > SIGMOID_NEAR)) {
#pragma clang loop unroll(disable)
      for (uint32_t j = 0; j < m; j += 4)
        store(out + j, sigmoid_result(sigmoid_any(load(x + j)), g + j, x + j, kind));
      continue;
    }
    TURNS(j, m) {
      const float *from = x + j, *factor = g + j, *r = rests + j, *power = powers + j;
      float *to = out + j;
      HIDE("+r"(from), "+r"(factor), "+r"(to), "+r"(r), "+r"(power));
      f32x4 y[2];
      BOTH y[v] = e.k[9] / sigmoid_below(&e, load(r + 4 * v), load(power + 4 * v));
      BOTH y[v] = sigmoid_result(y[v], factor + 4 * v, from + 4 * v, kind);
      BOTH store(to + 4 * v, y[v]);
    }
  }
}
// Apart: V8 pairs no vectors of a function that holds all three.
RUN_FN void sigmoid_run(const float *x, float *out, uint32_t n) { sigmoid_runs(x, x, out, n, SIGMOID); }
RUN_FN void silu_run(const float *x, float *out, uint32_t n) { sigmoid_runs(x, x, out, n, SILU); }
RUN_FN void silu_slope_run(const float *g, const float *x, float *out, uint32_t n) {
  sigmoid_runs(g, x, out, n, SILU_SLOPE);
}

// out = exp(x) - 1, or tanh(x), for n floats, n a multiple of 8; the same bits as one vector's.
VFN void expm1_runs(const float *numbers, const float *x, float *out, uint32_t n, bool tanh) {
  f32x4 k[EXPM1];
  read_splats(k, numbers, EXPM1);
  float rests[RUN], powers[RUN];
  for (uint32_t m; n > 0; n -= m, x += m, out += m) {
    m = n < RUN ? n : RUN;
    TURNS(j, m) {
      const float *from = x + j;
      float *r = rests + j, *power = powers + j;
      HIDE("+r"(from), "+r"(r), "+r"(power));
      f32x4 a[2], p[2];
      BOTH a[v] = expm1_argument(k, load(from + 4 * v), tanh);
      BOTH a[v] = expm1_rest(k, a[v], &p[v]);
      BOTH store(power + 4 * v, p[v]);
      BOTH store(r + 4 * v, a[v]);
    }
    TURNS(j, m) {
      const float *from = x + j, *r = rests + j, *power = powers + j;
      float *to = out + j;
      HIDE("+r"(from), "+r"(to), "+r"(r), "+r"(power));
      f32x4 y[2];
      BOTH y[v] = expm1_of_rest(k, load(r + 4 * v), load(power + 4 * v), load(from + 4 * v), tanh);
      BOTH store(to + 4 * v, y[v]);
    }
  }
}
RUN_FN void expm1_run(const float *x, float *out, uint32_t n) { expm1_runs(EXPM1_NUMBERS, x, out, n, false); }
RUN_FN void tanh_run(const float *x, float *out, uint32_t n) { expm1_runs(TANH_NUMBERS, x, out, n, true); }

// out = log(1 + x) for n floats, n a multiple of 8; the same bits as log1p_.
RUN_FN void log1p_run(const float *x, float *out, uint32_t n) {
  f32x4 k[LOG];
  read_splats(k, LOG_NUMBERS, LOG);
  float fractions[RUN], exponents[RUN];
  for (uint32_t m; n > 0; n -= m, x += m, out += m) {
    m = n < RUN ? n : RUN;
    i32x4 odd = {0};
    TURNS(j, m) {
      const float *from = x + j;
      float *f = fractions + j, *e = exponents + j;
      HIDE("+r"(from), "+r"(f), "+r"(e));
      f32x4 a[2], u[2];
      i32x4 t[2];
      BOTH a[v] = load(from + 4 * v);
      BOTH u[v] = a[v] + k[11];
      BOTH odd |= unusual(u[v]);
      BOTH a[v] = lost_of_sum(a[v], u[v]);
      BOTH u[v] = split_exponent(u[v], &t[v]);
      BOTH u[v] += a[v] * power_of_two(-pmin_(t[v], splat(126)));
      BOTH store(e + 4 * v, to_f32(t[v]));
      BOTH store(f + 4 * v, u[v]);
    }
    const bool any_odd = any_(odd);
    float *results = any_odd ? fractions : out;
    TURNS(j, m) {
      const float *from = x + j, *f = fractions + j, *e = exponents + j;
      float *to = results + j;
      HIDE("+r"(from), "+r"(to), "+r"(f), "+r"(e));
      f32x4 y[2];
      BOTH y[v] = log_of_split(k, load(f + 4 * v), load(e + 4 * v));
      BOTH y[v] = (f32x4)((i32x4)y[v] | ((i32x4)load(from + 4 * v) & INT32_MIN));
      BOTH store(to + 4 * v, y[v]);
    }
    if (any_odd)
#pragma clang loop unroll(disable)
      for (uint32_t j = 0; j < m; j += 4)
        store(out + j, log_special(load(x + j) + 1.0f, load(fractions + j)));
  }
}

#endif
