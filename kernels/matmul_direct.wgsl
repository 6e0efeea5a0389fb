// matmul.wgsl without workgroup memory, which processors that play a GPU are slow with. They read
// fast what neighbouring invocations read side by side or at one place: columns, and a row. An
// invocation of a tile sums 8 rows (4 where it is not TALL) of 8 columns, WIDTH apart.

const WIDTH = COLS / 8u;
const PARTS = ROWS * WIDTH / 64u;

fn four_b(at: vec4<u32>) -> vec4<S> {
  return vec4<S>(get_b(at.x), get_b(at.y), get_b(at.z), get_b(at.w));
}
fn row_at(batch: u32, row: u32) -> u32 {
  return batch * p.a_batch + min(row, p.rows - 1u) * p.a_row;
}
fn store(at: u32, row: u32, col: u32, x: vec4<S>, y: vec4<S>) {
  if (row >= p.rows) { return; }
  let to = (at + row) * p.cols;
  for (var j = 0u; j < 4u; j++) {
    let c = col + j * WIDTH;
    let d = c + 4u * WIDTH;
    if (c < p.cols) { set_out(to + c, finished(x[j], c)); }
    if (d < p.cols) { set_out(to + d, finished(y[j], d)); }
  }
}

fn matmul(group: u32, lane: u32) {
  let columns = tiles_across();
  let rows = tiles_down();
  let slice = group % p.splits;
  let tile = group / p.splits;
  let batch = tile / (rows * columns);
  let row = tile / columns % rows * ROWS + lane / WIDTH * PARTS;
  let col = tile % columns * COLS + lane % WIDTH;
  let begin = slice * slice_depth();
  let end = min(begin + slice_depth(), p.depth);
  let across = vec4<u32>(0u, WIDTH, 2u * WIDTH, 3u * WIDTH) + col;
  let last = vec4<u32>(p.cols - 1u);
  let left = min(across, last) * p.b_col + batch * p.b_batch;
  let right = min(across + 4u * WIDTH, last) * p.b_col + batch * p.b_batch;
  let r0 = row_at(batch, row);
  let r1 = row_at(batch, row + 1u);
  let r2 = row_at(batch, row + 2u);
  let r3 = row_at(batch, row + 3u);
  let r4 = row_at(batch, row + 4u);
  let r5 = row_at(batch, row + 5u);
  let r6 = row_at(batch, row + 6u);
  let r7 = row_at(batch, row + 7u);
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
  let a_step = p.a_depth;
  let b_step = p.b_depth;
  var i = begin * a_step;
  var j = begin * b_step;
  for (var k = begin; k < end; k++) {
    let x = four_b(left + j);
    let y = four_b(right + j);
    let a0 = get_a(r0 + i);
    let a1 = get_a(r1 + i);
    let a2 = get_a(r2 + i);
    let a3 = get_a(r3 + i);
    s0 += a0 * x;
    s1 += a1 * x;
    s2 += a2 * x;
    s3 += a3 * x;
    t0 += a0 * y;
    t1 += a1 * y;
    t2 += a2 * y;
    t3 += a3 * y;
    if (TALL) {
      let a4 = get_a(r4 + i);
      let a5 = get_a(r5 + i);
      let a6 = get_a(r6 + i);
      let a7 = get_a(r7 + i);
      s4 += a4 * x;
      s5 += a5 * x;
      s6 += a6 * x;
      s7 += a7 * x;
      t4 += a4 * y;
      t5 += a5 * y;
      t6 += a6 * y;
      t7 += a7 * y;
    }
    i += a_step;
    j += b_step;
  }
  let at = (slice * (p.range / (p.splits * rows * columns)) + batch) * p.rows;
  store(at, row, col, s0, t0);
  store(at, row + 1u, col, s1, t1);
  store(at, row + 2u, col, s2, t2);
  store(at, row + 3u, col, s3, t3);
  if (TALL) {
    store(at, row + 4u, col, s4, t4);
    store(at, row + 5u, col, s5, t5);
    store(at, row + 6u, col, s6, t6);
    store(at, row + 7u, col, s7, t7);
  }
}
