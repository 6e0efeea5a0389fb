// What the indexing kernels share. x is [outer, n, inner]; indices count along n.

// The row an index names; n, and a note in the status word, if there is none.
fn resolve(index: i32, position: u32) -> u32 {
  var at = bitcast<u32>(index);
  if (index < 0 && p.wrap != 0u) { at += p.n; }
  if (at < p.n) { return at; }
  set_status(0u, position + 1u);
  return p.n;
}
