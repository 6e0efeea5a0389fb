// The sums of a norm from those of blocks, [outer, blocks, inner] `record` words apart. The second
// sums lie `second` words behind the first.

fn norm_sums_merge(group: u32, lane: u32) {
  let team = p.team;
  let at = team_place(lane, team, p.inner);
  let result = group * (WORKGROUP / team) + at / team;
  let blocks = select(0u, p.blocks, result < p.results);
  let line = result / p.inner * p.blocks * p.inner + result % p.inner;
  var both = vec2<f32>();
  for (var b = at % team; b < blocks; b += team) {
    let k = (line + b * p.inner) * p.record;
    both += vec2<f32>(get_parts(k), get_parts(k + p.second));
  }
  let total = group_sum2_f32(both, at, team);
  if (at % team == 0u && result < p.results) {
    set_sums(result, total.x);
    set_dots(result, total.y);
  }
}
