// moments.wgsl for blocks of lines whose pieces are whole vectors: mean and sum of squared
// deviations of each block, as the first two of a vector.

fn moments(group: u32, lane: u32) {
  let team = p.team;
  let result = group * (WORKGROUP / team) + lane / team;
  let start = result % p.blocks * p.block / 4u;
  let size = min(p.n, 4u * start + p.block) - 4u * start;
  let stop = select(0u, start + size / 4u, result < p.results);
  let line = result / p.blocks * p.base / 4u;
  let length = p.length / 4u;
  var centre = 0.0;
  for (var turn = 0u; turn < 2u; turn++) {
    var sum = vec4<f32>();
    var squares = vec4<f32>();
    for (var i = start + lane % team; i < stop; i += team) {
      let piece = i / length;
      let d = get4_x(line + piece * (p.step / 4u) + i - piece * length) - centre;
      sum += d;
      squares += d * d;
    }
    let both = vec2<f32>(
      sum.x + sum.y + (sum.z + sum.w), squares.x + squares.y + (squares.z + squares.w));
    let total = group_sum2_f32(both, lane, team);
    if (turn == 0u) {
      centre = total.x / f32(size);
      continue;
    }
    if (lane % team == 0u && result < p.results) {
      let rest = total.x / f32(size);
      let mean = select(centre + rest, centre, isinf_f32(centre));
      set4_parts(result, vec4<f32>(mean, total.y - total.x * rest, 0.0, 0.0));
    }
  }
}
