// The gradient through a whole sequence: as recurrent_sequence.wgsl, from the last step to the
// first. dh and dc keep the gradients of the states on their way, [batch, size].

const GRU = 2u;
const LSTM = 3u;

fn state_before(s: u32, t_before: u32, at: u32) -> f32 {
  if (s > 0u) { return get_out(t_before * p.batch * p.size + at); }
  if (p.hasH != 0u) { return get_h0(at); }
  return 0.0;
}
fn cell_before(s: u32, t_before: u32, at: u32) -> f32 {
  if (s > 0u) { return get_cells(t_before * p.batch * p.size + at); }
  if (p.hasC != 0u) { return get_c0(at); }
  return 0.0;
}
fn keep_gradients(at: u32, u: u32, wide: u32, q: u32, gi: f32, gh: f32) {
  set_ggi(at * wide + q * p.size + u, gi);
  if (p.mode == GRU) { set_ggh(at * wide + q * p.size + u, gh); }
}
fn product_gradient(i: u32) -> f32 {
  if (p.mode == GRU) { return get_ggh(i); }
  return get_ggi(i);
}

fn recurrent_backward(group: u32, lane: u32) {
  let row = group;
  let gates = select(p.mode + 1u, 1u, p.mode < GRU);
  let wide = gates * p.size;
  var length = p.steps;
  if (p.hasLengths != 0u) { length = u32(get_lengths(row)); }
  for (var u = lane; u < p.size; u += 256u) {
    let i = row * p.size + u;
    var first = 0.0;
    var cell = 0.0;
    if (p.hasLast != 0u) { first = get_glast(i); }
    if (p.hasCell != 0u) { cell = get_gcell(i); }
    set_dh(i, first);
    set_dc(i, cell);
  }
  for (var s = p.steps; s > 0u; s--) {
    let t = select(s - 1u, p.steps - s, p.reverse != 0u);
    let before = select(t - 1u, t + 1u, p.reverse != 0u);
    let at = t * p.batch + row;
    for (var u = lane; u < p.size; u += 256u) {
      let i = row * p.size + u;
      var d = get_dh(i);
      if (p.hasG != 0u) { d += get_g(at * p.size + u); }
      if (t >= length) {
        set_dh(i, d);
        for (var q = 0u; q < gates; q++) { keep_gradients(at, u, wide, q, 0.0, 0.0); }
      } else if (p.mode == LSTM) {
        var kept: vec4<f32>;
        for (var q = 0u; q < 4u; q++) { kept[q] = get_gates((at * 4u + q) * p.size + u); }
        let c = cell_before(s - 1u, before, i);
        let g = lstm_gradient(kept, c, get_cells(at * p.size + u), d, get_dc(i));
        for (var q = 0u; q < 4u; q++) { keep_gradients(at, u, wide, q, g.gates[q], 0.0); }
        set_dc(i, g.c);
        set_dh(i, 0.0);
      } else if (p.mode == GRU) {
        var kept: vec4<f32>;
        for (var q = 0u; q < 4u; q++) { kept[q] = get_gates((at * 4u + q) * p.size + u); }
        let g = gru_gradient(kept.xyz, kept.w, state_before(s - 1u, before, i), d);
        for (var q = 0u; q < 3u; q++) { keep_gradients(at, u, wide, q, g.gi[q], g.gh[q]); }
        set_dh(i, g.h);
      } else {
        let g = rnn_gradient(d, get_out(at * p.size + u), p.mode == 1u);
        keep_gradients(at, u, wide, 0u, g, 0.0);
        set_dh(i, 0.0);
      }
    }
    storageBarrier();
    for (var u = lane; u < p.size; u += 256u) {
      var total = get_dh(row * p.size + u);
      if (t < length) {
        for (var k = 0u; k < wide; k++) {
          total += product_gradient(at * wide + k) * get_weight(k * p.size + u);
        }
      }
      set_dh(row * p.size + u, total);
    }
  }
  for (var u = lane; u < p.size; u += 256u) {
    set_gh0(row * p.size + u, get_dh(row * p.size + u));
    if (p.mode == LSTM) { set_gc0(row * p.size + u, get_dc(row * p.size + u)); }
  }
}
