// The cast for a source that begins anywhere: an invocation writes words of elements.
fn convert(group: u32, lane: u32) {
  const LANES = 4u / GOAL_BYTES;
  for (var k = 0u; k < GOAL_BYTES; k++) {
    let word = (group * GOAL_BYTES + k) * WORKGROUP + lane;
    if (word * LANES >= p.range) { return; }
    var value = 0u;
    for (var j = 0u; j < LANES; j++) {
      let i = word * LANES + j;
      if (i < p.range) { value |= element(i) << (8u * GOAL_BYTES * j); }
    }
    set_word_out(word, value);
  }
}
