// Elements of one dtype under another. The text that ts/ops/twins/cast.ts puts before this one says
// what a pair of dtypes needs: value_of(bits) -> bits of the goal, SOURCE_BYTES and GOAL_BYTES.

fn half_to_f32(h: u32) -> f32 {
  let sign = (h & 0x8000u) << 16u;
  let magnitude = h & 0x7fffu;
  if (magnitude >= 0x7c00u) { return bitcast<f32>(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13u)); }
  if (magnitude < 0x400u) {
    let value = f32(magnitude) * 0x1p-24f;
    return bitcast<f32>(sign | bitcast<u32>(value));
  }
  return bitcast<f32>(sign | ((magnitude << 13u) + 0x38000000u));
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

fn f32_to_bfloat(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0x7fc0u; }
  return ((bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u) & 0xffffu;
}

// Truncates as the CPU does: toward zero, and modulo 2^32; 0 for NaN and infinities.
fn to_integer(x: f32) -> i32 {
  let bits = bitcast<u32>(x);
  let exponent = (bits >> 23u) & 255u;
  if (exponent < 158u) { return i32(x); }
  let shift = exponent - 150u;
  let whole = bitcast<i32>(((bits & 0x7fffffu) | 0x800000u) << (shift & 31u));
  return select(select(whole, -whole, bits >> 31u == 1u), 0, shift > 31u);
}
fn truth(nonzero: bool) -> u32 { return select(0u, 1u, nonzero); }

fn element(i: u32) -> u32 {
  let at = p.x_at + i * SOURCE_BYTES;
  return value_of(word_x(at) >> (8u * (at & 3u)));
}
