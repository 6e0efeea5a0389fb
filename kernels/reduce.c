// Sums, products, extremes and p-norms of the middle of [outer, n, inner]. See reduce_tree.h.
#include "kernel.h"
#ifndef S
#include "elementwise.h"
#include "reduce.h"
#define SOURCE "reduce.c"
#include "each_number.h"
#else

#define SAME(v) (v)
#define ADD(a, b) ((a) + (b))
#define MULTIPLY(a, b) ((a) * (b))

#if REAL
#define LOWEST (-INFINITY)
#define HIGHEST INFINITY
// A sum becomes a mean by its divisor, a p-norm by the power 1 / p.
static __attribute__((noinline)) V NAME(reduce_finish)(f64w divide, f64w raise, V v) {
  double divisor = F64(divide), power = F64(raise);
  if (divisor != 1) v = v / splat((S)divisor);
  if (power == 0.5) return sqrt_(v);
  return power == 1 ? v : pow_(v, splat((S)power));
}
#define TOTAL(v) NAME(reduce_finish)(p->divisor, p->power, v)
#else
#define LOWEST (sizeof(S) == 4 ? INT32_MIN : INT64_MIN)
#define HIGHEST (sizeof(S) == 4 ? INT32_MAX : INT64_MAX)
#define TOTAL(v) (v)
#endif

#define FOLD sum
#define IDENTITY 0
#define MEET ADD
#define LANES_OF sum_lanes
#define MAP SAME
#define FINISH TOTAL
#include "reduce_tree.h"

#if REAL
#define TURN (8 * LANES)
// Adds n elements to eight sums, TURN at a time: neighbours, or every other one.
#define ADD_LINE(name, step, get)                                                          \
  static NOINLINE void NAME(name)(V *sums, const S *x, uint32_t n) {                       \
    const S *end = x + n * step;                                                           \
    V a[8];                                                                                \
    for (int k = 0; k < 8; k++) a[k] = sums[k];                                            \
    __asm__("" : "+r"(end));                                                               \
    _Pragma("clang loop unroll(disable)") while (x < end) {                                \
      for (int k = 0; k < 4; k++) a[k] = a[k] + get(x + k * LANES * step);                 \
      if (x + 4 * LANES * step == end) break; /* never: as in sum_run */                   \
      for (int k = 4; k < 8; k++) a[k] = a[k] + get(x + k * LANES * step);                 \
      x += TURN * step;                                                                    \
    }                                                                                      \
    for (int k = 0; k < 8; k++) sums[k] = a[k];                                            \
  }
ADD_LINE(add_line, 1, load)
#if LANES == 4
#define EVEN(p) __builtin_shufflevector(load(p), load((p) + 4), 0, 2, 4, 6)
ADD_LINE(add_even, 2, EVEN)
#endif

// sum_run of n elements, a multiple of TURN as `width` is, from rows `pitch` apart where they lie: `first` are left of
// the first row. Of step 2, one element more than the last is there.
static NOINLINE V NAME(sum_lines)(const S *x, uint32_t n, uint32_t first, uint32_t width, size_t pitch, uint32_t step) {
  V a[8];
  for (int k = 0; k < 8; k++) a[k] = splat((S)0);
  for (const S *row = x - (width - first) * step; n > 0; x = row += pitch, first = width) {
    const uint32_t count = MIN(n, first);
    if (step == 1) NAME(add_line)(a, x, count);
#if LANES == 4
    else NAME(add_even)(a, x, count);
#endif
    n -= count;
  }
  for (int k = 0; k < 4; k++) a[k] = a[k] + a[k + 4];
  return (a[0] + a[2]) + (a[1] + a[3]);
}

// As sum_columns, of columns `step` apart.
static V NAME(load_some)(const S *x, uint32_t step, uint32_t n) {
  V v = {0};
  for (uint32_t k = 0; k < n; k++) v[k] = x[k * step];
  return v;
}
static NOINLINE void NAME(sum_steps)(
    const sum_params *p, const S *x, S *out, uint32_t rows, uint32_t count, size_t pitch, uint32_t step) {
  V a[REDUCE_VECTORS];
  const uint32_t whole = count / LANES, tail = count % LANES, skip = LANES * step;
  for (uint32_t c = 0; c <= whole; c++) a[c] = splat((S)0);
  for (uint32_t r = 0, n; r < rows; r += n, x += n * pitch) {
    n = r + 4 <= rows ? 4 : 1;
    const S *at = x;
#define FOUR_ROWS(get)                                                              \
  for (uint32_t c = 0; c < whole; c++, at += skip)                                    \
    a[c] = a[c] + ((get(at, step) + get(at + pitch, step)) +                          \
                   (get(at + 2 * pitch, step) + get(at + 3 * pitch, step)));
#if LANES == 4
#define EVERY_OTHER(p, step) __builtin_shufflevector(load(p), load((p) + 3), 0, 2, 5, 7)
    if (n == 4 && step == 2) FOUR_ROWS(EVERY_OTHER)
    else
#endif
    if (n == 4) FOUR_ROWS(load_strided)
    else
      for (uint32_t c = 0; c < whole; c++, at += skip) a[c] = a[c] + load_strided(at, step);
    if (tail) {
      V v = NAME(load_some)(at, step, tail);
      if (n == 4)
        v = (v + NAME(load_some)(at + pitch, step, tail)) +
            (NAME(load_some)(at + 2 * pitch, step, tail) + NAME(load_some)(at + 3 * pitch, step, tail));
      a[whole] = a[whole] + v;
    }
  }
  for (uint32_t c = 0; c < whole; c++) store(out + c * LANES, TOTAL(a[c]));
  if (tail) store_tail(out + whole * LANES, TOTAL(a[whole]), tail);
}

