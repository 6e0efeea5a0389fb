// Mean and variance of lines from those of their blocks, `record` words apart. See moments.wgsl.

fn moments_merge(group: u32, lane: u32) {
  let team = p.team;
  let at = team_place(lane, team, p.inner);
  let result = group * (WORKGROUP / team) + at / team;
  let blocks = select(0u, p.blocks, result < p.results);
  let line = result / p.inner * p.blocks * p.inner + result % p.inner;
  var shift = 0.0;
  if (blocks > 0u) { shift = get_means(line * p.record); }
  if (!isfinite_f32(shift)) { shift = 0.0; }
  var sum = 0.0;
  for (var b = at % team; b < blocks; b += team) {
    let size = f32(min(p.n, (b + 1u) * p.block) - b * p.block);
    sum += (get_means((line + b * p.inner) * p.record) - shift) * size;
  }
  let rest = group_sum_f32(sum, at, team) / f32(p.n);
  var squares = 0.0;
  for (var b = at % team; b < blocks; b += team) {
    let size = f32(min(p.n, (b + 1u) * p.block) - b * p.block);
    let d = get_means((line + b * p.inner) * p.record) - shift - rest;
    squares += get_squares((line + b * p.inner) * p.record) + d * d * size;
  }
  let all = group_sum_f32(squares, at, team);
  if (at % team == 0u && result < p.results) { finish(result, shift + rest, all); }
}
