// Elementary functions of the GPU kernels, the scalar twins of simd.h and simd_math.h: `exp_(x)` in
// a kernel is exp_f32 or exp_i32 here, by the dtype of the launch. The built-in functions of WGSL
// may be off by many units in the last place, and WGSL may assume that there is no NaN and no
// infinity: so these are polynomials of our own, and special values are told by their bits.

// ---- Classes and signs --------------------------------------------------------------------------

// Not constants: an expression that is infinity or NaN does not compile.
fn inf_f32() -> f32 { return bitcast<f32>(0x7f800000u + min(p.range, 0u)); }
fn nan_f32() -> f32 { return bitcast<f32>(0x7fc00000u + min(p.range, 0u)); }
// What a maximum and a minimum start from.
fn lowest_f32() -> f32 { return -inf_f32(); }
fn lowest_i32() -> i32 { return -2147483647 - 1; }
fn highest_f32() -> f32 { return inf_f32(); }
fn highest_i32() -> i32 { return 2147483647; }

fn pick_f32(m: bool, a: f32, b: f32) -> f32 { return select(b, a, m); }
fn pick_i32(m: bool, a: i32, b: i32) -> i32 { return select(b, a, m); }
fn magnitude_bits(x: f32) -> u32 { return bitcast<u32>(x) & 0x7fffffffu; }
fn isnan_f32(x: f32) -> bool { return magnitude_bits(x) > 0x7f800000u; }
fn isinf_f32(x: f32) -> bool { return magnitude_bits(x) == 0x7f800000u; }
fn isfinite_f32(x: f32) -> bool { return magnitude_bits(x) < 0x7f800000u; }
fn signbit_f32(x: f32) -> bool { return bitcast<u32>(x) >> 31u == 1u; }
fn isnan_i32(x: i32) -> bool { return false; }
fn isinf_i32(x: i32) -> bool { return false; }
fn isfinite_i32(x: i32) -> bool { return true; }
fn signbit_i32(x: i32) -> bool { return x < 0; }
fn abs_f32(x: f32) -> f32 { return bitcast<f32>(magnitude_bits(x)); }
fn abs_i32(x: i32) -> i32 { return select(x, -x, x < 0); }
fn neg_f32(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) ^ 0x80000000u); }
fn neg_i32(x: i32) -> i32 { return -x; }
fn copysign_f32(size: f32, sign: f32) -> f32 {
  return bitcast<f32>(magnitude_bits(size) | (bitcast<u32>(sign) & 0x80000000u));
}
// -1, 0 or 1; 0 for NaN.
fn sign_f32(x: f32) -> f32 {
  return select(select(select(0.0, -1.0, x < 0.0), 1.0, x > 0.0), 0.0, isnan_f32(x));
}
fn sign_i32(x: i32) -> i32 { return select(select(0, -1, x < 0), 1, x > 0); }

// ---- Minimum and maximum: NaN if either is NaN, -0 below 0 --------------------------------------

fn min_f32(a: f32, b: f32) -> f32 {
  let least = select(select(bitcast<f32>(bitcast<u32>(a) | bitcast<u32>(b)), b, b < a), a, a < b);
  return select(select(least, b, isnan_f32(b)), a, isnan_f32(a));
}
fn max_f32(a: f32, b: f32) -> f32 {
  let most = select(select(bitcast<f32>(bitcast<u32>(a) & bitcast<u32>(b)), b, b > a), a, a > b);
  return select(select(most, b, isnan_f32(b)), a, isnan_f32(a));
}
fn min_i32(a: i32, b: i32) -> i32 { return min(a, b); }
fn max_i32(a: i32, b: i32) -> i32 { return max(a, b); }
fn pmin_f32(a: f32, b: f32) -> f32 { return select(select(a, b, b < a), a, isnan_f32(a)); }
fn pmax_f32(a: f32, b: f32) -> f32 { return select(select(a, b, a < b), a, isnan_f32(a)); }
fn pmin_i32(a: i32, b: i32) -> i32 { return min(a, b); }
fn pmax_i32(a: i32, b: i32) -> i32 { return max(a, b); }
// The other one if one is NaN.
fn fmin_f32(a: f32, b: f32) -> f32 {
  return select(select(min_f32(a, b), a, isnan_f32(b)), b, isnan_f32(a));
}
fn fmax_f32(a: f32, b: f32) -> f32 {
  return select(select(max_f32(a, b), a, isnan_f32(b)), b, isnan_f32(a));
}
fn fmin_i32(a: i32, b: i32) -> i32 { return min(a, b); }
fn fmax_i32(a: i32, b: i32) -> i32 { return max(a, b); }
// x within low <= high; NaN stays.
fn clamp_f32(x: f32, low: f32, high: f32) -> f32 {
  return select(min(max(x, low), high), x, isnan_f32(x));
}

