// Running totals of [outer, n, inner] along n, from either end. The text before this one defines
// the totals: their type E, unit(), join(a, b), lift(k, i) (of element k, the i-th of its line),
// emit(k, e), pack(e) and unpack(words). Teams take blocks of lines, 4 neighbours to an
// invocation. Phases: 0 whole lines, or lines of several blocks in three launches: 1 the total
// of each block, 3 what comes before each block, 2 the blocks after what comes before.

fn element(line: u32, i: u32) -> u32 {
  let place = select(i, p.n - 1u - i, p.reverse != 0u);
  return (line / p.inner * p.n + place) * p.inner + line % p.inner;
}

fn get_total(k: u32) -> E { return unpack(vec2<u32>(get_carry(2u * k), get_carry(2u * k + 1u))); }

fn set_total(k: u32, e: E) {
  let words = pack(e);
  set_carry(2u * k, words.x);
  set_carry(2u * k + 1u, words.y);
}

fn scan(group: u32, lane: u32) {
  let team = p.team;
  let at = team_place(lane, team, p.inner);
  let result = group * (WORKGROUP / team) + at / team;
  let start = result / p.inner % p.blocks * p.block;
  let stop = select(0u, min(p.n, start + p.block), result < p.results);
  let line = result / p.inner / p.blocks * p.inner + result % p.inner;
  var before = unit();
  if (p.phase == 2u && result < p.results) { before = get_total(result); }
  let chunks = (p.block + 4u * team - 1u) / (4u * team);
  for (var chunk = 0u; chunk < chunks; chunk++) {
    let first = start + (chunk * team + at % team) * 4u;
    var items: array<E, 4>;
    var total = unit();
    for (var j = 0u; j < 4u; j++) {
      let i = first + j;
      if (i < stop) {
        if (p.phase == 3u) {
          items[j] = total;
          total = join(total, get_total(element(line, i)));
        } else {
          let k = element(line, i);
          let next = join(total, lift(k, i));
          items[j] = next;
          if (p.exclusive != 0u) { items[j] = total; }
          total = next;
        }
      }
    }
    let scanned = team_scan(total, at, team);
    if (p.phase != 1u) {
      let all = join(before, scanned.before);
      for (var j = 0u; j < 4u; j++) {
        let i = first + j;
        if (i < stop) {
          let k = element(line, i);
          let e = join(all, items[j]);
          if (p.phase == 3u) { set_total(k, e); } else { emit(k, e); }
        }
      }
    }
    before = join(before, scanned.total);
  }
  if (p.phase == 1u && at % team == 0u && result < p.results) { set_total(result, before); }
}
