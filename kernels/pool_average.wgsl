// Averages of windows; an empty window gives 0.
fn pool_average(group: u32, lane: u32) {
  let o = group * 256u + lane;
  if (o >= p.range) { return; }
  let plane = o / (p.out_h * p.out_w) * p.height;
  let rows = row_window(o / p.out_w % p.out_h);
  let cols = col_window(o % p.out_w);
  var total = S(0);
  for (var r = 0; r < rows.count; r++) {
    let line = (plane + u32(rows.start + r)) * p.width;
    for (var c = 0; c < cols.count; c++) { total += get_x(line + u32(cols.start + c)); }
  }
  let empty = rows.count == 0 || cols.count == 0;
  set_out(o, select(total / divisor_of(rows, cols), S(0), empty));
}
