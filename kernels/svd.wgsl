// One-sided Jacobi rotations, as in svd.c. Scratch memory has a row for each vector: the vector,
// its rotations, its singular value and the row that is the r-th largest. The state of a matrix is
// the number of the last sweep that turned a pair, and the bits of its scale.

var<workgroup> shared_word: u32;

// Squared length of what counts as zero, where the greatest element is between 1 and 4.
const NOTHING = 1e-28;

// A workgroup is one matrix: scaled by a power of two, and no rotations.
fn svd_prepare(group: u32, lane: u32) {
  let size = p.m * p.n;
  var most = 0.0;
  for (var i = lane; i < size; i += 256u) {
    most = max_f32(most, abs_f32(get_x(group * size + i)));
  }
  most = group_max_f32(most, lane, 256u);
  let finite = isfinite_f32(most);
  let scale = bitcast<f32>((254u - min(bitcast<u32>(most) >> 23u, 253u)) << 23u);
  let base = group * p.count * p.stride;
  for (var i = lane; i < p.count * p.stride; i += 256u) {
    let j = i / p.stride;
    set_w(base + i, select(0.0, 1.0, j < p.k && i % p.stride == p.len + j));
  }
  storageBarrier();
  for (var i = lane; i < size; i += 256u) {
    let place = vec2<u32>(i / p.n, i % p.n);
    let to = select(place.xy, place.yx, p.m >= p.n);
    set_w(base + to.x * p.stride + to.y, select(0.0, get_x(group * size + i) * scale, finite));
  }
  if (lane == 0u) {
    set_state(2u * group, 0u);
    set_state(2u * group + 1u, bitcast<u32>(scale));
    if (!finite) { set_status(0u, 1u); }
  }
}

// Teams take a pair each, workgroups a slice of the pairs, and launches some rounds of a sweep
// (one, where a matrix has several slices).
fn svd_sweep(group: u32, lane: u32) {
  let matrix = group / p.slices;
  if (lane == 0u) { shared_word = get_state(2u * matrix); }
  if (workgroupUniformLoad(&shared_word) < p.sweep) { return; }
  let team = p.team;
  let place = lane % team;
  let i = (group % p.slices) * (256u / team) + lane / team;
  let last = (p.k - 1u) | 1u;
  let base = matrix * p.count * p.stride;
  for (var r = 0u; r < p.rounds; r++) {
    let round = p.first + r;
    let a = select((round + i) % last, last, i == 0u);
    let b = (round + last - i) % last;
    let there = i <= last / 2u && max(a, b) < p.k;
    let x = base + min(a, b) * p.stride;
    let y = base + max(a, b) * p.stride;
    var squares = vec2<f32>();
    var xy = 0.0;
    if (there) {
      for (var e = place; e < p.len; e += team) {
        let v = vec2<f32>(get_w(x + e), get_w(y + e));
        squares += v * v;
        xy += v.x * v.y;
      }
    }
    squares = group_sum2_f32(squares, lane, team);
    xy = group_sum_f32(xy, lane, team);
    let lengths = sqrt(squares);
    let aside = min(squares.x, squares.y) < NOTHING;
    if (there && !aside && abs(xy) > p.tolerance * lengths.x * lengths.y) {
      let zeta = (squares.y - squares.x) / (2.0 * xy);
      // The square of a large zeta would overflow.
      let steep = min(abs(zeta), 1e8);
      var t = select(1.0, -1.0, zeta < 0.0) / (steep + sqrt(1.0 + steep * steep));
      if (abs(zeta) > 1e8) { t = 0.5 / zeta; }
      let c = 1.0 / sqrt(1.0 + t * t);
      let s = c * t;
      let tau = s / (1.0 + c);
      for (var e = place; e < p.len + p.k; e += team) {
        let u = get_w(x + e);
        let v = get_w(y + e);
        set_w(x + e, u - s * (v + tau * u));
        set_w(y + e, v + s * (u - tau * v));
      }
      if (place == 0u) { set_state(2u * matrix, p.sweep + 1u); }
    }
    storageBarrier();
  }
}

fn row(base: u32, r: u32) -> u32 {
  if (r >= p.k) { return base + r * p.stride; }
  return base + u32(get_w(base + r * p.stride + p.len + p.k + 1u)) * p.stride;
}

