// out[c, r] = x[r, c] of a matrix [rows, columns].
fn turn(group: u32, lane: u32) {
  let i = group * 256u + lane;
  if (i >= p.range) { return; }
  set_out(i, get_x(i % p.rows * p.columns + i / p.rows));
}
