// softmax_backward.wgsl for contiguous lines of whole vectors. The twin fills in what is in capitals.

fn softmax_backward(group: u32, lane: u32) {
  let team = p.team;
  let line = group * (WORKGROUP / team) + lane / team;
  let count = select(0u, p.n / 4u, line < p.lines);
  let first = line * (p.n / 4u);
  var sums = vec4<f32>();
  for (var i = lane % team; i < count; i += team) { sums += TERM; }
  let total = group_sum_f32(sums.x + sums.y + (sums.z + sums.w), lane, team);
  for (var i = lane % team; i < count; i += team) { set4_gx(first + i, RESULT); }
}