// Makes the r-th vector a unit vector orthogonal to those before it, from the axis that is farthest
// from these. Orthogonal at the second time, as in svd.c.
fn complete(base: u32, r: u32, lane: u32) {
  let x = row(base, r);
  var best = vec2<u32>(0u, 0u);
  for (var e = lane; e < p.len; e += 256u) {
    var inside = 0.0;
    for (var q = 0u; q < r; q++) {
      let v = get_w(row(base, q) + e);
      inside += v * v;
    }
    best = better(best, vec2<u32>(order_key_f32(-inside), e));
  }
  let axis = group_best(best, lane, 256u).y;
  for (var e = lane; e < p.len; e += 256u) { set_w(x + e, select(0.0, 1.0, e == axis)); }
  for (var turn = 0u; turn < 2u; turn++) {
    // The last step divides by the length.
    for (var q = 0u; q <= r; q++) {
      let y = row(base, q);
      var inside = 0.0;
      for (var e = lane; e < p.len; e += 256u) { inside += get_w(x + e) * get_w(y + e); }
      inside = group_sum_f32(inside, lane, 256u);
      for (var e = lane; e < p.len; e += 256u) {
        let v = get_w(x + e);
        set_w(x + e, select(v - inside * get_w(y + e), v / sqrt(inside), q == r));
      }
    }
  }
  storageBarrier();
}

// Divides vectors and rotations by their lengths: the rounding errors of the rotations are in both.
fn divide(base: u32, lane: u32) {
  let team = p.team;
  let teams = 256u / team;
  for (var first = 0u; first < p.k; first += teams) {
    let j = first + lane / team;
    let x = base + j * p.stride;
    var squares = vec2<f32>();
    if (j < p.k) {
      for (var e = lane % team; e < p.len + p.k; e += team) {
        let v = get_w(x + e);
        squares += select(vec2<f32>(0.0, v * v), vec2<f32>(v * v, 0.0), e < p.len);
      }
    }
    squares = group_sum2_f32(squares, lane, team);
    if (j < p.k) {
      let gone = squares.x < NOTHING;
      let lengths = sqrt(select(squares, vec2<f32>(1.0, squares.y), gone));
      for (var e = lane % team; e < p.len + p.k; e += team) {
        set_w(x + e, get_w(x + e) / select(lengths.y, lengths.x, e < p.len));
      }
      let length = select(lengths.x / lengths.y, 0.0, gone);
      if (lane % team == 0u) { set_w(x + p.len + p.k, length); }
    }
  }
  storageBarrier();
}

// A workgroup is one matrix: lengths, order, what is missing, and the results.
fn svd_finish(group: u32, lane: u32) {
  let base = group * p.count * p.stride;
  divide(base, lane);
  let value = base + p.len + p.k;
  for (var j = lane; j < p.k; j += 256u) {
    let mine = get_w(value + j * p.stride);
    var rank = 0u;
    for (var i = 0u; i < p.k; i++) {
      let other = get_w(value + i * p.stride);
      rank += u32(other > mine || (other == mine && i < j));
    }
    set_w(value + rank * p.stride + 1u, f32(j));
  }
  storageBarrier();
  if (lane == 0u) {
    var found = 0u;
    while (found < p.k && get_w(row(base, found) + p.len + p.k) > 0.0) { found++; }
    shared_word = found;
  }
  let whole = workgroupUniformLoad(&shared_word);
  for (var r = whole; r < p.count; r++) { complete(base, r, lane); }
  let tall = p.m >= p.n;
  for (var i = lane; i < p.count * p.len; i += 256u) {
    let r = i / p.len;
    let e = i % p.len;
    let v = get_w(row(base, r) + e);
    let to = group * p.count * p.len;
    if (tall) { set_u(to + e * p.count + r, v); } else { set_vh(to + i, v); }
  }
  for (var i = lane; i < p.k * p.k; i += 256u) {
    let r = i / p.k;
    let e = i % p.k;
    let v = get_w(row(base, r) + p.len + e);
    let to = group * p.k * p.k;
    if (tall) { set_vh(to + i, v); } else { set_u(to + e * p.k + r, v); }
  }
  for (var r = lane; r < p.k; r += 256u) {
    let length = get_w(row(base, r) + p.len + p.k);
    set_s(group * p.k + r, length / bitcast<f32>(get_state(2u * group + 1u)));
  }
  if (lane == 0u && get_state(2u * group) == p.sweep) { set_status(0u, 2u); }
}
