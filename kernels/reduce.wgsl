// One reduction of [outer, n, inner] over its middle. The text before this one defines
// identity(), term(v) (an element as it enters), meet(a, b) and finish_(v), all of S.
// Each team gives the result of one block of the middle, so out is [outer, blocks, inner]; the
// launch repeats on these until one block is left. The form depends on the sizes only.

fn reduce(group: u32, lane: u32) {
  let team = p.team;
  let at = team_place(lane, team, p.inner);
  let result = group * (WORKGROUP / team) + at / team;
  let outer = result / p.inner / p.blocks;
  let start = result / p.inner % p.blocks * p.block;
  var total = array<S, 4>(identity(), identity(), identity(), identity());
  if (result < p.results) {
    let count = min(p.block, p.n - start);
    let line = (outer * p.n + start) * p.inner + result % p.inner;
    let step = team * p.inner;
    var i = at % team;
    var k = line + i * p.inner;
    for (; i + 3u * team < count; i += 4u * team) {
      for (var j = 0u; j < 4u; j++) {
        total[j] = meet(total[j], term(get_x(k)));
        k += step;
      }
    }
    for (var j = 0u; i < count; i += team) {
      total[j] = meet(total[j], term(get_x(k)));
      k += step;
      j++;
    }
  }
  let all = group_meet_(meet(meet(total[0], total[1]), meet(total[2], total[3])), at, team);
  if (at % team == 0u && result < p.results) { set_out(result, finish_(all)); }
}
