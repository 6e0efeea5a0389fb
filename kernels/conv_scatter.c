// Input gradient of a convolution whose output is much smaller than its input: few pixels, each
// product added where its tap reaches. (conv2dInputGrad would multiply mostly padding.) A unit is
// one group of one image.
//   products[c, tap, pixel] = sum over filters of weight[filter, c, tap] * g[filter, pixel], some
//   channels at a time
#include "kernel.h"
#ifndef S
#define SOURCE "conv_scatter.c"
#include "each_real.h"
#else
#include "gemm_tile.h"

FINISH(main, TILE_M, TILE_V)
TILE_COLUMNS(main, TILE_M, TILE_V)

// Rows [0, rows) of products; both operands are read in place, the last tiles shifted to lie
// inside.
static NOINLINE void NAME(scatter_product)(const conv2dScatter_params *p, const S *a, size_t a_step,
                                           const S *g, uint32_t rows, uint32_t pixels,
                                           S *products) {
  for (uint32_t k0 = 0; k0 < p->filters; k0 += DEPTH_BLOCK) {
    const uint32_t depth = MIN(DEPTH_BLOCK, p->filters - k0);
    NAME(target) out = {.row = pixels, .col = 1, .i1 = TILE_M, .j1 = TILE_N, .add = k0 > 0};
    for (uint32_t j = 0; j < pixels; j += TILE_N) {
      const uint32_t left = MIN(j, pixels - TILE_N);
      out.j0 = j - left;
      for (uint32_t i = 0; i < rows; i += TILE_M) {
        const uint32_t top = MIN(i, rows - TILE_M);
        out.i0 = i - top;
        out.c = products + (size_t)top * pixels + left;
        NAME(columns_main)(depth, a + k0 * a_step + top, a_step, g + (size_t)k0 * pixels + left,
                           pixels, &out);
      }
    }
  }
}

// Adds one tap's products to a plane: row oy, pixel ox of them at oy * stride + dy, ox * stride +
// dx.
static NOINLINE void NAME(scatter_tap)(const conv2dScatter_params *p, const S *from, S *plane,
                                       int32_t dy, int32_t dx) {
  const int32_t sh = p->stride_h, sw = p->stride_w, width = p->width, out_w = p->out_w;
  int32_t y0 = 0, y1 = p->out_h, x0 = 0, x1 = out_w;
  while (y0 < y1 && y0 * sh + dy < 0) y0++;
  while (y1 > y0 && (y1 - 1) * sh + dy >= (int32_t)p->height) y1--;
  while (x0 < x1 && x0 * sw + dx < 0) x0++;
  while (x1 > x0 && (x1 - 1) * sw + dx >= width) x1--;
  S *to = plane + (y0 * sh + dy) * width + dx;
  from += y0 * out_w;
  for (int32_t y = y0; y < y1; y++, from += out_w, to += sh * width) {
    int32_t x = x0;
    if (sw == 1) {
      for (; x + LANES <= x1; x += LANES) store(to + x, load(to + x) + load(from + x));
    }
    for (; x < x1; x++) to[x * sw] += from[x];
  }
}

KERNEL(conv2dScatter) {
  const uint32_t first_unit = begin * p->per_unit;
  const uint32_t last_unit = MIN(end * p->per_unit, p->units);
  const uint32_t channels = p->channels, filters = p->filters, size = p->kernel_h * p->kernel_w;
  const uint32_t pixels = p->out_h * p->out_w, together = p->together;
  const size_t plane = (size_t)p->height * p->width;
  S *products = OUT(S, scratch) + (size_t)begin * p->slice;
  for (uint32_t unit = first_unit; unit < last_unit; unit++) {
    const S *g = IN(S, g) + (size_t)unit * filters * pixels;
    const S *weight = IN(S, weight) + (size_t)(unit % p->groups) * filters * channels * size;
    S *out = OUT(S, out) + (size_t)unit * channels * plane;
    memset(out, 0, channels * plane * sizeof(S));
    for (uint32_t c0 = 0; c0 < channels; c0 += together) {
      const uint32_t count = MIN(together, channels - c0), rows = count * size;
      NAME(scatter_product)(p, weight + (size_t)c0 * size, (size_t)channels * size, g, rows, pixels,
                            products);
      for (uint32_t r = 0; r < rows; r++) {
        const uint32_t tap = r % size;
        const int32_t dy = (int32_t)(tap / p->kernel_w * p->dilation_h) - (int32_t)p->pad_h;
        const int32_t dx = (int32_t)(tap % p->kernel_w * p->dilation_w) - (int32_t)p->pad_w;
        NAME(scatter_tap)(p, products + (size_t)r * pixels, out + (c0 + r / size) * plane, dy, dx);
      }
    }
  }
}

#endif
