// The gradient of gi and of gh. One invocation per hidden unit of a row; see recurrent.c.

fn rnn_cell_backward(group: u32, lane: u32) {
  let i = group * 256u + lane;
  if (i >= p.range) { return; }
  let row = i / p.size;
  let u = i % p.size;
  set_gx(i, rnn_gradient(get_g(i), get_h(i), p.relu != 0u));
}
