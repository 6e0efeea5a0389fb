// Sums, products, extremes and p-norms of the middle of [outer, n, inner]. See reduce_tree.h.
#include "kernel.h"
#ifndef S
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
#define COUNT(v) select((v) == 0, splat((S)0), splat((S)1))
static __attribute__((noinline)) V NAME(power_of)(V v, f64w exponent) {
  return pow_(abs_(v), splat((S)F64(exponent)));
}
#define POWER(v) NAME(power_of)(v, p->exponent)

#define FOLD sumNonzero
#define IDENTITY 0
#define MEET ADD
#define LANES_OF sum_lanes
#define MAP COUNT
#define FINISH TOTAL
#include "reduce_tree.h"

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
#undef COUNT
#undef POWER
#endif

#undef SAME
#undef ADD
#undef MULTIPLY
#undef LOWEST
#undef HIGHEST
#undef TOTAL
#endif
