// Pooling over the last two dimensions. A unit is one plane [height, width]; outputs whose window
// lies inside the row are done LANES at a time, the others one by one.
#include "kernel.h"
#ifndef S
#define SOURCE "pool.c"
#include "each_real.h"
#else

#ifndef POOL_ONCE
#define POOL_ONCE
// Windows along one dimension: output i covers inputs start + t * dilation, t < count.
typedef struct {
  int32_t start, count;
  int32_t padded;  // the count with padding
} pool_window;

static inline pool_window window_at(int32_t i, int32_t kernel, int32_t stride, int32_t pad,
                                    int32_t dilation, int32_t size) {
  int32_t start = i * stride - pad, end = start + (kernel - 1) * dilation + 1;
  const int32_t padded = MIN(end, size + pad) - start;
  // The first tap inside, by steps of the dilation.
  if (start < 0) start += (-start + dilation - 1) / dilation * dilation;
  end = MIN(end, size);
  int32_t count = MAX(end - start, 0);
  if (dilation > 1) count = (count + dilation - 1) / dilation;
  return (pool_window){start, count, padded};
}

static inline pool_window adaptive_at(uint32_t i, uint32_t outputs, uint32_t size) {
  const int32_t start = (uint64_t)i * size / outputs;
  const int32_t end = ((uint64_t)(i + 1) * size + outputs - 1) / outputs;
  return (pool_window){start, end - start, end - start};
}

// The outputs [first, last) of a row whose windows are whole.
typedef struct {
  int32_t first, last;
} pool_inside;

static inline pool_inside inside_row(int32_t outputs, int32_t kernel, int32_t stride, int32_t pad,
                                     int32_t dilation, int32_t size) {
  const int32_t first = (pad + stride - 1) / stride;
  const int32_t room = size - 1 - (kernel - 1) * dilation + pad;
  const int32_t last = room < 0 ? 0 : MIN(room / stride + 1, outputs);
  return (pool_inside){MIN(first, outputs), MAX(last, MIN(first, outputs))};
}
#endif

// LANES elements `step` apart, reading nothing past the last.
static inline __attribute__((always_inline)) V NAME(load_step)(const S *p, int32_t step) {
  if (step == 1) return load(p);
#if LANES == 4
  if (step == 2) return __builtin_shufflevector(load(p), load(p + 3), 0, 2, 5, 7);
#endif
  return load_strided(p, step);
}

static inline void NAME(store_index)(int32_t *to, I index) {
#if LANES == 4
  store(to, index);
#else
  for (int l = 0; l < LANES; l++) to[l] = index[l];
#endif
}

// The greatest of LANES windows side by side and its place; the first of equals, and NaN above all.
// The compiler makes a version for each width and step that are constants.
static inline __attribute__((always_inline)) void NAME(max_vector)(const maxPool2d_params *p,
                                                                   const S *x, int32_t at,
                                                                   pool_window rows, S *value,
                                                                   int32_t *index, int32_t kernel,
                                                                   int32_t step, int32_t dilation) {
  I lanes = iota_as((I){0}) * step, place = lanes + at;
  V best = splat((S)-INFINITY);
  for (int32_t r = 0; r < rows.count; r++) {
    for (int32_t k = 0; k < kernel; k++) {
      const int32_t from = at + k * dilation;
      const V v = NAME(load_step)(x + from, step);
      const I greater = (I)((v > best) | (v != v));
      best = select(greater, v, best);
      place = select(greater, lanes + from, place);
    }
    at += p->dilation_h * p->width;
  }
  store(value, best);
  NAME(store_index)(index, place);
}

#if LANES == 4
// The later of two values if it is greater or NaN.
static inline __attribute__((always_inline)) void NAME(later)(V *best, I *place, V v, I at) {
  const I greater = (I)((v > *best) | (v != v));
  *best = select(greater, v, *best);
  *place = select(greater, at, *place);
}

// Windows of 2 x 2 next to each other: `rows` rows of `vectors` times LANES of them.
static NOINLINE void NAME(max_squares)(const maxPool2d_params *p, const S *x, int32_t rows,
                                       int32_t vectors, S *value, int32_t *index) {
  const int32_t width = p->width;
  for (int32_t y = 0; y < rows; y++, value += p->out_w, index += p->out_w) {
    const S *from = x + 2 * y * width;
    I place = iota_as((I){0}) * 2 + 2 * y * width;
    for (int32_t i = 0; i < vectors; i++, from += 2 * LANES, place += 2 * LANES) {
      const V a = load(from), b = load(from + LANES);
      const V c = load(from + width), d = load(from + width + LANES);
      V best = __builtin_shufflevector(a, b, 0, 2, 4, 6);
      V low = __builtin_shufflevector(c, d, 0, 2, 4, 6);
      I best_at = place, low_at = place + width;
      NAME(later)(&best, &best_at, __builtin_shufflevector(a, b, 1, 3, 5, 7), place + 1);
      NAME(later)(&low, &low_at, __builtin_shufflevector(c, d, 1, 3, 5, 7), low_at + 1);
      NAME(later)(&best, &best_at, low, low_at);
      store(value + i * LANES, best);
      store(index + i * LANES, best_at);
    }
  }
}
#endif

