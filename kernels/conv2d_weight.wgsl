// The gradient of the weight: rows are filters, columns channels x taps, the depth is the pixels of
// all images. With more than one split, out holds the partial sums [splits, filters, columns].

fn prepare_a(batch: u32, row: u32) {
  base_a = batch * p.filters + row;
  left = p.filters - min(row, p.filters);
}
fn load_a(k: u32) -> vec4<S> {
  let image = divided(k, pixels());
  let at = (image.x * p.groups * p.filters + base_a) * pixels() + image.y;
  var v = vec4<S>();
  for (var i = 0u; i < 4u; i++) {
    if (i < left) { v[i] = get_g(at + i * pixels()); }
  }
  return v;
}
// Channel and place of four consecutive taps.
fn prepare_b(batch: u32, col: u32) {
  chunk = batch;
  for (var j = 0u; j < 4u; j++) {
    let channel = divided(col + j, taps());
    let tap = divided(channel.y, p.kernel_w);
    let i = i32(tap.x * p.dilation_h) - i32(p.pad_h);
    four[j] = vec3<i32>(i32(channel.x), i, i32(tap.y * p.dilation_w) - i32(p.pad_w));
  }
}
fn load_b(k: u32) -> vec4<S> {
  let image = divided(k, pixels());
  let pixel = divided(image.y, p.out_w);
  let top = i32(pixel.x * p.stride_h);
  let side = i32(pixel.y * p.stride_w);
  var v = vec4<S>();
  for (var q = 0u; q < 4u; q++) {
    let tap = four[q];
    let y = top + tap.y;
    let x = side + tap.z;
    if (u32(tap.x) < p.channels && inside(y, x, p.height, p.width)) {
      let plane = (image.x * p.groups + chunk) * p.channels + u32(tap.x);
      v[q] = get_x((plane * p.height + u32(y)) * p.width + u32(x));
    }
  }
  return v;
}
fn store(batch: u32, slice: u32, row: u32, col: u32, v: vec4<S>) {
  if (row >= p.filters) { return; }
  let at = ((slice * p.groups + batch) * p.filters + row) * p.cols;
  for (var j = 0u; j < 4u; j++) {
    if (col + j < p.cols) { set_out(at + col + j, v[j]); }
  }
}
fn conv2d_weight(group: u32, lane: u32) { tile_product(group, lane, true, false); }