// ---- Rounding -----------------------------------------------------------------------------------

// From 2^23 on every float is whole; infinities and NaN are among them.
fn whole_f32(x: f32) -> bool { return magnitude_bits(x) >= 0x4b000000u; }
fn floor_f32(x: f32) -> f32 { return select(copysign_f32(floor(x), x), x, whole_f32(x)); }
fn ceil_f32(x: f32) -> f32 { return select(copysign_f32(ceil(x), x), x, whole_f32(x)); }
fn trunc_f32(x: f32) -> f32 { return select(copysign_f32(trunc(x), x), x, whole_f32(x)); }
fn round_f32(x: f32) -> f32 { return select(copysign_f32(round(x), x), x, whole_f32(x)); }

// ---- Exponentials -------------------------------------------------------------------------------

const LOG2_E = 0x1.715476p+0f;
// ln 2 in two parts; products of the first with whole numbers up to 128 are exact.
const LN2_HIGH = 0x1.62e3p-1f;
const LN2_LOW = 0x1.2fefa4p-17f;

// 2^n for -126 <= n <= 127.
fn power_of_two(n: i32) -> f32 { return bitcast<f32>((n + 127) << 23u); }
// v * 2^n for -252 <= n <= 254, in two steps so that overflow comes out rounded once.
fn scale(v: f32, n: i32) -> f32 {
  let half = n >> 1u;
  return v * power_of_two(half) * power_of_two(n - half);
}
// exp(x) * 2^k for small k.
fn exp_scaled(x: f32, k: i32) -> f32 {
  let bounded = min(max(x, -104.0), 90.0);
  let whole = round(bounded * LOG2_E);
  let high = bounded - whole * LN2_HIGH;
  let low = whole * LN2_LOW;
  let r = high - low;
  let v = 0x1.fffffcp-2f + r * (0x1.555488p-3f + r * (0x1.555844p-5f + r * (0x1.124084p-7f + r *
      0x1.6adbdep-10f)));
  let value = scale((high + (r * r * v - low)) + 1.0, i32(whole) + k);
  return select(select(value, x, isnan_f32(x)), select(0.0, x, x > 0.0), isinf_f32(x));
}
fn exp_f32(x: f32) -> f32 { return exp_scaled(x, 0); }
fn exp2_f32(x: f32) -> f32 {
  let bounded = min(max(x, -151.0), 129.0);
  let whole = round(bounded);
  let r = bounded - whole;
  let value = scale(1.0 + r * (0x1.62e430p-1f + r * (0x1.ebfbe0p-3f + r * (0x1.c6b066p-5f + r *
      (0x1.3b2a5ap-7f + r * (0x1.5db294p-10f + r * (0x1.4409e0p-13f + r * 0x1.cd6a90p-17f)))))),
      i32(whole));
  return select(select(value, x, isnan_f32(x)), select(0.0, x, x > 0.0), isinf_f32(x));
}
fn exp4(v: vec4<f32>) -> vec4<f32> {
  return vec4<f32>(exp_f32(v.x), exp_f32(v.y), exp_f32(v.z), exp_f32(v.w));
}
fn expm1_f32(x: f32) -> f32 {
  let bounded = min(max(x, -18.0), 90.0);
  let whole = round(bounded * LOG2_E);
  let n = i32(whole);
  let high = bounded - whole * LN2_HIGH;
  let low = whole * LN2_LOW;
  let r = high - low;
  let v = high + (r * r * (0.5 + r * (0x1.555554p-3f + r * (0x1.5554eap-5f + r * (0x1.1113a2p-7f +
      r * (0x1.6d4bd6p-10f + r * 0x1.9c8eaep-13f))))) - low);
  let rest = 1.0 - power_of_two(-min(n, 126));
  let value = copysign_f32(scale(v + rest, n), x);
  return select(select(value, x, isnan_f32(x)), select(-1.0, x, x > 0.0), isinf_f32(x));
}

