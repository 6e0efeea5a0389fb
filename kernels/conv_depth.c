// Depthwise convolution of float32 - a filter of its own for every channel - and its gradients: a
// few products for each number read. Those of 3 x 3 taps are in conv_depth_near.h and
// conv_depth_weight.h. For others a thread copies planes, or bands of one, into padding of its own,
// columns and rows of equal remainder by the stride apart; then the pixel of every tap is a constant
// distance away, over the ends of rows too. Only what lies in the plane is copied: the padding stays
// zero.
#include "kernel.h"
#define S float
#define V f32x4
#define I i32x4
#define LANES 4
#define SUFFIX f32
#include "gemm_common.h"

// Engines that pair vectors have a build with two side by side.
#if defined RELAXED && TILE_V == 4
#define DEPTH_PAIRED
#endif
#include "conv_copy.h"
#include "conv_pad.h"

// Vectors of a span; taps that are summed at once.
enum { DEPTH_V = 8, DEPTH_TAPS = 3 };

// Rows of a plane in padding from `first` on, by their remainders and those of the columns.
typedef struct {
  int32_t height, width, top, left, first, rows, cols, phases_h, phases_w;
  bool whole;
} depth_plane;
#define DEPTH_PLANE(p, sh, sw) \
  {p->height, p->width, p->top, p->left, 0, p->rows, p->cols, sh, sw, p->lines == p->places}

