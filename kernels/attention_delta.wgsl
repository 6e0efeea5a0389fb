// delta[n, h, i] = the sum over features of the gradient times the result.
fn attention_delta(group: u32, lane: u32) {
  let r = group * 256u + lane;
  if (r >= p.range) { return; }
  let i = r % p.rows;
  let h = r / p.rows % p.heads;
  let n = r / p.rows / p.heads;
  let g = n * p.g_batch + i * p.g_row + h * p.g_head;
  let out = ((n * p.rows + i) * p.heads + h) * p.width;
  var total = 0.0;
  for (var f = 0u; f < p.width; f++) { total += get_g(g + f) * get_out(out + f); }
  set_delta(r, total);
}