// As `sum` of a copy: of elements `step` apart, in rows of `width` that lie `pitch` apart, where inner = 1, each block
// read where it lies or copied by the thread that sums it; else in rows of `inner`.
KERNEL(sumSpread) {
  const S *x = IN(S, x);
  S *out = OUT(S, out), copy[REDUCE_BLOCK];
  const uint32_t n = p->n, inner = p->inner, block = p->block, blocks = p->blocks, width = p->width, step = p->step;
  const uint32_t chunks = inner == 1 ? 1 : (inner + REDUCE_COLUMNS - 1) / REDUCE_COLUMNS;
  const bool whole = n % TURN == 0 && width % TURN == 0 && (step == 1 || (step == 2 && LANES == 4));
  sum_params plain;
  memcpy(&plain, p, sizeof plain);
  for (uint32_t u = begin; u < end; u++) {
    const uint32_t b = u / chunks % blocks, o = u / chunks / blocks, rows = MIN(block, n - b * block);
    const uint32_t at = o * n + b * block;
    if (inner > 1) {
      const uint32_t first = u % chunks * REDUCE_COLUMNS;
      const uint32_t count = MIN(REDUCE_COLUMNS, inner - first);
      const S *from = x + (size_t)at * p->pitch + (size_t)first * step;
      S *to = out + (size_t)u / chunks * inner + first;
      if (step == 1) JOIN(sum_columns, SUFFIX)(&plain, from, to, rows, count, p->pitch);
      else NAME(sum_steps)(&plain, from, to, rows, count, p->pitch, step);
      continue;
    }
    uint32_t column = at % width;
    const S *line = x + (size_t)(at / width) * p->pitch;
    if (whole && (step == 1 || at + rows < p->total)) {
      const V sum =
          NAME(sum_lines)(line + (size_t)column * step, rows, width - column, width, p->pitch, step);
      out[u] = TOTAL(splat(sum_lanes(sum)))[0];
    } else {
      for (uint32_t done = 0, count; done < rows; done += count, column = 0, line += p->pitch) {
        count = MIN(rows - done, width - column);
        move_strided(
            (unsigned char *)(copy + done), 1, (const unsigned char *)(line + (size_t)column * step), step, count,
            sizeof(S));
      }
      JOIN(sum_rows, SUFFIX)(&plain, copy, out + u, 1, rows);
    }
  }
}
#undef TURN
#endif

#define FOLD prod
#define IDENTITY 1
#define MEET MULTIPLY
#define LANES_OF prod_lanes
#define MAP SAME
#define FINISH SAME
#include "reduce_tree.h"

#define FOLD amax
#if REAL
#define QUICK pmax_
#endif
#define IDENTITY LOWEST
#define MEET max_
#define LANES_OF max_lanes
#define MAP SAME
#define FINISH SAME
#include "reduce_tree.h"

#define FOLD amin
#if REAL
#define QUICK pmin_
#endif
#define IDENTITY HIGHEST
#define MEET min_
#define LANES_OF min_lanes
#define MAP SAME
#define FINISH SAME
#include "reduce_tree.h"

#if REAL
// The terms |x|^p of a norm; the levels above the first are `sum`, `amax` or `amin`.
#define SQUARE(v) ((v) * (v))
// What is not zero counts as one where the exponent is 0.
static __attribute__((noinline)) V NAME(power_of)(V v, f64w exponent) {
  if (F64(exponent) == 0) return select(v == 0, splat((S)0), splat((S)1));
  return pow_(abs_(v), splat((S)F64(exponent)));
}
#define POWER(v) NAME(power_of)(v, p->exponent)

#define FOLD sumAbs
#define IDENTITY 0
#define MEET ADD
#define LANES_OF sum_lanes
#define MAP abs_
#define FINISH TOTAL
#include "reduce_tree.h"

#define FOLD sumSquares
#define IDENTITY 0
#define MEET ADD
#define LANES_OF sum_lanes
#define MAP SQUARE
#define FINISH TOTAL
#include "reduce_tree.h"

#define FOLD sumPowers
#define IDENTITY 0
#define FILL (F64(p->exponent) < 0 ? INFINITY : 0)
#define MEET ADD
#define LANES_OF sum_lanes
#define MAP POWER
#define FINISH TOTAL
#include "reduce_tree.h"

#define FOLD amaxAbs
#define IDENTITY 0
#define MEET max_
#define LANES_OF max_lanes
#define MAP abs_
#define FINISH SAME
#include "reduce_tree.h"

#define FOLD aminAbs
#define IDENTITY INFINITY
#define MEET min_
#define LANES_OF min_lanes
#define MAP abs_
#define FINISH SAME
#include "reduce_tree.h"
#undef SQUARE
#undef POWER
#endif

#undef SAME
#undef ADD
#undef MULTIPLY
#undef LOWEST
#undef HIGHEST
#undef TOTAL
#endif