// Places of the taps of x, or of those that reach each phase of the input's pixels from g, and
// their numbers; those of phase f end at end[f].
SMALL static void depth_taps(const convDepth_params *p, int32_t *tap, uint32_t *index,
                             uint32_t *end) {
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

// Columns of x by whether they are even, and so the others.
static inline __attribute__((always_inline)) void NAME(part_row)(S *even, S *odd, const S *x,
                                                                 int32_t count) {
  int32_t i = 0;
  for (; count >= 8 && i < count - 1; i += 8) {
    i = MIN(i, (count - 8) & ~1);
    const V a = load(x + i), b = load(x + i + 4);
    store(even + i / 2, __builtin_shufflevector(a, b, 0, 2, 4, 6));
    store(odd + i / 2, __builtin_shufflevector(a, b, 1, 3, 5, 7));
  }
  for (; i + 2 <= count; i += 2) {
    even[i / 2] = x[i];
    odd[i / 2] = x[i + 1];
  }
  if (i < count) even[i / 2] = x[i];
}

static NOINLINE void NAME(copy_rows)(S *to, size_t cols, const S *from, size_t width,
                                     uint32_t count, uint32_t rows) {
  const size_t last = count - LANES;
  if (count < LANES || count > 2 * LANES) {
    NO_UNROLL for (; rows > 0; rows--, to += cols, from += width) NAME(copy_run)(to, from, count);
    return;
  }
  NO_UNROLL for (; rows > 0; rows--, to += cols, from += width) {
    const V first = load(from), end = load(from + last);
    store(to, first);
    store(to + last, end);
  }
}

static void NAME(depth_fill)(const depth_plane *p, S *out, const S *x) {
  const int32_t sh = p->phases_h, sw = p->phases_w, cols = p->cols, size = p->rows * cols;
  const int32_t low = p->first * sh - p->top, high = low + p->rows * sh;
  const int32_t first = MAX(low, 0), last = MIN(high, p->height);
  if (!p->whole && last - first < high - low) memset(out, 0, size * sh * sw * sizeof(S));
  x += first * p->width;
  if (sh * sw == 1) {
    const NAME(pad_span) span = NAME(pad_span_of)(p->width, cols, 0, 1, p->left);
    NAME(copy_rows)(out + (first - low) * cols + span.first, cols, x + span.from + span.first,
                    p->width, span.last - span.first, MAX(last - first, 0));
    return;
  }
  int32_t f = (first - low) % sh;
  S *to = out + f * sw * size + (first - low) / sh * cols;
  for (int32_t y = first; y < last; y++, x += p->width) {
    if (sw == 2 && p->left >= 0) {
      NAME(part_row)(to + p->left % 2 * size + p->left / 2,
                     to + (p->left + 1) % 2 * size + (p->left + 1) / 2, x,
                     MIN(p->width, 2 * cols - p->left));
    } else {
      for (int32_t phase = 0; phase < sw; phase++) {
        const NAME(pad_span) at = NAME(pad_span_of)(p->width, cols, phase, sw, p->left);
        NAME(pad_row)(to + phase * size, x + at.from, at.first, at.last, sw);
      }
    }
    to += sw * size;
    if (++f == sh) {
      f = 0;
      to += cols - sh * sw * size;
    }
  }
}

// Sums of eight lanes for each of DEPTH_TAPS taps: sums[k] += g[pixel] * source[tap[k] + pixel].
static NOINLINE void NAME(depth_sums)(const S *g, const S *source, const int32_t *tap,
                                      uint32_t count, S *sums) {
  V acc[DEPTH_TAPS][2];
  const S *at[DEPTH_TAPS];
  UNROLL for (int k = 0; k < DEPTH_TAPS; k++) {
    at[k] = source + tap[k];
    UNROLL for (int n = 0; n < 2; n++) acc[k][n] = load(sums + (k * 2 + n) * LANES);
  }
  NO_UNROLL for (uint32_t x = 0; x < count; x += 2 * LANES) {
    const V left[2] = {load(g + x), load(g + x + LANES)};
    UNROLL for (int k = 0; k < DEPTH_TAPS; k++) {
      UNROLL for (int n = 0; n < 2; n++) {
        acc[k][n] = madd(left[n], load(at[k] + x + n * LANES), acc[k][n]);
      }
    }
  }
  UNROLL for (int k = 0; k < DEPTH_TAPS; k++) {
    UNROLL for (int n = 0; n < 2; n++) store(sums + (k * 2 + n) * LANES, acc[k][n]);
  }
}

// One tap's gradient by itself, with nothing of padding.
SMALL static S NAME(depth_exact)(const convDepth_params *p, uint32_t channel, uint32_t k) {
  const uint32_t height = p->height, width = p->width;
  S sum = 0;
  for (uint32_t n = 0; n < p->batch; n++) {
    const size_t plane = (size_t)n * p->channels + channel;
    for (uint32_t i = 0; i < p->out_h * p->out_w; i++) {
      const uint32_t y = i / p->out_w * p->stride_h + k / p->kernel_w * p->dilation_h - p->pad_h;
      const uint32_t x = i % p->out_w * p->stride_w + k % p->kernel_w * p->dilation_w - p->pad_w;
      if (y >= height || x >= width) continue;
      sum += IN(S, weight)[plane * p->out_h * p->out_w + i] *
             IN(S, x)[(plane * height + y) * width + x];
    }
  }
  return sum;
}

#include "conv_depth_near.h"
#include "conv_depth_weight.h"

// The gradient of the weights; g is `weight`, and padded like the pixels of one tap. Where its
// padding meets an infinity, sums are done again without. A unit is one channel. Scratch of a
// range: a plane in padding, one of g, the sums, the taps and their numbers, in whole blocks.
SMALL static void NAME(depth_weights)(const convDepth_params *p, uint32_t begin, uint32_t end) {
  const uint32_t last = MIN(end * p->per_unit, p->units), size = p->kernel_h * p->kernel_w;
  const uint32_t count = (size + DEPTH_TAPS - 1) / DEPTH_TAPS * DEPTH_TAPS;
  depth_plane plane = DEPTH_PLANE(p, p->stride_h, p->stride_w);
  depth_plane of = {p->out_h, p->out_w, 0, 0, 0, p->lines, p->cols, 1, 1, plane.whole};
  S *padded = OUT(S, scratch) + (size_t)begin * p->slice, *g = padded + p->step;
  S *sums = g + p->lines * p->cols + SPAN;
  int32_t *tap = (int32_t *)(sums + 2 * LANES * count);
  uint32_t *index = (uint32_t *)(tap + count);
  depth_taps(p, tap, index, index + count);
  for (uint32_t k = size; k < count; k++) tap[k] = 0;
  memset(padded, 0, (char *)sums - (char *)padded);
  if (p->form) {
    NAME(depth_grads)(p, begin * p->per_unit, last, padded);
    return;
  }
  for (uint32_t unit = begin * p->per_unit; unit < last; unit++) {
    NO_UNROLL for (uint32_t k = 0; k < 2 * LANES * count; k += LANES) store(sums + k, (V){0});
    for (uint32_t n = 0; n < p->batch; n++) {
      const size_t at = (size_t)n * p->channels + unit;
      for (uint32_t row = 0; row < p->places; row += p->lines) {
        plane.first = of.first = row;
        NAME(depth_fill)(&plane, padded, IN(S, x) + at * p->height * p->width);
        NAME(depth_fill)(&of, g, IN(S, weight) + at * p->out_h * p->out_w);
        for (uint32_t k = 0; k < count; k += DEPTH_TAPS) {
          NAME(depth_sums)(g, padded, tap + k, MIN(p->lines, p->places - row) * p->cols,
                           sums + 2 * LANES * k);
        }
      }
    }
    for (uint32_t k = 0; k < size; k++) {
      const S *from = sums + 2 * LANES * k;
      const S sum = sum_lanes(load(from) + load(from + LANES));
      OUT(S, out)[unit * (size_t)size + k] = sum == sum ? sum : NAME(depth_exact)(p, unit, k);
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

// A unit is one plane, if no `batch` is summed. Unless pixels are read in place (`edged`),
// `together` planes are padded before they are read (what was just written is slow to read), and
// `lines` rows of each phase of results computed at once. Scratch of a range: planes in padding,
// lines with room for whole spans, factors, the taps, their numbers and where these end.
SMALL KERNEL(convDepth) {
  if (p->batch) {
    NAME(depth_weights)(p, begin, end);
    return;
  }
  const uint32_t last = MIN(end * p->per_unit, p->units), size = p->kernel_h * p->kernel_w;
  const uint32_t step_h = p->input || p->form ? 1 : p->stride_h;
  const depth_plane whole = DEPTH_PLANE(p, step_h, p->input || p->form ? 1 : p->stride_w);
  S *padded = OUT(S, scratch) + (size_t)begin * p->slice, *line = padded + p->together * p->step;
  const uint32_t phases = p->form ? 0 : p->input ? p->stride_w : 1;
  S *factors = line + phases * ((size_t)p->lines * p->cols + SPAN);
  int32_t *tap = (int32_t *)(factors + size);
  uint32_t *index = (uint32_t *)(tap + size), *ends = index + size;
  depth_taps(p, tap, index, ends);
  memset(padded, 0, p->together * p->step * sizeof(S));
  if (p->edged) {
    NAME(depth_planes)(p, begin * p->per_unit, last, padded);
    return;
  }
  for (uint32_t unit = begin * p->per_unit; unit < last; unit += p->together) {
    const uint32_t planes = MIN(p->together, last - unit);
    depth_plane plane = whole;
    for (uint32_t row = 0; row < p->places; row += p->lines) {
      const uint32_t count = MIN(p->lines, p->places - row);
      plane.first = p->form == 2 ? 2 * row : row;
      for (uint32_t u = 0; u < planes; u++) {
        const size_t at = (unit + u) * (size_t)p->height * p->width;
        NAME(depth_fill)(&plane, padded + u * p->step, IN(S, x) + at);
      }
      for (uint32_t u = 0; u < planes; u++) {
        const uint32_t channel = (unit + u) % p->channels;
        const S *from = padded + u * p->step, *weight = IN(S, weight) + channel * size;
        const S bias = p->biased ? IN(S, bias)[channel] : 0;
        S *out = OUT(S, out) + (unit + u) * (size_t)p->out_h * p->out_w;
        if (p->form) {
          const S *at = from + p->cols + 1;
          const NAME(depth_band) band = {at, line, p->cols, p->out_w, count, false};
          NAME(depth_any)(p, &band, weight, bias, out + row * p->out_w);
          continue;
        }
        for (uint32_t k = 0; k < size; k++) factors[k] = weight[index[k]];
        NAME(depth_through)(p, from, tap, ends, factors, bias, row, count, line, out);
      }
    }
  }
}

