// Merges neighbouring sorted runs of (key, place): each pair finds its rank in the other run. The
// last merge gives the first `keep` of each line.

fn pair_at(line: u32, i: u32) -> vec2<u32> {
  return vec2<u32>(get_from_keys(line * p.size + i), get_from_places(line * p.size + i));
}

fn sort_merge(group: u32, lane: u32) {
  let e = group * 256u + lane;
  if (e >= p.range) { return; }
  let line = e / p.size;
  let i = e % p.size;
  let pair = pair_at(line, i);
  let start = i / p.run * p.run;
  let other = select(start - p.run, start + p.run, i / p.run % 2u == 0u);
  var low = min(other, p.size);
  var high = min(low + p.run, p.size);
  let first = low;
  while (low < high) {
    let middle = low + (high - low) / 2u;
    if (less(pair_at(line, middle), pair)) { low = middle + 1u; } else { high = middle; }
  }
  let at = min(start, other) + (i - start) + (low - first);
  if (p.last == 0u) {
    set_keys(line * p.size + at, pair.x);
    set_order(line * p.size + at, pair.y);
  } else if (at < p.keep) {
    emit(line, at, pair.y);
  }
}
