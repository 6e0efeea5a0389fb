// A cell of a GRU. One invocation per hidden unit of a row; see recurrent.c.

fn gru_cell(group: u32, lane: u32) {
  let i = group * 256u + lane;
  if (i >= p.range) { return; }
  let row = i / p.size;
  let u = i % p.size;
  let at = row * 3u * p.size + u;
  var gi: vec3<f32>;
  var gh: vec3<f32>;
  for (var k = 0u; k < 3u; k++) {
    gi[k] = get_gi(at + k * p.size);
    gh[k] = get_gh(at + k * p.size);
  }
  let cell = gru_unit(gi, gh, get_h(i));
  set_next(i, cell.w);
  for (var k = 0u; k < 3u; k++) { set_gates(at + k * p.size, cell[k]); }
}
