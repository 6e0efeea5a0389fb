// Template: how a part of a result (NAME: [N, ROWS, heads, WIDTH]) is written: rows i to i + 4 and
// i + 32 to i + 36, four features of each. SET writes those that are there; PLACE is where row i is.

fn save_NAME(n: u32, i: u32, h: u32, f: u32, v: vec4<f32>) {
  if (i >= p.ROWS) { return; }
  let at = PLACE + h * p.WIDTH + f;
  SET
}
fn save_part_NAME(part: Part, n: u32, i: u32, h: u32, f: u32) {
  save_NAME(n, i, h, f, part.r0);
  save_NAME(n, i + 1u, h, f, part.r1);
  save_NAME(n, i + 2u, h, f, part.r2);
  save_NAME(n, i + 3u, h, f, part.r3);
  save_NAME(n, i + 32u, h, f, part.r4);
  save_NAME(n, i + 33u, h, f, part.r5);
  save_NAME(n, i + 34u, h, f, part.r6);
  save_NAME(n, i + 35u, h, f, part.r7);
}
