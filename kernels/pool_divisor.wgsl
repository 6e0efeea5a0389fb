// Windows of averages and what their sums are divided by.

fn row_window(i: u32) -> Window {
  if (p.adaptive != 0u) { return adaptive_at(i, p.out_h, p.height); }
  return window_at(i, p.kernel_h, p.stride_h, p.pad_h, 1u, p.height);
}
fn col_window(i: u32) -> Window {
  if (p.adaptive != 0u) { return adaptive_at(i, p.out_w, p.width); }
  return window_at(i, p.kernel_w, p.stride_w, p.pad_w, 1u, p.width);
}
fn divisor_of(rows: Window, cols: Window) -> S {
  if (p.divisor != 0) { return S(p.divisor); }
  if (p.count_padding != 0u) { return S(rows.padded) * S(cols.padded); }
  return S(rows.count) * S(cols.count);
}
