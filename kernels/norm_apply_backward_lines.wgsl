// norm_apply_backward.wgsl by whole vectors that share their statistics and their channel.

fn norm_apply_backward(group: u32, lane: u32) {
  for (var k = 0u; k < 4u; k++) {
    let i = group * 4096u + 4u * (k * 256u + lane);
    if (i >= p.range) { return; }
    let stat = i / p.span % p.stats;
    var w = 1.0;
    if (p.weighted != 0u) { w = get_weight(i / p.length % p.channels); }
    let inside = select(w, 1.0, p.outside != 0u);
    let rstd = get_rstd(stat);
    let xhat = (get4_x(i / 4u) - get_mean(stat)) * rstd;
    let sums = get_sums(stat) / f32(p.n);
    let v = get4_g(i / 4u) * inside - sums - xhat * (get_dots(stat) / f32(p.n));
    set4_gx(i / 4u, rstd * v * select(1.0, w, p.outside != 0u));
  }
}
