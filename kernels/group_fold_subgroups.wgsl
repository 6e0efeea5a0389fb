// Template: group_fold.wgsl for devices with subgroups. Values go from register to register within
// a subgroup, by shuffles, since the subgroups' own sums and maxima are neither in a known order nor
// sure of NaN; the lower place is always the left operand, so that all get the same bits. Only
// teams larger than the least subgroup (SUBGROUP, a constant) need memory and barriers; actual
// subgroups, of `subgroup_lanes`, may be larger.

var<workgroup> parts_FOLD: array<TYPE, WORKGROUP>;
var<workgroup> tops_FOLD: array<TYPE, WORKGROUP / 2u>;

fn group_FOLD(value: TYPE, at: u32, team: u32) -> TYPE {
  // Lanes from one place of a team to the next; see team_place.
  let step = select(WORKGROUP / team, 1u, team_inner() == 1u);
  let span = min(team * step, subgroup_lanes);
  var total = value;
  for (var k = step; k < span; k *= 2u) {
    let other = subgroupShuffleXor(total, k);
    let upper = (subgroup_lane & k) != 0u;
    total = JOIN(select(total, other, upper), select(other, total, upper));
  }
  if (team * step <= SUBGROUP) { return total; }
  // Each subgroup has joined `share` of the team.
  let share = max(1u, span / step);
  let count = team / share;
  let first = at / team * count;
  let mine = at % team;
  if (mine % share == 0u) { parts_FOLD[at / share] = total; }
  workgroupBarrier();
  let most = team / max(1u, min(team * step, SUBGROUP) / step);
  if (most <= 16u) {
    total = parts_FOLD[first];
    for (var k = 1u; k < count; k++) { total = JOIN(total, parts_FOLD[first + k]); }
    workgroupBarrier();
    return total;
  }
  let top = at / team * 16u;
  if (mine < min(16u, count)) {
    total = parts_FOLD[first + mine];
    for (var k = mine + 16u; k < count; k += 16u) { total = JOIN(total, parts_FOLD[first + k]); }
    tops_FOLD[top + mine] = total;
  }
  workgroupBarrier();
  // The next call writes other memory before its first barrier, so none is needed here.
  total = tops_FOLD[top];
  for (var k = 1u; k < min(16u, count); k++) { total = JOIN(total, tops_FOLD[top + k]); }
  return total;
}
