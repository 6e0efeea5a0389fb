// group_norm_backward.wgsl where length is 1 and groups are whole vectors, as in layer norm.

fn group_norm_backward(group: u32, lane: u32) {
  let team = p.team;
  let line = group * (WORKGROUP / team) + lane / team;
  let size = p.channels / 4u;
  let count = select(0u, size, line < p.lines);
  let first = line * size;
  let channel = line % p.groups * size;
  var mean = 0.0;
  var rstd = 0.0;
  if (line < p.lines) {
    mean = get_mean(line);
    rstd = get_rstd(line);
  }
  var sum = vec4<f32>();
  var dot = vec4<f32>();
  for (var i = lane % team; i < count; i += team) {
    var v = get4_g(first + i);
    if (p.weighted != 0u) { v *= get4_weight(channel + i); }
    sum += v;
    dot += v * ((get4_x(first + i) - mean) * rstd);
  }
  let both = vec2<f32>(sum.x + sum.y + (sum.z + sum.w), dot.x + dot.y + (dot.z + dot.w));
  let means = group_sum2_f32(both, lane, team) / f32(p.channels);
  for (var i = lane % team; i < count; i += team) {
    var v = get4_g(first + i);
    if (p.weighted != 0u) { v *= get4_weight(channel + i); }
    let xhat = (get4_x(first + i) - mean) * rstd;
    set4_gx(first + i, rstd * (v - means.x - xhat * means.y));
  }
}
