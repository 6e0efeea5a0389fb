// softmax and log_softmax over the middle of [outer, n, inner], and their gradients. The largest
// value is taken out first, so nothing overflows; rows of -inf only, or with +inf or NaN, give NaN
// as in PyTorch.
#include "kernel.h"
#ifndef S
enum { FEW = 32, WIDE = 512 };
enum { MOST, SUM, LOG_SUM, INVERSE };
#define SOURCE "softmax.c"
#include "each_real.h"
#else

#define INLINE static inline __attribute__((always_inline))

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

// ---- inner > 1: rows of columns side by side. Rows of few are joined: their columns come again and
// again, and what is kept of each is folded at the end
// --------------------------------------------------------------------------------------------------

#define ROLLED _Pragma("clang loop unroll(disable)")
#define ROWS ROLLED for (uint32_t r = 0; r < rows; r++)
// Whole vectors from c on, then what is left.
#define COLUMNS(...)                                                                     \
  {                                                                                      \
    ROLLED for (const uint32_t tail = 0; c + LANES <= count; c += LANES) { __VA_ARGS__ } \
    if (c < count) {                                                                     \
      const uint32_t tail = count - c;                                                   \
      __VA_ARGS__                                                                        \
    }                                                                                    \
  }
#define GET(p, fill) (tail ? load_tail((p) + c, tail, fill) : load((p) + c))
#define PUT(p, v) (tail ? store_tail((p) + c, v, tail) : store((p) + c, v))

RUN_FN void NAME(most_of)(const S *x, uint32_t rows, size_t pitch, uint32_t count, S *most) {
  ROWS {
    uint32_t c = 0;
    COLUMNS(store(most + c, pmax_(load(most + c), GET(x + r * pitch, (S)-INFINITY)));)
  }
}

RUN_FN void NAME(exp_of)(const S *x, S *y, uint32_t rows, size_t pitch, uint32_t count,
                         const S *most, S *total) {
  S own[WIDE];
  ROWS {
    uint32_t c = 0;
    const S *from = x + r * pitch;
    S *to = y ? y + r * pitch : own;
#if LANES == 4
    c = count & ~15u;
    exp_runs(from, to, c, 0, 0, most, total, NULL, 0);
#endif
    COLUMNS({
      V e = exp_(GET(from, 0) - load(most + c));
      PUT(to, e);
      if (tail) e = select(iota_as(e) < (S)tail, e, splat((S)0));
      store(total + c, load(total + c) + e);
    })
  }
}

// Folds what `copies` of the columns hold, a power of two, and gives the result to each: the largest,
// or the sum, its logarithm or its inverse.
RUN_FN void NAME(fold)(S *a, uint32_t columns, uint32_t copies, int result) {
  ROLLED for (uint32_t half = copies * columns / 2; half >= columns; half /= 2)
    ROLLED for (uint32_t i = 0; i < half; i += LANES) {
      V v = load(a + i), w = load(a + half + i);
      store(a + i, result == MOST ? pmax_(v, w) : v + w);
    }
  if (result >= LOG_SUM)
    ROLLED for (uint32_t i = 0; i < columns; i += LANES) {
      V v = load(a + i);
      store(a + i, result == LOG_SUM ? log_(v) : (S)1 / v);
    }
  ROLLED for (uint32_t have = columns; have < copies * columns; have *= 2)
    ROLLED for (uint32_t i = 0; i < have; i += LANES) store(a + have + i, load(a + i));
}

// How many rows to join, at most a quarter.
static uint32_t NAME(joined)(uint32_t n, size_t inner) {
  uint32_t copies = 1;
  while (inner <= FEW && 8 * copies <= n && 2 * copies * inner <= WIDE) copies *= 2;
  return copies;
}

// Does `work` with rows of `count` columns `at` the start, then with what is left of joined ones.
#define PARTS(work)                                                                      \
  ROLLED for (uint32_t part = 0; part < 2; part++) {      \
    const uint32_t rows = part ? n % copies > 0 : n / copies;                            \
    const uint32_t count = (part ? n % copies : copies) * columns;                       \
    const size_t at = part * (n / copies) * pitch;                                       \
    work;                                                                                \
  }

