// Sorts short lines: each element counts those before it, which is where it goes.

fn key_at(k: u32) -> u32 {
  let key = order_key_(get_x(k));
  return select(key, ~key, p.descending != 0u);
}

fn sort_rank(group: u32, lane: u32) {
  let e = group * 256u + lane;
  if (e >= p.range) { return; }
  let column = e % p.inner;
  let place = e / p.inner % p.size;
  let line = e / p.inner / p.size * p.inner + column;
  let pair = vec2<u32>(key_at(e), place);
  var rank = 0u;
  for (var i = 0u; i < p.size; i++) {
    rank += select(0u, 1u, less(vec2<u32>(key_at(element(line, i)), i), pair));
  }
  if (rank < p.keep) { emit(line, rank, place); }
}
