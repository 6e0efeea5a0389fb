// Depthwise convolution - a filter of its own for every channel - and its gradients: a few products
// for each number read. A thread copies planes into padding of its own, columns and rows of equal
// remainder by the stride apart; then the pixel of every tap is a constant distance away, over the
// ends of rows too. Only what lies in the plane is copied: the padding stays zero.
#include "kernel.h"
#ifndef S
#define SOURCE "conv_depth.c"
#include "each_real.h"
#else
#include "gemm_common.h"

#include "conv_copy.h"
#include "conv_pad.h"

#ifndef CONV_ONCE
#define CONV_ONCE
// Vectors of a span; taps that are summed at once.
enum { DEPTH_V = 8, DEPTH_TAPS = 9 };

// Rows of a plane in padding from `first` on, by their remainders and those of the columns.
typedef struct {
  int32_t height, width, top, left, first, rows, cols, phases_h, phases_w;
  bool whole;
} depth_plane;
#define DEPTH_PLANE(p, sh, sw) \
  {p->height, p->width, p->top, p->left, 0, p->rows, p->cols, sh, sw, p->lines == p->places}

// Places of the taps of x, or of those that reach each phase of the input's pixels from g, and
// their numbers; those of phase f end at end[f].
static void depth_taps(const convDepth_params *p, int32_t *tap, uint32_t *index, uint32_t *end) {
  const uint32_t sh = p->stride_h, sw = p->stride_w, size = p->kernel_h * p->kernel_w;
  const uint32_t below = (p->kernel_h - 1) * p->dilation_h / sh;
  const uint32_t right = (p->kernel_w - 1) * p->dilation_w / sw;
  uint32_t n = 0;
  for (uint32_t f = 0; f < (p->input ? sh * sw : 1); f++) {
    for (uint32_t k = 0; k < size; k++) {
      const uint32_t ky = k / p->kernel_w * p->dilation_h, kx = k % p->kernel_w * p->dilation_w;
      if (p->input && ky % sh * sw + kx % sw != f) continue;
      tap[n] = p->input ? (below - ky / sh) * p->cols + right - kx / sw
                        : ((ky % sh * sw + kx % sw) * p->rows + ky / sh) * p->cols + kx / sw;
      index[n++] = k;
    }
    end[f] = n;
  }
}
#endif
#define SPAN (DEPTH_V * LANES)

#define DEPTH_STEP(k)                                                                 \
  {                                                                                   \
    const S *at = source + tap[k];                                                    \
    const V left = splat(weight[k]);                                                  \
    UNROLL for (int j = 0; j < DEPTH_V; j++) acc[j] = madd(left, load(at + j * LANES), acc[j]); \
  }

// out[0, SPAN) = sum over k of weight[k] * source[tap[k] + ...]
static NOINLINE void NAME(depth_loop)(const S *source, const int32_t *tap, const S *weight,
                                      uint32_t taps, S *out) {
  V acc[DEPTH_V] = {0};
  NO_UNROLL for (uint32_t k = 0; k < taps; k++) DEPTH_STEP(k)
  UNROLL for (int j = 0; j < DEPTH_V; j++) store(out + j * LANES, acc[j]);
}

#define DEPTH_ROW(w, sum) madd(w[2], v[2], madd(w[1], v[1], madd(w[0], v[0], sum)))

// One vector of columns of 3 x 3 taps side by side: what is read of a row serves three sums.
static NOINLINE void NAME(depth_roll)(const S *source, size_t cols, const V *weight, V bias, S *out,
                                      size_t across, uint32_t rows) {
  V w[9], v[3], above = bias, at = bias;
  UNROLL for (int k = 0; k < 9; k++) w[k] = weight[k];
  UNROLL for (int y = 0; y < 2; y++, source += cols) {
    UNROLL for (int k = 0; k < 3; k++) v[k] = load(source + k);
    above = DEPTH_ROW((w + 3), at);
    at = DEPTH_ROW(w, bias);
  }
  NO_UNROLL for (; rows > 0; rows--, source += cols, out += across) {
    UNROLL for (int k = 0; k < 3; k++) v[k] = load(source + k);
    store(out, DEPTH_ROW((w + 6), above));
    above = DEPTH_ROW((w + 3), at);
    at = DEPTH_ROW(w, bias);
  }
}

// Columns of x by whether they are even, and so the others.
static inline __attribute__((always_inline)) void NAME(part_row)(S *even, S *odd, const S *x,
                                                                 int32_t count) {
  int32_t i = 0;
#if LANES == 4
  for (; count >= 8 && i < count - 1; i += 8) {
    i = MIN(i, (count - 8) & ~1);
    const V a = load(x + i), b = load(x + i + 4);
    store(even + i / 2, __builtin_shufflevector(a, b, 0, 2, 4, 6));
    store(odd + i / 2, __builtin_shufflevector(a, b, 1, 3, 5, 7));
  }
#endif
  for (; i + 2 <= count; i += 2) {
    even[i / 2] = x[i];
    odd[i / 2] = x[i + 1];
  }
  if (i < count) even[i / 2] = x[i];
}