// ---- Logarithms ---------------------------------------------------------------------------------

// x = (1 + f) * 2^e with 1 + f in [sqrt(1/2), sqrt(2)), for positive normal x.
struct Split { f: f32, e: f32 }
fn split_exponent(x: f32) -> Split {
  let shifted = bitcast<i32>(x) - 0x3f3504f3;
  return Split(bitcast<f32>((shifted & 0x7fffff) + 0x3f3504f3) - 1.0, f32(shifted >> 23u));
}
// The same for tiny x too.
fn split_any(x: f32) -> Split {
  if (magnitude_bits(x) >= 0x00800000u) { return split_exponent(x); }
  let lifted = split_exponent(f32(magnitude_bits(x)));
  return Split(lifted.f, lifted.e - 149.0);
}
// log(1 + f) - f for 1 + f in [sqrt(1/2), sqrt(2)).
fn log1p_rest(f: f32) -> f32 {
  let s = f * f;
  return f * s * (0x1.555554p-2f + f * (-0x1.000228p-2f + f * (0x1.99a036p-3f + f *
      (-0x1.54721ep-3f + f * (0x1.22d5dap-3f + f * (-0x1.0d81c0p-3f + f * (0x1.05754ap-3f + f *
      -0x1.390608p-4f))))))) - 0.5 * s;
}
// The value where x may be other than positive and finite: -inf at 0, NaN below, x at inf and NaN.
fn log_special(x: f32, value: f32) -> f32 {
  let bits = bitcast<u32>(x);
  if (bits - 1u < 0x7f7fffffu) { return value; }
  if (magnitude_bits(x) == 0u) { return -inf_f32(); }
  return select(nan_f32(), x, isnan_f32(x) || bits == 0x7f800000u);
}
fn log_f32(x: f32) -> f32 {
  let s = split_any(x);
  return log_special(x, (log1p_rest(s.f) + s.e * LN2_LOW) + s.f + s.e * LN2_HIGH);
}
fn log2_f32(x: f32) -> f32 {
  let over = 0x1.c551dap-2f;
  let s = split_any(x);
  let rest = log1p_rest(s.f);
  return log_special(x, ((rest * over + s.f * over) + rest) + s.f + s.e);
}
fn log10_f32(x: f32) -> f32 {
  let s = split_any(x);
  let rest = log1p_rest(s.f);
  let sum = (rest * 0x1.6f62a4p-11f + s.f * 0x1.6f62a4p-11f) + s.e * 0x1.04d428p-12f;
  return log_special(x, sum + rest * 0x1.bcp-2f + s.f * 0x1.bcp-2f + s.e * 0x1.34p-2f);
}
// What the sum u = 1 + x loses is added to the fraction of u. The result has x's sign, also at 0.
fn log1p_f32(x: f32) -> f32 {
  let u = x + 1.0;
  let one = u - x;
  let lost = (1.0 - one) + (x - (u - one));
  if (bitcast<u32>(u) - 0x00800000u >= 0x7f000000u) { return log_special(u, u); }
  var s = split_exponent(u);
  s.f += lost * power_of_two(-min(i32(s.e), 126));
  let value = (log1p_rest(s.f) + s.e * LN2_LOW) + s.f + s.e * LN2_HIGH;
  return copysign_f32(value, x);
}

// ---- Hyperbolic functions -----------------------------------------------------------------------

