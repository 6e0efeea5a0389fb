// Convolution of images [N, C, H, W] with weights [O, C / groups, kh, kw], and its gradients.
//   convPad: copies planes into padded rows, columns of equal remainder by the stride next to each
//     other, so that the pixels of an output row lie side by side for every tap
//   convFlip: weights as the input gradient wants them: [group][phase][c][o, taps of the phase]
//   conv2d, conv2dInputGrad: products of weights and source pixels
//   conv2dWeightGrad: products of the output's gradient and source pixels
// A unit is some output rows of one image and group, or some weights: never a part of one sum. The
// range counts shares of `per_unit` of these units, so that tables, one per share, stay few.
#include "kernel.h"
#ifndef S
#define SOURCE "conv.c"
#include "each_real.h"
#else
#include "gemm_common.h"
#include "conv_tile.h"

#ifndef CONV_ONCE
#define CONV_ONCE
enum { CONV_ROW_BLOCK = 48, TAP_BLOCK = 16, WEIGHT_VECTORS = 256 };

// Vectors over a grid of rows x cols pixels, whose rows and pixels are so far apart in the source
// and in the output. Where a row does not divide, its last vector reaches back over the one before.
// Returns the count.
static uint32_t conv_grid(conv_pixels *to, uint32_t rows, uint32_t cols, uint32_t lanes,
                          int32_t source_row, int32_t out_row, int32_t out_step, int32_t size) {
  uint32_t n = 0;
  for (uint32_t y = 0; y < rows; y++) {
    for (uint32_t x = 0; x < cols; x += lanes) {
      const uint32_t count = MIN(lanes, cols - x), back = cols < lanes ? 0 : lanes - count;
      to[n++] = (conv_pixels){
          .source = ((int32_t)y * source_row + (int32_t)(x - back)) * size,
          .out = (int32_t)y * out_row + (int32_t)(x - back) * out_step,
          .from = back,
          .count = count,
      };
    }
  }
  return n;
}

typedef struct {
  uint32_t kernel_h, kernel_w, dilation_h, dilation_w, phases, cols;
} conv_window;
#define WINDOW(p) {p->kernel_h, p->kernel_w, p->dilation_h, p->dilation_w, p->phases, p->cols}

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

static inline int32_t floor_div(int32_t a, int32_t b) {
  return a >= 0 ? a / b : -((b - 1 - a) / b);
}
#endif

CONV_TILE(main, TILE_M, TILE_V)
CONV_TILE(pair, 2, 4)
CONV_TILE(single, 1, 8)
WEIGHTS_TILE(main, 4, 2)
WEIGHTS_TILE(pair, 2, 4)
WEIGHTS_TILE(single, 1, 8)

// ---- Preparation --------------------------------------------------------------------------------

// Copies out[q] = row[q * phases], q in [q, last).
static inline __attribute__((always_inline)) void NAME(pad_row)(S *out, const S *row, int32_t q,
                                                                int32_t last, int32_t phases) {
  if (phases == 1) {
    for (; q + LANES <= last; q += LANES) store(out + q, load(row + q));
  }
#if LANES == 4
  if (phases == 2) {
    for (; q + LANES <= last; q += LANES) {
      const S *p = row + q * 2;
      store(out + q, __builtin_shufflevector(load(p), load(p + 3), 0, 2, 5, 7));
    }
  }
#endif
  for (; q < last; q++) out[q] = row[q * phases];
}

// A unit is one plane: out[y][phase][q] = x[y - top][q * phases + phase - left], zero outside.
KERNEL(convPad) {
  const int32_t width = p->width, phases = p->phases, cols = p->cols;
  const size_t step = (size_t)phases * cols;
  for (uint32_t plane = begin; plane < end; plane++) {
    for (int32_t phase = 0; phase < phases; phase++) {
      // Columns [first, last) come from x.
      const int32_t low = floor_div(p->left - phase + phases - 1, phases);
      const int32_t high = floor_div(width - 1 + p->left - phase, phases) + 1;
      const int32_t first = MIN(MAX(low, 0), cols), last = MAX(MIN(high, cols), first);
      S *out = OUT(S, out) + (size_t)plane * p->rows * step + (size_t)phase * cols;
      const S *x = IN(S, x) + (size_t)plane * p->height * width + phase - p->left;
      for (int32_t y = 0; y < (int32_t)p->rows; y++, out += step) {
        const int32_t from = y - p->top;
        if (from < 0 || from >= (int32_t)p->height) {
          memset(out, 0, cols * sizeof(S));
          continue;
        }
        for (int32_t q = 0; q < first; q++) out[q] = 0;
        NAME(pad_row)(out, x + (size_t)from * width, first, last, phases);
        for (int32_t q = last; q < cols; q++) out[q] = 0;
      }
    }
  }
}

