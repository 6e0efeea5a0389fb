// The gradient of the input: rows are channels, columns the pixels of the input, the depth is
// filters x taps. A tap meets an output where its distance is a multiple of the stride, which is
// more than 1 if STRIDED, a constant before this text.

fn prepare_a(batch: u32, row: u32) {
  base_a = batch * p.filters * p.channels + row;
  left = p.channels - min(row, p.channels);
}
fn load_a(k: u32) -> vec4<S> {
  let size = taps();
  let tap = divided(k, size);
  let at = (base_a + tap.x * p.channels) * size + tap.y;
  var v = vec4<S>();
  if (left > 0u) { v.x = get_weight(at); }
  if (left > 1u) { v.y = get_weight(at + size); }
  if (left > 2u) { v.z = get_weight(at + 2u * size); }
  if (left > 3u) { v.w = get_weight(at + 3u * size); }
  return v;
}
fn place(batch: u32, pixel: u32) -> vec3<i32> {
  let image = divided(pixel, p.height * p.width);
  if (image.x >= p.images) { return vec3<i32>(NOWHERE, 0, 0); }
  let plane = (image.x * p.groups + batch) * p.filters;
  return vec3<i32>(vec3<u32>(divided(image.y, p.width), plane * pixels()));
}
fn prepare_b(batch: u32, col: u32) {
  four0 = place(batch, col);
  four1 = place(batch, col + 1u);
  four2 = place(batch, col + 2u);
  four3 = place(batch, col + 3u);
}
// at / stride, or -1 where no output lies.
fn step_of(at: i32, stride: u32) -> i32 {
  if (at < 0) { return -1; }
  let steps = divided(u32(at), stride);
  return select(-1, i32(steps.x), steps.y == 0u);
}
// The gradient that a tap brings to a place.
fn met(at: vec3<i32>, shift: vec3<i32>, h: u32, w: u32) -> S {
  var y = at.x + shift.x;
  var x = at.y + shift.y;
  if (STRIDED) {
    y = step_of(y, p.stride_h);
    x = step_of(x, p.stride_w);
  }
  var v = S(0);
  if (inside(y, x, h, w)) { v = get_g(u32(at.z + shift.z + y * i32(w) + x)); }
  return v;
}
fn load_b(k: u32) -> vec4<S> {
  let channel = divided(k, taps());
  let tap = divided(channel.y, p.kernel_w);
  let h = p.out_h;
  let w = p.out_w;
  let i = i32(p.pad_h) - i32(tap.x * p.dilation_h);
  let j = i32(p.pad_w) - i32(tap.y * p.dilation_w);
  let shift = vec3<i32>(i, j, i32(channel.x * h * w));
  return vec4<S>(met(four0, shift, h, w), met(four1, shift, h, w),
                 met(four2, shift, h, w), met(four3, shift, h, w));
}
fn store(batch: u32, slice: u32, row: u32, col: u32, v: vec4<S>) {
  if (row >= p.channels) { return; }
  let size = p.height * p.width;
  for (var j = 0u; j < 4u; j++) {
    let pixel = col + j;
    if (pixel < p.cols) {
      let image = divided(pixel, size);
      set_out(((image.x * p.groups + batch) * p.channels + row) * size + image.y, v[j]);
    }
  }
}
fn conv2d_input(group: u32, lane: u32) { tile_product(group, lane, false, false); }