static void NAME(depth_fill)(const depth_plane *p, S *out, const S *x) {
  const int32_t sh = p->phases_h, sw = p->phases_w, cols = p->cols;
  const bool pairs = sw == 2 && p->left >= 0;
  const int32_t size = p->rows * cols, count = MIN(p->width, 2 * cols - p->left);
  S *even = out + p->left % 2 * size + p->left / 2;
  S *odd = out + (p->left + 1) % 2 * size + (p->left + 1) / 2;
  for (int32_t phase = 0; phase < sw; phase++) {
    const NAME(pad_span) span = NAME(pad_span_of)(p->width, cols, phase, sw, p->left);
    for (int32_t f = 0; f < sh; f++) {
      for (int32_t r = 0; r < p->rows; r++) {
        const int32_t y = (p->first + r) * sh + f - p->top, at = f * sw * size + r * cols;
        S *to = out + at + phase * size;
        const bool inside = y >= 0 && y < p->height;
        if (!inside && p->whole) continue;
        if (!inside) memset(to, 0, cols * sizeof(S));
        else if (!pairs) NAME(pad_row)(to, x + y * p->width + span.from, span.first, span.last, sw);
        else if (phase == 0) NAME(part_row)(even + at, odd + at, x + y * p->width, count);
      }
    }
  }
}

#define DEPTH_SUMS(left, masked) \
  UNROLL for (int k = 0; k < DEPTH_TAPS; k++) acc[k] = madd(left, masked(load(at[k] + x)), acc[k]);
#define MASKED(v) ((V)((I)(v) & mask))

// sums[k] += sum over pixels of g[pixel] * source[tap[k] + pixel], rows of the source `cols` apart.
static NOINLINE void NAME(depth_sums)(const S *source, const int32_t *tap, const S *g,
                                      uint32_t rows, uint32_t across, uint32_t cols, S *sums) {
  V acc[DEPTH_TAPS] = {0};
  const S *at[DEPTH_TAPS];
  UNROLL for (int k = 0; k < DEPTH_TAPS; k++) at[k] = source + tap[k];
  // The last pixels of a row: its last vector, without what came before.
  const uint32_t whole = across / LANES * LANES, rest = across - whole;
  const uint32_t past = across > LANES ? LANES - rest : 0;
  S lane[LANES];
  UNROLL for (uint32_t l = 0; l < LANES; l++) lane[l] = l >= past && l - past < rest;
  const I mask = load(lane) != 0;
  for (uint32_t y = 0; y < rows; y++, g += across) {
    uint32_t x = 0;
    NO_UNROLL for (; x < whole; x += LANES) {
      const V left = load(g + x);
      DEPTH_SUMS(left, )
    }
    if (rest) {
      x -= past;
      const V left = past ? MASKED(load(g + x)) : load_tail(g + x, rest, (S)0);
      DEPTH_SUMS(left, MASKED)
    }
    UNROLL for (int k = 0; k < DEPTH_TAPS; k++) at[k] += cols;
  }
  UNROLL for (int k = 0; k < DEPTH_TAPS; k++) sums[k] += sum_lanes(acc[k]);
}

// The gradient of the weights; g is `weight`. A unit is one channel. Scratch of a range: planes in
// padding, the sums, the taps and their numbers, in whole blocks.
static void NAME(depth_weights)(const convDepth_params *p, uint32_t begin, uint32_t end) {
  const uint32_t last = MIN(end * p->per_unit, p->units), size = p->kernel_h * p->kernel_w;
  const uint32_t count = (size + DEPTH_TAPS - 1) / DEPTH_TAPS * DEPTH_TAPS;
  const depth_plane plane = DEPTH_PLANE(p, p->stride_h, p->stride_w);
  S *padded = OUT(S, scratch) + (size_t)begin * p->slice, *sums = padded + p->together * p->step;
  int32_t *tap = (int32_t *)(sums + p->together * count);
  uint32_t *index = (uint32_t *)(tap + count);
  depth_taps(p, tap, index, index + count);
  for (uint32_t k = size; k < count; k++) tap[k] = 0;
  memset(padded, 0, p->together * p->step * sizeof(S));
  for (uint32_t unit = begin * p->per_unit; unit < last; unit += p->together) {
    const uint32_t planes = MIN(p->together, last - unit);
    memset(sums, 0, planes * count * sizeof(S));
    for (uint32_t n = 0; n < p->batch; n++) {
      const size_t at = (size_t)n * p->channels + unit;
      for (uint32_t u = 0; u < planes; u++) {
        NAME(depth_fill)(&plane, padded + u * p->step,
                         IN(S, x) + (at + u) * p->height * p->width);
      }
      for (uint32_t k = 0; k < planes * count; k += DEPTH_TAPS) {
        const uint32_t u = k / count;
        NAME(depth_sums)(padded + u * p->step, tap + k % count,
                         IN(S, weight) + (at + u) * p->out_h * p->out_w, p->out_h, p->out_w,
                         p->cols, sums + k);
      }
    }
    for (uint32_t k = 0; k < planes * size; k++) {
      OUT(S, out)[unit * (size_t)size + k] = sums[k / size * count + k % size];
    }
  }
}