static void NAME(max_single)(const maxPool2d_params *p, const S *x, pool_window rows,
                             pool_window cols, S *value, int32_t *index) {
  int32_t place = rows.start * (int32_t)p->width + cols.start;
  S best = -INFINITY;
  for (int32_t r = 0; r < rows.count; r++) {
    for (int32_t c = 0; c < cols.count; c++) {
      const int32_t from = (rows.start + r * (int32_t)p->dilation_h) * (int32_t)p->width +
                           cols.start + c * (int32_t)p->dilation_w;
      if (x[from] > best || x[from] != x[from]) {
        best = x[from];
        place = from;
      }
    }
  }
  *value = best;
  *index = place;
}

static NOINLINE void NAME(max_row)(const maxPool2d_params *p, const S *x, pool_window rows,
                                   pool_inside whole, int32_t i, S *value, int32_t *index) {
  const int32_t stride = p->stride_w, outputs = p->out_w;
  while (i < outputs) {
    const bool vector =
        i >= whole.first && whole.last - whole.first >= LANES && i < whole.last && rows.count > 0;
    if (!vector) {
      const pool_window cols = window_at(i, p->kernel_w, stride, p->pad_w, p->dilation_w, p->width);
      NAME(max_single)(p, x, rows, cols, value + i, index + i);
      i++;
      continue;
    }
    // The last vector reaches back over outputs already done.
    const int32_t from = MIN(i, whole.last - LANES);
    const int32_t at = rows.start * (int32_t)p->width + from * stride - (int32_t)p->pad_w;
    const int32_t kernel = p->kernel_w, dilation = p->dilation_w;
    S *to = value + from;
    int32_t *place = index + from;
    if (stride == 2 && kernel == 2 && dilation == 1) {
      NAME(max_vector)(p, x, at, rows, to, place, 2, 2, 1);
    } else if (stride == 2 && kernel == 3 && dilation == 1) {
      NAME(max_vector)(p, x, at, rows, to, place, 3, 2, 1);
    } else if (stride == 1) {
      NAME(max_vector)(p, x, at, rows, to, place, kernel, 1, dilation);
    } else {
      NAME(max_vector)(p, x, at, rows, to, place, kernel, stride, dilation);
    }
    i = from + LANES;
  }
}

KERNEL(maxPool2d) {
  const pool_inside whole =
      inside_row(p->out_w, p->kernel_w, p->stride_w, p->pad_w, p->dilation_w, p->width);
  // Outputs of a plane done as squares: so many rows of so many vectors.
  int32_t rows_done = 0, vectors = 0;
#if LANES == 4
  const bool two = p->kernel_h == 2 && p->kernel_w == 2 && p->stride_h == 2 && p->stride_w == 2;
  const bool close = p->dilation_h == 1 && p->dilation_w == 1 && p->pad_h == 0 && p->pad_w == 0;
  if (two && close) rows_done = MIN(p->height / 2, p->out_h), vectors = whole.last / LANES;
#endif
  for (uint32_t plane = begin; plane < end; plane++) {
    const S *x = IN(S, x) + (size_t)plane * p->height * p->width;
    S *out = OUT(S, out) + (size_t)plane * p->out_h * p->out_w;
    int32_t *index = OUT(int32_t, indices) + (size_t)plane * p->out_h * p->out_w;
#if LANES == 4
    if (vectors > 0) NAME(max_squares)(p, x, rows_done, vectors, out, index);
#endif
    for (int32_t y = 0; y < (int32_t)p->out_h; y++, out += p->out_w, index += p->out_w) {
      const int32_t first = y < rows_done ? vectors * LANES : 0;
      if (first == (int32_t)p->out_w) continue;
      const pool_window rows =
          window_at(y, p->kernel_h, p->stride_h, p->pad_h, p->dilation_h, p->height);
      NAME(max_row)(p, x, rows, whole, first, out, index);
    }
  }
}

KERNEL(maxPool2dBackward) {
  for (uint32_t plane = begin; plane < end; plane++) {
    const S *g = IN(S, g) + (size_t)plane * p->outputs;
    const int32_t *index = IN(int32_t, indices) + (size_t)plane * p->outputs;
    S *out = OUT(S, out) + (size_t)plane * p->size;
    memset(out, 0, p->size * sizeof(S));
    for (uint32_t i = 0; i < p->outputs; i++) {
      if ((uint32_t)index[i] < p->size) out[index[i]] += g[i];
    }
  }
}

// ---- Averages -----------------------------------------------------------------------------------

static inline pool_window NAME(average_rows)(const avgPool2d_params *p, uint32_t i) {
  if (p->adaptive) return adaptive_at(i, p->out_h, p->height);
  return window_at(i, p->kernel_h, p->stride_h, p->pad_h, 1, p->height);
}

static inline pool_window NAME(average_cols)(const avgPool2d_params *p, uint32_t i) {
  if (p->adaptive) return adaptive_at(i, p->out_w, p->width);
  return window_at(i, p->kernel_w, p->stride_w, p->pad_w, 1, p->width);
}

