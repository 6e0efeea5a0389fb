// gx = -w[t] g at the target, 0 elsewhere, by elements of [outer, classes, inner].

fn nll_loss_backward(group: u32, lane: u32) {
  for (var k = 0u; k < 4u; k++) {
    let i = group * 1024u + k * 256u + lane;
    if (i >= p.range) { return; }
    let c = i / p.inner % p.classes;
    let line = i / p.inner / p.classes * p.inner + i % p.inner;
    let class_index = get_goal(line);
    var value = 0.0;
    if (class_index != p.ignore && bitcast<u32>(class_index) == c) {
      value = -gradient_of(line);
      if (p.weighted != 0u) { value *= get_weight(c); }
    }
    set_gx(i, value);
  }
}
