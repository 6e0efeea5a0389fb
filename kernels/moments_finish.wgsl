fn finish(result: u32, mean: f32, squares: f32) {
  set_mean(result, mean);
  if (p.last == 0u) {
    set_spread(result, squares);
    return;
  }
  let variance = squares / p.divisor;
  set_spread(result, variance);
  if (p.rooted != 0u) { set_rstd(result, 1.0 / sqrt(variance + p.eps)); }
}
