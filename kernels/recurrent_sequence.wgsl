// A recurrent network over a whole sequence: a workgroup takes one row of the batch through all
// steps, each invocation its hidden units. `turned` is the weight transposed, [size, wide], so that
// neighbouring units are read together. See recurrent.c for the tensors and modes.

const GRU = 2u;
const LSTM = 3u;

fn state_before(s: u32, t_before: u32, row: u32, k: u32) -> f32 {
  if (s > 0u) { return get_out((t_before * p.batch + row) * p.size + k); }
  if (p.hasH != 0u) { return get_h0(row * p.size + k); }
  return 0.0;
}
fn cell_before(s: u32, t_before: u32, row: u32, k: u32) -> f32 {
  if (s > 0u) { return get_cells((t_before * p.batch + row) * p.size + k); }
  if (p.hasC != 0u) { return get_c0(row * p.size + k); }
  return 0.0;
}
fn bias_of(k: u32) -> f32 {
  if (p.hasBias != 0u) { return get_bias(k); }
  return 0.0;
}

fn recurrent_sequence(group: u32, lane: u32) {
  let row = group;
  let gates = select(p.mode + 1u, 1u, p.mode < GRU);
  let wide = gates * p.size;
  var length = p.steps;
  if (p.hasLengths != 0u) { length = u32(get_lengths(row)); }
  for (var s = 0u; s < p.steps; s++) {
    let t = select(s, p.steps - 1u - s, p.reverse != 0u);
    let before = select(t - 1u, t + 1u, p.reverse != 0u);
    let at = t * p.batch + row;
    for (var u = lane; u < p.size; u += 256u) {
      let h = state_before(s, before, row, u);
      var sums = vec4<f32>();
      if (t < length && (s > 0u || p.hasH != 0u)) {
        for (var k = 0u; k < p.size; k++) {
          let value = state_before(s, before, row, k);
          for (var q = 0u; q < gates; q++) {
            sums[q] += value * get_turned(k * wide + q * p.size + u);
          }
        }
      }
      if (t >= length) {
        set_out(at * p.size + u, h);
        if (p.mode == LSTM) { set_cells(at * p.size + u, cell_before(s, before, row, u)); }
        if (p.mode >= GRU) {
          for (var q = 0u; q < 4u; q++) { set_gates((at * 4u + q) * p.size + u, 0.0); }
        }
        continue;
      }
      var gi = vec4<f32>();
      for (var q = 0u; q < gates; q++) { gi[q] = get_gi(at * wide + q * p.size + u); }
      if (p.mode == LSTM) {
        let cell = lstm_unit(gi + sums, cell_before(s, before, row, u));
        set_out(at * p.size + u, cell.h);
        set_cells(at * p.size + u, cell.next);
        for (var q = 0u; q < 4u; q++) { set_gates((at * 4u + q) * p.size + u, cell.gates[q]); }
      } else if (p.mode == GRU) {
        for (var q = 0u; q < 3u; q++) { sums[q] += bias_of(q * p.size + u); }
        let cell = gru_unit(gi.xyz, sums.xyz, h);
        set_out(at * p.size + u, cell.w);
        for (var q = 0u; q < 3u; q++) { set_gates((at * 4u + q) * p.size + u, cell[q]); }
        set_gates((at * 4u + 3u) * p.size + u, sums.z);
      } else {
        set_out(at * p.size + u, rnn_unit(gi.x + sums.x, p.mode == 1u));
      }
    }
    storageBarrier();
  }
  let end = select(p.steps - 1u, 0u, p.reverse != 0u);
  for (var u = lane; u < p.size; u += 256u) {
    set_last(row * p.size + u, state_before(p.steps, end, row, u));
    if (p.mode == LSTM) { set_lastCell(row * p.size + u, cell_before(p.steps, end, row, u)); }
  }
}