fn sinh_f32(x: f32) -> f32 {
  let s = x * x;
  let half = exp_scaled(abs_f32(x), -1);
  let far = copysign_f32(half - 0.25 / half, x);
  let small = x + x * s * (0x1.555556p-3f + s * (0x1.1110e0p-7f + s * (0x1.a022bap-13f + s *
      0x1.756cb4p-19f)));
  return select(far, small, magnitude_bits(x) < 0x3f800000u);
}
fn cosh_f32(x: f32) -> f32 {
  let half = exp_scaled(abs_f32(x), -1);
  return half + 0.25 / half;
}
fn tanh_f32(x: f32) -> f32 {
  let size = min(abs_f32(x), 10.0);
  let s = size * size;
  let far = 1.0 - 2.0 / (exp_scaled(size + size, 0) + 1.0);
  let near = size + size * s * (-0x1.555524p-2f + s * (0x1.1103f0p-3f + s * (-0x1.b7cfb2p-5f + s *
      (0x1.4f5d36p-6f + s * -0x1.696902p-8f))));
  return select(copysign_f32(select(far, near, size < 0.625), x), x, isnan_f32(x));
}
fn asinh_f32(x: f32) -> f32 {
  let size = abs_f32(x);
  let s = size * size;
  // Beyond 2^60 the square would overflow: log(2 size).
  let far = log_f32(size) + 0.6931471805599453;
  let middle = log1p_f32(size + s / (1.0 + sqrt(s + 1.0)));
  let value = select(middle, far, size > 0x1p60f);
  return copysign_f32(select(size, value, isfinite_f32(x)), x);
}
fn acosh_f32(x: f32) -> f32 {
  if (isnan_f32(x) || x < 1.0) { return nan_f32(); }
  if (x > 0x1p60f) { return log_f32(x) + 0.6931471805599453; }
  let t = x - 1.0;
  return log1p_f32(t + sqrt(t * (x + 1.0)));
}
fn atanh_f32(x: f32) -> f32 {
  let size = abs_f32(x);
  if (isnan_f32(x) || size > 1.0) { return nan_f32(); }
  if (size == 1.0) { return copysign_f32(inf_f32(), x); }
  return copysign_f32(0.5 * log1p_f32(2.0 * size / (1.0 - size)), x);
}

// ---- Error functions ----------------------------------------------------------------------------

fn erf_f32(x: f32) -> f32 {
  let size = min(abs_f32(x), 4.0);
  let s = size * size;
  let near = size + size * (0x1.06eba8p-3f + s * (-0x1.812740p-2f + s * (0x1.ce2d64p-4f + s *
      (-0x1.b8011ap-6f + s * (0x1.544a1ap-8f + s * (-0x1.a60a2cp-11f + s * 0x1.4f674ap-14f))))));
  let tail = 0x1.5d1124p-13f + size * (0x1.20b752p+0f + size * (0x1.4621bap-1f + size *
      (0x1.aa7324p-4f + size * (-0x1.6d9ce6p-6f + size * (0x1.91cd20p-9f + size *
      -0x1.9fb33ep-13f)))));
  let far = 1.0 - exp_scaled(-tail, 0);
  return select(copysign_f32(select(far, near, size < 0.92), x), x, isnan_f32(x));
}
fn normal_cdf_f32(x: f32) -> f32 { return 0.5 * (1.0 + erf_f32(x * 0.70710678)); }
fn gelu_slope_f32(x: f32) -> f32 {
  return normal_cdf_f32(x) + x * 0.39894228 * exp_f32(-0.5 * x * x);
}
// exp(-a^2) / (1 + 2a) * P((a - 3) / (a + 3)) of a = |x|, and 2 minus that below 0.
fn erfc_f32(x: f32) -> f32 {
  if (isnan_f32(x)) { return x; }
  let a = min(abs_f32(x), 10.2);
  let t = (a - 3.0) / (a + 3.0);
  let v = 1.25300806 + t * (-0.135621113 + t * (-0.0475623843 + t * (0.129645415 + t *
      (-0.119271621 + t * (0.0683059402 + t * (-0.023787751 + t * (0.00252982725 + t *
      (0.00195041452 + t * (-0.000741620816 + t * (-0.000183064452 + t * 3.52045408e-05))))))))));
  let square = two_product(a, a);
  let value = exp_scaled(-square.x, 0) * (1.0 - square.y) * v / (1.0 + 2.0 * a);
  return select(value, 2.0 - value, x < 0.0);
}

// ---- More digits than float32 has ---------------------------------------------------------------

