// dq, and delta: a workgroup does SPAN features of 64 queries of one head, 32 keys at a time. Lines
// that name a CHUNK stand for one of each 32 features.

// The gradients of the scores of a row, from its products with keys and of its gradient with values.
fn row_gradient(
  n: u32, h: u32, i: u32, j: u32, s: vec4<f32>, g: vec4<f32>, lse: f32, delta: f32,
) -> vec4<f32> {
  let k = vec4<u32>(j, j + 1u, j + 2u, j + 3u);
  let weight = weight_of(scored(n, h, vec4<u32>(i), k, s), vec4<f32>(lse));
  return score_gradient(weight, g, vec4<f32>(delta));
}
// An invocation's part of delta for one query.
fn part_of_delta(n: u32, i: u32, h: u32, low: u32) -> f32 {
  var total = 0.0;
  let there = i < p.rows;
  for (var f = 4u * low; f < p.width; f += 32u) {
    total += dot(four_g(g_at(n, i, h), f, there),
                 four_out(((n * p.rows + i) * p.heads + h) * p.width, f, there));
  }
  return total;
}
fn four_deltas(n: u32, i: u32, h: u32, low: u32) -> vec4<f32> {
  return vec4<f32>(part_of_delta(n, i, h, low), part_of_delta(n, i + 1u, h, low),
                   part_of_delta(n, i + 2u, h, low), part_of_delta(n, i + 3u, h, low));
}

fn attention_queries(group: u32, lane: u32) {
  let slices = (p.size + SPAN - 1u) / SPAN;
  let blocks = (p.rows + 63u) / 64u;
  let head = group / slices / blocks;
  let n = head / p.heads;
  let h = head % p.heads;
  let first = group / slices % blocks * 64u;
  let f0 = group % slices * SPAN;
  let low = lane % 8u;
  let high = lane / 8u;
  let i = first + 4u * high;
  tell(four_deltas(n, i, h, low), four_deltas(n, i + 32u, h, low), low, high);
  workgroupBarrier();
  let delta = sum_told(high);
  let delta_below = sum_told(high + 8u);
  if (low == 0u && f0 == 0u) {
    save_delta(delta_at(head, i), p.rows - min(i, p.rows), delta);
    save_delta(delta_at(head, i + 32u), p.rows - min(i + 32u, p.rows), delta_below);
  }
  let lse = lse_of(head, i);
  let lse_below = lse_of(head, i + 32u);
  var dq_CHUNK = Part();
  let seen = select(p.keys, min(p.keys, first + 64u), p.causal != 0u);
  for (var j0 = 0u; j0 < seen; j0 += 32u) {
    var s = Part();
    for (var e0 = 0u; e0 < p.size; e0 += 32u) {
      turn_q(n, h, first, e0, lane, 0u, 16u);
      turn_k(n, h, j0, e0, lane, SHORT, 8u);
      workgroupBarrier();
      multiply(&s, low, high);
      workgroupBarrier();
    }
    var d = Part();
    for (var f = 0u; f < p.width; f += 32u) {
      turn_g(n, h, first, f, lane, 0u, 16u);
      turn_v(n, h, j0, f, lane, SHORT, 8u);
      workgroupBarrier();
      multiply(&d, low, high);
      workgroupBarrier();
    }
    let j = j0 + 4u * low;
    d.r0 = row_gradient(n, h, i, j, s.r0, d.r0, lse.x, delta.x);
    d.r1 = row_gradient(n, h, i + 1u, j, s.r1, d.r1, lse.y, delta.y);
    d.r2 = row_gradient(n, h, i + 2u, j, s.r2, d.r2, lse.z, delta.z);
    d.r3 = row_gradient(n, h, i + 3u, j, s.r3, d.r3, lse.w, delta.w);
    d.r4 = row_gradient(n, h, i + 32u, j, s.r4, d.r4, lse_below.x, delta_below.x);
    d.r5 = row_gradient(n, h, i + 33u, j, s.r5, d.r5, lse_below.y, delta_below.y);
    d.r6 = row_gradient(n, h, i + 34u, j, s.r6, d.r6, lse_below.z, delta_below.z);
    d.r7 = row_gradient(n, h, i + 35u, j, s.r7, d.r7, lse_below.w, delta_below.w);
    put(&d, low, high);
    weigh_k(&dq_CHUNK, n, h, j0, f0 + CHUNKu * 32u, lane);
  }
  stretch(&dq_CHUNK, vec4<f32>(p.scale), vec4<f32>(p.scale));
  save_part_dq(dq_CHUNK, n, i, h, f0 + CHUNKu * 32u + 4u * low);
}
