// The plain way to write each kernel, compiled without SIMD: what a ladder starts from, and what
// the smoke test measures against.
#include <math.h>
#include <stddef.h>

/** C (m, n) = A (m, k) . B (k, n), row-major. */
void gemm_naive(int m, int n, int k, const float *a, const float *b, float *c) {
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      float sum = 0;
      for (int p = 0; p < k; p++) sum += a[i * k + p] * b[p * n + j];
      c[i * n + j] = sum;
    }
}

/** The same of a B that lies as (n, k). */
void gemm_naive_nt(int m, int n, int k, const float *a, const float *b, float *c) {
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      float sum = 0;
      for (int p = 0; p < k; p++) sum += a[i * k + p] * b[j * k + p];
      c[i * n + j] = sum;
    }
}

/** The same of an A that lies as (k, m). */
void gemm_naive_tn(int m, int n, int k, const float *a, const float *b, float *c) {
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      float sum = 0;
      for (int p = 0; p < k; p++) sum += a[p * m + i] * b[p * n + j];
      c[i * n + j] = sum;
    }
}

/** Correlation of `batch` images (channels, side, side) with filters (filters, channels, taps, taps). */
void conv_naive(int batch, int channels, int side, int filters, int taps, const float *x,
                const float *w, float *out) {
  int out_side = side - taps + 1;
  for (int image = 0; image < batch; image++)
    for (int f = 0; f < filters; f++)
      for (int i = 0; i < out_side; i++)
        for (int j = 0; j < out_side; j++) {
          float sum = 0;
          for (int c = 0; c < channels; c++)
            for (int u = 0; u < taps; u++)
              for (int v = 0; v < taps; v++)
                sum += x[((image * channels + c) * side + i + u) * side + j + v] *
                       w[((f * channels + c) * taps + u) * taps + v];
          out[((image * filters + f) * out_side + i) * out_side + j] = sum;
        }
}

/** The gradient of the images, where that of the results is `g`. */
void conv_input_naive(int batch, int channels, int side, int filters, int taps, const float *w,
                      const float *g, float *out) {
  int out_side = side - taps + 1;
  for (int image = 0; image < batch; image++)
    for (int c = 0; c < channels; c++)
      for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
          float sum = 0;
          for (int f = 0; f < filters; f++)
            for (int u = 0; u < taps; u++)
              for (int v = 0; v < taps; v++) {
                int y = i - u, x = j - v;
                if (y < 0 || x < 0 || y >= out_side || x >= out_side) continue;
                sum += g[((image * filters + f) * out_side + y) * out_side + x] *
                       w[((f * channels + c) * taps + u) * taps + v];
              }
          out[((image * channels + c) * side + i) * side + j] = sum;
        }
}

/** The gradient of the filters. */
void conv_weight_naive(int batch, int channels, int side, int filters, int taps, const float *x,
                       const float *g, float *out) {
  int out_side = side - taps + 1;
  for (int f = 0; f < filters; f++)
    for (int c = 0; c < channels; c++)
      for (int u = 0; u < taps; u++)
        for (int v = 0; v < taps; v++) {
          float sum = 0;
          for (int image = 0; image < batch; image++)
            for (int i = 0; i < out_side; i++)
              for (int j = 0; j < out_side; j++)
                sum += x[((image * channels + c) * side + i + u) * side + j + v] *
                       g[((image * filters + f) * out_side + i) * out_side + j];
          out[((f * channels + c) * taps + u) * taps + v] = sum;
        }
}

void softmax_naive(int rows, int n, const float *x, float *out) {
  for (int row = 0; row < rows; row++, x += n, out += n) {
    float most = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
    for (int i = 0; i < n; i++) sum += expf(x[i] - most);
    for (int i = 0; i < n; i++) out[i] = expf(x[i] - most) / sum;
  }
}

void layer_norm_naive(int rows, int n, const float *x, const float *weight, const float *bias,
                      float *out) {
  for (int row = 0; row < rows; row++, x += n, out += n) {
    float mean = 0, variance = 0;
    for (int i = 0; i < n; i++) mean += x[i] / n;
    for (int i = 0; i < n; i++) variance += (x[i] - mean) * (x[i] - mean) / n;
    for (int i = 0; i < n; i++)
      out[i] = (x[i] - mean) / sqrtf(variance + 1e-5f) * weight[i] + bias[i];
  }
}

void add_naive(int n, const float *x, const float *y, float *out) {
  for (int i = 0; i < n; i++) out[i] = x[i] + y[i];
}

void exp_naive(int n, const float *x, float *out) {
  for (int i = 0; i < n; i++) out[i] = expf(x[i]);
}

void sum_naive(int n, const float *x, float *out) {
  float sum = 0;
  for (int i = 0; i < n; i++) sum += x[i];
  *out = sum;
}

void gelu_naive(int n, const float *x, float *out) {
  for (int i = 0; i < n; i++) out[i] = x[i] / 2 * (1 + erff(x[i] * 0.70710678f));
}

void transpose_naive(int rows, int columns, const float *x, float *out) {
  for (int i = 0; i < columns; i++)
    for (int j = 0; j < rows; j++) out[i * rows + j] = x[j * columns + i];
}

void max_naive(int n, const float *x, float *out) {
  float most = -INFINITY;
  for (int i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
  *out = most;
}
