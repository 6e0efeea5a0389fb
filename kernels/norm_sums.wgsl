// Sums of g w and of g w xhat over the lines of a norm, in blocks: out [outer, blocks, inner].
// Element i of line (o, c) lies at o * base + c + i / length * step + i % length * inner, its
// statistics at i / length * stat_step + line / stat_span, and its weight at
// line % groups * channels + i / length.

fn norm_sums(group: u32, lane: u32) {
  let team = p.team;
  let at = team_place(lane, team, p.inner);
  let result = group * (WORKGROUP / team) + at / team;
  let outer = result / p.inner / p.blocks;
  let column = result % p.inner;
  let line = outer * p.inner + column;
  let start = result / p.inner % p.blocks * p.block;
  let stop = select(0u, min(p.n, start + p.block), result < p.results);
  var sum = vec4<f32>();
  var dot = vec4<f32>();
  for (var i = start + at % team; i < stop; i += 4u * team) {
    for (var j = 0u; j < 4u && i + j * team < stop; j++) {
      let e = i + j * team;
      let piece = e / p.length;
      let k = outer * p.base + column + piece * p.step + e % p.length * p.inner;
      let stat = piece * p.stat_step + line / p.stat_span;
      var v = get_g(k);
      if (p.weighted != 0u) { v *= get_weight(line % p.groups * p.channels + piece); }
      sum[j] += v;
      dot[j] += v * ((get_x(k) - get_mean(stat)) * get_rstd(stat));
    }
  }
  let both = vec2<f32>(sum.x + sum.y + (sum.z + sum.w), dot.x + dot.y + (dot.z + dot.w));
  let total = group_sum2_f32(both, at, team);
  if (at % team == 0u && result < p.results) {
    set_sums(result, total.x);
    set_dots(result, total.y);
  }
}
