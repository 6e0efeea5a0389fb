// Products of matrices in tiles: a workgroup of 64 keeps 16 columns of A and 16 rows of B in
// workgroup memory, each invocation sums a part of 8 x 8, two fours apart each way (4 x 8 where the
// tile is not TALL). Constants of the tile (ROWS, COLS, TALL) and gemm_cut.wgsl come before this
// text; after it come gemm_fill.wgsl or gemm_lines.wgsl, which bring operands into workgroup
// memory, and
//   store(batch, slice, row, col, v)  four columns of the result, some perhaps outside
// `p.splits` slices of the depth are summed apart, for products of few tiles.

const FOURS_A = ROWS / 4u;
const FOURS_B = COLS / 4u;
// One more than the vectors of a row, against conflicts of memory banks.
const PITCH_A = FOURS_A + 1u;
const PITCH_B = FOURS_B + 1u;
// Invocations side by side, and places of the second four.
const WIDTH = FOURS_B / 2u;
const HEIGHT = 64u / WIDTH;
var<workgroup> tile_a: array<vec4<S>, STEP * PITCH_A>;
var<workgroup> tile_b: array<vec4<S>, STEP * PITCH_B>;

fn tile_product(group: u32, lane: u32, a_along_depth: bool, b_along_depth: bool) {
  let columns = tiles_across();
  let rows = tiles_down();
  let slice = group % p.splits;
  let tile = group / p.splits;
  let batch = tile / (rows * columns);
  let row = tile / columns % rows * ROWS;
  let col = tile % columns * COLS;
  let begin = slice * slice_depth();
  let end = min(begin + slice_depth(), p.depth);
  let low = lane % WIDTH;
  let high = lane / WIDTH;
  prepare_a(batch, row + lane % FOURS_A * 4u);
  prepare_b(batch, col + lane % FOURS_B * 4u);
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
      let a = tile_a[d * PITCH_A + high];
      let x = tile_b[d * PITCH_B + low];
      let y = tile_b[d * PITCH_B + low + WIDTH];
      s0 += a.x * x;
      s1 += a.y * x;
      s2 += a.z * x;
      s3 += a.w * x;
      t0 += a.x * y;
      t1 += a.y * y;
      t2 += a.z * y;
      t3 += a.w * y;
      if (TALL) {
        let b = tile_a[d * PITCH_A + high + HEIGHT];
        s4 += b.x * x;
        s5 += b.y * x;
        s6 += b.z * x;
        s7 += b.w * x;
        t4 += b.x * y;
        t5 += b.y * y;
        t6 += b.z * y;
        t7 += b.w * y;
      }
    }
    workgroupBarrier();
  }
  let r = row + high * 4u;
  let c = col + low * 4u;
  let right = c + 4u * WIDTH;
  store(batch, slice, r, c, s0);
  store(batch, slice, r + 1u, c, s1);
  store(batch, slice, r + 2u, c, s2);
  store(batch, slice, r + 3u, c, s3);
  store(batch, slice, r, right, t0);
  store(batch, slice, r + 1u, right, t1);
  store(batch, slice, r + 2u, right, t2);
  store(batch, slice, r + 3u, right, t3);
  if (TALL) {
    let below = r + 4u * HEIGHT;
    store(batch, slice, below, c, s4);
    store(batch, slice, below + 1u, c, s5);
    store(batch, slice, below + 2u, c, s6);
    store(batch, slice, below + 3u, c, s7);
    store(batch, slice, below, right, t4);
    store(batch, slice, below + 1u, right, t5);
    store(batch, slice, below + 2u, right, t6);
    store(batch, slice, below + 3u, right, t7);
  }
}
