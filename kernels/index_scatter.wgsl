// Sources that go where indices say: source (o, i, c) to row index[o, i, c] (or index[i]) of column
// (o, c). Deterministic without atomics: an invocation owns `block` rows of a column, and takes
// the sources that fall there in order.

fn each_source(group: u32, lane: u32) {
  let e = group * 256u + lane;
  if (e >= p.range) { return; }
  let blocks = (p.n + p.block - 1u) / p.block;
  let first = e / p.inner % blocks * p.block;
  let o = e / p.inner / blocks;
  let c = e % p.inner;
  for (var i = 0u; i < p.count; i++) {
    let at = (o * p.count + i) * p.inner + c;
    let place = select(at, i, p.rows != 0u);
    let index = get_index(place);
    let row = resolve(index, place);
    // Unsigned: rows before the first are far behind the block.
    if (row < p.n && row - first < p.block && index != p.skip) {
      meet((o * p.n + row) * p.inner + c, at);
    }
  }
}
