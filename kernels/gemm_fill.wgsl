// Fills the tiles of gemm.wgsl from operands that lie in any way. After this text come the kernels
// that say where they are:
//   prepare_a(batch, row), prepare_b(batch, col)  called before loads; rows and columns in fours
//   load_a(k), load_b(k)                          four rows of A, four columns of B; 0 outside

// Brings 16 of the depth into workgroup memory. Neighbouring invocations read along the dimension
// that is contiguous: the depth, or rows (columns), which one invocation then reads at one place.
fn fill_a(batch: u32, first: u32, lane: u32, k: u32, end: u32, along_depth: bool) {
  for (var i = 0u; i < FOURS_A / 4u; i++) {
    let d = select(lane / FOURS_A + i * (64u / FOURS_A), lane % 16u, along_depth);
    let four = select(lane % FOURS_A, lane / 16u + i * 4u, along_depth);
    if (along_depth) { prepare_a(batch, first + four * 4u); }
    var v = vec4<S>();
    if (k + d < end) { v = load_a(k + d); }
    tile_a[d * PITCH_A + four] = v;
  }
}
fn fill_b(batch: u32, first: u32, lane: u32, k: u32, end: u32, along_depth: bool) {
  for (var i = 0u; i < FOURS_B / 4u; i++) {
    let d = select(lane / FOURS_B + i * (64u / FOURS_B), lane % 16u, along_depth);
    let four = select(lane % FOURS_B, lane / 16u + i * 4u, along_depth);
    if (along_depth) { prepare_b(batch, first + four * 4u); }
    var v = vec4<S>();
    if (k + d < end) { v = load_b(k + d); }
    tile_b[d * PITCH_B + four] = v;
  }
}
