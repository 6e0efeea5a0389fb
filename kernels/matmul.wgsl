// out[b, i, j] = sum over k of a[b, i, k] * b[b, k, j], then epilogue.wgsl; operands are read by
// their strides. With more than one split, out holds the partial sums [splits, batch, rows, cols].

var<private> at_a: u32;
var<private> left_a: u32;
var<private> at_b: u32;
var<private> left_b: u32;

fn prepare_a(batch: u32, row: u32) {
  at_a = batch * p.a_batch + row * p.a_row;
  left_a = p.rows - min(row, p.rows);
}
fn prepare_b(batch: u32, col: u32) {
  at_b = batch * p.b_batch + col * p.b_col;
  left_b = p.cols - min(col, p.cols);
}
fn load_a(k: u32) -> vec4<S> {
  let at = at_a + k * p.a_depth;
  var v = vec4<S>();
  if (left_a > 0u) { v.x = get_a(at); }
  if (left_a > 1u) { v.y = get_a(at + p.a_row); }
  if (left_a > 2u) { v.z = get_a(at + 2u * p.a_row); }
  if (left_a > 3u) { v.w = get_a(at + 3u * p.a_row); }
  return v;
}
fn load_b(k: u32) -> vec4<S> {
  let at = at_b + k * p.b_depth;
  var v = vec4<S>();
  if (left_b > 0u) { v.x = get_b(at); }
  if (left_b > 1u) { v.y = get_b(at + p.b_col); }
  if (left_b > 2u) { v.z = get_b(at + 2u * p.b_col); }
  if (left_b > 3u) { v.w = get_b(at + 3u * p.b_col); }
  return v;
}
fn store(batch: u32, slice: u32, row: u32, col: u32, v: vec4<S>) {
  if (row >= p.rows) { return; }
  let batches = p.range / (p.splits * tiles_down() * tiles_across());
  let at = ((slice * batches + batch) * p.rows + row) * p.cols;
  for (var j = 0u; j < 4u; j++) {
    let c = col + j;
    if (c < p.cols) { set_out(at + c, finished(v[j], c)); }
  }
}

fn matmul(group: u32, lane: u32) {
  tile_product(group, lane, p.a_row != 1u, p.b_depth == 1u);
}
