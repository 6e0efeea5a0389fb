// Gradients of a cell of a GRU. One invocation per hidden unit of a row; see recurrent.c.

fn gru_cell_backward(group: u32, lane: u32) {
  let i = group * 256u + lane;
  if (i >= p.range) { return; }
  let row = i / p.size;
  let u = i % p.size;
  let at = row * 3u * p.size + u;
  let gates = vec3<f32>(get_gates(at), get_gates(at + p.size), get_gates(at + 2u * p.size));
  let d = gru_gradient(gates, get_gh(at + 2u * p.size), get_h(i), get_g(i));
  for (var k = 0u; k < 3u; k++) {
    set_ggi(at + k * p.size, d.gi[k]);
    set_ggh(at + k * p.size, d.gh[k]);
  }
  set_gHidden(i, d.h);
}
