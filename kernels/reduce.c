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

// Every second element from p on, and nothing behind the last.
#if LANES == 4
#define EVERY_OTHER(p) __builtin_shufflevector(load(p), load((p) + 3), 0, 2, 5, 7)
#else
#define EVERY_OTHER(p) __builtin_shufflevector(load(p), load((p) + 1), 0, 3)
#endif

// As sum_columns, of columns `step` apart.
static V NAME(load_some)(const S *x, uint32_t step, uint32_t n) {
  V v = {0};
  for (uint32_t k = 0; k < n; k++) v[k] = x[k * step];
  return v;
}
static NOINLINE void NAME(sum_steps)(
    const sum_params *p, const S *x, S *out, uint32_t rows, uint32_t count, size_t pitch, uint32_t step) {
  (void)p;
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
#define STEP_OF_TWO(p, two) EVERY_OTHER(p)
    if (n == 4 && step == 2) FOUR_ROWS(STEP_OF_TWO)
    else if (n == 4) FOUR_ROWS(load_strided)
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

#define FOLD sum
#define IDENTITY 0
#define MEET ADD
#define LANES_OF sum_lanes
#define MAP SAME
#define FINISH TOTAL
#define COLUMNS_OF_STEP NAME(sum_steps)
#include "reduce_tree.h"

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
  if (F64(exponent) == 3) return abs_(v) * (v * v);
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
#undef EVERY_OTHER
#undef FOUR_ROWS
#undef STEP_OF_TWO
#endif
