// Gradients of a cell of an LSTM. One invocation per hidden unit of a row; see recurrent.c.

fn lstm_cell_backward(group: u32, lane: u32) {
  let i = group * 256u + lane;
  if (i >= p.range) { return; }
  let row = i / p.size;
  let u = i % p.size;
  let at = row * 4u * p.size + u;
  var gates: vec4<f32>;
  for (var k = 0u; k < 4u; k++) { gates[k] = get_gates(at + k * p.size); }
  var dh = 0.0;
  var dnext = 0.0;
  if (p.hasH != 0u) { dh = get_gh(i); }
  if (p.hasNext != 0u) { dnext = get_gnext(i); }
  let d = lstm_gradient(gates, get_c(i), get_next(i), dh, dnext);
  for (var k = 0u; k < 4u; k++) { set_gx(at + k * p.size, d.gates[k]); }
  set_gc(i, d.c);
}
