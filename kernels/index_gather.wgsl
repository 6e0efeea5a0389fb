// out[o, i, c] = x[o, index[o, i, c], c], or x[o, index[i], c] where an index names a whole row.
// One invocation per element.

fn index_gather(group: u32, lane: u32) {
  let e = group * 256u + lane;
  if (e >= p.range) { return; }
  let i = e / p.inner;
  let place = select(e, i % p.count, p.rows != 0u);
  let row = resolve(get_index(place), place);
  if (row < p.n) { set_out(e, get_x((i / p.count * p.n + row) * p.inner + e % p.inner)); }
}
