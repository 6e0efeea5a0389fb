// Attention in blocks: out = softmax(scale q k^T + bias) v. A workgroup does 16 queries of one head
// and goes through the keys 64 at a time; 16 invocations share a query. Of the softmax only the
// logarithms of its sums are kept. See attention.c; places of a head:

fn q_at(n: u32, i: u32, h: u32) -> u32 { return n * p.q_batch + i * p.q_row + h * p.q_head; }
fn k_at(n: u32, j: u32, h: u32) -> u32 { return n * p.k_batch + j * p.k_row + h * p.k_head; }
fn v_at(n: u32, j: u32, h: u32) -> u32 { return n * p.v_batch + j * p.v_row + h * p.v_head; }
fn out_at(n: u32, i: u32, h: u32) -> u32 { return ((n * p.rows + i) * p.heads + h) * p.width; }

// scale q . k + bias; minus infinity where query i must not see key j.
fn score(n: u32, h: u32, i: u32, j: u32) -> f32 {
  if (i >= p.rows || j >= p.keys || (p.causal != 0u && j > i)) { return -inf_f32(); }
  if (p.masked != 0u && get_mask(n * p.mask_batch + h * p.mask_head + i * p.mask_row + j) == 0u) {
    return -inf_f32();
  }
  var total = 0.0;
  let q = q_at(n, i, h);
  let k = k_at(n, j, h);
  for (var e = 0u; e < p.size; e++) { total += get_q(q + e) * get_k(k + e); }
  total *= p.scale;
  if (p.biased != 0u) { total += get_bias(n * p.bias_batch + h * p.bias_head + i * p.bias_row + j); }
  return total;
}
