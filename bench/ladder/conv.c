// A convolution without padding, one idea after another: `batch` images (channels, side, side) with
// filters (filters, channels, taps, taps). The naive version is in naive.c.
#include "ladder.h"

/** Each tap adds a whole image, shifted and scaled: the inner loop runs along rows. */
void conv_rows(int batch, int channels, int side, int filters, int taps, const float *x,
               const float *w, float *out) {
  int out_side = side - taps + 1, plane = out_side * out_side;
  for (int image = 0; image < batch; image++)
    for (int f = 0; f < filters; f++) {
      float *to = out + (image * filters + f) * plane;
      for (int i = 0; i < plane; i++) to[i] = 0;
      for (int tap = 0; tap < channels * taps * taps; tap++) {
        int c = tap / (taps * taps), u = tap / taps % taps, v = tap % taps;
        const float *from = x + ((image * channels + c) * side + u) * side + v;
        float scale = w[f * channels * taps * taps + tap];
        for (int i = 0; i < out_side; i++)
          for (int j = 0; j < out_side; j++) to[i * out_side + j] += scale * from[i * side + j];
      }
    }
}

/** Copies the pixels under each tap into a row of a matrix (taps, positions). */
static void unfold(int channels, int side, int taps, int first, int rows, const float *x,
                   float *matrix) {
  int out_side = side - taps + 1;
  for (int tap = 0; tap < channels * taps * taps; tap++) {
    int c = tap / (taps * taps), u = tap / taps % taps, v = tap % taps;
    const float *from = x + (c * side + u + first) * side + v;
    for (int i = 0; i < rows; i++)
      for (int j = 0; j < out_side; j++) *matrix++ = from[i * side + j];
  }
}

/**
 * The matrix of all positions of an image, times the filters as a matrix. `scratch` has room for it
 * and for the product's own.
 */
void conv_unfolded(int batch, int channels, int side, int filters, int taps, const float *x,
                   const float *w, float *out, float *scratch) {
  int out_side = side - taps + 1, plane = out_side * out_side, depth = channels * taps * taps;
  for (int image = 0; image < batch; image++) {
    unfold(channels, side, taps, 0, out_side, x + image * channels * side * side, scratch);
    gemm_packed(filters, plane, depth, w, scratch, out + image * filters * plane, plane,
                scratch + depth * plane);
  }
}

/** The same for a few rows at a time, whose matrix never leaves the cache. */
void conv_blocks(int batch, int channels, int side, int filters, int taps, const float *x,
                 const float *w, float *out, float *scratch) {
  enum { ROWS = 2 };
  int out_side = side - taps + 1, plane = out_side * out_side, depth = channels * taps * taps;
  for (int image = 0; image < batch; image++)
    for (int first = 0; first < out_side; first += ROWS) {
      unfold(channels, side, taps, first, ROWS, x + image * channels * side * side, scratch);
      gemm_packed(filters, ROWS * out_side, depth, w, scratch,
                  out + image * filters * plane + first * out_side, plane,
                  scratch + depth * ROWS * out_side);
    }
}
