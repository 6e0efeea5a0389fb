// The product of up to four rows with a matrix: a workgroup does 32 columns, eight invocations
// share the depth of each. `out` has strides, so that few columns are few rows of the transpose.

var<workgroup> partial: array<vec4<S>, 256>;

fn row_of_a(batch: u32, row: u32, k: u32) -> S {
  if (row >= p.rows) { return S(0); }
  return get_a(batch * p.a_batch + row * p.a_row + k * p.a_depth);
}

fn matmul_thin(group: u32, lane: u32) {
  let columns = (p.cols + 31u) / 32u;
  let batch = group / columns;
  // Neighbouring invocations read along the dimension that is contiguous.
  let along = p.b_depth == 1u;
  let c = select(lane % 32u, lane / 8u, along);
  let s = select(lane / 32u, lane % 8u, along);
  let col = group % columns * 32u + c;
  var total = vec4<S>();
  if (col < p.cols) {
    let base = batch * p.b_batch + col * p.b_col;
    for (var k = s; k < p.depth; k += 8u) {
      let b = get_b(base + k * p.b_depth);
      let a = vec4<S>(row_of_a(batch, 0u, k), row_of_a(batch, 1u, k),
                      row_of_a(batch, 2u, k), row_of_a(batch, 3u, k));
      total += a * b;
    }
  }
  partial[c * 8u + s] = total;
  workgroupBarrier();
  for (var half = 4u; half > 0u; half /= 2u) {
    if (s < half) { partial[c * 8u + s] += partial[c * 8u + s + half]; }
    workgroupBarrier();
  }
  if (s != 0u || col >= p.cols) { return; }
  for (var r = 0u; r < p.rows; r++) {
    let v = finished(partial[c * 8u][r], r * p.bias_row + col * p.bias_col);
    set_out(batch * p.rows * p.cols + r * p.out_row + col * p.out_col, v);
  }
}
