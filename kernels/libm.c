// What the C library calls of itself, of simd_double.h: its own exp, log and pow bring tables that are
// larger than all of these. Native builds have theirs.
#include "simd_math.h"

#ifdef __wasm__
double exp(double x) {
  if (!(fabs(x) <= 708)) return exp_(splat(x))[0];
  const double *k = EXP_DOUBLES;
  __asm__("" : "+r"(k)); // numbers stay in memory
  double rest, t, sum = exp_of_sum(k, x, 0, &rest, &t) + rest;
  int64_t value, n;
  memcpy(&value, &sum, sizeof value);
  memcpy(&n, &t, sizeof n);
  value += (int64_t)((uint64_t)n << 52);
  memcpy(&sum, &value, sizeof sum);
  return sum;
}
double log(double x) { return log_(splat(x))[0]; }
#endif
