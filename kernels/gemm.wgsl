// Products of matrices in tiles of 64 x 64: a workgroup of 64 keeps 16 columns of A and 16 rows of
// B in workgroup memory, each invocation sums a part of 8 x 8, two fours apart each way. Prefixed
// to the kernels that say where their operands come from:
//   prepare_a(batch, row), prepare_b(batch, col)  called before loads; rows and columns in fours
//   load_a(k), load_b(k)                          four rows of A, four columns of B; 0 outside
//   store(batch, slice, row, col, v)              four columns of the result, some perhaps outside
// `p.splits` slices of the depth are summed apart, for products of few tiles.

const TILE = 64u;
const STEP = 16u;
// One more than the 16 vectors of a row, against conflicts of memory banks.
const PITCH = 17u;
var<workgroup> tile_a: array<vec4<S>, 272>;
var<workgroup> tile_b: array<vec4<S>, 272>;

// Depth of a slice: a multiple of the step.
fn slice_depth() -> u32 { return (p.depth + p.splits * STEP - 1u) / (p.splits * STEP) * STEP; }

// Brings 16 of the depth into workgroup memory. Neighbouring invocations read along the dimension
// that is contiguous: the depth, or rows (columns), which one invocation then reads at one place.
fn fill_a(batch: u32, row: u32, lane: u32, k: u32, end: u32, along_depth: bool) {
  let low = lane % 16u;
  let high = lane / 16u;
  for (var i = high; i < 16u; i += 4u) {
    let d = select(i, low, along_depth);
    let four = select(low, i, along_depth);
    if (along_depth) { prepare_a(batch, row + four * 4u); }
    var v = vec4<S>();
    if (k + d < end) { v = load_a(k + d); }
    tile_a[d * PITCH + four] = v;
  }
}
fn fill_b(batch: u32, col: u32, lane: u32, k: u32, end: u32, along_depth: bool) {
  let low = lane % 16u;
  let high = lane / 16u;
  for (var i = high; i < 16u; i += 4u) {
    let d = select(i, low, along_depth);
    let four = select(low, i, along_depth);
    if (along_depth) { prepare_b(batch, col + four * 4u); }
    var v = vec4<S>();
    if (k + d < end) { v = load_b(k + d); }
    tile_b[d * PITCH + four] = v;
  }
}

fn tile_product(group: u32, lane: u32, a_along_depth: bool, b_along_depth: bool) {
  let columns = (p.cols + TILE - 1u) / TILE;
  let rows = (p.rows + TILE - 1u) / TILE;
  let slice = group % p.splits;
  let tile = group / p.splits;
  let batch = tile / (rows * columns);
  let row = tile / columns % rows * TILE;
  let col = tile % columns * TILE;
  let begin = slice * slice_depth();
  let end = min(begin + slice_depth(), p.depth);
  let low = lane % 8u;
  let high = lane / 8u;
  prepare_a(batch, row + lane % 16u * 4u);
  prepare_b(batch, col + lane % 16u * 4u);
  var s0 = vec4<S>();
  var s1 = vec4<S>();
  var s2 = vec4<S>();
  var s3 = vec4<S>();
  var s4 = vec4<S>();
  var s5 = vec4<S>();
  var s6 = vec4<S>();
  var s7 = vec4<S>();
  var t0 = vec4<S>();
  var t1 = vec4<S>();
  var t2 = vec4<S>();
  var t3 = vec4<S>();
  var t4 = vec4<S>();
  var t5 = vec4<S>();
  var t6 = vec4<S>();
  var t7 = vec4<S>();
  for (var k = begin; k < end; k += STEP) {
    fill_a(batch, row, lane, k, end, a_along_depth);
    fill_b(batch, col, lane, k, end, b_along_depth);
    workgroupBarrier();
    for (var d = 0u; d < STEP; d++) {
      let a = tile_a[d * PITCH + high];
      let b = tile_a[d * PITCH + high + 8u];
      let x = tile_b[d * PITCH + low];
      let y = tile_b[d * PITCH + low + 8u];
      s0 += a.x * x;
      s1 += a.y * x;
      s2 += a.z * x;
      s3 += a.w * x;
      s4 += b.x * x;
      s5 += b.y * x;
      s6 += b.z * x;
      s7 += b.w * x;
      t0 += a.x * y;
      t1 += a.y * y;
      t2 += a.z * y;
      t3 += a.w * y;
      t4 += b.x * y;
      t5 += b.y * y;
      t6 += b.z * y;
      t7 += b.w * y;
    }
    workgroupBarrier();
  }
  let r = row + high * 4u;
  let c = col + low * 4u;
  store(batch, slice, r, c, s0);
  store(batch, slice, r + 1u, c, s1);
  store(batch, slice, r + 2u, c, s2);
  store(batch, slice, r + 3u, c, s3);
  store(batch, slice, r + 32u, c, s4);
  store(batch, slice, r + 33u, c, s5);
  store(batch, slice, r + 34u, c, s6);
  store(batch, slice, r + 35u, c, s7);
  store(batch, slice, r, c + 32u, t0);
  store(batch, slice, r + 1u, c + 32u, t1);
  store(batch, slice, r + 2u, c + 32u, t2);
  store(batch, slice, r + 3u, c + 32u, t3);
  store(batch, slice, r + 32u, c + 32u, t4);
  store(batch, slice, r + 33u, c + 32u, t5);
  store(batch, slice, r + 34u, c + 32u, t6);
  store(batch, slice, r + 35u, c + 32u, t7);
}
