// Maxima of windows and their places in the plane: the first of equals, and the last NaN above all.
fn pool_max(group: u32, lane: u32) {
  let o = group * 256u + lane;
  if (o >= p.range) { return; }
  let plane = o / (p.out_h * p.out_w);
  let rows = window_at(o / p.out_w % p.out_h, p.kernel_h, p.stride_h, p.pad_h, p.dilation_h, p.height);
  let cols = window_at(o % p.out_w, p.kernel_w, p.stride_w, p.pad_w, p.dilation_w, p.width);
  var best = lowest_();
  var place = rows.start * i32(p.width) + cols.start;
  for (var r = 0; r < rows.count; r++) {
    let line = (rows.start + r * i32(p.dilation_h)) * i32(p.width) + cols.start;
    for (var c = 0; c < cols.count; c++) {
      let at = line + c * i32(p.dilation_w);
      let v = get_x(plane * p.height * p.width + u32(at));
      if (v > best || isnan_(v)) {
        best = v;
        place = at;
      }
    }
  }
  set_out(o, best);
  set_indices(o, place);
}
