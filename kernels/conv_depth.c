// Depthwise convolution - a filter of its own for every channel - and its input gradient: a few
// products for each number read. A unit is one plane. A thread copies it into padding of its own,
// columns and rows of equal remainder by the stride in planes of their own; then the pixel of every
// tap is a constant distance away, over the ends of rows too.
#include "kernel.h"
#ifndef S
#define SOURCE "conv_depth.c"
#include "each_real.h"
#else
#include "gemm_common.h"

#include "conv_pad.h"

#ifndef CONV_ONCE
#define CONV_ONCE
enum { DEPTH_V = 8 };
#endif
#define SPAN (DEPTH_V * LANES)

// out[0, SPAN) = sum over k of weight[k] * source[tap[k] + ...]
static NOINLINE void NAME(depth_loop)(const S *source, const int32_t *tap, const S *weight,
                                      uint32_t taps, S *out) {
  V acc[DEPTH_V] = {0};
  NO_UNROLL for (uint32_t k = 0; k < taps; k++) {
    const S *at = source + tap[k];
    const V left = splat(weight[k]);
    UNROLL for (int j = 0; j < DEPTH_V; j++) acc[j] = madd(left, load(at + j * LANES), acc[j]);
  }
  UNROLL for (int j = 0; j < DEPTH_V; j++) store(out + j * LANES, acc[j]);
}

// x in padding.
static void NAME(depth_pad)(const convDepth_params *p, S *out, const S *x) {
  const int32_t sh = p->stride_h, sw = p->stride_w;
  for (int32_t phase = 0; phase < sh * sw; phase++) {
    const NAME(pad_span) span = NAME(pad_span_of)(p->width, p->cols, phase % sw, sw, p->pad_w);
    for (int32_t r = 0; r < (int32_t)p->rows; r++, out += p->cols) {
      const int32_t y = r * sh + phase / sw - (int32_t)p->pad_h;
      const bool inside = y >= 0 && y < (int32_t)p->height;
      NAME(pad_line)(out, inside ? x + (size_t)y * p->width : NULL, p->cols, sw, span);
    }
  }
}

// g where the input's pixels are: zeros between its rows and columns, and around them.
static void NAME(depth_spread)(const convDepth_params *p, S *out, const S *g) {
  const int32_t top = (int32_t)((p->kernel_h - 1) * p->dilation_h) - (int32_t)p->pad_h;
  const int32_t left = (int32_t)((p->kernel_w - 1) * p->dilation_w) - (int32_t)p->pad_w;
  memset(out, 0, (size_t)p->rows * p->cols * sizeof(S));
  const NAME(pad_span) span = NAME(pad_span_of)(p->out_w, p->cols, 0, 1, left);
  const int32_t step = p->stride_w, cols = p->cols;
  for (int32_t y = 0; y < (int32_t)p->out_h; y++, g += p->out_w) {
    const int32_t r = y * (int32_t)p->stride_h + top;
    if (r < 0 || r >= (int32_t)p->rows) continue;
    S *to = out + (size_t)r * cols;
    if (step == 1) {
      NAME(pad_line)(to, g, cols, 1, span);
      continue;
    }
    for (int32_t x = 0, at = left; x < (int32_t)p->out_w && at < cols; x++, at += step) {
      if (at >= 0) to[at] = g[x];
    }
  }
}

static void NAME(depth_taps)(const convDepth_params *p, int32_t *tap, const S *weight, S *factors) {
  const uint32_t size = p->kernel_h * p->kernel_w;
  const uint32_t sh = p->input ? 1 : p->stride_h, sw = p->input ? 1 : p->stride_w;
  for (uint32_t k = 0; k < size; k++) {
    const uint32_t y = k / p->kernel_w * p->dilation_h, x = k % p->kernel_w * p->dilation_w;
    tap[k] = ((y % sh * sw + x % sw) * p->rows + y / sh) * p->cols + x / sw;
    factors[k] = weight[p->input ? size - 1 - k : k];
  }
}

// Scratch of a range: a plane in padding, another with room for whole spans, the factors and taps.
KERNEL(convDepth) {
  const uint32_t first = begin * p->per_unit, last = MIN(end * p->per_unit, p->units);
  const uint32_t size = p->kernel_h * p->kernel_w;
  const size_t x_size = (size_t)p->height * p->width, y_size = (size_t)p->out_h * p->out_w;
  const uint32_t down = p->input ? p->height : p->out_h, across = p->input ? p->width : p->out_w;
  const size_t planes = (size_t)p->rows * p->cols * (p->input ? 1 : p->stride_h * p->stride_w);
  S *padded = OUT(S, scratch) + (size_t)begin * p->slice;
  S *lines = padded + planes + p->cols + SPAN, *factors = lines + down * p->cols + SPAN;
  int32_t *tap = (int32_t *)(factors + size);
  memset(padded + planes, 0, (p->cols + SPAN) * sizeof(S));
  for (uint32_t unit = first; unit < last; unit++) {
    const uint32_t channel = unit % p->channels;
    NAME(depth_taps)(p, tap, IN(S, weight) + channel * size, factors);
    if (p->input) {
      NAME(depth_spread)(p, padded, IN(S, x) + unit * y_size);
    } else {
      NAME(depth_pad)(p, padded, IN(S, x) + unit * x_size);
    }
    for (uint32_t q = 0; q < down * p->cols; q += SPAN) {
      NAME(depth_loop)(padded + q, tap, factors, size, lines + q);
    }
    S *out = OUT(S, out) + unit * (size_t)down * across;
    const V bias = splat(p->biased ? IN(S, bias)[channel] : 0);
    for (uint32_t y = 0; y < down; y++, out += across) {
      const S *from = lines + (size_t)y * p->cols;
      uint32_t x = 0;
      for (; x + LANES <= across; x += LANES) store(out + x, load(from + x) + bias);
      for (; x < across; x++) out[x] = from[x] + bias[0];
    }
  }
}

#endif
