// What the invocations of a workgroup of 256 do together. They form teams of `team` places (a power
// of two); `at` is the place of an invocation, all of which take part. Sums are trees: the same bits
// in every run.

var<workgroup> parts_f32: array<f32, 256>;
var<workgroup> parts_i32: array<i32, 256>;

// The place of a lane: neighbours are a team where lines are contiguous (inner = 1), and belong to
// neighbouring lines elsewhere, so that neighbours read neighbours.
fn team_place(lane: u32, team: u32, inner: u32) -> u32 {
  let teams = 256u / team;
  return select(lane % teams * team + lane / teams, lane, inner == 1u);
}

// The sum of the values of a team, the same bits for each of its invocations.
fn group_sum_f32(value: f32, at: u32, team: u32) -> f32 {
  parts_f32[at] = value;
  for (var half = team / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (at % team < half) { parts_f32[at] += parts_f32[at + half]; }
  }
  workgroupBarrier();
  let total = parts_f32[at - at % team];
  workgroupBarrier();
  return total;
}
fn group_sum_i32(value: i32, at: u32, team: u32) -> i32 {
  parts_i32[at] = value;
  for (var half = team / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (at % team < half) { parts_i32[at] += parts_i32[at + half]; }
  }
  workgroupBarrier();
  let total = parts_i32[at - at % team];
  workgroupBarrier();
  return total;
}

// The largest value of a team; NaN if there is one.
fn group_max_f32(value: f32, at: u32, team: u32) -> f32 {
  parts_f32[at] = value;
  for (var half = team / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (at % team < half) { parts_f32[at] = max_f32(parts_f32[at], parts_f32[at + half]); }
  }
  workgroupBarrier();
  let most = parts_f32[at - at % team];
  workgroupBarrier();
  return most;
}

// Unsigned numbers in the order of the values: NaN is greatest, -0 equals 0.
fn order_key_f32(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if (isnan_f32(x)) { return 0xffffffffu; }
  if ((bits & 0x7fffffffu) == 0u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}
fn order_key_i32(x: i32) -> u32 { return bitcast<u32>(x) ^ 0x80000000u; }