static inline S NAME(divisor)(const avgPool2d_params *p, pool_window rows, pool_window cols) {
  if (p->divisor) return (S)p->divisor;
  return p->count_padding ? (S)rows.padded * (S)cols.padded : (S)rows.count * (S)cols.count;
}

static inline __attribute__((always_inline)) V NAME(sum_vector)(const avgPool2d_params *p,
                                                                const S *x, pool_window rows,
                                                                int32_t kernel, int32_t step) {
  V sum = {0};
  for (int32_t r = 0; r < rows.count; r++, x += p->width) {
    for (int32_t k = 0; k < kernel; k++) sum += NAME(load_step)(x + k, step);
  }
  return sum;
}

static S NAME(sum_single)(const avgPool2d_params *p, const S *x, pool_window rows,
                          pool_window cols) {
  S total = 0;
  x += rows.start * (int32_t)p->width + cols.start;
  for (int32_t r = 0; r < rows.count; r++, x += p->width) {
    V sum = {0};
    int32_t c = 0;
    for (; c + LANES <= cols.count; c += LANES) sum += load(x + c);
    S row = sum_lanes(sum);
    for (; c < cols.count; c++) row += x[c];
    total += row;
  }
  return total;
}

static NOINLINE void NAME(average_row)(const avgPool2d_params *p, const S *x, pool_window rows,
                                       pool_inside whole, S *out) {
  const int32_t stride = p->stride_w, outputs = p->out_w;
  int32_t i = 0;
  while (i < outputs) {
    const pool_window cols = NAME(average_cols)(p, i);
    const S divisor = NAME(divisor)(p, rows, cols);
    const bool vector =
        !p->adaptive && i >= whole.first && whole.last - whole.first >= LANES && i < whole.last;
    if (!vector) {
      const bool empty = rows.count <= 0 || cols.count <= 0;
      out[i] = empty ? 0 : NAME(sum_single)(p, x, rows, cols) / divisor;
      i++;
      continue;
    }
    const int32_t from = MIN(i, whole.last - LANES);
    const S *at = x + rows.start * (int32_t)p->width + from * stride - (int32_t)p->pad_w;
    V sum;
    if (stride == 2 && p->kernel_w == 2) {
      sum = NAME(sum_vector)(p, at, rows, 2, 2);
    } else if (stride == 1) {
      sum = NAME(sum_vector)(p, at, rows, p->kernel_w, 1);
    } else {
      sum = NAME(sum_vector)(p, at, rows, p->kernel_w, stride);
    }
    store(out + from, rows.count > 0 ? sum / splat(divisor) : (V){0});
    i = from + LANES;
  }
}

KERNEL(avgPool2d) {
  const pool_inside whole = inside_row(p->out_w, p->kernel_w, p->stride_w, p->pad_w, 1, p->width);
  for (uint32_t plane = begin; plane < end; plane++) {
    const S *x = IN(S, x) + (size_t)plane * p->height * p->width;
    S *out = OUT(S, out) + (size_t)plane * p->out_h * p->out_w;
    for (uint32_t y = 0; y < p->out_h; y++) {
      NAME(average_row)(p, x, NAME(average_rows)(p, y), whole, out + y * p->out_w);
    }
  }
}

// Spreads one output's gradient over its window.
static inline void NAME(spread)(S *out, uint32_t width, pool_window rows, pool_window cols,
                                S value) {
  out += rows.start * (int32_t)width + cols.start;
  for (int32_t r = 0; r < rows.count; r++, out += width) {
    int32_t c = 0;
    for (; c + LANES <= cols.count; c += LANES) store(out + c, load(out + c) + splat(value));
    for (; c < cols.count; c++) out[c] += value;
  }
}

KERNEL(avgPool2dBackward) {
  // The parameters are those of avgPool2d; its buffers are g and out.
  const avgPool2d_params window = {
      .height = p->height,
      .width = p->width,
      .out_h = p->out_h,
      .out_w = p->out_w,
      .kernel_h = p->kernel_h,
      .kernel_w = p->kernel_w,
      .stride_h = p->stride_h,
      .stride_w = p->stride_w,
      .pad_h = p->pad_h,
      .pad_w = p->pad_w,
      .adaptive = p->adaptive,
      .count_padding = p->count_padding,
      .divisor = p->divisor,
  };
  for (uint32_t plane = begin; plane < end; plane++) {
    const S *g = IN(S, g) + (size_t)plane * p->out_h * p->out_w;
    S *out = OUT(S, out) + (size_t)plane * p->height * p->width;
    memset(out, 0, (size_t)p->height * p->width * sizeof(S));
    for (uint32_t y = 0; y < p->out_h; y++) {
      const pool_window rows = NAME(average_rows)(&window, y);
      for (uint32_t x = 0; x < p->out_w; x++) {
        const pool_window cols = NAME(average_cols)(&window, x);
        if (rows.count <= 0 || cols.count <= 0) continue;
        const S value = g[y * p->out_w + x] / NAME(divisor)(&window, rows, cols);
        NAME(spread)(out, p->width, rows, cols, value);
      }
    }
  }
}

#endif
