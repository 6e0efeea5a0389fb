// Running sums, products and extremes over the middle of [outer, n, inner], from either end. A unit
// of work is one line, or SCAN_COLUMNS lines side by side. Reals are accumulated in double
// precision, integers wrap.
#include "kernel.h"
#ifndef S
#include <math.h>
#define SCAN_COLUMNS 64
// Lines that are done at once where each element waits long for the one before.
#define SCAN_LINES 4
#define SOURCE "scan.c"
#include "each_number.h"
#else

#if REAL
#define TOTAL double

// log(exp(a) + exp(b)); equal infinities have no difference.
static NOINLINE double NAME(log_add)(double a, double b) {
  double most = a != a || a > b ? a : b, least = a != a || a > b ? b : a;
  return most == least && isinf(most) ? most : most + log1p(exp(least - most));
}
#else
#define TOTAL uint64_t
#endif

#define ADD(a, b) ((a) + (b))
#define MULTIPLY(a, b) ((a) * (b))

// Totals of `lines` lines, one after the other or side by side. The lines begin `apart`, their elements follow at `step`.
// Where one element is before the next, exclusive totals are read before they are written: a load would wait for a store to
// the same place of another page. Columns write those of one row less, a row further. ALL totals never are exclusive.
#define SCAN(name, INIT, STEP, LINES, ALL)                                                                            \
  static inline __attribute__((always_inline)) void NAME(name##_lines)(                                               \
      const S *x, S *out, uint32_t n, ptrdiff_t step, const bool exclusive, const uint32_t lines, ptrdiff_t apart) {  \
    TOTAL total[SCAN_COLUMNS];                                                                                        \
    for (uint32_t c = 0; c < lines; c++) total[c] = INIT;                                                             \
    ptrdiff_t at = 0;                                                                                                 \
    for (uint32_t i = 0; i < n; i++, at += step) {                                                                    \
      for (uint32_t c = 0; c < lines; c++) {                                                                          \
        const TOTAL before = total[c];                                                                                \
        total[c] = STEP(before, (TOTAL)x[at + c * apart]);                                                            \
        out[at + c * apart] = (S)(exclusive ? before : total[c]);                                                     \
      }                                                                                                               \
    }                                                                                                                 \
  }                                                                                                                   \
  KERNEL(name) {                                                                                                      \
    const bool exclusive = !ALL && p->exclusive;                                                                      \
    const uint32_t n = p->n, inner = p->inner, chunks = (inner + SCAN_COLUMNS - 1) / SCAN_COLUMNS;                    \
    const ptrdiff_t step = p->reverse ? -(ptrdiff_t)inner : (ptrdiff_t)inner;                                         \
    for (uint32_t u = begin, units; u < end && n > 0; u += units) {                                                   \
      const uint32_t first = u % chunks * SCAN_COLUMNS, columns = MIN(SCAN_COLUMNS, inner - first);                   \
      const size_t base = ((size_t)(u / chunks) * n + (p->reverse ? n - 1 : 0)) * inner + first;                      \
      const S *x = IN(S, x) + base;                                                                                   \
      S *out = OUT(S, out) + base;                                                                                    \
      units = inner == 1 && !exclusive && end - u >= LINES ? LINES : 1;                                               \
      if (inner > 1 || (exclusive && !REAL)) {                                                                        \
        for (uint32_t c = 0; c < columns && exclusive; c++) out[c] = (S)(INIT);                                       \
        S *to = exclusive ? out + step : out;                                                                         \
        NAME(name##_lines)(x, to, n - exclusive, step, false, columns, 1);                                            \
      } else if (exclusive) NAME(name##_lines)(x, out, n, step, true, 1, 1);                                          \
      else NAME(name##_lines)(x, out, n, step, false, LINES == 1 ? 1 : units, n);                                     \
    }                                                                                                                 \
  }

SCAN(cumsum, 0, ADD, 1, true)
SCAN(cumprod, 1, MULTIPLY, 1, false)
#if REAL
SCAN(logcumsumexp, -INFINITY, NAME(log_add), SCAN_LINES, true)

// out[i] = x[i] + factor[i - lag] * out[i - 1], in either direction. Lines as in SCAN.
KERNEL(recurrence) {
  const uint32_t n = p->n, inner = p->inner, chunks = (inner + SCAN_COLUMNS - 1) / SCAN_COLUMNS;
  const ptrdiff_t step = p->reverse ? -(ptrdiff_t)inner : (ptrdiff_t)inner;
  for (uint32_t u = begin, units; u < end && n > 0; u += units) {
    const uint32_t first = u % chunks * SCAN_COLUMNS, columns = MIN(SCAN_COLUMNS, inner - first);
    const size_t base = ((size_t)(u / chunks) * n + (p->reverse ? n - 1 : 0)) * inner + first;
    const S *x = IN(S, x) + base, *factor = IN(S, factor) + base - (p->lag ? step : 0);
    S *out = OUT(S, out) + base;
    units = inner == 1 && end - u >= SCAN_LINES ? SCAN_LINES : 1;
    const uint32_t lines = inner == 1 ? units : columns;
    const ptrdiff_t apart = inner == 1 ? n : 1;
    double total[SCAN_COLUMNS];
    for (uint32_t c = 0; c < lines; c++) out[c * apart] = (S)(total[c] = x[c * apart]);
    ptrdiff_t at = step;
    for (uint32_t i = 1; i < n; i++, at += step)
      for (uint32_t c = 0; c < lines; c++) {
        total[c] = x[at + c * apart] + factor[at + c * apart] * total[c];
        out[at + c * apart] = (S)total[c];
      }
  }
}
#endif
#undef ADD
#undef MULTIPLY

// Largest (or smallest, which is the largest of what is turned round) so far and where it stands: the last of equals, as
// PyTorch; a NaN stays.
#if REAL
#define TURN(v, by) ((v) * (by))
#define BETTER(v, best) ((v >= best) | (v != v))
#else
#define TURN(v, by) ((v) ^ (by))
#define BETTER(v, best) (v >= best)
#endif
KERNEL(cumExtreme) {
  const uint32_t n = p->n, inner = p->inner, chunks = (inner + SCAN_COLUMNS - 1) / SCAN_COLUMNS;
  const S by = REAL ? (p->least ? -1 : 1) : -(S)p->least;
  for (uint32_t u = begin; u < end && n > 0; u++) {
    const uint32_t first = u % chunks * SCAN_COLUMNS, columns = MIN(SCAN_COLUMNS, inner - first);
    const size_t base = (size_t)(u / chunks) * n * inner + first;
    const S *x = IN(S, x) + base;
    S *values = OUT(S, values) + base;
    int32_t *indices = OUT(int32_t, indices) + base;
    if (inner == 1) {
      S best = TURN(x[0], by);
      int32_t place = 0;
      for (uint32_t i = 0; i < n; i++) {
        const S v = TURN(x[i], by);
        if (BETTER(v, best)) best = v, place = (int32_t)i;
        values[i] = TURN(best, by);
        indices[i] = place;
      }
      continue;
    }
    S best[SCAN_COLUMNS];
    int32_t place[SCAN_COLUMNS] = {0};
    for (uint32_t c = 0; c < columns; c++) best[c] = TURN(x[c], by);
    for (uint32_t i = 0; i < n; i++, x += inner, values += inner, indices += inner) {
      uint32_t c = 0;
#if LANES == 4
      for (; c + 4 <= columns; c += 4) {
        const V v = TURN(load(x + c), by), old = load(best + c);
        const I better = (I)BETTER(v, old), at = select(better, splat((int32_t)i), load(place + c));
        const V most = select(better, v, old);
        store(best + c, most);
        store(place + c, at);
        store(values + c, TURN(most, by));
        store(indices + c, at);
      }
#endif
      for (; c < columns; c++) {
        const S v = TURN(x[c], by);
        if (BETTER(v, best[c])) best[c] = v, place[c] = (int32_t)i;
        values[c] = TURN(best[c], by);
        indices[c] = place[c];
      }
    }
  }
}
#undef TURN
#undef BETTER

#undef TOTAL
#undef SCAN
#endif
