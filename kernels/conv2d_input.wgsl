// The gradient of the input: rows are channels, columns the pixels of the input, the depth is
// filters x taps. A tap meets an output where its distance is a multiple of the stride.

fn prepare_a(batch: u32, row: u32) {
  base_a = batch * p.filters * p.channels + row;
  left = p.channels - min(row, p.channels);
}
fn load_a(k: u32) -> vec4<S> {
  let at = (base_a + k / taps() * p.channels) * taps() + k % taps();
  var v = vec4<S>();
  for (var i = 0u; i < 4u; i++) {
    if (i < left) { v[i] = get_weight(at + i * taps()); }
  }
  return v;
}
fn prepare_b(batch: u32, col: u32) {
  chunk = batch;
  locate(col, p.height * p.width, p.width);
}
fn load_b(k: u32) -> vec4<S> {
  let filter_index = k / taps();
  let i = i32(p.pad_h) - i32(k % taps() / p.kernel_w * p.dilation_h);
  let j = i32(p.pad_w) - i32(k % p.kernel_w * p.dilation_w);
  let stride_h = i32(p.stride_h);
  let stride_w = i32(p.stride_w);
  var v = vec4<S>();
  for (var q = 0u; q < 4u; q++) {
    let at = four[q];
    let y = at.y + i;
    let x = at.z + j;
    let meets = y >= 0 && x >= 0 && y % stride_h == 0 && x % stride_w == 0;
    if (meets && u32(at.x) < p.images && inside(y / stride_h, x / stride_w, p.out_h, p.out_w)) {
      let plane = (u32(at.x) * p.groups + chunk) * p.filters + filter_index;
      v[q] = get_g((plane * p.out_h + u32(y / stride_h)) * p.out_w + u32(x / stride_w));
    }
  }
  return v;
}
fn store(batch: u32, slice: u32, row: u32, col: u32, v: vec4<S>) {
  if (row >= p.channels) { return; }
  let size = p.height * p.width;
  for (var j = 0u; j < 4u; j++) {
    let pixel = col + j;
    if (pixel < p.cols) {
      let plane = (pixel / size * p.groups + batch) * p.channels + row;
      set_out(plane * size + pixel % size, v[j]);
    }
  }
}
fn conv2d_input(group: u32, lane: u32) { tile_product(group, lane, false, false); }
