// y = (x - mean) * rstd * weight + bias over groups of n = channels * length neighbours; weight and
// bias belong to channels. Teams take groups; the variance is that of corrected two passes.

fn group_norm(group: u32, lane: u32) {
  let team = p.team;
  let line = group * (WORKGROUP / team) + lane / team;
  let n = p.channels * p.length;
  let count = select(0u, n, line < p.lines);
  let first = line * n;
  var centre = 0.0;
  var rest = 0.0;
  var squares = 0.0;
  for (var turn = 0u; turn < 2u; turn++) {
    var sum = vec4<f32>();
    var square = vec4<f32>();
    for (var i = lane % team; i < count; i += 4u * team) {
      for (var j = 0u; j < 4u && i + j * team < count; j++) {
        let d = get_x(first + i + j * team) - centre;
        sum[j] += d;
        square[j] += d * d;
      }
    }
    let both = vec2<f32>(
      sum.x + sum.y + (sum.z + sum.w), square.x + square.y + (square.z + square.w));
    let total = group_sum2_f32(both, lane, team);
    if (turn == 0u) { centre = total.x / f32(n); }
    rest = total.x / f32(n);
    squares = total.y;
  }
  let mean = centre + rest;
  let rstd = 1.0 / sqrt(max_f32(0.0, squares / f32(n) - rest * rest) + p.eps);
  let channel = line % p.groups * p.channels;
  for (var i = lane % team; i < count; i += team) {
    var v = (get_x(first + i) - mean) * rstd;
    let c = channel + i / p.length;
    if (p.weighted != 0u) { v *= get_weight(c); }
    if (p.biased != 0u) { v += get_bias(c); }
    set_y(first + i, v);
  }
  if (lane % team == 0u && line < p.lines) {
    set_mean(line, mean);
    set_rstd(line, rstd);
  }
}