// a * b as a float and what it lacks.
fn two_product(a: f32, b: f32) -> vec2<f32> {
  let high_a = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
  let high_b = bitcast<f32>(bitcast<u32>(b) & 0xfffff000u);
  let low_a = a - high_a;
  let low_b = b - high_b;
  let product = a * b;
  return vec2<f32>(product, ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a
      * low_b);
}
// log2(x) of positive finite x, in two parts.
fn log2_parts(x: f32) -> vec2<f32> {
  let s = split_any(x);
  let d = 2.0 + s.f;
  // What the sum lost.
  let lost = s.f - (d - 2.0);
  let z = s.f / d;
  let back = two_product(z, d);
  let z_low = ((s.f - back.x) - back.y - z * lost) / d;
  let q = z * z;
  let rest = z * q * (0.66666667 + q * (0.4 + q * (0.28571429 + q * (0.22222222 + q * 0.19))));
  // Times log2(e) = 1.44269504 + 1.925963e-8.
  let main = two_product(2.0 * z, 1.44269502162933349609375);
  let low = main.y + (2.0 * z_low + rest) * 1.44269504 + 2.0 * z * 1.92596299112661746e-8;
  let high = s.e + main.x;
  let over = (main.x - (high - s.e)) + low;
  return vec2<f32>(high, over);
}
// With all of C's special cases.
fn pow_f32(x: f32, y: f32) -> f32 {
  if (x == 1.0 || magnitude_bits(y) == 0u) { return 1.0; }
  if (isnan_f32(x) || isnan_f32(y)) { return nan_f32(); }
  let whole = whole_f32(y) || trunc(y) == y;
  let half = y * 0.5;
  let odd = whole && !(whole_f32(half) || trunc(half) == half);
  var size: f32;
  if (magnitude_bits(x) == 0u || isinf_f32(x)) {
    let grows = isinf_f32(x) == !signbit_f32(y);
    size = select(0.0, inf_f32(), grows);
  } else if (isinf_f32(y)) {
    let ax = abs_f32(x);
    size = select(select(0.0, inf_f32(), (ax > 1.0) == (y > 0.0)), 1.0, ax == 1.0);
  } else {
    let l = log2_parts(abs_f32(x));
    if (abs(y * l.x) > 300.0) {
      size = select(0.0, inf_f32(), y * l.x > 0.0);
    } else {
      let power = two_product(y, l.x);
      let n = round(power.x);
      let r = (power.x - n) + (power.y + y * l.y);
      size = scale(exp2_f32(r), i32(min(max(n, -250.0), 250.0)));
    }
    if (x < 0.0 && !whole) { return nan_f32(); }
  }
  return select(size, neg_f32(size), odd && signbit_f32(x));
}

// ---- Trigonometry -------------------------------------------------------------------------------

const PI_HALF = 0x1.921fb6p+0f;
const PI_HALF_LOW = -0x1.777a5cp-25f;

