// The forward: a workgroup does SPAN features of 64 queries of one head, and goes through the keys
// 32 at a time. Lines that name a CHUNK stand for one of each 32 features.

fn max4(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
  return vec4<f32>(max_f32(a.x, b.x), max_f32(a.y, b.y), max_f32(a.z, b.z), max_f32(a.w, b.w));
}
fn log4(v: vec4<f32>) -> vec4<f32> {
  return vec4<f32>(log_f32(v.x), log_f32(v.y), log_f32(v.z), log_f32(v.w));
}
fn top_of(v: vec4<f32>) -> f32 { return max_f32(max_f32(v.x, v.y), max_f32(v.z, v.w)); }
fn score_part(s: ptr<function, Part>, n: u32, h: u32, i: u32, j: u32) {
  let k = vec4<u32>(j, j + 1u, j + 2u, j + 3u);
  (*s).r0 = scored(n, h, vec4<u32>(i), k, (*s).r0);
  (*s).r1 = scored(n, h, vec4<u32>(i + 1u), k, (*s).r1);
  (*s).r2 = scored(n, h, vec4<u32>(i + 2u), k, (*s).r2);
  (*s).r3 = scored(n, h, vec4<u32>(i + 3u), k, (*s).r3);
  (*s).r4 = scored(n, h, vec4<u32>(i + 32u), k, (*s).r4);
  (*s).r5 = scored(n, h, vec4<u32>(i + 33u), k, (*s).r5);
  (*s).r6 = scored(n, h, vec4<u32>(i + 34u), k, (*s).r6);
  (*s).r7 = scored(n, h, vec4<u32>(i + 35u), k, (*s).r7);
}
fn attention(group: u32, lane: u32) {
  let slices = (p.width + SPAN - 1u) / SPAN;
  let blocks = (p.rows + 63u) / 64u;
  let head = group / slices / blocks;
  let n = head / p.heads;
  let h = head % p.heads;
  let first = group / slices % blocks * 64u;
  let f0 = group % slices * SPAN;
  let low = lane % 8u;
  let high = lane / 8u;
  let i = first + 4u * high;
  var most = vec4<f32>(-inf_f32());
  var most_below = most;
  var total = vec4<f32>();
  var total_below = vec4<f32>();
  var out_CHUNK = Part();
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
    score_part(&s, n, h, i, j0 + 4u * low);
    tell(vec4<f32>(top_of(s.r0), top_of(s.r1), top_of(s.r2), top_of(s.r3)),
         vec4<f32>(top_of(s.r4), top_of(s.r5), top_of(s.r6), top_of(s.r7)), low, high);
    workgroupBarrier();
    var top = most;
    var top_below = most_below;
    for (var k = 0u; k < 8u; k++) {
      top = max4(top, exchange[k * 17u + high]);
      top_below = max4(top_below, exchange[k * 17u + high + 8u]);
    }
    // A query that has seen nothing keeps sums of zero.
    let base = select(top, vec4<f32>(), unseen(top));
    let base_below = select(top_below, vec4<f32>(), unseen(top_below));
    s.r0 = exp4(s.r0 - base.x);
    s.r1 = exp4(s.r1 - base.y);
    s.r2 = exp4(s.r2 - base.z);
    s.r3 = exp4(s.r3 - base.w);
    s.r4 = exp4(s.r4 - base_below.x);
    s.r5 = exp4(s.r5 - base_below.y);
    s.r6 = exp4(s.r6 - base_below.z);
    s.r7 = exp4(s.r7 - base_below.w);
    let shrink = exp4(most - base);
    let shrink_below = exp4(most_below - base_below);
    total = total * shrink + vec4<f32>(sum_of(s.r0), sum_of(s.r1), sum_of(s.r2), sum_of(s.r3));
    total_below = total_below * shrink_below +
        vec4<f32>(sum_of(s.r4), sum_of(s.r5), sum_of(s.r6), sum_of(s.r7));
    most = top;
    most_below = top_below;
    put(&s, low, high);
    stretch(&out_CHUNK, shrink, shrink_below);
    weigh_v(&out_CHUNK, n, h, j0, f0 + CHUNKu * 32u, lane);
  }
  tell(total, total_below, low, high);
  workgroupBarrier();
  total = sum_told(high);
  total_below = sum_told(high + 8u);
  stretch(&out_CHUNK, 1.0 / total, 1.0 / total_below);
  save_part_out(out_CHUNK, n, i, h, f0 + CHUNKu * 32u + 4u * low);
  if (low > 0u || f0 > 0u) { return; }
  save_lse(head * p.rows + i, p.rows - min(i, p.rows), most + log4(total));
  let below = i + 32u;
  save_lse(head * p.rows + below, p.rows - min(below, p.rows), most_below + log4(total_below));
}
