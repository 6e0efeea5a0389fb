// The elements of x where the mask is true, in order.
fn truth(i: u32) -> bool { return get_mask(i) != 0u; }
fn mask_select(group: u32, lane: u32) {
  let start = group * BLOCK + lane * SHARE;
  var k = u32(get_starts(group)) + before(lane, count_share(start));
  for (var i = start; i < min(start + SHARE, p.n); i++) {
    if (truth(i)) {
      set_out(k, get_x(i));
      k++;
    }
  }
}
