// Places of the largest (or least) values of the middle of [outer, n, inner]: the first of
// equals, a NaN before all. Each team gives the place of its block's best, so the result is
// [outer, blocks, inner]; at the next levels, `picked` holds the places that are still
// considered.

fn key_at(x: S) -> u32 {
  if (isnan_(x)) { return 0xffffffffu; }
  let key = order_key_(x);
  return select(key, ~key, p.least != 0u);
}

fn extreme(group: u32, lane: u32) {
  let team = p.team;
  let at = team_place(lane, team, p.inner);
  let result = group * (WORKGROUP / team) + at / team;
  let column = result % p.inner;
  let block = result / p.inner % p.blocks;
  let outer = result / p.inner / p.blocks;
  let last = select(0u, min(p.n, (block + 1u) * p.block), result < p.results);
  let line = outer * p.size * p.inner + column;
  // Past every place: what has seen no element loses against any.
  var best = vec2<u32>(0u, 0xffffffffu);
  for (var i = block * p.block + at % team; i < last; i += team) {
    var place = i;
    if (p.level > 0u) { place = get_picked((outer * p.n + i) * p.inner + column); }
    let key = key_at(get_x(line + place * p.inner));
    if (key > best.x || best.y == 0xffffffffu) { best = vec2<u32>(key, place); }
  }
  best = group_best(best, at, team);
  if (at % team == 0u && result < p.results) {
    set_places(result, i32(best.y));
    if (p.valued != 0u) { set_values(result, get_x(line + best.y * p.inner)); }
  }
}
