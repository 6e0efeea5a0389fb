// x, with the elements where the mask is true replaced by those of `source`, in order.
fn truth(i: u32) -> bool { return get_mask(i) != 0u; }
fn mask_scatter(group: u32, lane: u32) {
  let start = group * BLOCK + lane * SHARE;
  var k = u32(get_starts(group)) + before(lane, count_share(start));
  for (var i = start; i < min(start + SHARE, p.n); i++) {
    if (truth(i)) {
      if (k < p.available) { set_out(i, get_source(k)); } else { set_status(0u, k + 1u); }
      k++;
    } else {
      set_out(i, get_x(i));
    }
  }
}
