// Gradients of softmax, y (g - sum(g y)), and of log-softmax, g - exp(y) sum(g), over n of
// [outer, n, inner].

fn softmax_backward(group: u32, lane: u32) {
  let team = p.team;
  let at = team_place(lane, team, p.inner);
  let line = group * (WORKGROUP / team) + at / team;
  let count = select(0u, p.n, line < p.lines);
  let first = line / p.inner * p.n * p.inner + line % p.inner;
  var sums = vec4<f32>();
  for (var i = at % team; i < count; i += 4u * team) {
    for (var j = 0u; j < 4u && i + j * team < count; j++) {
      let k = first + (i + j * team) * p.inner;
      var term = get_g(k);
      if (p.logarithm == 0u) { term *= get_y(k); }
      sums[j] += term;
    }
  }
  let total = group_sum_f32(sums.x + sums.y + (sums.z + sums.w), at, team);
  for (var i = at % team; i < count; i += team) {
    let k = first + i * p.inner;
    let y = get_y(k);
    if (p.logarithm != 0u) {
      set_gx(k, get_g(k) - exp_f32(y) * total);
    } else {
      set_gx(k, y * (get_g(k) - total));
    }
  }
}
