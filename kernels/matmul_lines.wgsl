// matmul.wgsl where operands, bias and results lie in whole vectors.

fn store(batch: u32, slice: u32, row: u32, col: u32, value: vec4<S>) {
  if (row >= p.rows || col >= p.cols) { return; }
  let batches = p.range / (p.splits * tiles_down() * tiles_across());
  var v = value;
  if ((p.epilogue & BIAS) != 0u) { v += get4_bias(col / 4u); }
  if ((p.epilogue & RELU) != 0u) { v = select(v, vec4<S>(), v < vec4<S>()); }
  set4_out((((slice * batches + batch) * p.rows + row) * p.cols + col) / 4u, v);
}

fn matmul(group: u32, lane: u32) { tile_product(group, lane, A_DEEP, B_DEEP); }
