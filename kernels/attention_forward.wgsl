// The forward, with attention.wgsl before it.
const QUERIES = 16u;
const KEYS = 64u;
var<workgroup> weights: array<f32, 1024>;

fn attention(group: u32, lane: u32) {
  let blocks = (p.rows + QUERIES - 1u) / QUERIES;
  let n = group / blocks / p.heads;
  let h = group / blocks % p.heads;
  let first = group % blocks * QUERIES;
  let query = lane / 16u;
  let part = lane % 16u;
  let i = first + query;
  let out = out_at(n, i, h);
  var most = -inf_f32();
  var total = 0.0;
  let seen = select(p.keys, min(p.keys, first + QUERIES), p.causal != 0u);
  for (var j0 = 0u; j0 < seen; j0 += KEYS) {
    for (var k = 0u; k < 4u; k++) {
      let j = k * 16u + part;
      weights[query * KEYS + j] = score(n, h, i, j0 + j);
    }
    workgroupBarrier();
    var top = most;
    for (var j = 0u; j < KEYS; j++) { top = max_f32(top, weights[query * KEYS + j]); }
    // A query that has seen nothing keeps sums of zero.
    let base = select(top, 0.0, bitcast<u32>(top) == 0xff800000u);
    workgroupBarrier();
    for (var k = 0u; k < 4u; k++) {
      let at = query * KEYS + k * 16u + part;
      weights[at] = exp_f32(weights[at] - base);
    }
    workgroupBarrier();
    let shrink = exp_f32(most - base);
    var sum = 0.0;
    for (var j = 0u; j < KEYS; j++) { sum += weights[query * KEYS + j]; }
    total = total * shrink + sum;
    most = top;
    let count = min(KEYS, p.keys - j0);
    if (i < p.rows) {
      for (var f = part; f < p.width; f += 16u) {
        var value = 0.0;
        for (var j = 0u; j < count; j++) {
          value += weights[query * KEYS + j] * get_v(v_at(n, j0 + j, h) + f);
        }
        if (j0 > 0u) { value += get_out(out + f) * shrink; }
        set_out(out + f, value);
      }
    }
    workgroupBarrier();
  }
  if (i >= p.rows) { return; }
  for (var f = part; f < p.width; f += 16u) { set_out(out + f, get_out(out + f) / total); }
  if (part == 0u) { set_lse((n * p.heads + h) * p.rows + i, most + log_f32(total)); }
}
