// The gradient of the input: rows are channels, columns the pixels of the input, the depth is
// filters x taps. A tap meets an output where its distance is a multiple of the stride.

fn prepare_a(batch: u32, row: u32) {
  base_a = batch * p.filters * p.channels + row;
  left = p.channels - min(row, p.channels);
}
fn load_a(k: u32) -> vec4<S> {
  let tap = divided(k, taps());
  let at = (base_a + tap.x * p.channels) * taps() + tap.y;
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
// at / stride, or -1 where no output lies.
fn step_of(at: i32, stride: u32) -> i32 {
  if (at < 0) { return -1; }
  let steps = divided(u32(at), stride);
  return select(-1, i32(steps.x), steps.y == 0u);
}
fn load_b(k: u32) -> vec4<S> {
  let channel = divided(k, taps());
  let tap = divided(channel.y, p.kernel_w);
  let i = i32(p.pad_h) - i32(tap.x * p.dilation_h);
  let j = i32(p.pad_w) - i32(tap.y * p.dilation_w);
  let strided = p.stride_h != 1u || p.stride_w != 1u;
  var v = vec4<S>();
  for (var q = 0u; q < 4u; q++) {
    let at = four[q];
    var y = at.y + i;
    var x = at.z + j;
    if (strided) {
      y = step_of(y, p.stride_h);
      x = step_of(x, p.stride_w);
    }
    if (u32(at.x) < p.images && inside(y, x, p.out_h, p.out_w)) {
      let plane = (u32(at.x) * p.groups + chunk) * p.filters + channel.x;
      v[q] = get_g((plane * p.out_h + u32(y)) * p.out_w + u32(x));
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
      let image = divided(pixel, size);
      set_out(((image.x * p.groups + batch) * p.channels + row) * size + image.y, v[j]);
    }
  }
}
fn conv2d_input(group: u32, lane: u32) { tile_product(group, lane, false, false); }
