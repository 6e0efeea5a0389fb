// What the invocations of a workgroup of 256 do together. They form teams of `team` places (a power
// of two); `at` is the place of an invocation, all of which take part. Sums are trees: the same bits
// in every run.

var<workgroup> parts_f32: array<f32, 256>;
var<workgroup> parts_i32: array<i32, 256>;
var<workgroup> parts_u32: array<u32, 256>;
var<workgroup> sums: array<vec2<f32>, 256>;
var<workgroup> pairs: array<vec2<u32>, 256>;

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

// Two sums at once.
fn group_sum2_f32(value: vec2<f32>, at: u32, team: u32) -> vec2<f32> {
  sums[at] = value;
  for (var half = team / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (at % team < half) { sums[at] += sums[at + half]; }
  }
  workgroupBarrier();
  let total = sums[at - at % team];
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

// What the kernel's own meet(a, b) makes of the values of a team.
fn group_meet_f32(value: f32, at: u32, team: u32) -> f32 {
  parts_f32[at] = value;
  for (var half = team / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (at % team < half) { parts_f32[at] = meet(parts_f32[at], parts_f32[at + half]); }
  }
  workgroupBarrier();
  let total = parts_f32[at - at % team];
  workgroupBarrier();
  return total;
}
fn group_meet_i32(value: i32, at: u32, team: u32) -> i32 {
  parts_i32[at] = value;
  for (var half = team / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (at % team < half) { parts_i32[at] = meet(parts_i32[at], parts_i32[at + half]); }
  }
  workgroupBarrier();
  let total = parts_i32[at - at % team];
  workgroupBarrier();
  return total;
}
fn group_meet_u32(value: u32, at: u32, team: u32) -> u32 {
  parts_u32[at] = value;
  for (var half = team / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (at % team < half) { parts_u32[at] = meet(parts_u32[at], parts_u32[at + half]); }
  }
  workgroupBarrier();
  let total = parts_u32[at - at % team];
  workgroupBarrier();
  return total;
}

// Of pairs (key, place), the greatest key with the least place.
fn group_best(best: vec2<u32>, at: u32, team: u32) -> vec2<u32> {
  pairs[at] = best;
  for (var half = team / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (at % team < half) {
      let other = pairs[at + half];
      let mine = pairs[at];
      if (other.x > mine.x || (other.x == mine.x && other.y < mine.y)) { pairs[at] = other; }
    }
  }
  workgroupBarrier();
  let result = pairs[at - at % team];
  workgroupBarrier();
  return result;
}

// Unsigned numbers in the order of the values: NaN is greatest, -0 equals 0.
fn order_key_f32(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if (isnan_f32(x)) { return 0xffffffffu; }
  if ((bits & 0x7fffffffu) == 0u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}
fn order_key_i32(x: i32) -> u32 { return bitcast<u32>(x) ^ 0x80000000u; }