// The high and the low word of a * b.
fn multiply_wide(a: u32, b: u32) -> vec2<u32> {
  let al = a & 0xffffu;
  let ah = a >> 16u;
  let bl = b & 0xffffu;
  let bh = b >> 16u;
  let low = al * bl;
  let middle = ah * bl + (low >> 16u);
  let other = al * bh + (middle & 0xffffu);
  return vec2<u32>(ah * bh + (middle >> 16u) + (other >> 16u), (other << 16u) | (low & 0xffffu));
}
fn two_over_pi(i: u32) -> u32 {
  switch (i) {
    case 1u: { return 0xa2f9836eu; }
    case 2u: { return 0x4e441529u; }
    case 3u: { return 0xfc2757d1u; }
    case 4u: { return 0xf534ddc0u; }
    case 5u: { return 0xdb629599u; }
    case 6u: { return 0x3c439041u; }
    case 7u: { return 0xfe5163abu; }
    default: { return 0u; }
  }
}
fn two_over_pi_bits(skip: u32) -> u32 {
  let shift = skip % 32u;
  let low = select(two_over_pi(skip / 32u + 1u) >> (32u - max(shift, 1u)), 0u, shift == 0u);
  return (two_over_pi(skip / 32u) << shift) | low;
}
struct Angle { r: f32, n: i32 }
// Payne and Hanek: the 96 bits of 2/pi that matter for x's exponent, times its 24 bits, modulo 4.
fn reduce_far(x: f32) -> Angle {
  let bits = bitcast<u32>(x);
  let fraction = (bits & 0x7fffffu) | 0x800000u;
  let skip = ((bits >> 23u) & 255u) - 120u;
  let first = fraction * two_over_pi_bits(skip);
  let second = multiply_wide(fraction, two_over_pi_bits(skip + 32u));
  let third = multiply_wide(fraction, two_over_pi_bits(skip + 64u)).x;
  let low = second.y + third;
  let high = first + second.x + select(0u, 1u, low < third);
  let quadrant = (high + 0x20000000u) >> 30u;
  let rest = bitcast<i32>(high - (quadrant << 30u));
  let r = (f32(rest) * 0x1p32f + f32(low)) * 0x1.921fb6p-62f;
  return Angle(r, i32(quadrant));
}
// x = r + n pi/2 of x >= 0. Up to 100 in float32: pi/2 in 18 + 17 + 24 bits.
fn reduce_angle(x: f32) -> Angle {
  if (x > 100.0) { return reduce_far(x); }
  let whole = round(x * 0x1.45f306p-1f);
  return Angle(x - whole * 0x1.921f8p+0f - whole * 0x1.aa22p-19f - whole * 0x1.68c234p-39f,
      i32(whole));
}
fn sin_near(r: f32) -> f32 {
  let s = r * r;
  return r + r * s * (-0x1.555546p-3f + s * (0x1.110778p-7f + s * -0x1.9953fep-13f));
}
fn cos_near(r: f32) -> f32 {
  let s = r * r;
  return 1.0 - (0.5 * s - s * s * (0x1.55554ap-5f + s * (-0x1.6c0c28p-10f + s * 0x1.99e80cp-16f)));
}
fn sin_quadrant(r: f32, n: i32) -> f32 {
  let size = select(sin_near(r), cos_near(r), (n & 1) != 0);
  return select(size, -size, (n & 2) != 0);
}
fn sin_f32(x: f32) -> f32 {
  if (!isfinite_f32(x)) { return nan_f32(); }
  let a = reduce_angle(abs_f32(x));
  let value = sin_quadrant(a.r, a.n);
  return select(value, neg_f32(value), signbit_f32(x));
}
fn cos_f32(x: f32) -> f32 {
  if (!isfinite_f32(x)) { return nan_f32(); }
  let a = reduce_angle(abs_f32(x));
  return sin_quadrant(a.r, a.n + 1);
}
fn tan_f32(x: f32) -> f32 {
  if (!isfinite_f32(x)) { return nan_f32(); }
  let a = reduce_angle(abs_f32(x));
  let value = sin_quadrant(a.r, a.n) / sin_quadrant(a.r, a.n + 1);
  return select(value, neg_f32(value), signbit_f32(x));
}
fn asin_rest(x: f32, s: f32) -> f32 {
  return x * s * (0x1.5555c8p-3f + s * (0x1.330204p-4f + s * (0x1.747bb4p-5f + s * (0x1.8c3e96p-6f
      + s * 0x1.595c14p-5f))));
}
// Beyond 1/2: asin(x) = pi/2 - 2 asin(sqrt((1 - x) / 2)).
fn asin_f32(x: f32) -> f32 {
  let size = abs_f32(x);
  if (isnan_f32(x) || size > 1.0) { return nan_f32(); }
  let far = size > 0.5;
  let s = select(x * x, (1.0 - size) * 0.5, far);
  let y = select(size, sqrt(s), far);
  let rest = asin_rest(y, s);
  let value = select(y + rest, PI_HALF - (2.0 * y + (2.0 * rest - PI_HALF_LOW)), far);
  return copysign_f32(value, x);
}
fn acos_f32(x: f32) -> f32 {
  let size = abs_f32(x);
  if (isnan_f32(x) || size > 1.0) { return nan_f32(); }
  let far = size > 0.5;
  let s = select(x * x, (1.0 - size) * 0.5, far);
  let y = select(x, sqrt(s), far);
  let rest = asin_rest(y, s);
  let twice = 2.0 * (y + rest);
  let near_pi = 2.0 * PI_HALF - (twice - 2.0 * PI_HALF_LOW);
  return select(PI_HALF - (y + (rest - PI_HALF_LOW)), select(twice, near_pi, x < 0.0), far);
}
// On [0, 1].
fn atan_near(q: f32) -> f32 {
  let s = q * q;
  return q + q * s * (-0x1.55553ep-2f + s * (0x1.9991e4p-3f + s * (-0x1.242084p-3f + s *
      (0x1.c08c1ap-4f + s * (-0x1.580814p-4f + s * (0x1.da24cap-5f + s * (-0x1.fd6fbcp-6f + s *
      (0x1.6410e6p-7f + s * -0x1.d32dbcp-10f))))))));
}
fn atan_f32(x: f32) -> f32 {
  if (isnan_f32(x)) { return x; }
  let size = abs_f32(x);
  let steep = size > 1.0;
  let angle = atan_near(select(size, select(1.0 / size, 0.0, isinf_f32(x)), steep));
  return copysign_f32(select(angle, PI_HALF - (angle - PI_HALF_LOW), steep), x);
}
// The angle of the point (x, y), with C's signs of zero and values at infinities.
fn atan2_f32(y: f32, x: f32) -> f32 {
  if (isnan_f32(x) || isnan_f32(y)) { return nan_f32(); }
  let width = abs_f32(x);
  let height = abs_f32(y);
  let steep = height > width;
  let least = select(height, width, steep);
  let most = select(width, height, steep);
  var q = least / most;
  if (isinf_f32(most)) { q = select(0.0, 1.0, isinf_f32(least)); }
  if (most == 0.0) { q = 0.0; }
  var angle = atan_near(q);
  angle = select(angle, PI_HALF - (angle - PI_HALF_LOW), steep);
  angle = select(angle, 2.0 * PI_HALF - (angle - 2.0 * PI_HALF_LOW), signbit_f32(x));
  return copysign_f32(angle, y);
}

