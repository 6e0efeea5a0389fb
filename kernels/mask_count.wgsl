// counts[b] = true elements of block b. An element is true if it has bits under the mask.
fn truth(i: u32) -> bool { return (get_x(i) & p.maskLow) != 0u; }
fn mask_count(group: u32, lane: u32) {
  _ = before(lane, count_share(group * BLOCK + lane * SHARE));
  if (lane == 0u) { set_counts(group, i32(counts_before[255])); }
}
