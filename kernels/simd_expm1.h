// expm1 and tanh of f32x4, of one formula; part of simd_math.h.
#ifndef ISOTORCH_SIMD_EXPM1_H
#define ISOTORCH_SIMD_EXPM1_H

// The numbers of expm1 and tanh: exp's, with the exponent's bias for 2^(n - 1) in the rounder; the
// bounds of what exp is taken of; the sign bit.
enum { EXPM1 = 13, EXPM1_SIGN = 12 };
#define EXPM1_OF(least, most)                                                                      \
  {LOG2_E,          ROUNDER + 126,   LN2_HIGH,       LN2_LOW,         0.5f,             \
   0x1.555554p-3f,  0x1.5554eap-5f,  0x1.1113a2p-7f, 0x1.6d4bd6p-10f, 0x1.9c8eaep-13f,  \
   least,           most,            -0.0f}
static const float EXPM1_NUMBERS[EXPM1] = EXPM1_OF(-18, 89), TANH_NUMBERS[EXPM1] = EXPM1_OF(-10, 0);

// What exp is taken of: x, or for tanh -2|x|, within bounds. NaN stays.
VFN f32x4 expm1_argument(const f32x4 *k, f32x4 x, bool tanh) {
  if (!tanh) return pmax_(pmin_(x, k[11]), k[10]);
  x = pmax_((f32x4)((i32x4)x | (i32x4)k[EXPM1_SIGN]), k[10]);
  return x + x;
}
// x - n ln 2, and 2^(n - 1).
VFN f32x4 expm1_rest(const f32x4 *k, f32x4 x, f32x4 *power) {
  f32x4 t = x * k[0] + k[1], whole = t - k[1];
  *power = (f32x4)((i32x4)t << 23);
  return (x - whole * k[2]) - whole * k[3];
}
// exp(x) - 1, or with e = exp(-2|x|) the sign of x times (1 - e) / (1 + e).
VFN f32x4 expm1_of_rest(const f32x4 *k, f32x4 r, f32x4 power, f32x4 x, bool tanh) {
  f32x4 s = r * r, p = ((k[9] * r + k[8]) * s + (k[7] * r + k[6])) * s + (k[5] * r + k[4]);
  f32x4 rest = power * (p * s + r), y = tanh ? (k[4] - power) - rest : rest + (power - k[4]);
  y = tanh ? y / ((k[4] + power) + rest) : y + y;
  return (f32x4)((i32x4)y | ((i32x4)x & (i32x4)k[EXPM1_SIGN]));
}
VFN f32x4 expm1_or_tanh(const float *numbers, f32x4 x, bool tanh) {
  f32x4 k[EXPM1], power;
  UNROLL for (int i = 0; i < EXPM1; i++) k[i] = splat(numbers[i]);
  f32x4 r = expm1_rest(k, expm1_argument(k, x, tanh), &power);
  return expm1_of_rest(k, r, power, x, tanh);
}
// Max 1.53 ULP, at 0.3528; denormals lose their last bit.
VFN f32x4 expm1_(f32x4 x) { return expm1_or_tanh(EXPM1_NUMBERS, x, false); }
// Max 1.96 ULP, at 0.5157.
VFN f32x4 tanh_(f32x4 x) { return expm1_or_tanh(TANH_NUMBERS, x, true); }

#endif
