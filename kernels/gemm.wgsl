// Products of matrices in tiles of 64 x 64: a workgroup of 256 keeps 16 columns of A and 16 rows of
// B in workgroup memory, each invocation sums a part of 4 x 4. Prefixed to the kernels that say
// where their operands come from:
//   prepare_a(batch, row), prepare_b(batch, col)  called once; rows and columns come in fours
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

fn tile_product(group: u32, lane: u32, a_along_depth: bool, b_along_depth: bool) {
  let columns = (p.cols + TILE - 1u) / TILE;
  let rows = (p.rows + TILE - 1u) / TILE;
  let slice = group % p.splits;
  let tile = group / p.splits;
  let batch = tile / (rows * columns);
  let row = tile / columns % rows * TILE;
  let col = tile % columns * TILE;
  // Neighbouring invocations read along the dimension that is contiguous.
  let low = lane % 16u;
  let high = lane / 16u;
  let a_four = select(low, high, a_along_depth);
  let a_k = select(high, low, a_along_depth);
  let b_four = select(low, high, b_along_depth);
  let b_k = select(high, low, b_along_depth);
  prepare_a(batch, row + a_four * 4u);
  prepare_b(batch, col + b_four * 4u);
  let begin = slice * slice_depth();
  let end = min(begin + slice_depth(), p.depth);
  var t0 = vec4<S>();
  var t1 = vec4<S>();
  var t2 = vec4<S>();
  var t3 = vec4<S>();
  for (var k = begin; k < end; k += STEP) {
    var a = vec4<S>();
    var b = vec4<S>();
    if (k + a_k < end) { a = load_a(k + a_k); }
    if (k + b_k < end) { b = load_b(k + b_k); }
    tile_a[a_k * PITCH + a_four] = a;
    tile_b[b_k * PITCH + b_four] = b;
    workgroupBarrier();
    for (var d = 0u; d < STEP; d++) {
      let x = tile_a[d * PITCH + high];
      let y = tile_b[d * PITCH + low];
      t0 += x.x * y;
      t1 += x.y * y;
      t2 += x.z * y;
      t3 += x.w * y;
    }
    workgroupBarrier();
  }
  let r = row + high * 4u;
  let c = col + low * 4u;
  store(batch, slice, r, c, t0);
  store(batch, slice, r + 1u, c, t1);
  store(batch, slice, r + 2u, c, t2);
  store(batch, slice, r + 3u, c, t3);
}
