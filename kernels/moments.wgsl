// Mean and sum of squared deviations of lines of n, block by block, by the corrected two-pass
// formula; blocks together by their means and deviations from the mean of all. Element i of line
// (o, c) lies at o * base + c + i / length * step + i % length * inner. The last step writes the
// variance, and 1 / sqrt(var + eps) if `rooted`.

fn moments(group: u32, lane: u32) {
  let team = p.team;
  let at = team_place(lane, team, p.inner);
  let result = group * (WORKGROUP / team) + at / team;
  let start = result / p.inner % p.blocks * p.block;
  let stop = select(0u, min(p.n, start + p.block), result < p.results);
  let size = f32(min(p.n, start + p.block) - start);
  let line = result / p.inner / p.blocks * p.base + result % p.inner;
  var centre = 0.0;
  for (var turn = 0u; turn < 2u; turn++) {
    var sum = vec4<f32>();
    var squares = vec4<f32>();
    for (var i = start + at % team; i < stop; i += 4u * team) {
      for (var j = 0u; j < 4u; j++) {
        let e = i + j * team;
        if (e < stop) {
          let d = get_x(line + e / p.length * p.step + e % p.length * p.inner) - centre;
          sum[j] += d;
          squares[j] += d * d;
        }
      }
    }
    let total = group_sum_f32(sum.x + sum.y + (sum.z + sum.w), at, team);
    if (turn == 0u) {
      centre = total / size;
      continue;
    }
    let all = group_sum_f32(squares.x + squares.y + (squares.z + squares.w), at, team);
    if (at % team == 0u && result < p.results) {
      // An infinite mean is one already.
      let rest = select(total / size, 0.0, isinf_f32(centre));
      finish(result, centre + rest, all - total * total / size);
    }
  }
}
