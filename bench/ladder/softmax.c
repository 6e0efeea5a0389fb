// Softmax over rows of n, one idea after another; n divides by 4. The naive version is in naive.c.
#include "ladder.h"

/** Keeps the exponentials, and divides once. */
void softmax_kept(int rows, int n, const float *x, float *out) {
  for (int row = 0; row < rows; row++, x += n, out += n) {
    float most = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
    for (int i = 0; i < n; i++) sum += out[i] = expf(x[i] - most);
    float scale = 1 / sum;
    for (int i = 0; i < n; i++) out[i] *= scale;
  }
}

/** e^x for x <= 0: 2^k e^r with |r| <= ln 2 / 2, and the Taylor polynomial of degree 6 (1e-7). */
static inline v128_t exp_below(v128_t x) {
  x = wasm_f32x4_max(x, wasm_f32x4_const_splat(-87.0f));
  v128_t k = wasm_f32x4_nearest(wasm_f32x4_mul(x, wasm_f32x4_const_splat(1.44269504f)));
  v128_t r = wasm_f32x4_sub(x, wasm_f32x4_mul(k, wasm_f32x4_const_splat(0.693359375f)));
  r = wasm_f32x4_sub(r, wasm_f32x4_mul(k, wasm_f32x4_const_splat(-2.12194440e-4f)));
  v128_t sum = wasm_f32x4_const_splat(1.0f / 720);
  static const float factors[6] = {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1, 1};
  for (int i = 0; i < 6; i++)
    sum = wasm_f32x4_add(wasm_f32x4_mul(sum, r), wasm_f32x4_splat(factors[i]));
  v128_t bits = wasm_i32x4_shl(wasm_i32x4_trunc_sat_f32x4(k), 23);
  return wasm_i32x4_add(sum, bits);
}

static float across(v128_t v, int largest) {
  float a = wasm_f32x4_extract_lane(v, 0), b = wasm_f32x4_extract_lane(v, 1);
  float c = wasm_f32x4_extract_lane(v, 2), d = wasm_f32x4_extract_lane(v, 3);
  return largest ? fmaxf(fmaxf(a, b), fmaxf(c, d)) : (a + b) + (c + d);
}

/** Four elements at a time, and a polynomial where the C library has a table. */
void softmax_vectors(int rows, int n, const float *x, float *out) {
  for (int row = 0; row < rows; row++, x += n, out += n) {
    v128_t most = wasm_f32x4_const_splat(-INFINITY), sum = wasm_f32x4_const_splat(0);
    for (int i = 0; i < n; i += 4) most = wasm_f32x4_pmax(most, wasm_v128_load(x + i));
    v128_t largest = wasm_f32x4_splat(across(most, 1));
    for (int i = 0; i < n; i += 4) {
      v128_t e = exp_below(wasm_f32x4_sub(wasm_v128_load(x + i), largest));
      wasm_v128_store(out + i, e);
      sum = wasm_f32x4_add(sum, e);
    }
    v128_t scale = wasm_f32x4_splat(1 / across(sum, 0));
    for (int i = 0; i < n; i += 4)
      wasm_v128_store(out + i, wasm_f32x4_mul(wasm_v128_load(out + i), scale));
  }
}
