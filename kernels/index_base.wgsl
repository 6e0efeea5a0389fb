// out = x, or zeros: what a scatter starts from.

fn index_base(group: u32, lane: u32) {
  for (var k = 0u; k < 4u; k++) {
    let i = group * 1024u + k * 256u + lane;
    if (i >= p.range) { return; }
    if (p.based != 0u) { set_out(i, get_x(i)); } else { set_out(i, S(0)); }
  }
}
