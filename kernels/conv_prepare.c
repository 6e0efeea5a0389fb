// What comes before the products of a convolution:
//   convPad: copies planes into padded rows, columns of equal remainder by the stride next to each
//     other, so that the pixels of an output row lie side by side for every tap
//   convMerge: sums of matrices, for weight gradients whose depth was cut
//   convFlip: weights as the input gradient wants them: [group][phase][c][o, taps of the phase]
#include "kernel.h"
#ifndef S
#define SOURCE "conv_prepare.c"
#include "each_real.h"
#else
#include "gemm_common.h"

#include "conv_copy.h"
#include "conv_pad.h"

#ifndef CONV_ONCE
#define CONV_ONCE
// Input channels of a unit of convFlip: some cache lines of a filter.
enum { FLIP_CHANNELS = 8 };

// The first tap k with k * dilation = phase modulo the stride (`kernel` if there is none), and how
// far apart they are.
static inline uint32_t first_tap(uint32_t phase, uint32_t stride, uint32_t dilation,
                                 uint32_t kernel) {
  uint32_t k = 0;
  while (k < kernel && k * dilation % stride != phase) k++;
  return k;
}

static inline uint32_t phase_step(uint32_t stride, uint32_t dilation) {
  uint32_t step = 1;
  while (step * dilation % stride != 0) step++;
  return step;
}
#endif

// A unit is one plane: out[y][phase][q] = x[y * row_step - top][q * phases + phase - left] for the
// first `kept` phases, zero outside.
SMALL KERNEL(convPad) {
  const conv_padding form = {p->height, p->width, p->cols, p->phases, p->kept, p->row_step, p->left};
  const size_t size = (size_t)p->rows * p->kept * p->cols, plane = (size_t)p->height * p->width;
  for (uint32_t n = begin; n < end; n++) {
    NAME(pad_rows)(OUT(S, out) + n * size, IN(S, x) + n * plane, &form, -p->top, p->rows);
  }
}

// One filter's taps of one phase, `step` apart from the first.
static void NAME(flip_taps)(S *to, const S *w, const convFlip_params *p, uint32_t ky, uint32_t kx,
                            uint32_t step_h, uint32_t step_w) {
  for (uint32_t y = ky; y < p->kernel_h; y += step_h) {
    for (uint32_t x = kx; x < p->kernel_w; x += step_w) *to++ = w[y * p->kernel_w + x];
  }
}

// Taps (c, ky, kx), `count` of them, of all filters: to [c][kx][ky][o], ky in the order of phases,
// of one phase the last first.
static void NAME(flip_last)(const convFlip_params *p, const S *w, S *out, uint32_t count) {
  const uint32_t kh = p->kernel_h, kw = p->kernel_w, filters = p->filters;
  const size_t filter = (size_t)p->channels * kh * kw;
  for (uint32_t e = 0; e < count; e += LANES) {
    S *to[LANES];
    for (uint32_t l = 0; l < LANES; l++) {
      const uint32_t k = MIN(e + l, count - 1), y = k / kw % kh;
      uint32_t place = 0;
      for (uint32_t other = 0; other < kh; other++) {
        const uint32_t a = other * p->dilation_h % p->stride_h, b = y * p->dilation_h % p->stride_h;
        place += a < b || (a == b && other > y);
      }
      to[l] = out + ((size_t)(k / kw / kh * kw + k % kw) * kh + place) * filters;
    }
    uint32_t o = 0;
    for (; e + LANES <= count && o + LANES <= filters; o += LANES) {
      V square[LANES];
      UNROLL for (int l = 0; l < LANES; l++) square[l] = load(w + (o + l) * filter + e);
      NAME(transpose)(square);
      UNROLL for (int l = 0; l < LANES; l++) store(to[l] + o, square[l]);
    }
    for (; o < filters; o++) {
      for (uint32_t l = 0; l < MIN(LANES, count - e); l++) to[l][o] = w[o * filter + e + l];
    }
  }
}

// A unit is FLIP_CHANNELS input channels of one group, side by side in the weights. If `last` is
// set they become [group][c][kx][ky][o] (flip_last).
__attribute__((minsize)) KERNEL(convFlip) {
  const uint32_t kh = p->kernel_h, kw = p->kernel_w, size = kh * kw, filters = p->filters;
  const uint32_t step_h = phase_step(p->stride_h, p->dilation_h);
  const uint32_t step_w = phase_step(p->stride_w, p->dilation_w);
  const uint32_t blocks = (p->channels + FLIP_CHANNELS - 1) / FLIP_CHANNELS;
  const size_t filter = (size_t)p->channels * size;
  for (uint32_t unit = begin; unit < end; unit++) {
    const uint32_t from = unit % blocks * FLIP_CHANNELS,
                   to = MIN(from + FLIP_CHANNELS, p->channels);
    const S *w = IN(S, weight) + unit / blocks * filters * filter;
    S *out = OUT(S, out) + unit / blocks * filters * filter;
    if (p->last || size == 1) {
      NAME(flip_last)(p, w + from * size, out + (size_t)from * size * filters, (to - from) * size);
      continue;
    }
    for (uint32_t phase = 0; phase < p->stride_h * p->stride_w; phase++) {
      const uint32_t ky = first_tap(phase / p->stride_w, p->stride_h, p->dilation_h, kh);
      const uint32_t kx = first_tap(phase % p->stride_w, p->stride_w, p->dilation_w, kw);
      const uint32_t taps = ((kh - ky + step_h - 1) / step_h) * ((kw - kx + step_w - 1) / step_w);
      for (uint32_t o = 0; o < filters; o++) {
        for (uint32_t c = from; c < to; c++) {
          const S *at = w + o * filter + c * size;
          S *place = out + (size_t)c * filters * taps + o * taps;
          if (taps == size) NAME(copy_run)(place, at, size);
          else NAME(flip_taps)(place, at, p, ky, kx, step_h, step_w);
        }
      }
      out += filter / size * filters * taps;
    }
  }
}

#if LANES == 4
// A unit is a row of the sum of `units` matrices, each of whose elements goes to a place of its own:
// weight gradients of parts of the depth, whose rows may be channels.
__attribute__((minsize)) KERNEL(convMerge) {
  const uint32_t cols = p->cols;
  for (uint32_t row = begin; row < end; row++) {
    S *to = OUT(S, out) + row * p->row_step;
    for (uint32_t c = 0; c < cols; c += LANES) {
      const S *from = IN(S, x) + (size_t)row * cols + c;
      const uint32_t count = MIN(LANES, cols - c);
      V sum = {0};
      for (uint32_t n = 0; n < p->units; n++, from += p->size) {
        sum += count == LANES ? load(from) : load_tail(from, count, (S)0);
      }
      for (uint32_t l = 0; l < count; l++) to[(c + l) * p->col_step] = sum[l];
    }
  }
}
#endif

#endif
