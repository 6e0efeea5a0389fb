// The sum of the partial products of a split depth, [splits, count], and what follows it.

fn split_sum(group: u32, lane: u32) {
  let i = group * 256u + lane;
  if (i >= p.range) { return; }
  var total = S(0);
  for (var s = 0u; s < p.splits; s++) { total += get_x(s * p.range + i); }
  set_out(i, finished(total, i % p.cols));
}
