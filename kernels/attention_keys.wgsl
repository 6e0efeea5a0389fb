// dk and dv: a workgroup does 16 keys of one head, 64 queries at a time.
const QUERIES = 64u;
const KEYS = 16u;
var<workgroup> weights: array<f32, 1024>;
var<workgroup> scores: array<f32, 1024>;

fn attention_keys(group: u32, lane: u32) {
  let blocks = (p.keys + KEYS - 1u) / KEYS;
  let n = group / blocks / p.heads;
  let h = group / blocks % p.heads;
  let first = group % blocks * KEYS;
  let key = lane / 16u;
  let part = lane % 16u;
  let j = first + key;
  let to_k = ((n * p.keys + j) * p.heads + h) * p.size;
  let to_v = ((n * p.keys + j) * p.heads + h) * p.width;
  if (j < p.keys) {
    for (var e = part; e < p.size; e += 16u) { set_dk(to_k + e, 0.0); }
    for (var f = part; f < p.width; f += 16u) { set_dv(to_v + f, 0.0); }
  }
  for (var i0 = 0u; i0 < p.rows; i0 += QUERIES) {
    for (var k = 0u; k < 4u; k++) {
      let i = k * 16u + part;
      let both = pair(n, h, i0 + i, j);
      weights[key * QUERIES + i] = both.weight;
      scores[key * QUERIES + i] = both.gradient;
    }
    workgroupBarrier();
    let count = min(QUERIES, p.rows - i0);
    if (j < p.keys) {
      for (var e = part; e < p.size; e += 16u) {
        var total = 0.0;
        for (var i = 0u; i < count; i++) {
          total += scores[key * QUERIES + i] * get_q(q_at(n, i0 + i, h) + e);
        }
        set_dk(to_k + e, get_dk(to_k + e) + total * p.scale);
      }
      for (var f = part; f < p.width; f += 16u) {
        var total = 0.0;
        for (var i = 0u; i < count; i++) {
          let g = n * p.g_batch + (i0 + i) * p.g_row + h * p.g_head;
          total += weights[key * QUERIES + i] * get_g(g + f);
        }
        set_dv(to_v + f, get_dv(to_v + f) + total);
      }
    }
    workgroupBarrier();
  }
}
