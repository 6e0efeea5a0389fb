// gx = rstd * (g w - sums / n - xhat * dots / n) by elements, places as in norm_apply.wgsl.
// `outside` is for sums without weights: then gx = rstd * w * (g - sums / n - xhat * dots / n).

fn norm_apply_backward(group: u32, lane: u32) {
  for (var k = 0u; k < 4u; k++) {
    let i = group * 1024u + k * 256u + lane;
    if (i >= p.range) { return; }
    let stat = i / p.span % p.stats;
    var w = 1.0;
    if (p.weighted != 0u) { w = get_weight(i / p.length % p.channels); }
    let inside = select(w, 1.0, p.outside != 0u);
    let rstd = get_rstd(stat);
    let xhat = (get_x(i) - get_mean(stat)) * rstd;
    let v = get_g(i) * inside - get_sums(stat) / f32(p.n) - xhat * (get_dots(stat) / f32(p.n));
    set_gx(i, rstd * v * select(1.0, w, p.outside != 0u));
  }
}
