// norm_apply.wgsl by whole vectors that share their statistics and their channel.

fn norm_apply(group: u32, lane: u32) {
  for (var k = 0u; k < 4u; k++) {
    let i = group * 4096u + 4u * (k * 256u + lane);
    if (i >= p.range) { return; }
    let stat = i / p.span % p.stats;
    let c = i / p.length % p.channels;
    var scale = get_spread(stat);
    if (p.rooted != 0u) { scale = 1.0 / sqrt(scale + p.eps); }
    if (p.weighted != 0u) { scale *= get_weight(c); }
    var v = (get4_x(i / 4u) - get_mean(stat)) * scale;
    if (p.biased != 0u) { v += get_bias(c); }
    set4_y(i / 4u, v);
  }
}
