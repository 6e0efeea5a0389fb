// out[n, o, y, x]: rows are filters, columns the pixels of all images, the depth is channels x taps.

fn prepare_a(batch: u32, row: u32) {
  base_a = (batch * p.filters + row) * p.depth;
  left = p.filters - min(row, p.filters);
}
fn load_a(k: u32) -> vec4<S> {
  let at = base_a + k;
  var v = vec4<S>();
  if (left > 0u) { v.x = get_weight(at); }
  if (left > 1u) { v.y = get_weight(at + p.depth); }
  if (left > 2u) { v.z = get_weight(at + 2u * p.depth); }
  if (left > 3u) { v.w = get_weight(at + 3u * p.depth); }
  return v;
}
fn place(batch: u32, pixel: u32) -> vec3<i32> {
  let image = divided(pixel, pixels());
  if (image.x >= p.images) { return vec3<i32>(NOWHERE, 0, 0); }
  let at = divided(image.y, p.out_w);
  let y = at.x * p.stride_h;
  let x = at.y * p.stride_w;
  let plane = (image.x * p.groups + batch) * p.channels;
  return vec3<i32>(vec3<u32>(y, x, (plane * p.height + y) * p.width + x));
}
fn prepare_b(batch: u32, col: u32) {
  four0 = place(batch, col);
  four1 = place(batch, col + 1u);
  four2 = place(batch, col + 2u);
  four3 = place(batch, col + 3u);
}
fn load_b(k: u32) -> vec4<S> {
  let channel = divided(k, taps());
  let tap = divided(channel.y, p.kernel_w);
  let i = i32(tap.x * p.dilation_h) - i32(p.pad_h);
  let j = i32(tap.y * p.dilation_w) - i32(p.pad_w);
  let h = p.height;
  let w = p.width;
  let shift = (i32(channel.x * h) + i) * i32(w) + j;
  var v = vec4<S>();
  if (inside(four0.x + i, four0.y + j, h, w)) { v.x = get_x(u32(four0.z + shift)); }
  if (inside(four1.x + i, four1.y + j, h, w)) { v.y = get_x(u32(four1.z + shift)); }
  if (inside(four2.x + i, four2.y + j, h, w)) { v.z = get_x(u32(four2.z + shift)); }
  if (inside(four3.x + i, four3.y + j, h, w)) { v.w = get_x(u32(four3.z + shift)); }
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
