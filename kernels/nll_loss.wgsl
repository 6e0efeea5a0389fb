// loss = -w[t] x[t] and scale = w[t] for log-probabilities x [outer, classes, inner]; 0 where the
// target is ignored. By positions.

fn nll_loss(group: u32, lane: u32) {
  let line = group * 256u + lane;
  if (line >= p.range) { return; }
  var loss = 0.0;
  var scale = 0.0;
  let class_index = get_goal(line);
  if (class_index != p.ignore) {
    let c = bitcast<u32>(class_index);
    if (c < p.classes) {
      scale = 1.0;
      if (p.weighted != 0u) { scale = get_weight(c); }
      loss = -scale * get_x((line / p.inner * p.classes + c) * p.inner + line % p.inner);
    } else {
      set_status(0u, bitcast<i32>(line + 1u));
    }
  }
  set_loss(line, loss);
  set_scale(line, scale);
}
