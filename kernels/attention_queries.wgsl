// dq: a workgroup does 16 queries of one head, 64 keys at a time.
const QUERIES = 16u;
const KEYS = 64u;
var<workgroup> scores: array<f32, 1024>;

fn attention_queries(group: u32, lane: u32) {
  let blocks = (p.rows + QUERIES - 1u) / QUERIES;
  let n = group / blocks / p.heads;
  let h = group / blocks % p.heads;
  let first = group % blocks * QUERIES;
  let query = lane / 16u;
  let part = lane % 16u;
  let i = first + query;
  let to = ((n * p.rows + i) * p.heads + h) * p.size;
  let seen = select(p.keys, min(p.keys, first + QUERIES), p.causal != 0u);
  if (i < p.rows) {
    for (var e = part; e < p.size; e += 16u) { set_dq(to + e, 0.0); }
  }
  for (var j0 = 0u; j0 < seen; j0 += KEYS) {
    for (var k = 0u; k < 4u; k++) {
      let j = k * 16u + part;
      scores[query * KEYS + j] = pair(n, h, i, j0 + j).gradient;
    }
    workgroupBarrier();
    let count = min(KEYS, p.keys - j0);
    if (i < p.rows) {
      for (var e = part; e < p.size; e += 16u) {
        var total = 0.0;
        for (var j = 0u; j < count; j++) {
          total += scores[query * KEYS + j] * get_k(k_at(n, j0 + j, h) + e);
        }
        set_dq(to + e, get_dq(to + e) + total * p.scale);
      }
    }
    workgroupBarrier();
  }
}
