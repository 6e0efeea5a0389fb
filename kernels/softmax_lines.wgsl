// softmax.wgsl for contiguous lines of whole vectors. The twin fills in the words in capitals.

fn softmax(group: u32, lane: u32) {
  let team = p.team;
  let line = group * (WORKGROUP / team) + lane / team;
  let count = select(0u, p.n / 4u, line < p.lines);
  let first = line * (p.n / 4u);
  var most4 = vec4<f32>(lowest_f32());
  for (var i = lane % team; i < count; i += team) {
    let v = get4_x(first + i);
    most4 = vec4<f32>(max_f32(most4.x, v.x), max_f32(most4.y, v.y), max_f32(most4.z, v.z),
        max_f32(most4.w, v.w));
  }
  var most = max_f32(max_f32(most4.x, most4.y), max_f32(most4.z, most4.w));
  most = group_max_f32(most, lane, team);
  var sums = vec4<f32>();
  for (var i = lane % team; i < count; i += team) {
    let e = exp4(get4_x(first + i) - most);
    sums += e;
    STORE_TERM
  }
  let total = group_sum_f32(sums.x + sums.y + (sums.z + sums.w), lane, team);
  let rest = log_f32(total);
  for (var i = lane % team; i < count; i += team) { set4_out(first + i, RESULT); }
}
