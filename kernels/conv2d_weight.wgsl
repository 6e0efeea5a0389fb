// The gradient of the weight: rows are filters, columns channels x taps, the depth is the pixels of
// all images. With more than one split, out holds the partial sums [splits, filters, columns].

var<private> chunk: u32;

fn prepare_a(batch: u32, row: u32) {
  base_a = batch * p.filters + row;
  left = p.filters - min(row, p.filters);
}
fn load_a(k: u32) -> vec4<S> {
  let size = pixels();
  let image = divided(k, size);
  let at = (image.x * p.groups * p.filters + base_a) * size + image.y;
  var v = vec4<S>();
  if (left > 0u) { v.x = get_g(at); }
  if (left > 1u) { v.y = get_g(at + size); }
  if (left > 2u) { v.z = get_g(at + 2u * size); }
  if (left > 3u) { v.w = get_g(at + 3u * size); }
  return v;
}
// The tap of a column, as a shift of pixels.
fn place(col: u32) -> vec3<i32> {
  let channel = divided(col, taps());
  if (channel.x >= p.channels) { return vec3<i32>(NOWHERE, 0, 0); }
  let tap = divided(channel.y, p.kernel_w);
  let i = i32(tap.x * p.dilation_h) - i32(p.pad_h);
  let j = i32(tap.y * p.dilation_w) - i32(p.pad_w);
  return vec3<i32>(i, j, (i32(channel.x * p.height) + i) * i32(p.width) + j);
}
fn prepare_b(batch: u32, col: u32) {
  chunk = batch * p.channels;
  four0 = place(col);
  four1 = place(col + 1u);
  four2 = place(col + 2u);
  four3 = place(col + 3u);
}
fn load_b(k: u32) -> vec4<S> {
  let image = divided(k, pixels());
  let pixel = divided(image.y, p.out_w);
  let i = i32(pixel.x * p.stride_h);
  let j = i32(pixel.y * p.stride_w);
  let h = p.height;
  let w = p.width;
  let shift = (i32((image.x * p.groups * p.channels + chunk) * h) + i) * i32(w) + j;
  var v = vec4<S>();
  if (inside(four0.x + i, four0.y + j, h, w)) { v.x = get_x(u32(four0.z + shift)); }
  if (inside(four1.x + i, four1.y + j, h, w)) { v.y = get_x(u32(four1.z + shift)); }
  if (inside(four2.x + i, four2.y + j, h, w)) { v.z = get_x(u32(four2.z + shift)); }
  if (inside(four3.x + i, four3.y + j, h, w)) { v.w = get_x(u32(four3.z + shift)); }
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
