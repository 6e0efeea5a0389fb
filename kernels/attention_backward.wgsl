// What both gradients of attention need. delta[n, h, i] is the sum over features of the gradient
// times the result; its rows are padded to fours.

fn delta_at(head: u32, i: u32) -> u32 { return head * ((p.rows + 3u) / 4u * 4u) + i; }
// The logarithms of the sums of four queries.
fn lse_of(head: u32, i: u32) -> vec4<f32> {
  let at = head * p.rows;
  let row = min(vec4<u32>(i, i + 1u, i + 2u, i + 3u), vec4<u32>(p.rows - 1u)) + at;
  return vec4<f32>(get_lse(row.x), get_lse(row.y), get_lse(row.z), get_lse(row.w));
}

// The weights of four pairs from their scores; 0 where a query does not see a key.
fn weight_of(s: vec4<f32>, lse: vec4<f32>) -> vec4<f32> {
  return select(exp4(s - lse), vec4<f32>(), unseen(s));
}
// The gradients of scores: nothing comes through a weight of 0.
fn score_gradient(weight: vec4<f32>, g: vec4<f32>, delta: vec4<f32>) -> vec4<f32> {
  return select(weight * (g - delta), vec4<f32>(), weight == vec4<f32>());
}
