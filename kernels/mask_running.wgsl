// The sums before each block, and last of all.
fn mask_running(group: u32, lane: u32) {
  if (lane > 0u) { return; }
  var total = 0;
  for (var b = 0u; b < p.blocks; b++) {
    let count = get_counts(b);
    set_counts(b, total);
    total += count;
  }
  set_counts(p.blocks, total);
}
