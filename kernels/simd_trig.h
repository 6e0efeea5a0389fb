// Trigonometric functions of f32x4; part of simd_math.h.
#ifndef ISOTORCH_SIMD_TRIG_H
#define ISOTORCH_SIMD_TRIG_H

#define PI 3.14159265358979323846
#define PI_HALF 0x1.921fb6p+0f
#define PI_HALF_LOW -0x1.777a5cp-25f

// ---- Reduction: x = r + n * pi/2 with |r| <= pi/4 -----------------------------------------------

// In double, with pi/2 in 33 + 53 bits: exact enough for |x| < 2^20. n is in the low bits.
VFN f64x2 reduce_pair(f64x2 x, i64x2 *n) {
  f64x2 t = x * 0x1.45f306dc9c883p-1 + 0x1.8p52, whole = t - 0x1.8p52;
  *n = (i64x2)t;
  return x - whole * 0x1.921fb544p+0 - whole * 0x1.0b4611a626331p-34;
}

// Payne and Hanek: the 96 bits of 2/pi that matter for x's exponent, times its 24 bits, modulo 4.
static inline double reduce_far(float x, int32_t *n) {
  static const uint32_t two_over_pi[8] = {0x00000000, 0xa2f9836e, 0x4e441529, 0xfc2757d1,
                                          0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab};
  uint32_t word;
  memcpy(&word, &x, sizeof word);
  uint64_t fraction = (word & 0x7fffff) | 0x800000;
  // x = fraction * 2^exponent; the bits of 2/pi above 2^(2 - exponent) give multiples of 4.
  uint32_t exponent = (word >> 23 & 255) - 150, skip = exponent + 30;
  uint32_t bits[3];
  for (uint32_t i = 0; i < 3; i++) {
    uint32_t at = skip / 32 + i, shift = skip % 32;
    uint64_t pair = (uint64_t)two_over_pi[at] << 32 | two_over_pi[at + 1];
    bits[i] = (uint32_t)(pair << shift >> 32);
  }
  // The product modulo 4 as a 64-bit fraction: its top two bits are the quadrant.
  uint64_t product = fraction * bits[0] << 32;
  product += fraction * bits[1];
  product += fraction * bits[2] >> 32;
  uint64_t quadrant = (product + (1ull << 61)) >> 62;
  double r = (double)(int64_t)(product - (quadrant << 62)) * (PI / 2 * 0x1p-62);
  *n = (int32_t)quadrant;
  *n = word >> 31 ? -*n : *n;
  return word >> 31 ? -r : r;
}

// The quadrant in n's two low bits; the reduced argument in double, lanes 0, 1 and 2, 3. Infinity
// and NaN give NaN.
VFN i32x4 reduce_angle(f32x4 x, f64x2 *low, f64x2 *high) {
  i64x2 n_low, n_high;
  *low = reduce_pair(widen_low(x), &n_low);
  *high = reduce_pair(widen_high(x), &n_high);
  i32x4 n = narrow(n_low, n_high), far = abs_(x) >= 0x1p20f;
  if (any_(far)) {
    for (int i = 0; i < 4; i++) {
      if (!far[i]) continue;
      int32_t quadrant = 0;
      double r = x[i] - x[i] == 0 ? reduce_far(x[i], &quadrant) : NAN;
      if (i < 2) (*low)[i] = r;
      else (*high)[i - 2] = r;
      n[i] = quadrant;
    }
  }
  return n;
}

// ---- Sine, cosine, tangent ----------------------------------------------------------------------

// On [-pi/4, pi/4].
VFN f32x4 sin_near(f32x4 r) {
  f32x4 s = r * r;
  return r + r * s * POLY(s, -0x1.555546p-3f, 0x1.110778p-7f, -0x1.9953fep-13f);
}
VFN f32x4 cos_near(f32x4 r) {
  f32x4 s = r * r;
  f32x4 p = POLY(s, 0x1.55554ap-5f, -0x1.6c0c28p-10f, 0x1.99e80cp-16f);
  return (f32x4){1, 1, 1, 1} - (0.5f * s - s * s * p);
}

VFN f32x4 sin_quadrant(f32x4 r, i32x4 n) {
  f32x4 size = select((n & 1) != 0, cos_near(r), sin_near(r));
  return (f32x4)((i32x4)size ^ (n & 2) << 30);
}

// Of 0 <= x <= 100, exact in float32: pi/2 in 18 + 17 + 24 bits, whose products with n are exact but
// for the last, and |r| >= 2^-27.
VFN f32x4 reduce_near(f32x4 x, i32x4 *n) {
  f32x4 t = x * 0x1.45f306p-1f + 0x1.8p23f, whole = t - 0x1.8p23f;
  *n = (i32x4)t;
  return x - whole * 0x1.921f8p+0f - whole * 0x1.aa22p-19f - whole * 0x1.68c234p-39f;
}

