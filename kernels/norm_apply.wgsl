// y = (x - mean) * rstd * weight + bias by elements. Statistics of element i are at i / span %
// stats (rstd is 1 / sqrt(spread + eps) if `rooted`), weight and bias at i / length % channels.

fn norm_apply(group: u32, lane: u32) {
  for (var k = 0u; k < 4u; k++) {
    let i = group * 1024u + k * 256u + lane;
    if (i >= p.range) { return; }
    let stat = i / p.span % p.stats;
    let c = i / p.length % p.channels;
    var scale = get_spread(stat);
    if (p.rooted != 0u) { scale = 1.0 / sqrt(scale + p.eps); }
    if (p.weighted != 0u) { scale *= get_weight(c); }
    var v = (get_x(i) - get_mean(stat)) * scale;
    if (p.biased != 0u) { v += get_bias(c); }
    set_y(i, v);
  }
}
