// h = tanh(gi + gh), or relu. One invocation per hidden unit of a row; see recurrent.c.

fn rnn_cell(group: u32, lane: u32) {
  let i = group * 256u + lane;
  if (i >= p.range) { return; }
  let row = i / p.size;
  let u = i % p.size;
  set_h(i, rnn_unit(get_gi(i) + get_gh(i), p.relu != 0u));
}
