// softmax and log_softmax over the middle of [outer, n, inner], and their gradients. The largest
// value is taken out first, so nothing overflows; rows of -inf only, or with +inf or NaN, give NaN
// as in PyTorch.
#include "kernel.h"
#ifndef S
#define SOURCE "softmax.c"
#include "each_real.h"
#else

// ---- inner = 1: one row
// --------------------------------------------------------------------------

// The largest value, NaN left out: a NaN comes into the sum of exponentials by itself.
static inline S NAME(row_max)(const S *x, uint32_t n) {
  V low = splat((S)-INFINITY), a[4] = {low, low, low, low};
  uint32_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES)
    for (int k = 0; k < 4; k++) a[k] = pmax_(a[k], load(x + i + k * LANES));
  for (; i + LANES <= n; i += LANES) a[0] = pmax_(a[0], load(x + i));
  if (i < n) a[1] = pmax_(a[1], load_tail(x + i, n - i, (S)-INFINITY));
  return max_lanes(pmax_(pmax_(a[0], a[2]), pmax_(a[1], a[3])));
}

// Sum of exp(x - most), stored to y unless y is null.
static inline S NAME(row_exp)(const S *x, S *y, uint32_t n, S most) {
  V m = splat(most), zero = splat((S)0), a[4] = {zero, zero, zero, zero};
  uint32_t i = 0;
#if LANES == 4
  i = n & ~15u;
  exp_sum(x, y, i, most, a);
#endif
  for (; i + LANES <= n; i += LANES) {
    V e = exp_(load(x + i) - m);
    if (y) store(y + i, e);
    a[0] += e;
  }
  if (i < n) {
    // Filled with the largest, so that no lane is outside the quick range of exp.
    V e = exp_(load_tail(x + i, n - i, most) - m);
    if (y) store_tail(y + i, e, n - i);
    a[1] += select(iota_as(e) < (S)(n - i), e, zero);
  }
  return sum_lanes((a[0] + a[2]) + (a[1] + a[3]));
}

// Sum of g * y (product) or of g.
static inline S NAME(row_dot)(const S *g, const S *y, uint32_t n, bool product) {
  V zero = splat((S)0), a[4] = {zero, zero, zero, zero};
  uint32_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES)
    for (int k = 0; k < 4; k++) {
      V v = load(g + i + k * LANES);
      a[k] += product ? v * load(y + i + k * LANES) : v;
    }
  for (; i < n; i += LANES) {
    bool whole = i + LANES <= n;
    V v = whole ? load(g + i) : load_tail(g + i, n - i, 0);
    V w = whole ? load(y + i) : load_tail(y + i, n - i, 0);
    a[0] += product ? v * w : v;
  }
  return sum_lanes((a[0] + a[2]) + (a[1] + a[3]));
}

// ---- inner > 1: K vectors of columns at once, or the last n columns of one vector
// ------------------

#define INLINE static inline __attribute__((always_inline))
#define K_LOOP UNROLL for (uint32_t k = 0; k < K; k++)
// What is done for each is long enough by itself.
#define ROWS _Pragma("clang loop unroll(disable)") for (uint32_t r = 0; r < n; r++)
#define GET(p) (tail ? load_tail((p) + k * LANES, tail, 0) : load((p) + k * LANES))
#define PUT(p, v) (tail ? store_tail((p) + k * LANES, v, tail) : store((p) + k * LANES, v))

INLINE void NAME(columns)(const S *x, S *y, uint32_t n, size_t inner, bool logarithm,
                          const uint32_t K, uint32_t tail) {
  V most[4], total[4];
  K_LOOP most[k] = splat((S)-INFINITY), total[k] = splat((S)0);
  ROWS K_LOOP most[k] = pmax_(most[k], GET(x + r * inner));
  ROWS K_LOOP {
    V e = exp_(GET(x + r * inner) - most[k]);
    if (!logarithm) PUT(y + r * inner, e);
    total[k] += e;
  }
  K_LOOP total[k] = logarithm ? log_(total[k]) : (S)1 / total[k];
  ROWS K_LOOP {
    V v = logarithm ? GET(x + r * inner) - most[k] - total[k] : GET(y + r * inner) * total[k];
    PUT(y + r * inner, v);
  }
}

