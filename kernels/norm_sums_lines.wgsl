// norm_sums.wgsl for lines whose pieces are whole vectors: both sums of each block, as the first
// two of a vector.

fn norm_sums(group: u32, lane: u32) {
  let team = p.team;
  let result = group * (WORKGROUP / team) + lane / team;
  let line = result / p.blocks;
  let start = result % p.blocks * p.block / 4u;
  let stop = select(0u, min(p.n / 4u, start + p.block / 4u), result < p.results);
  let length = p.length / 4u;
  var sum = vec4<f32>();
  var dot = vec4<f32>();
  for (var i = start + lane % team; i < stop; i += team) {
    let piece = i / length;
    let k = line * (p.base / 4u) + piece * (p.step / 4u) + i - piece * length;
    let stat = piece * p.stat_step + line / p.stat_span;
    var v = get4_g(k);
    if (p.weighted != 0u) { v *= get_weight(line % p.groups * p.channels + piece); }
    sum += v;
    dot += v * ((get4_x(k) - get_mean(stat)) * get_rstd(stat));
  }
  let both = vec2<f32>(sum.x + sum.y + (sum.z + sum.w), dot.x + dot.y + (dot.z + dot.w));
  let total = group_sum2_f32(both, lane, team);
  if (lane % team == 0u && result < p.results) {
    set4_parts(result, vec4<f32>(total, 0.0, 0.0));
  }
}