// A unit is one input channel of one group. Taps of a phase are `step` apart from the first.
KERNEL(convFlip) {
  const uint32_t kh = p->kernel_h, kw = p->kernel_w, size = kh * kw;
  const uint32_t step_h = phase_step(p->stride_h, p->dilation_h);
  const uint32_t step_w = phase_step(p->stride_w, p->dilation_w);
  const size_t filter = (size_t)p->channels * size;
  for (uint32_t unit = begin; unit < end; unit++) {
    const uint32_t group = unit / p->channels, c = unit % p->channels;
    const S *w = IN(S, weight) + group * p->filters * filter + (size_t)c * size;
    S *out = OUT(S, out) + group * p->filters * filter;
    for (uint32_t phase = 0; phase < p->stride_h * p->stride_w; phase++) {
      const uint32_t ky = first_tap(phase / p->stride_w, p->stride_h, p->dilation_h, kh);
      const uint32_t kx = first_tap(phase % p->stride_w, p->stride_w, p->dilation_w, kw);
      const uint32_t taps = ((kh - ky + step_h - 1) / step_h) * ((kw - kx + step_w - 1) / step_w);
      S *to = out + (size_t)c * p->filters * taps;
      for (uint32_t o = 0; o < p->filters; o++) {
        for (uint32_t y = ky; y < kh; y += step_h) {
          for (uint32_t x = kx; x < kw; x += step_w) *to++ = w[o * filter + y * kw + x];
        }
      }
      out += (size_t)p->channels * p->filters * taps;
    }
  }
}

// ---- Products -----------------------------------------------------------------------------------

// Rows [first, last): whole tiles, and a last one or two rows with tiles of their own.
static NOINLINE void NAME(conv_rows)(const NAME(conv) * t, uint32_t first, uint32_t last,
                                     uint32_t k0, uint32_t depth) {
  const uint32_t rest = (last - first) % TILE_M,
                 after = rest == 1 || rest == 2 ? last - rest : last;
  for (uint32_t v = 0; v < t->panels && after > first; v += TILE_V) {
    for (uint32_t i = first; i < after; i += TILE_M) NAME(conv_main)(t, i, v, k0, depth);
  }
  if (rest == 2) {
    for (uint32_t v = 0; v < t->panels; v += 4) NAME(conv_pair)(t, after, v, k0, depth);
  }
  if (rest == 1) {
    for (uint32_t v = 0; v < t->panels; v += 8) NAME(conv_single)(t, after, v, k0, depth);
  }
}

// With no depth at all (pixels that no tap reaches) it writes what sums start from.
static void NAME(conv_product)(const NAME(conv) * t) {
  uint32_t k0 = 0;
  do {
    const uint32_t depth = MIN(DEPTH_BLOCK, t->depth - k0);
    for (uint32_t i = 0; i < t->rows; i += CONV_ROW_BLOCK) {
      NAME(conv_rows)(t, i, MIN(i + CONV_ROW_BLOCK, t->rows), k0, depth);
    }
    k0 += depth;
  } while (k0 < t->depth);
}

// Places of the taps (c, ky, kx) in the padded planes.
static uint32_t NAME(conv_taps)(int32_t *tap, uint32_t channels, uint32_t rows,
                                const conv_window *w) {
  uint32_t n = 0;
  for (uint32_t c = 0; c < channels; c++) {
    for (uint32_t y = 0; y < w->kernel_h; y++) {
      for (uint32_t x = 0; x < w->kernel_w; x++) {
        const uint32_t at = x * w->dilation_w, line = c * rows + y * w->dilation_h;
        const uint32_t place = (line * w->phases + at % w->phases) * w->cols + at / w->phases;
        tap[n++] = place * sizeof(S);
      }
    }
  }
  return n;
}

