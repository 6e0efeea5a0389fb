// softmax and log-softmax of [outer, n, inner] over n. The largest value is taken out first, so
// nothing overflows; lines of -inf only, or with +inf or NaN, give NaN as in PyTorch.

fn softmax(group: u32, lane: u32) {
  let team = p.team;
  let at = team_place(lane, team, p.inner);
  let line = group * (WORKGROUP / team) + at / team;
  let count = select(0u, p.n, line < p.lines);
  let first = line / p.inner * p.n * p.inner + line % p.inner;
  var most = lowest_f32();
  for (var i = at % team; i < count; i += team) {
    most = max_f32(most, get_x(first + i * p.inner));
  }
  most = group_max_f32(most, at, team);
  var sums = vec4<f32>();
  for (var i = at % team; i < count; i += 4u * team) {
    for (var j = 0u; j < 4u && i + j * team < count; j++) {
      let k = first + (i + j * team) * p.inner;
      let e = exp_f32(get_x(k) - most);
      sums[j] += e;
      if (p.logarithm == 0u) { set_out(k, e); }
    }
  }
  let total = group_sum_f32(sums.x + sums.y + (sums.z + sums.w), at, team);
  let rest = log_f32(total);
  for (var i = at % team; i < count; i += team) {
    let k = first + i * p.inner;
    if (p.logarithm != 0u) {
      set_out(k, get_x(k) - most - rest);
    } else {
      set_out(k, get_out(k) / total);
    }
  }
}
