// Places of the largest (or least) values of the middle of [outer, n, inner]: the first of equals, a
// NaN before all. Each team gives the place of its block's best, so the result is
// [outer, blocks, inner]; at the next levels, `picked` holds the places that are still considered.

var<workgroup> keys: array<u32, 256>;
var<workgroup> spots: array<u32, 256>;

fn key_at(x: S) -> u32 {
  if (isnan_(x)) { return 0xffffffffu; }
  let key = order_key_(x);
  return select(key, ~key, p.least != 0u);
}

fn extreme(group: u32, lane: u32) {
  let team = p.team;
  let at = team_place(lane, team, p.inner);
  let result = group * (256u / team) + at / team;
  let column = result % p.inner;
  let block = result / p.inner % p.blocks;
  let outer = result / p.inner / p.blocks;
  let last = select(0u, min(p.n, (block + 1u) * p.block), result < p.results);
  let line = outer * p.size * p.inner + column;
  var best = 0u;
  // Past every place: a result of no elements loses against any.
  var spot = 0xffffffffu;
  for (var i = block * p.block + at % team; i < last; i += team) {
    var place = i;
    if (p.level > 0u) { place = get_picked((outer * p.n + i) * p.inner + column); }
    let key = key_at(get_x(line + place * p.inner));
    if (key > best || spot == 0xffffffffu) {
      best = key;
      spot = place;
    }
  }
  keys[at] = best;
  spots[at] = spot;
  for (var half = team / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (at % team < half) {
      let key = keys[at + half];
      let other = spots[at + half];
      if (key > keys[at] || (key == keys[at] && other < spots[at])) {
        keys[at] = key;
        spots[at] = other;
      }
    }
  }
  if (at % team == 0u && result < p.results) {
    set_places(result, i32(spots[at]));
    if (p.valued != 0u) { set_values(result, get_x(line + spots[at] * p.inner)); }
  }
}
