// The gradient of a position: its own, or what the one of all (step = 0) gives to each.

fn gradient_of(line: u32) -> f32 {
  let g = get_g(line * p.step);
  if (p.mean == 0u) { return g; }
  return g / get_total(0u);
}