// A unit is `row_block` output rows of one group of one image. Scratch of a range: pixels, then
// taps.
KERNEL(conv2d) {
  const uint32_t first_unit = begin * p->per_unit;
  const uint32_t last_unit = MIN(end * p->per_unit, p->units);
  const uint32_t channels = p->channels, filters = p->filters,
                 depth = channels * p->kernel_h * p->kernel_w;
  const uint32_t blocks = (p->out_h + p->row_block - 1) / p->row_block;
  const int32_t row = p->phases * p->cols;
  const size_t plane = (size_t)p->rows * row, out_plane = (size_t)p->out_h * p->out_w;
  conv_pixels *pixels = (conv_pixels *)(OUT(S, scratch) + (size_t)begin * p->slice);
  const uint32_t vectors = conv_grid(pixels, MIN(p->row_block, p->out_h), p->out_w, LANES,
                                     p->stride_h * row, p->out_w, 1, sizeof(S));
  int32_t *tap = (int32_t *)(pixels + vectors);
  const conv_window window = WINDOW(p);
  NAME(conv_taps)(tap, channels, p->rows, &window);
  const uint32_t per_row = vectors / MIN(p->row_block, p->out_h);
  for (uint32_t unit = first_unit; unit < last_unit; unit++) {
    const uint32_t image = unit / blocks / p->groups, group = unit / blocks % p->groups;
    const uint32_t y = unit % blocks * p->row_block;
    const uint32_t filter = group * filters;
    const size_t first = (size_t)image * p->groups + group;
    const NAME(conv) t = {
        .a = IN(S, weight) + (size_t)filter * depth,
        .source =
            (const char *)(IN(S, x) + first * channels * plane + (size_t)y * p->stride_h * row),
        .tap = tap,
        .pixels = pixels,
        .start = p->biased ? IN(S, bias) + filter : NAME(conv_zero),
        .start_step = p->biased,
        .out = OUT(S, out) + first * filters * out_plane + (size_t)y * p->out_w,
        .a_step = depth,
        .out_row = out_plane,
        .out_step = 1,
        .rows = filters,
        .depth = depth,
        .panels = MIN(p->row_block, p->out_h - y) * per_row,
    };
    NAME(conv_product)(&t);
  }
}

// Pixel x of the input, at X = x + pad = X' * stride + phase, sums taps k with k * dilation = q *
// stride + phase over the output's pixel X' - q: for each phase a product of its own, without
// stride.
typedef struct {
  int32_t first, count;  // X' of the pixels of this phase
} NAME(span);

static inline NAME(span) NAME(span_of)(int32_t size, int32_t pad, int32_t stride, int32_t phase,
                                       int32_t low, int32_t high) {
  const int32_t first = MAX(floor_div(pad - phase + stride - 1, stride), low);
  const int32_t last = MIN(floor_div(size - 1 + pad - phase, stride) + 1, high);
  return (NAME(span)){first, MAX(last - first, 0)};
}

static uint32_t NAME(phase_taps)(const conv2dInputGrad_params *p, int32_t *tap, uint32_t ry,
                                 uint32_t rx) {
  const uint32_t step_h = phase_step(p->stride_h, p->dilation_h);
  const uint32_t step_w = phase_step(p->stride_w, p->dilation_w);
  const uint32_t ky = first_tap(ry, p->stride_h, p->dilation_h, p->kernel_h);
  const uint32_t kx = first_tap(rx, p->stride_w, p->dilation_w, p->kernel_w);
  uint32_t n = 0;
  for (uint32_t o = 0; o < p->filters; o++) {
    for (uint32_t y = ky; y < p->kernel_h; y += step_h) {
      for (uint32_t x = kx; x < p->kernel_w; x += step_w) {
        const int32_t line = o * p->rows - y * p->dilation_h / p->stride_h;
        const int32_t place = line * (int32_t)p->cols - (int32_t)(x * p->dilation_w / p->stride_w);
        tap[n++] = place * (int32_t)sizeof(S);
      }
    }
  }
  return n;
}

// A unit is `row_block` values of Y' of one group of one image.
KERNEL(conv2dInputGrad) {
  const uint32_t first_unit = begin * p->per_unit;
  const uint32_t last_unit = MIN(end * p->per_unit, p->units);
  const uint32_t channels = p->channels, filters = p->filters;
  const size_t plane = (size_t)p->rows * p->cols, out_plane = (size_t)p->height * p->width;
  const uint32_t weights = channels * filters * p->kernel_h * p->kernel_w;
  int32_t *tap = (int32_t *)(OUT(S, scratch) + (size_t)begin * p->slice);
  conv_pixels *pixels = (conv_pixels *)(tap + filters * p->kernel_h * p->kernel_w);
  size_t before = 0;
  for (uint32_t phase = 0; phase < p->stride_h * p->stride_w; phase++) {
    const uint32_t ry = phase / p->stride_w, rx = phase % p->stride_w;
    const uint32_t depth = NAME(phase_taps)(p, tap, ry, rx);
    const NAME(span) xs = NAME(span_of)(p->width, p->pad_w, p->stride_w, rx, 0, INT32_MAX);
    uint32_t rows = 0;
    NAME(conv)
    t = {.tap = tap,
         .pixels = pixels,
         .start = NAME(conv_zero),
         .a_step = depth,
         .out_row = out_plane,
         .out_step = p->stride_w,
         .rows = channels,
         .depth = depth};
    for (uint32_t unit = first_unit; unit < last_unit; unit++) {
      const uint32_t first = unit / p->blocks, low = unit % p->blocks * p->row_block;
      const NAME(span) ys =
          NAME(span_of)(p->height, p->pad_h, p->stride_h, ry, low, low + p->row_block);
      if (ys.count == 0 || xs.count == 0) continue;
      if (rows != (uint32_t)ys.count) {
        rows = ys.count;
        t.panels = conv_grid(pixels, rows, xs.count, LANES, p->cols, p->stride_h * p->width,
                             p->stride_w, sizeof(S));
      }
      const size_t at = (size_t)(ys.first + p->top) * p->cols + xs.first + p->left;
      t.a = IN(S, weight) + (size_t)(first % p->groups) * weights + before;
      t.source = (const char *)(IN(S, g) + first * filters * plane + at);
      t.out = OUT(S, out) + first * channels * out_plane +
              (size_t)(ys.first * p->stride_h + ry - p->pad_h) * p->width + xs.first * p->stride_w +
              rx - p->pad_w;
      NAME(conv_product)(&t);
    }
    before += (size_t)channels * depth;
  }
}

