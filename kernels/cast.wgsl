// Elements of one dtype under another. The text that ts/ops/twins/cast.ts puts before this one says
// what a pair of dtypes needs: value_of(bits) -> bits of the goal, SOURCE_BYTES and GOAL_BYTES.

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
