// Whether an element differs from the one before it; the first does. A word of four by invocation.

fn run_starts(group: u32, lane: u32) {
  let word = group * 256u + lane;
  if (word * 4u >= p.range) { return; }
  var value = 0u;
  for (var j = 0u; j < 4u; j++) {
    let i = word * 4u + j;
    if (i >= p.range) { break; }
    var starts = i == 0u;
    if (i > 0u) {
      let x = get_x(i);
      starts = isnan_(x) || order_key_(x) != order_key_(get_x(i - 1u));
    }
    value |= select(0u, 1u, starts) << (8u * j);
  }
  set_word_out(word, value);
}