INLINE void NAME(columns_backward)(const S *g, const S *y, S *gx, uint32_t n, size_t inner,
                                   bool logarithm, const uint32_t K, uint32_t tail) {
  V total[4];
  K_LOOP total[k] = splat((S)0);
  ROWS K_LOOP {
    V v = GET(g + r * inner);
    total[k] += logarithm ? v : v * GET(y + r * inner);
  }
  ROWS K_LOOP {
    V v = GET(g + r * inner), w = GET(y + r * inner);
    PUT(gx + r * inner, logarithm ? v - exp_(w) * total[k] : w * (v - total[k]));
  }
}

// Units of inner > 1 are groups of 4 * LANES columns; calls `work` for each with its K, tail and
// offset.
#define COLUMN_UNITS(work, ...)                                                          \
  uint32_t groups = (p->inner + 15) / 16;                                                \
  for (uint32_t u = begin; u < end; u++) {                                               \
    uint32_t first = u % groups * 16, last = MIN(first + 16, p->inner);                  \
    size_t base = (size_t)(u / groups) * p->n * p->inner;                                \
    uint32_t c = first;                                                                  \
    for (; c + 4 * LANES <= last; c += 4 * LANES) work(__VA_ARGS__, 4, 0);               \
    for (; c < last; c += LANES) work(__VA_ARGS__, 1, last - c < LANES ? last - c : 0);  \
  }

static void NAME(softmax_any)(const softmax_params *p, uint32_t begin, uint32_t end,
                              bool logarithm) {
  const S *x = IN(S, x);
  S *out = OUT(S, out);
  uint32_t n = p->n;
  if (p->inner > 1) {
    COLUMN_UNITS(NAME(columns), x + base + c, out + base + c, n, p->inner, logarithm)
    return;
  }
  for (uint32_t r = begin; r < end; r++) {
    const S *row = x + (size_t)r * n;
    S *to = out + (size_t)r * n;
    S most = NAME(row_max)(row, n);
    S total = NAME(row_exp)(row, logarithm ? NULL : to, n, most);
    uint32_t i = 0;
    if (logarithm) {
      V m = splat(most), t = log_(splat(total));
      for (; i + LANES <= n; i += LANES) store(to + i, load(row + i) - m - t);
      if (i < n) store_tail(to + i, load_tail(row + i, n - i, 0) - m - t, n - i);
    } else {
      V t = (S)1 / splat(total);
      for (; i + LANES <= n; i += LANES) store(to + i, load(to + i) * t);
      if (i < n) store_tail(to + i, load_tail(to + i, n - i, 0) * t, n - i);
    }
  }
}

INLINE void NAME(backward_any)(const softmaxBackward_params *p, uint32_t begin, uint32_t end,
                               bool logarithm) {
  const S *g = IN(S, g), *y = IN(S, y);
  S *gx = OUT(S, gx);
  uint32_t n = p->n;
  if (p->inner > 1) {
    COLUMN_UNITS(NAME(columns_backward), g + base + c, y + base + c, gx + base + c, n, p->inner,
                 logarithm)
    return;
  }
  for (uint32_t r = begin; r < end; r++) {
    size_t at = (size_t)r * n;
    V total = splat(NAME(row_dot)(g + at, y + at, n, !logarithm));
#define RESULT(v, w) (logarithm ? (v) - exp_(w) * total : (w) * ((v) - total))
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES, at += LANES)
      store(gx + at, RESULT(load(g + at), load(y + at)));
    if (i < n) {
      V v = load_tail(g + at, n - i, 0), w = load_tail(y + at, n - i, 0);
      store_tail(gx + at, RESULT(v, w), n - i);
    }
#undef RESULT
  }
}

KERNEL(softmax) { NAME(softmax_any)(p, begin, end, false); }
KERNEL(logSoftmax) { NAME(softmax_any)((const softmax_params *)p, begin, end, true); }
KERNEL(softmaxBackward) { NAME(backward_any)(p, begin, end, false); }
KERNEL(logSoftmaxBackward) {
  NAME(backward_any)((const softmaxBackward_params *)p, begin, end, true);
}

#undef INLINE
#undef K_LOOP
#undef ROWS
#undef GET
#undef PUT
#undef COLUMN_UNITS
#endif
