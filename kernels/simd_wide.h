// Functions of f32x4 whose intermediate values need more than float32: computed as two f64x2 with
// polynomials good to 2^-32 or better; part of simd_math.h.
#ifndef ISOTORCH_SIMD_WIDE_H
#define ISOTORCH_SIMD_WIDE_H

#define LN2 0.693147180559945309417
#define LOG2_E_WIDE 1.44269504088896340736

// log(x) for positive normal x: with m in [sqrt(1/2), sqrt(2)), 2 atanh(z) of z = (m - 1) / (m +
// 1).
VFN f64x2 log_wide(f64x2 x) {
  const int64_t root_half = 0x3fe6a09e667f3bcd;
  i64x2 shifted = (i64x2)x - root_half;
  // The exponent, biased to be positive, becomes a double by joining it to 2^52.
  i64x2 biased = (i64x2)((u64x2)(shifted + (1023ll << 52)) >> 52);
  f64x2 e = (f64x2)(biased | 0x4330000000000000) - (0x1p52 + 1023);
  f64x2 m = (f64x2)((shifted & 0xfffffffffffff) + root_half);
  f64x2 z = (m - 1.0) / (m + 1.0), s = z * z;
  f64x2 p = POLY(s, 0x1.555555561e460p-1, 0x1.999996a945fa3p-2, 0x1.249411ef75717p-2,
                 0x1.c62b140c0097fp-3, 0x1.91159cfa3992dp-3);
  return e * LN2 + (2.0 * z + z * s * p);
}

// 2^x for |x| < 1000.
VFN f64x2 exp2_wide(f64x2 x) {
  f64x2 t = x + 0x1.8p52, r = x - (t - 0x1.8p52);
  f64x2 p = POLY(r, 1.0, 0x1.62e42fef95df3p-1, 0x1.ebfbe0460f266p-3, 0x1.c6b08dc65f531p-5,
                 0x1.3b2a1b3a26b63p-7, 0x1.5d874f3495b68p-10, 0x1.444050c758c31p-13,
                 0x1.00d9998028b2ap-16);
  return (f64x2)((i64x2)p + ((i64x2)t << 52));
}

// |x|^y, where x and y hold floats; the callers mend y = 0 and NaN.
VFN f64x2 pow_wide(f64x2 x, f64x2 y) {
  f64x2 size = abs_(x);
  f64x2 log2 = log_wide(size) * LOG2_E_WIDE;
  log2 = select(size == 0, splat((double)-INFINITY), select(size < INFINITY, log2, size));
  f64x2 power = clamp_(y, -0x1p127, 0x1p127) * log2;
  return exp2_wide(clamp_(power, -200.0, 200.0));
}

// Max 0.51 ULP, with all of C's special cases.
VFN f32x4 pow_(f32x4 x, f32x4 y) {
  f32x4 size = narrow(pow_wide(widen_low(x), widen_low(y)), pow_wide(widen_high(x), widen_high(y)));
  f32x4 half = y * 0.5f;
  i32x4 whole = trunc_(y) == y, odd = whole & (trunc_(half) != half);
  f32x4 value = (f32x4)((i32x4)size ^ ((i32x4)x & odd & INT32_MIN));
  value = select((x < 0) & isfinite_(x) & ~whole, splat(NAN), value);
  value = select(isnan_(x) | isnan_(y), x + y, value);
  return select((x == 1) | (y == 0), (f32x4){1, 1, 1, 1}, value);
}

// f on both halves.
#define WIDE(f, x) narrow(f(widen_low(x)), f(widen_high(x)))

// ---- Inverse hyperbolic -------------------------------------------------------------------------

// Max 0.51 ULP: near 0 the odd series, else logarithms in double.
VFN f64x2 asinh_wide(f64x2 x) { return log_wide(x + sqrt_(x * x + 1.0)); }
VFN f32x4 asinh_(f32x4 x) {
  f32x4 size = abs_(x), s = x * x;
  f32x4 near = size - size * s * POLY(s, 0x1.555556p-3f, -0.075f);
  f32x4 value = select(size < 0x1p-5f, near, WIDE(asinh_wide, size));
  return copysign_(select(isfinite_(x), value, size), x);
}

VFN f64x2 acosh_wide(f64x2 x) { return log_wide(x + sqrt_((x - 1.0) * (x + 1.0))); }
VFN f32x4 acosh_(f32x4 x) {
  f32x4 value = select(x < INFINITY, WIDE(acosh_wide, x), x);
  return select(x < 1, splat(NAN), value);
}

VFN f64x2 atanh_wide(f64x2 x) { return 0.5 * log_wide((1.0 + x) / (1.0 - x)); }
VFN f32x4 atanh_(f32x4 x) {
  f32x4 size = abs_(x), s = x * x;
  f32x4 near = size + size * s * POLY(s, 0x1.555556p-2f, 0.2f);
  f32x4 value = select(size < 0x1p-5f, near, WIDE(atanh_wide, size));
  value = select(size == 1, splat(INFINITY), value);
  return select(size <= 1, copysign_(value, x), splat(NAN));
}

// ---- Others -------------------------------------------------------------------------------------

// Max 0.51 ULP.
VFN f64x2 hypot_wide(f64x2 x, f64x2 y) { return sqrt_(x * x + y * y); }
VFN f32x4 hypot_(f32x4 x, f32x4 y) {
  f64x2 low = hypot_wide(widen_low(x), widen_low(y));
  f32x4 value = narrow(low, hypot_wide(widen_high(x), widen_high(y)));
  return select(isinf_(x) | isinf_(y), splat(INFINITY), value);
}

// Max 0.52 ULP: exp(-a^2) / (1 + 2a) * P((a - 3) / (a + 3)) of a = |x|, and 2 minus that below 0.
VFN f64x2 erfc_wide(f64x2 x) {
  f64x2 a = clamp_(abs_(x), 0.0, 10.2), t = (a - 3.0) / (a + 3.0);
  f64x2 p = POLY(t, 0x1.40c522dacc75bp+0, -0x1.15c0859da1cf3p-3, -0x1.85a18c9cdee91p-5,
                 0x1.0983890d3cf6fp-3, -0x1.e8895bee3d0e4p-4, 0x1.17c7f836b03a9p-4,
                 -0x1.85bd0f229fce7p-6, 0x1.4b96eaa123c76p-9, 0x1.ff4a1a3acb7edp-10,
                 -0x1.84d2a934e883ep-11, -0x1.7fe9faaee5c63p-13, 0x1.27512cf81c43ap-15);
  f64x2 value = exp2_wide(a * a * -LOG2_E_WIDE) * p / (1.0 + 2.0 * a);
  return select(x < 0, 2.0 - value, value);
}
VFN f32x4 erfc_(f32x4 x) { return WIDE(erfc_wide, x); }

// Rare ones, through the functions of double.
VFN f32x4 erfinv_(f32x4 x) { return WIDE(erfinv_, x); }
VFN f32x4 lgamma_(f32x4 x) { return WIDE(lgamma_, x); }
VFN f32x4 digamma_(f32x4 x) { return WIDE(digamma_, x); }

#endif
