// Elements under another dtype. Each invocation writes one word of the output: one element, two
// halves or four bytes. Codes are those of ts/core/dtype.ts: 1 float32, 2 float16, 3 bfloat16,
// 5 int32, 6 int16, 7 int8, 8 uint8, 9 bool.

const FLOAT32 = 1u;
const FLOAT16 = 2u;
const BFLOAT16 = 3u;
const INT32 = 5u;
const INT16 = 6u;
const INT8 = 7u;
const UINT8 = 8u;
const BOOL = 9u;

fn is_float(code: u32) -> bool { return code <= BFLOAT16; }
fn size_of(code: u32) -> u32 {
  switch (code) {
    case FLOAT32, INT32: { return 4u; }
    case FLOAT16, BFLOAT16, INT16: { return 2u; }
    default: { return 1u; }
  }
}

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

// The element as float32 (floats) or int32 (integers and bools), in its bits.
fn element(i: u32) -> u32 {
  let size = size_of(p.source);
  let at = p.x_at + i * size;
  let bits = word_x(at) >> (8u * (at & 3u));
  switch (p.source) {
    case FLOAT16: { return bitcast<u32>(half_to_f32(bits & 0xffffu)); }
    case BFLOAT16: { return bits << 16u; }
    case INT16: { return bitcast<u32>(bitcast<i32>(bits << 16u) >> 16u); }
    case INT8: { return bitcast<u32>(bitcast<i32>(bits << 24u) >> 24u); }
    case UINT8, BOOL: { return bits & 0xffu; }
    default: { return bits; }
  }
}

// Truncates as the CPU does: toward zero, and what does not fit gives the least integer.
fn to_integer(x: f32) -> i32 {
  if (abs(x) < 2147483648.0) { return i32(x); }
  return i32(-2147483647) - 1;
}

fn converted(i: u32) -> u32 {
  let bits = element(i);
  let target_is_float = is_float(p.goal);
  if (p.goal == BOOL) {
    return select(0u, 1u, select(bits, bits & 0x7fffffffu, is_float(p.source)) != 0u);
  }
  if (target_is_float) {
    var value = bitcast<f32>(bits);
    if (!is_float(p.source)) { value = f32(bitcast<i32>(bits)); }
    if (p.goal == FLOAT16) { return f32_to_half(value); }
    if (p.goal == BFLOAT16) { return f32_to_bfloat(value); }
    return bitcast<u32>(value);
  }
  var whole = bitcast<i32>(bits);
  if (is_float(p.source)) { whole = to_integer(bitcast<f32>(bits)); }
  return bitcast<u32>(whole);
}

fn convert(group: u32, lane: u32) {
  let size = size_of(p.goal);
  let lanes = 4u / size;
  let mask = select(0xffffffffu, (1u << (8u * size)) - 1u, size < 4u);
  for (var k = 0u; k < size; k++) {
    let word = (group * size + k) * 256u + lane;
    if (word * lanes >= p.range) { return; }
    var value = 0u;
    for (var j = 0u; j < lanes; j++) {
      let i = word * lanes + j;
      if (i < p.range) { value |= (converted(i) & mask) << (8u * size * j); }
    }
    set_word_out(word, value);
  }
}
