// Template: how rows of an operand (NAME: [N, ROWS, heads, WIDTH] with any strides but of features)
// come into the tiles. four_NAME(at, e, there) reads four features, 0 where there are none.

fn NAME_at(n: u32, i: u32, h: u32) -> u32 {
  return n * p.NAME_batch + i * p.NAME_row + h * p.NAME_head;
}
// Features e0 to e0 + 32 of rows, as [feature][row]; four times `fours` of rows.
fn turn_NAME(n: u32, h: u32, first: u32, e0: u32, lane: u32, base: u32, fours: u32) {
  let pitch = fours + 1u;
  for (var i = lane; i < 8u * fours; i += 64u) {
    let e = i % 8u * 4u;
    let row = first + i / 8u * 4u;
    let at = NAME_at(n, row, h);
    let x = four_NAME(at, e0 + e, row < p.ROWS);
    let y = four_NAME(at + p.NAME_row, e0 + e, row + 1u < p.ROWS);
    let z = four_NAME(at + 2u * p.NAME_row, e0 + e, row + 2u < p.ROWS);
    let w = four_NAME(at + 3u * p.NAME_row, e0 + e, row + 3u < p.ROWS);
    let to = base + e * pitch + i / 8u;
    tiles[to] = vec4<f32>(x.x, y.x, z.x, w.x);
    tiles[to + pitch] = vec4<f32>(x.y, y.y, z.y, w.y);
    tiles[to + 2u * pitch] = vec4<f32>(x.z, y.z, z.z, w.z);
    tiles[to + 3u * pitch] = vec4<f32>(x.w, y.w, z.w, w.w);
  }
}
// Adds what the weights in the long tile make of features f0 to f0 + 32 of 32 rows.
fn weigh_NAME(part: ptr<function, Part>, n: u32, h: u32, first: u32, f0: u32, lane: u32) {
  for (var i = lane; i < 256u; i += 64u) {
    let row = first + i / 8u;
    let v = four_NAME(NAME_at(n, row, h), f0 + i % 8u * 4u, row < p.ROWS);
    tiles[SHORT + i / 8u * 9u + i % 8u] = v;
  }
  workgroupBarrier();
  multiply(part, lane % 8u, lane / 8u);
  workgroupBarrier();
}
