// What the sorting kernels share: where elements of [outer, n, inner] and results
// [outer, keep - first, inner] lie, and the order: by key, equals by place.

fn element(line: u32, place: u32) -> u32 {
  return (line / p.inner * p.size + place) * p.inner + line % p.inner;
}

fn emit(line: u32, i: u32, place: u32) {
  if (i < p.first) { return; }
  let k = (line / p.inner * (p.keep - p.first) + i - p.first) * p.inner + line % p.inner;
  set_values(k, get_x(element(line, place)));
  set_places(k, i32(place));
}

fn less(a: vec2<u32>, b: vec2<u32>) -> bool { return a.x < b.x || (a.x == b.x && a.y < b.y); }
