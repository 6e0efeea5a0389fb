// What both gradients of attention need, with attention.wgsl before it: the weight of key j for
// query i, and the gradient of its score.
struct Pair { weight: f32, gradient: f32 }
fn pair(n: u32, h: u32, i: u32, j: u32) -> Pair {
  let s = score(n, h, i, j);
  if (bitcast<u32>(s) == 0xff800000u) { return Pair(0.0, 0.0); }
  let row = (n * p.heads + h) * p.rows + i;
  let weight = exp_f32(s - get_lse(row));
  let g = n * p.g_batch + i * p.g_row + h * p.g_head;
  let v = v_at(n, j, h);
  var total = 0.0;
  for (var f = 0u; f < p.width; f++) { total += get_g(g + f) * get_v(v + f); }
  return Pair(weight, weight * (total - get_delta(row)));
}
