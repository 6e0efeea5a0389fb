// dk and dv: a workgroup does SPAN features of 64 keys of one head, 32 queries at a time. Lines that
// name a CHUNK stand for one of each 32 features.

// The weights of key j for four queries.
fn row_weights(
  n: u32, h: u32, i: vec4<u32>, j: u32, s: vec4<f32>, lse: vec4<f32>,
) -> vec4<f32> {
  return weight_of(scored(n, h, i, vec4<u32>(j), s), lse);
}

fn attention_keys(group: u32, lane: u32) {
  let slices = (max(p.size, p.width) + SPAN - 1u) / SPAN;
  let blocks = (p.keys + 63u) / 64u;
  let head = group / slices / blocks;
  let n = head / p.heads;
  let h = head % p.heads;
  let first = group / slices % blocks * 64u;
  let f0 = group % slices * SPAN;
  let low = lane % 8u;
  let high = lane / 8u;
  let j = first + 4u * high;
  var dk_CHUNK = Part();
  var dv_CHUNK = Part();
  // No query before a key sees it, if causal.
  for (var i0 = select(0u, first, p.causal != 0u); i0 < p.rows; i0 += 32u) {
    var s = Part();
    for (var e0 = 0u; e0 < p.size; e0 += 32u) {
      turn_k(n, h, first, e0, lane, 0u, 16u);
      turn_q(n, h, i0, e0, lane, SHORT, 8u);
      workgroupBarrier();
      multiply(&s, low, high);
      workgroupBarrier();
    }
    var d = Part();
    for (var f = 0u; f < p.width; f += 32u) {
      turn_v(n, h, first, f, lane, 0u, 16u);
      turn_g(n, h, i0, f, lane, SHORT, 8u);
      workgroupBarrier();
      multiply(&d, low, high);
      workgroupBarrier();
    }
    let i = i0 + 4u * low + vec4<u32>(0u, 1u, 2u, 3u);
    let row = min(i, vec4<u32>(p.rows - 1u));
    let lse = lse_of(head, i0 + 4u * low);
    let at = row + delta_at(head, 0u);
    let delta = vec4<f32>(get_delta(at.x), get_delta(at.y), get_delta(at.z), get_delta(at.w));
    s.r0 = row_weights(n, h, i, j, s.r0, lse);
    s.r1 = row_weights(n, h, i, j + 1u, s.r1, lse);
    s.r2 = row_weights(n, h, i, j + 2u, s.r2, lse);
    s.r3 = row_weights(n, h, i, j + 3u, s.r3, lse);
    s.r4 = row_weights(n, h, i, j + 32u, s.r4, lse);
    s.r5 = row_weights(n, h, i, j + 33u, s.r5, lse);
    s.r6 = row_weights(n, h, i, j + 34u, s.r6, lse);
    s.r7 = row_weights(n, h, i, j + 35u, s.r7, lse);
    put(&s, low, high);
    weigh_g(&dv_CHUNK, n, h, i0, f0 + CHUNKu * 32u, lane);
    d.r0 = score_gradient(s.r0, d.r0, delta);
    d.r1 = score_gradient(s.r1, d.r1, delta);
    d.r2 = score_gradient(s.r2, d.r2, delta);
    d.r3 = score_gradient(s.r3, d.r3, delta);
    d.r4 = score_gradient(s.r4, d.r4, delta);
    d.r5 = score_gradient(s.r5, d.r5, delta);
    d.r6 = score_gradient(s.r6, d.r6, delta);
    d.r7 = score_gradient(s.r7, d.r7, delta);
    put(&d, low, high);
    weigh_q(&dk_CHUNK, n, h, i0, f0 + CHUNKu * 32u, lane);
  }
  stretch(&dk_CHUNK, vec4<f32>(p.scale), vec4<f32>(p.scale));
  save_part_dk(dk_CHUNK, n, j, h, f0 + CHUNKu * 32u + 4u * low);
  save_part_dv(dv_CHUNK, n, j, h, f0 + CHUNKu * 32u + 4u * low);
}
