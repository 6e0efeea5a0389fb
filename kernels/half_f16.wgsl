// Reading halves where the text may have the type f16. Its conversion may flush subnormals, and
// assume that there is neither infinity nor NaN.
fn half_to_f32(h: u32) -> f32 {
  let magnitude = h & 0x7fffu;
  let plain = f32(bitcast<vec2<f16>>(h).x);
  if (magnitude - 0x400u < 0x7800u) { return plain; }
  return special_half_to_f32(h);
}
