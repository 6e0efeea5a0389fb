// Each place of the input adds the gradients of the windows whose maximum it was.
fn pool_max_back(group: u32, lane: u32) {
  let i = group * 256u + lane;
  if (i >= p.range) { return; }
  let place = i % (p.height * p.width);
  let plane = i / (p.height * p.width) * p.out_h * p.out_w;
  let rows = windows_over(place / p.width, p.kernel_h, p.stride_h, p.pad_h, p.dilation_h, p.out_h);
  let cols = windows_over(place % p.width, p.kernel_w, p.stride_w, p.pad_w, p.dilation_w, p.out_w);
  var total = S(0);
  for (var y = rows.x; y < rows.y; y++) {
    for (var x = cols.x; x < cols.y; x++) {
      let o = plane + y * p.out_w + x;
      if (get_indices(o) == i32(place)) { total += get_g(o); }
    }
  }
  set_out(i, total);
}
