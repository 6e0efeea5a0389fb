// A cell of an LSTM. One invocation per hidden unit of a row; see recurrent.c.

fn lstm_cell(group: u32, lane: u32) {
  let i = group * 256u + lane;
  if (i >= p.range) { return; }
  let row = i / p.size;
  let u = i % p.size;
  let at = row * 4u * p.size + u;
  var sums: vec4<f32>;
  for (var k = 0u; k < 4u; k++) { sums[k] = get_gi(at + k * p.size) + get_gh(at + k * p.size); }
  let cell = lstm_unit(sums, get_c(i));
  set_h(i, cell.h);
  set_next(i, cell.next);
  for (var k = 0u; k < 4u; k++) { set_gates(at + k * p.size, cell.gates[k]); }
}