// sin(x + quarter pi / 2) of x >= 0.
VFN f32x4 sin_shifted(f32x4 x, int32_t quarter) {
  i32x4 near;
  f32x4 r = reduce_near(x, &near);
  f32x4 value = sin_quadrant(r, near + quarter);
  i32x4 beyond = (i32x4)x > 0x42c80000; // 100, or NaN
  if (any_(beyond)) {
    f64x2 low, high;
    i32x4 n = reduce_angle(x, &low, &high);
    value = select(beyond, sin_quadrant(narrow(low, high), n + quarter), value);
  }
  return value;
}

// Max 1.58 ULP, at 6.0e31.
VFN f32x4 cos_(f32x4 x) { return sin_shifted(abs_(x), 1); }

// Max 1.58 ULP, at 3.9e9. Of |x|, with x's sign, which keeps -0.
VFN f32x4 sin_(f32x4 x) {
  return (f32x4)((i32x4)sin_shifted(abs_(x), 0) ^ ((i32x4)x & INT32_MIN));
}

VFN f64x2 tan_pair(f64x2 r, i64x2 odd) {
  f64x2 s = r * r;
  f64x2 p = POLY(s, 0x1.555560p-2, 0x1.110d9ep-3, 0x1.bad9c2p-5, 0x1.5cc0d2p-6, 0x1.62cb48p-7,
                 0x1.9bf706p-14, 0x1.1e91fep-8);
  f64x2 t = r + r * s * p;
  return select(odd, splat(-1.0), t) / select(odd, t, splat(1.0));
}

// Max 0.53 ULP: in double throughout, since the quotient would double the error.
VFN f32x4 tan_(f32x4 x) {
  f64x2 low, high;
  i32x4 odd = -(reduce_angle(x, &low, &high) & 1);
  f32x4 value = narrow(tan_pair(low, widen_low(odd)), tan_pair(high, widen_high(odd)));
  return select(x == 0, x, value);
}

// ---- Inverses -----------------------------------------------------------------------------------

// asin on [-1/2, 1/2], minus x.
VFN f32x4 asin_rest(f32x4 x, f32x4 s) {
  return x * s * POLY(s, 0x1.5555c8p-3f, 0x1.330204p-4f, 0x1.747bb4p-5f, 0x1.8c3e96p-6f,
                      0x1.595c14p-5f);
}

// Max 1.69 ULP, at 0.5377. Beyond 1/2: asin(x) = pi/2 - 2 asin(sqrt((1 - x) / 2)).
VFN f32x4 asin_(f32x4 x) {
  f32x4 size = abs_(x), s_far = (1.0f - size) * 0.5f;
  i32x4 far = size > 0.5f;
  f32x4 s = select(far, s_far, x * x), y = select(far, sqrt_(s_far), size);
  f32x4 rest = asin_rest(y, s);
  f32x4 value = select(far, PI_HALF - (2.0f * y + (2.0f * rest - PI_HALF_LOW)), y + rest);
  return copysign_(value, x);
}

// Max 1.19 ULP, at 0.5541.
VFN f32x4 acos_(f32x4 x) {
  f32x4 size = abs_(x), s_far = (1.0f - size) * 0.5f;
  i32x4 far = size > 0.5f;
  f32x4 s = select(far, s_far, x * x), y = select(far, sqrt_(s_far), x);
  f32x4 rest = asin_rest(y, s), twice = 2.0f * (y + rest);
  f32x4 near_pi = 2.0f * PI_HALF - (twice - 2.0f * PI_HALF_LOW);
  f32x4 middle = PI_HALF - (y + (rest - PI_HALF_LOW));
  return select(far, select(x < 0, near_pi, twice), middle);
}

// atan on [0, 1].
VFN f32x4 atan_near(f32x4 q) {
  f32x4 s = q * q;
  return q + q * s * POLY(s, -0x1.55553ep-2f, 0x1.9991e4p-3f, -0x1.242084p-3f, 0x1.c08c1ap-4f,
                          -0x1.580814p-4f, 0x1.da24cap-5f, -0x1.fd6fbcp-6f, 0x1.6410e6p-7f,
                          -0x1.d32dbcp-10f);
}

// Max 1.65 ULP, at 1.003.
VFN f32x4 atan_(f32x4 x) {
  f32x4 size = abs_(x);
  i32x4 steep = size > 1;
  f32x4 angle = atan_near(select(steep, 1.0f / size, size));
  return copysign_(select(steep, PI_HALF - (angle - PI_HALF_LOW), angle), x);
}

// Max 1.62 ULP. The angle of the point (x, y), with C's signs of zero and values at infinities.
VFN f32x4 atan2_(f32x4 y, f32x4 x) {
  f32x4 width = abs_(x), height = abs_(y);
  i32x4 steep = height > width;
  f32x4 q = select(steep, width, height) / select(steep, height, width);
  q = select((width == height) & ((width == 0) | isinf_(width)), to_f32(isinf_(width) & 1), q);
  f32x4 angle = atan_near(q);
  angle = select(steep, PI_HALF - (angle - PI_HALF_LOW), angle);
  angle = select(signbit_(x), 2.0f * PI_HALF - (angle - 2.0f * PI_HALF_LOW), angle);
  return select(isnan_(x) | isnan_(y), x + y, copysign_(angle, y));
}

#endif
