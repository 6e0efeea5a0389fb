// out[k, d] = coordinate d of the k-th true element.
fn truth(i: u32) -> bool { return (get_x(i) & p.maskLow) != 0u; }
fn mask_fill(group: u32, lane: u32) {
  let start = group * BLOCK + lane * SHARE;
  var k = u32(get_starts(group)) + before(lane, count_share(start));
  for (var i = start; i < min(start + SHARE, p.n); i++) {
    if (!truth(i)) { continue; }
    var rest = i;
    for (var d = p.shape_count; d > 0u; d--) {
      set_out(k * p.shape_count + d - 1u, i32(rest % p.shape[d - 1u]));
      rest /= p.shape[d - 1u];
    }
    k++;
  }
}
