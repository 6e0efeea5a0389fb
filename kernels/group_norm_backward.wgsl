// gx = rstd * (g w - mean(g w) - xhat * mean(g w xhat)), the means over the group. See
// group_norm.wgsl.

fn group_norm_backward(group: u32, lane: u32) {
  let team = p.team;
  let line = group * (WORKGROUP / team) + lane / team;
  let n = p.channels * p.length;
  let count = select(0u, n, line < p.lines);
  let first = line * n;
  let channel = line % p.groups * p.channels;
  var mean = 0.0;
  var rstd = 0.0;
  if (line < p.lines) {
    mean = get_mean(line);
    rstd = get_rstd(line);
  }
  var sum = vec4<f32>();
  var dot = vec4<f32>();
  for (var i = lane % team; i < count; i += 4u * team) {
    for (var j = 0u; j < 4u && i + j * team < count; j++) {
      let e = i + j * team;
      var v = get_g(first + e);
      if (p.weighted != 0u) { v *= get_weight(channel + e / p.length); }
      sum[j] += v;
      dot[j] += v * ((get_x(first + e) - mean) * rstd);
    }
  }
  let both = vec2<f32>(sum.x + sum.y + (sum.z + sum.w), dot.x + dot.y + (dot.z + dot.w));
  let means = group_sum2_f32(both, lane, team) / f32(n);
  for (var i = lane % team; i < count; i += team) {
    var v = get_g(first + i);
    if (p.weighted != 0u) { v *= get_weight(channel + i / p.length); }
    let xhat = (get_x(first + i) - mean) * rstd;
    set_gx(first + i, rstd * (v - means.x - xhat * means.y));
  }
}
