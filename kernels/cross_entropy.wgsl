// Cross-entropy of logits [outer, classes, inner] against classes [outer, inner]. With
// logp = x - most - log_sum and e = smoothing:
//   loss = -(1 - e) w[t] logp[t] - e / classes * sum_c w[c] logp[c];  scale = w[t];
// both 0 where the target is ignored. Teams take positions.

fn weight_of(c: u32) -> f32 {
  if (p.weighted != 0u) { return get_weight(c); }
  return 1.0;
}

fn cross_entropy(group: u32, lane: u32) {
  let team = p.team;
  let at = team_place(lane, team, p.inner);
  let line = group * (WORKGROUP / team) + at / team;
  let count = select(0u, p.classes, line < p.lines);
  let first = line / p.inner * p.classes * p.inner + line % p.inner;
  var most = lowest_f32();
  for (var i = at % team; i < count; i += team) {
    most = max_f32(most, get_x(first + i * p.inner));
  }
  most = group_max_f32(most, at, team);
  var sums = vec4<f32>();
  for (var i = at % team; i < count; i += 4u * team) {
    for (var j = 0u; j < 4u && i + j * team < count; j++) {
      sums[j] += exp_f32(get_x(first + (i + j * team) * p.inner) - most);
    }
  }
  let log_sum = log_f32(group_sum_f32(sums.x + sums.y + (sums.z + sums.w), at, team));
  var smooth_part = 0.0;
  if (p.smoothing != 0.0) {
    var total = 0.0;
    for (var i = at % team; i < count; i += team) {
      total += weight_of(i) * (get_x(first + i * p.inner) - most - log_sum);
    }
    smooth_part = p.smoothing / f32(p.classes) * group_sum_f32(total, at, team);
  }
  if (at % team != 0u || line >= p.lines) { return; }
  var loss = 0.0;
  var scale = 0.0;
  let class_index = get_goal(line);
  if (class_index != p.ignore) {
    if (bitcast<u32>(class_index) < p.classes) {
      let c = bitcast<u32>(class_index);
      scale = weight_of(c);
      loss = (p.smoothing - 1.0) * scale * (get_x(first + c * p.inner) - most - log_sum);
      if (p.smoothing != 0.0) { loss -= smooth_part; }
    } else {
      set_status(0u, bitcast<i32>(line + 1u));
    }
  }
  set_loss(line, loss);
  set_scale(line, scale);
  set_most(line, most);
  set_log_sum(line, log_sum);
}