// ---- Composed -----------------------------------------------------------------------------------

fn sqrt_f32(x: f32) -> f32 {
  if (isnan_f32(x) || x < 0.0) { return nan_f32(); }
  return select(sqrt(x), x, magnitude_bits(x) == 0u || isinf_f32(x));
}
// 1 / (1 + exp(-x)), by e = exp(-|x|) so that small results keep their digits.
fn sigmoid_f32(x: f32) -> f32 {
  let e = exp_f32(-abs_f32(x));
  return select(select(1.0, e, x < 0.0) / (1.0 + e), x, isnan_f32(x));
}
fn log1pexp_f32(x: f32) -> f32 { return max_f32(x, 0.0) + log1p_f32(exp_f32(-abs_f32(x))); }
fn logaddexp_f32(a: f32, b: f32) -> f32 {
  if (isinf_f32(a) && bitcast<u32>(a) == bitcast<u32>(b)) { return a; }
  return max_f32(a, b) + log1p_f32(exp_f32(-abs_f32(a - b)));
}
fn logaddexp2_f32(a: f32, b: f32) -> f32 {
  if (isinf_f32(a) && bitcast<u32>(a) == bitcast<u32>(b)) { return a; }
  return max_f32(a, b) + log1p_f32(exp2_f32(-abs_f32(a - b))) * LOG2_E;
}
// x * log(y), 0 where x is 0 unless y is NaN.
// A subnormal x counts as zero, which it may become in the product.
fn xlogy_f32(x: f32, y: f32) -> f32 {
  if (isnan_f32(y)) { return y; }
  return select(x * log_f32(y), 0.0, magnitude_bits(x) < 0x00800000u);
}

// ---- Remainders ---------------------------------------------------------------------------------

// C's fmod, exact: long division of the fractions.
fn fmod_f32(a: f32, b: f32) -> f32 {
  var x = magnitude_bits(a);
  let y = magnitude_bits(b);
  if (x >= 0x7f800000u || y == 0u || y > 0x7f800000u) { return nan_f32(); }
  if (x < y) { return a; }
  var ex = x >> 23u;
  var ey = y >> 23u;
  var mx = x & 0x7fffffu;
  var my = y & 0x7fffffu;
  if (ex > 0u) { mx |= 0x800000u; } else { ex = 1u; }
  if (ey > 0u) { my |= 0x800000u; } else { ey = 1u; }
  for (; ex > ey; ex--) {
    if (mx >= my) { mx -= my; }
    mx <<= 1u;
  }
  if (mx >= my) { mx -= my; }
  if (mx == 0u) { return copysign_f32(0.0, a); }
  let lift = min(select(0u, countLeadingZeros(mx) - 8u, mx < 0x800000u), ex - 1u);
  mx <<= lift;
  ex -= lift;
  if (mx < 0x800000u) { ex = 0u; }
  return copysign_f32(bitcast<f32>((ex << 23u) | (mx & 0x7fffffu)), a);
}
// Python's: the sign of b.
fn remainder_f32(a: f32, b: f32) -> f32 {
  let r = fmod_f32(a, b);
  return select(r, r + b, magnitude_bits(r) != 0u && !isnan_f32(r) && ((b < 0.0) != (r < 0.0)));
}
fn trunc_div_f32(a: f32, b: f32) -> f32 { return trunc_f32(a / b); }
// From the exact remainder, hence consistent with it.
fn floor_div_f32(a: f32, b: f32) -> f32 {
  let ratio = a / b;
  if (magnitude_bits(b) == 0u) { return ratio; }
  let r = fmod_f32(a, b);
  var quotient = (a - r) / b;
  if (magnitude_bits(r) != 0u && ((b < 0.0) != (r < 0.0))) { quotient -= 1.0; }
  var whole = floor_f32(quotient);
  if (quotient - whole > 0.5) { whole += 1.0; }
  return select(whole, copysign_f32(0.0, ratio), magnitude_bits(quotient) == 0u);
}

