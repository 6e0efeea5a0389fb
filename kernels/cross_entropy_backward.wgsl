// gx[c] = g (p[c] ((1 - e) w[t] + e / classes * sum w) - (1 - e) w[t] [c = t]
//            - e / classes * w[c]), p = exp(x - most - log_sum), by elements of
// [outer, classes, inner]; 0 where the target is ignored, whatever x is.

fn weight_of(c: u32) -> f32 {
  if (p.weighted != 0u) { return get_weight(c); }
  return 1.0;
}

fn cross_entropy_backward(group: u32, lane: u32) {
  var weights = f32(p.classes);
  if (p.weighted != 0u && p.smoothing != 0.0) { weights = get_weights(0u); }
  for (var k = 0u; k < 4u; k++) {
    let i = group * 1024u + k * 256u + lane;
    if (i >= p.range) { return; }
    let c = i / p.inner % p.classes;
    let line = i / p.inner / p.classes * p.inner + i % p.inner;
    let class_index = get_goal(line);
    var value = 0.0;
    if (class_index != p.ignore && bitcast<u32>(class_index) < p.classes) {
      let own = bitcast<u32>(class_index);
      let g = gradient_of(line);
      let hard = g * (1.0 - p.smoothing) * weight_of(own);
      let even = g * (p.smoothing / f32(p.classes));
      let soft = hard + even * weights;
      if (soft != 0.0 || isnan_f32(soft)) {
        value = soft * exp_f32(get_x(i) - get_most(line) - get_log_sum(line));
        if (p.smoothing != 0.0) { value -= even * weight_of(c); }
      }
      if (c == own) { value -= hard; }
    }
    set_gx(i, value);
  }
}
