// Running sums, products and extremes over the middle of [outer, n, inner], from either end. A unit
// of work is one line, or SCAN_COLUMNS lines side by side. Reals are accumulated in double
// precision, integers wrap.
#include "kernel.h"
#ifndef S
#include <math.h>
#define SCAN_COLUMNS 64
#define SOURCE "scan.c"
#include "each_number.h"
#else

#if REAL
#define TOTAL double
#else
#define TOTAL uint64_t
#endif

// Calls STEP(x, c) -> result for each element of each line, in order; lines of a unit are
// interleaved for the cache.
#define SCAN(INIT, STEP)                                                                 \
  const S *x = IN(S, x);                                                                 \
  S *out = OUT(S, out);                                                                  \
  uint32_t n = p->n, inner = p->inner, chunks = (inner + SCAN_COLUMNS - 1) / SCAN_COLUMNS; \
  for (uint32_t u = begin; u < end; u++) {                                               \
    uint32_t first = u % chunks * SCAN_COLUMNS, columns = MIN(SCAN_COLUMNS, inner - first); \
    size_t base = (size_t)(u / chunks) * n * inner + first;                              \
    if (inner == 1) {                                                                    \
      TOTAL sum = INIT;                                                                  \
      ptrdiff_t step = p->reverse ? -1 : 1;                                              \
      for (size_t i = 0, at = p->reverse ? base + n - 1 : base; i < n; i++, at += step)  \
        out[at] = (S)(sum = STEP(sum, (TOTAL)x[at]));                                    \
      continue;                                                                          \
    }                                                                                    \
    TOTAL total[SCAN_COLUMNS];                                                           \
    for (uint32_t c = 0; c < columns; c++) total[c] = INIT;                              \
    for (uint32_t i = 0; i < n; i++) {                                                   \
      size_t at = base + (size_t)(p->reverse ? n - 1 - i : i) * inner;                   \
      for (uint32_t c = 0; c < columns; c++, at++) {                                     \
        TOTAL v = (TOTAL)x[at];                                                          \
        out[at] = (S)(total[c] = STEP(total[c], v));                                     \
      }                                                                                  \
    }                                                                                    \
  }

#define ADD(a, b) ((a) + (b))
#define MULTIPLY(a, b) ((a) * (b))
KERNEL(cumsum) { SCAN(0, ADD) }
KERNEL(cumprod) { SCAN(1, MULTIPLY) }
#undef ADD
#undef MULTIPLY

#if REAL
// log(exp(a) + exp(b)); equal infinities have no difference.
static inline double NAME(log_add)(double a, double b) {
  double most = a != a || a > b ? a : b, least = a != a || a > b ? b : a;
  return most == least && isinf(most) ? most : most + log1p(exp(least - most));
}
KERNEL(logcumsumexp) { SCAN(-INFINITY, NAME(log_add)) }
#endif

// Largest (or smallest) so far and where it stands: the last of equals, as PyTorch; a NaN stays.
KERNEL(cumExtreme) {
  const S *x = IN(S, x);
  S *values = OUT(S, values);
  int32_t *indices = OUT(int32_t, indices);
  uint32_t n = p->n, inner = p->inner, chunks = (inner + SCAN_COLUMNS - 1) / SCAN_COLUMNS;
  for (uint32_t u = begin; u < end; u++) {
    uint32_t first = u % chunks * SCAN_COLUMNS, columns = MIN(SCAN_COLUMNS, inner - first);
    size_t base = (size_t)(u / chunks) * n * inner + first;
    S best[SCAN_COLUMNS];
    int32_t place[SCAN_COLUMNS];
    for (uint32_t i = 0; i < n; i++) {
      size_t at = base + (size_t)i * inner;
      for (uint32_t c = 0; c < columns; c++, at++) {
        S v = x[at];
        bool better = i == 0 || (p->least ? v <= best[c] : v >= best[c]);
#if REAL
        better = better || v != v;
#endif
        best[c] = better ? v : best[c];
        place[c] = better ? (int32_t)i : place[c];
        values[at] = best[c];
        indices[at] = place[c];
      }
    }
  }
}

#undef TOTAL
#undef SCAN
#endif