INLINE void NAME(columns)(const S *x, S *y, uint32_t n, size_t inner, uint32_t columns,
                          bool logarithm) {
  S most[WIDE + 2 * LANES], total[WIDE + 2 * LANES];
  const uint32_t copies = NAME(joined)(n, inner);
  const size_t pitch = copies * inner;
  ROLLED for (uint32_t c = 0; c < copies * columns + LANES; c += LANES) {
    store(most + c, splat((S)-INFINITY));
    store(total + c, splat((S)0));
  }
  PARTS(NAME(most_of)(x + at, rows, pitch, count, most))
  NAME(fold)(most, columns, copies, MOST);
  PARTS(NAME(exp_of)(x + at, logarithm ? NULL : y + at, rows, pitch, count, most, total))
  NAME(fold)(total, columns, copies, logarithm ? LOG_SUM : INVERSE);
  PARTS(ROWS {
    uint32_t c = 0;
    const S *from = (logarithm ? x : y) + at + r * pitch;
    COLUMNS({
      V v = GET(from, 0), t = load(total + c);
      PUT(y + at + r * pitch, logarithm ? v - load(most + c) - t : v * t);
    })
  })
}

INLINE void NAME(columns_backward)(const S *g, const S *y, S *gx, uint32_t n, size_t inner,
                                   uint32_t columns, bool logarithm) {
  S total[WIDE + 2 * LANES];
  const uint32_t copies = NAME(joined)(n, inner);
  const size_t pitch = copies * inner;
  ROLLED for (uint32_t c = 0; c < copies * columns + LANES; c += LANES) store(total + c, splat((S)0));
  PARTS(ROWS {
    uint32_t c = 0;
    COLUMNS({
      V v = GET(g + at + r * pitch, 0);
      if (!logarithm) v *= GET(y + at + r * pitch, 0);
      store(total + c, load(total + c) + v);
    })
  })
  NAME(fold)(total, columns, copies, SUM);
  PARTS(ROWS {
    uint32_t c = 0;
    const size_t row = at + r * pitch;
#if LANES == 4
    if (logarithm) {
      float own[WIDE];
      exp_all(y + row, own, c = count & ~15u);
      for (uint32_t i = 0; i < c; i += 4)
        store(gx + row + i, load(g + row + i) - load(own + i) * load(total + i));
    }
#endif
    COLUMNS({
      V v = GET(g + row, 0), w = GET(y + row, 0), t = load(total + c);
      PUT(gx + row, logarithm ? v - exp_(w) * t : w * (v - t));
    })
  })
}

// Units of inner > 1 are groups of FEW columns; calls `work` for as many as lie side by side.
#define COLUMN_UNITS(work, ...)                                                          \
  const uint32_t groups = (p->inner + FEW - 1) / FEW;                                    \
  for (uint32_t u = begin, more; u < end; u += more) {                                   \
    const uint32_t group = u % groups, first = group * FEW;                              \
    more = MIN(MIN(end - u, groups - group), WIDE / FEW);                                \
    const size_t at = (size_t)(u / groups) * p->n * p->inner + first;                    \
    work(__VA_ARGS__, p->n, p->inner, MIN(more * FEW, p->inner - first), logarithm);     \
  }

static void NAME(softmax_any)(const softmax_params *p, uint32_t begin, uint32_t end,
                              bool logarithm) {
  const S *x = IN(S, x);
  S *out = OUT(S, out);
  uint32_t n = p->n;
  if (p->inner > 1) {
    COLUMN_UNITS(NAME(columns), x + at, out + at)
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
      ROLLED for (; i + LANES <= n; i += LANES) store(to + i, load(row + i) - m - t);
      if (i < n) store_tail(to + i, load_tail(row + i, n - i, 0) - m - t, n - i);
    } else {
      V t = (S)1 / splat(total);
      ROLLED for (; i + LANES <= n; i += LANES) store(to + i, load(to + i) * t);
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
    COLUMN_UNITS(NAME(columns_backward), g + at, y + at, gx + at)
    return;
  }
  for (uint32_t r = begin; r < end; r++) {
    size_t at = (size_t)r * n;
    V total = splat(NAME(row_dot)(g + at, y + at, n, !logarithm));
    uint32_t i = 0;
#if LANES == 4
    if (logarithm) {
      i = n & ~15u;
      exp_runs(y + at, gx + at, i, 0, 0, NULL, NULL, g + at, total[0]);
      at += i;
    }
#endif
#define RESULT(v, w) (logarithm ? (v) - exp_(w) * total : (w) * ((v) - total))
    ROLLED for (; i + LANES <= n; i += LANES, at += LANES)
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
#undef PARTS
#undef ROLLED
#undef ROWS
#undef COLUMNS
#undef GET
#undef PUT
#undef COLUMN_UNITS
#endif