// ---- Integers: a zero divisor gives 0, the least value divided by -1 wraps ----------------------

fn trunc_div_i32(a: i32, b: i32) -> i32 {
  if (b == 0) { return 0; }
  if (b == -1) { return -a; }
  return a / b;
}
fn rem_i32(a: i32, b: i32) -> i32 {
  if (b == 0 || b == -1) { return 0; }
  return a % b;
}
fn floor_div_i32(a: i32, b: i32) -> i32 {
  return trunc_div_i32(a, b) - select(0, 1, rem_i32(a, b) != 0 && (a < 0) != (b < 0));
}
fn fmod_i32(a: i32, b: i32) -> i32 { return rem_i32(a, b); }
fn remainder_i32(a: i32, b: i32) -> i32 {
  let r = rem_i32(a, b);
  return select(r, r + b, r != 0 && (r < 0) != (b < 0));
}
// Counts outside the width: left gives 0, right gives the sign.
fn shl_i32(x: i32, count: i32) -> i32 {
  return select(0, x << (u32(count) & 31u), count >= 0 && count < 32);
}
fn shr_i32(x: i32, count: i32) -> i32 {
  return x >> select(31u, u32(count), count >= 0 && count < 32);
}
// Wraps; a negative power gives 0, but for bases 1 and -1.
fn pow_i32(base: i32, power: i32) -> i32 {
  if (power < 0) {
    if (base == -1) { return select(1, -1, (power & 1) != 0); }
    return select(0, 1, base == 1);
  }
  var result = 1;
  var square = base;
  for (var left = power; left > 0; left >>= 1u) {
    if ((left & 1) != 0) { result *= square; }
    square *= square;
  }
  return result;
}

// --- Halves ----------------------------------------------------------------------------------
// WGSL's own conversions may flush subnormals and round either way.

// Of infinities, NaN and subnormal halves.
fn special_half_to_f32(h: u32) -> f32 {
  let sign = (h & 0x8000u) << 16u;
  let magnitude = h & 0x7fffu;
  if (magnitude >= 0x7c00u) { return bitcast<f32>(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13u)); }
  return bitcast<f32>(sign | bitcast<u32>(f32(magnitude) * 0x1p-24f));
}

// See also half_f16.wgsl.
fn half_to_f32(h: u32) -> f32 {
  let magnitude = h & 0x7fffu;
  if (magnitude - 0x400u < 0x7800u) {
    return bitcast<f32>(((h & 0x8000u) << 16u) | ((magnitude << 13u) + 0x38000000u));
  }
  return special_half_to_f32(h);
}

fn f32_to_half(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return sign | 0x7e00u; }
  if (magnitude >= 0x477ff000u) { return sign | 0x7c00u; }
  if (magnitude < 0x38800000u) {
    // Subnormal: units of 2^-24, ties to even.
    let exponent = magnitude >> 23u;
    if (exponent < 101u) { return sign; }
    let mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    let shift = 126u - exponent;
    let kept = mantissa >> shift;
    let rest = mantissa & ((1u << shift) - 1u);
    let half = 1u << (shift - 1u);
    let up = rest > half || (rest == half && (kept & 1u) == 1u);
    return sign | (kept + select(0u, 1u, up));
  }
  return sign | ((magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13u) & 1u)) >> 13u);
}

fn unpack_halves(words: vec2<u32>) -> vec4<f32> {
  return vec4<f32>(half_to_f32(words.x & 0xffffu), half_to_f32(words.x >> 16u),
                   half_to_f32(words.y & 0xffffu), half_to_f32(words.y >> 16u));
}
fn pack_halves(a: f32, b: f32) -> u32 { return f32_to_half(a) | (f32_to_half(b) << 16u); }
