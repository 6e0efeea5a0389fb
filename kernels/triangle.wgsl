// Elements with column - row >= diagonal (upper) or <= diagonal; zeros elsewhere.

fn triangle(group: u32, lane: u32) {
  let e = group * 256u + lane;
  if (e >= p.range) { return; }
  let gap = i32(e % p.columns) - i32(e / p.columns % p.rows);
  let kept = select(gap <= p.diagonal, gap >= p.diagonal, p.upper != 0u);
  if (kept) { set_out(e, get_x(e)); } else { set_out(e, S(0)); }
}
