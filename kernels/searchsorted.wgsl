// How many elements of the sorted row are below the value (or not above it, if `right`); a NaN is
// past every element. Row r of n serves `count` values.

fn searchsorted(group: u32, lane: u32) {
  let i = group * 256u + lane;
  if (i >= p.range) { return; }
  let row = i / p.count * p.n;
  let value = get_values(i);
  let key = order_key_(value);
  var low = 0u;
  var high = p.n;
  while (low < high) {
    let middle = low + (high - low) / 2u;
    let x = get_sorted(row + middle);
    let its = order_key_(x);
    let not_past = select(its >= key, its > key, p.right != 0u);
    if (isnan_(x) || isnan_(value) || !not_past) { low = middle + 1u; } else { high = middle; }
  }
  set_out(i, i32(low));
}
