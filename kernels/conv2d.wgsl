// out[n, o, y, x]: rows are filters, columns the pixels of all images, the depth is channels x taps.

fn prepare_a(batch: u32, row: u32) {
  base_a = (batch * p.filters + row) * p.depth;
  left = p.filters - min(row, p.filters);
}
fn load_a(k: u32) -> vec4<S> {
  var v = vec4<S>();
  for (var i = 0u; i < 4u; i++) {
    if (i < left) { v[i] = get_weight(base_a + i * p.depth + k); }
  }
  return v;
}
fn prepare_b(batch: u32, col: u32) {
  chunk = batch;
  locate(col, pixels(), p.out_w);
}
fn load_b(k: u32) -> vec4<S> {
  let channel = divided(k, taps());
  let tap = divided(channel.y, p.kernel_w);
  let i = i32(tap.x * p.dilation_h) - i32(p.pad_h);
  let j = i32(tap.y * p.dilation_w) - i32(p.pad_w);
  var v = vec4<S>();
  for (var q = 0u; q < 4u; q++) {
    let at = four[q];
    let y = at.y * i32(p.stride_h) + i;
    let x = at.z * i32(p.stride_w) + j;
    if (u32(at.x) < p.images && inside(y, x, p.height, p.width)) {
      let plane = (u32(at.x) * p.groups + chunk) * p.channels + channel.x;
      v[q] = get_x((plane * p.height + u32(y)) * p.width + u32(x));
    }
  }
  return v;
}
fn store(batch: u32, slice: u32, row: u32, col: u32, v: vec4<S>) {
  if (row >= p.filters) { return; }
  let plane = batch * p.filters + row;
  let bias = bias_of(plane);
  for (var j = 0u; j < 4u; j++) {
    let pixel = col + j;
    if (pixel < p.cols) {
      let image = divided(pixel, pixels());
      set_out((image.x * p.groups * p.filters + plane) * pixels() + image.y, v[j] + bias);
    }
  }
}
fn conv2d(group: u32, lane: u32) { tile_product(group, lane, true, false); }
