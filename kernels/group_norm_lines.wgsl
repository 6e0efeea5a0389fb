// group_norm.wgsl where length is 1 and groups are whole vectors, as in layer norm. A workgroup has
// four teams or more, whose statistics are written as vectors too.

var<workgroup> statistics: array<vec2<f32>, WORKGROUP>;

fn group_norm(group: u32, lane: u32) {
  let team = p.team;
  let teams = WORKGROUP / team;
  let line = group * teams + lane / team;
  let size = p.channels / 4u;
  let count = select(0u, size, line < p.lines);
  let first = line * size;
  let n = f32(p.channels);
  var centre = 0.0;
  var rest = 0.0;
  var squares = 0.0;
  for (var turn = 0u; turn < 2u; turn++) {
    var sum = vec4<f32>();
    var square = vec4<f32>();
    for (var i = lane % team; i < count; i += team) {
      let d = get4_x(first + i) - centre;
      sum += d;
      square += d * d;
    }
    let both = vec2<f32>(
      sum.x + sum.y + (sum.z + sum.w), square.x + square.y + (square.z + square.w));
    let total = group_sum2_f32(both, lane, team);
    if (turn == 0u) { centre = total.x / n; }
    rest = total.x / n;
    squares = total.y;
  }
  let mean = centre + rest;
  let rstd = 1.0 / sqrt(max_f32(0.0, squares / n - rest * rest) + p.eps);
  let channel = line % p.groups * size;
  for (var i = lane % team; i < count; i += team) {
    var v = (get4_x(first + i) - mean) * rstd;
    if (p.weighted != 0u) { v *= get4_weight(channel + i); }
    if (p.biased != 0u) { v += get4_bias(channel + i); }
    set4_y(first + i, v);
  }
  if (lane % team == 0u) { statistics[lane / team] = vec2<f32>(mean, rstd); }
  workgroupBarrier();
  let k = 4u * lane;
  if (k < teams && group * teams + k < p.lines) {
    let a = statistics[k];
    let b = statistics[k + 1u];
    let c = statistics[k + 2u];
    let d = statistics[k + 3u];
    set4_mean(group * (teams / 4u) + lane, vec4<f32>(a.x, b.x, c.x, d.x));
    set4_rstd(group * (teams / 4u) + lane, vec4<f32>(a.y, b.y, c.y, d.y));
  }
}
