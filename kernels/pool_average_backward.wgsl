// The gradient of averages of windows.
fn contains(w: Window, at: u32) -> bool {
  return i32(at) >= w.start && i32(at) < w.start + w.count;
}

// Each place of the input adds its share of the windows it lies in.
fn pool_average_back(group: u32, lane: u32) {
  let i = group * 256u + lane;
  if (i >= p.range) { return; }
  let y = i / p.width % p.height;
  let x = i % p.width;
  let plane = i / (p.height * p.width) * p.out_h;
  var rows = windows_over(y, p.kernel_h, p.stride_h, p.pad_h, 1u, p.out_h);
  var cols = windows_over(x, p.kernel_w, p.stride_w, p.pad_w, 1u, p.out_w);
  if (p.adaptive != 0u) {
    rows = vec2<u32>(y * p.out_h / p.height, ((y + 1u) * p.out_h + p.height - 1u) / p.height);
    cols = vec2<u32>(x * p.out_w / p.width, ((x + 1u) * p.out_w + p.width - 1u) / p.width);
  }
  var total = S(0);
  for (var r = rows.x; r < min(rows.y, p.out_h); r++) {
    let across = row_window(r);
    if (!contains(across, y)) { continue; }
    for (var c = cols.x; c < min(cols.y, p.out_w); c++) {
      let down = col_window(c);
      if (contains(down, x)) {
        total += get_g((plane + r) * p.out_w + c) / divisor_of(across, down);
      }
    }
  }
  set_out(i, total);
}
