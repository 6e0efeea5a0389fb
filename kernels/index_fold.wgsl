// Sources meet what is there: mode 0 add alpha times, 1 multiply, 2 the larger, 3 the smaller.

fn meet(place: u32, from_source: u32) {
  let old = get_out(place);
  let v = get_src(from_source);
  switch (p.mode) {
    case 0u: { set_out(place, old + S(p.alpha) * v); }
    case 1u: { set_out(place, old * v); }
    case 2u: { set_out(place, max_(old, v)); }
    default: { set_out(place, min_(old, v)); }
  }
}
fn index_fold(group: u32, lane: u32) { each_source(group, lane); }
