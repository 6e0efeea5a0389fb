// True elements: a workgroup does a block of 4096, each invocation 16 neighbours of it.

const BLOCK = 4096u;
const SHARE = 16u;
var<workgroup> counts_before: array<u32, 256>;

// True elements of the block before those of this invocation, and in `counts_before[255]` in all.
fn before(lane: u32, count: u32) -> u32 {
  counts_before[lane] = count;
  workgroupBarrier();
  for (var step = 1u; step < 256u; step *= 2u) {
    var value = counts_before[lane];
    if (lane >= step) { value += counts_before[lane - step]; }
    workgroupBarrier();
    counts_before[lane] = value;
    workgroupBarrier();
  }
  return counts_before[lane] - count;
}
fn count_share(start: u32) -> u32 {
  var count = 0u;
  for (var k = 0u; k < SHARE; k++) {
    if (start + k < p.n && truth(start + k)) { count++; }
  }
  return count;
}
