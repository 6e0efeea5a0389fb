// The last source wins; with `fill` all sources are one value.

fn meet(place: u32, from_source: u32) {
  if (p.fill != 0u) { set_out(place, p.low); } else { set_out(place, get_src(from_source)); }
}
fn index_move(group: u32, lane: u32) { each_source(group, lane); }
