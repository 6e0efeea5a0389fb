// Other functions of float64 vectors, lane by lane through the C library, and the few functions it
// lacks; part of simd_math.h.
#ifndef ISOTORCH_SIMD_LIBM_H
#define ISOTORCH_SIMD_LIBM_H

#define M(name, f)                                                                                 \
  VFN f64x2 name(f64x2 x) { return (f64x2){f(x[0]), f(x[1])}; }
M(tan_, tan)
M(asin_, asin)
M(acos_, acos)
M(atan_, atan)
M(lgamma_, lgamma)
#undef M
VFN f64x2 atan2_(f64x2 y, f64x2 x) { return (f64x2){atan2(y[0], x[0]), atan2(y[1], x[1])}; }
VFN f64x2 hypot_(f64x2 x, f64x2 y) { return (f64x2){hypot(x[0], y[0]), hypot(x[1], y[1])}; }

// The inverse of erf: rational approximations, then two Newton steps on erf.
static inline double erfinv_one(double y) {
  static const double a[4] = {0.886226899, -1.645349621, 0.914624893, -0.140543331};
  static const double b[4] = {-2.118377725, 1.442710462, -0.329097515, 0.012229801};
  static const double c[4] = {-1.970840454, -1.624906493, 3.429567803, 1.641345311};
  static const double d[2] = {3.543889200, 1.637067800};
  double size = fabs(y), x;
  if (!(size <= 1)) return NAN;
  if (size == 1) return copysign(INFINITY, y);
  if (size <= 0.7) {
    double z = y * y;
    x = y * (((a[3] * z + a[2]) * z + a[1]) * z + a[0]) /
        ((((b[3] * z + b[2]) * z + b[1]) * z + b[0]) * z + 1);
  } else {
    double z = sqrt(-log((1 - size) / 2));
    x = copysign((((c[3] * z + c[2]) * z + c[1]) * z + c[0]) / ((d[1] * z + d[0]) * z + 1), y);
  }
  const double half_root_pi = 0.886226925452758013649;
  for (int step = 0; step < 2; step++) {
    x -= (erf_(splat(x))[0] - y) * half_root_pi * exp(x * x);
  }
  return x;
}

// The derivative of log gamma: reflection, recurrence up to 10, asymptotic series. PyTorch's values
// at the poles: -inf at 0, +inf at -0, NaN at negative integers.
static inline double digamma_one(double x) {
  const double pi = 3.14159265358979323846;
  if (x == 0) return copysign(INFINITY, -x);
  double shift = 0;
  if (x < 0) {
    double whole = trunc(x);
    if (x == whole) return NAN;
    shift = -pi / tan(pi * (x - whole));
    x = 1 - x;
  }
  for (; x < 10; x += 1) shift -= 1 / x;
  if (x == 10) return shift + 2.25175258906672110764;
  double z = x < 1e17 ? 1 / (x * x) : 0;
  double series = z * (1.0 / 12 - z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 -
                  z * (1.0 / 132 - z * (691.0 / 32760 - z * (1.0 / 12)))))));
  return shift + log(x) - 0.5 / x - series;
}

VFN f64x2 erfinv_(f64x2 x) { return (f64x2){erfinv_one(x[0]), erfinv_one(x[1])}; }
VFN f64x2 digamma_(f64x2 x) { return (f64x2){digamma_one(x[0]), digamma_one(x[1])}; }

#endif
