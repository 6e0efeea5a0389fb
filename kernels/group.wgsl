// What the invocations of a workgroup do together. They form teams of `team` places (a power
// of two); `at` is the place of an invocation. See also group_fold.wgsl.

// The place of a lane: neighbours are a team where lines are contiguous (inner = 1), and belong to
// neighbouring lines elsewhere, so that neighbours read neighbours.
fn team_place(lane: u32, team: u32, inner: u32) -> u32 {
  let teams = WORKGROUP / team;
  return select(lane % teams * team + lane / teams, lane, inner == 1u);
}

// The `inner` of team_place, where a kernel has none of its own.
fn team_inner() -> u32 { return 1u; }

fn add_f32(a: f32, b: f32) -> f32 { return a + b; }
fn add2_f32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> { return a + b; }

// Of pairs (key, place), the greatest key with the least place.
fn better(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  return select(a, b, b.x > a.x || (b.x == a.x && b.y < a.y));
}

// Unsigned numbers in the order of the values: NaN is greatest, -0 equals 0.
fn order_key_f32(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if (isnan_f32(x)) { return 0xffffffffu; }
  if ((bits & 0x7fffffffu) == 0u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}
fn order_key_i32(x: i32) -> u32 { return bitcast<u32>(x) ^ 0x80000000u; }