// The tiles of `rows` filters from i and the taps [k, last).
static NOINLINE void NAME(weights_rows)(const NAME(weights) * t, uint32_t i, uint32_t k,
                                        uint32_t last, uint32_t first, uint32_t images) {
  const uint32_t rows = t->rows - i, width = rows > 2 ? 2 : rows == 2 ? 4 : 8;
  for (; k < last; k += width) {
    if (width == 2) NAME(weights_main)(t, i, k, first, images);
    if (width == 4) NAME(weights_pair)(t, i, k, first, images);
    if (width == 8) NAME(weights_single)(t, i, k, first, images);
  }
}

// A unit is up to four filters by TAP_BLOCK taps of one group. Scratch of a range: pixels, then
// taps.
KERNEL(conv2dWeightGrad) {
  const uint32_t first_unit = begin * p->per_unit;
  const uint32_t last_unit = MIN(end * p->per_unit, p->units);
  const uint32_t channels = p->channels, filters = p->filters,
                 taps = channels * p->kernel_h * p->kernel_w;
  const uint32_t quads = (filters + 3) / 4, blocks = (taps + TAP_BLOCK - 1) / TAP_BLOCK;
  const int32_t row = p->phases * p->cols;
  const size_t plane = (size_t)p->rows * row, g_plane = (size_t)p->out_h * p->g_cols;
  conv_pixels *pixels = (conv_pixels *)(OUT(S, scratch) + (size_t)begin * p->slice);
  const int32_t source_row = p->stride_h * row, size = sizeof(S);
  const uint32_t inside = p->out_w / LANES * LANES, rest = p->out_w - inside;
  const uint32_t whole = conv_grid(pixels, p->out_h, inside, LANES, source_row, p->g_cols, 1, size);
  // The rest of every row: the last whole vector's end again, masked.
  const uint32_t back = rest && inside ? LANES - rest : 0, from = inside - back;
  const uint32_t partial =
      conv_grid(pixels + whole, p->out_h, rest ? 1 : 0, LANES, source_row, p->g_cols, 1, size);
  for (uint32_t v = 0; v < partial; v++) {
    pixels[whole + v].source += from * size;
    pixels[whole + v].out += from;
  }
  for (uint32_t v = 0; v < whole + partial; v++) pixels[v].out *= size;
  V mask = {0};
  for (uint32_t l = 0; l < LANES; l++) {
    if (l >= back && l < back + rest) mask[l] = 1;
  }
  int32_t *tap = (int32_t *)(pixels + whole + partial);
  const conv_window window = WINDOW(p);
  NAME(conv_taps)(tap, channels, p->rows, &window);
  NAME(weights)
  t = {.tap = tap,
       .pixels = pixels,
       .whole = whole,
       .partial = partial,
       .taps = taps,
       .rows = filters,
       .g_row = g_plane * sizeof(S),
       .mask = (V)(mask != 0)};
  t.g_image = t.g_row * filters * p->groups;
  t.source_image = plane * channels * p->groups * sizeof(S);
  const uint32_t together = MAX(1, WEIGHT_VECTORS / (whole + partial));
  for (uint32_t image = 0; image < p->batch; image += together) {
    const uint32_t images = MIN(together, p->batch - image);
    for (uint32_t unit = first_unit; unit < last_unit; unit++) {
      const uint32_t group = unit / blocks / quads, i = unit / blocks % quads * 4,
                     k = unit % blocks * TAP_BLOCK;
      t.g = (const char *)(IN(S, g) + group * filters * g_plane);
      t.source = (const char *)(IN(S, x) + group * channels * plane);
      t.out = OUT(S, out) + (size_t)group * filters * taps;
      NAME(weights_rows)(&t, i, k, MIN(k + TAP_BLOCK, taps), image, images);
    }
  }
}

#endif
