// A product of row-major matrices, C (m, n) = A (m, k) . B (k, n), one idea after another. The naive
// version is in naive.c. Sizes divide by the tiles: m by 4, n by 8.
#include "ladder.h"

/** The loops in the order that walks B and C along their rows. */
void gemm_rows(int m, int n, int k, const float *a, const float *b, float *c) {
  for (int i = 0; i < m; i++) {
    for (int j = 0; j < n; j++) c[i * n + j] = 0;
    for (int p = 0; p < k; p++)
      for (int j = 0; j < n; j++) c[i * n + j] += a[i * k + p] * b[p * n + j];
  }
}

/** A tile of 4 x 8 stays in registers through all of k: two loads of B feed eight operations. */
static inline void tile(int k, const float *a, int a_row, int a_column, const float *b, int b_row,
                        float *c, int c_row, int accumulate) {
  v128_t sum[4][2];
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 2; j++)
      sum[i][j] =
          accumulate ? wasm_v128_load(c + i * c_row + 4 * j) : wasm_f32x4_const_splat(0);
  for (int p = 0; p < k; p++, a += a_column, b += b_row) {
    v128_t b0 = wasm_v128_load(b), b1 = wasm_v128_load(b + 4);
    for (int i = 0; i < 4; i++) {
      v128_t x = wasm_v128_load32_splat(a + i * a_row);
      sum[i][0] = wasm_f32x4_add(sum[i][0], wasm_f32x4_mul(x, b0));
      sum[i][1] = wasm_f32x4_add(sum[i][1], wasm_f32x4_mul(x, b1));
    }
  }
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 2; j++) wasm_v128_store(c + i * c_row + 4 * j, sum[i][j]);
}

void gemm_tiles(int m, int n, int k, const float *a, const float *b, float *c) {
  for (int i = 0; i < m; i += 4)
    for (int j = 0; j < n; j += 8) tile(k, a + i * k, k, 1, b + j, n, c + i * n + j, n, 0);
}

/**
 * Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008): blocks of B and
 * A that stay in the caches are laid out in the order in which the tiles read them. Rows of C lie
 * `c_row` apart; `scratch` has room for DEEP x n + TALL x DEEP floats.
 */
void gemm_packed(int m, int n, int k, const float *a, const float *b, float *c, int c_row,
                 float *scratch) {
  enum { DEEP = 256, TALL = 64 };
  float *packed_b = scratch, *packed_a = scratch + DEEP * n;
  for (int p = 0; p < k; p += DEEP) {
    int depth = k - p < DEEP ? k - p : DEEP;
    for (int j = 0; j < n; j += 8)
      for (int q = 0; q < depth; q++) {
        const float *from = b + (p + q) * n + j;
        float *to = packed_b + j * depth + q * 8;
        wasm_v128_store(to, wasm_v128_load(from));
        wasm_v128_store(to + 4, wasm_v128_load(from + 4));
      }
    for (int top = 0; top < m; top += TALL) {
      int height = m - top < TALL ? m - top : TALL;
      for (int i = 0; i < height; i += 4)
        for (int q = 0; q < depth; q++)
          for (int r = 0; r < 4; r++)
            packed_a[i * depth + q * 4 + r] = a[(top + i + r) * k + p + q];
      for (int j = 0; j < n; j += 8)
        for (int i = 0; i < height; i += 4)
          tile(depth, packed_a + i * depth, 1, 4, packed_b + j * depth, 8,
               c + (top + i) * c_row + j, c_row, p > 0);
    }
  }
}