// Rows `row` to row + count of each phase of one plane of results, through lines.
static void NAME(depth_through)(const convDepth_params *p, const S *padded, const int32_t *tap,
                                const uint32_t *ends, const S *factors, S bias, uint32_t row,
                                uint32_t count, S *line, S *out) {
  const uint32_t sh = p->input ? p->stride_h : 1, sw = p->input ? p->stride_w : 1;
  const size_t size = (size_t)p->lines * p->cols + SPAN;
  for (uint32_t f = 0, k = 0; f < sh * sw; k = ends[f++]) {
    for (uint32_t q = 0; q < count * p->cols; q += SPAN) {
      NAME(depth_loop)(padded + q, tap + k, factors + k, ends[f] - k, line + f % sw * size + q);
    }
    for (uint32_t j = 0; f % sw == sw - 1 && j < count; j++) {
      const int32_t y = (int32_t)((row + j) * sh + f / sw) - (int32_t)p->out_y;
      if (y < 0 || y >= (int32_t)p->out_h) continue;
      S *to = out + (size_t)y * p->out_w;
      NAME(join_row)(to, p->out_w, line + (size_t)j * p->cols, size, sw, p->out_x);
      for (uint32_t x = 0; p->biased && x < p->out_w; x++) to[x] += bias;
    }
  }
}

// A unit is one plane, if no `batch` is summed. `together` planes are padded before they are read
// (what was just written is slow to read), and `lines` rows of each phase of results computed at
// once. Scratch of a range: planes in padding, lines with room for whole spans, factors, the taps,
// their numbers and where these end.
KERNEL(convDepth) {
  if (p->batch) {
    NAME(depth_weights)(p, begin, end);
    return;
  }
  const uint32_t last = MIN(end * p->per_unit, p->units), size = p->kernel_h * p->kernel_w;
  const depth_plane whole = DEPTH_PLANE(p, p->input ? 1 : p->stride_h, p->input ? 1 : p->stride_w);
  const bool rolls = LANES == 4 && p->kernel_h == 3 && p->kernel_w == 3 && p->out_w >= LANES &&
                     p->stride_h * p->stride_w * p->dilation_h * p->dilation_w == 1;
  S *padded = OUT(S, scratch) + (size_t)begin * p->slice, *line = padded + p->together * p->step;
  S *factors = line + (p->input ? p->stride_w : 1) * ((size_t)p->lines * p->cols + SPAN);
  int32_t *tap = (int32_t *)(factors + size);
  uint32_t *index = (uint32_t *)(tap + size), *ends = index + size;
  depth_taps(p, tap, index, ends);
  memset(padded, 0, p->together * p->step * sizeof(S));
  for (uint32_t unit = begin * p->per_unit; unit < last; unit += p->together) {
    const uint32_t planes = MIN(p->together, last - unit);
    depth_plane plane = whole;
    for (uint32_t row = 0; row < p->places; row += p->lines) {
      const uint32_t count = MIN(p->lines, p->places - row);
      plane.first = row;
      for (uint32_t u = 0; u < planes; u++) {
        NAME(depth_fill)(&plane, padded + u * p->step,
                         IN(S, x) + (unit + u) * (size_t)p->height * p->width);
      }
      for (uint32_t u = 0; u < planes; u++) {
        const uint32_t channel = (unit + u) % p->channels;
        const S bias = p->biased ? IN(S, bias)[channel] : 0;
        const S *from = padded + u * p->step;
        S *out = OUT(S, out) + (unit + u) * (size_t)p->out_h * p->out_w;
        V splats[9];
        for (uint32_t k = 0; k < size; k++) {
          const S w = IN(S, weight)[channel * size + index[k]];
          if (rolls) splats[p->input ? 8 - k : k] = splat(w);
          else factors[k] = w;
        }
        for (uint32_t q = 0; rolls && q < p->out_w; q += LANES) {
          const uint32_t at = MIN(q, p->out_w - LANES);
          NAME(depth_roll)(from + at, p->cols, splats, splat(bias), out + row * p->out_w + at,
                           p->out_w, count);
        }
        if (!rolls) NAME(depth_through)(p, from, tap, ends, factors, bias, row, count, line, out);
      }
    }
  }
}

#endif
