// The sum of the partial products of a split depth, [splits, count], plus a bias of each column.

fn split_sum(group: u32, lane: u32) {
  let i = group * 256u + lane;
  if (i >= p.range) { return; }
  var total = S(0);
  for (var s = 0u; s < p.splits; s++) { total += get_x(s * p.range + i); }
  if (p.biased != 0u) { total += get_bias(i % p.cols); }
  set_out(i, total);
}
