// Template: fills a tile of gemm.wgsl from an operand (SIDE; in capitals, UPPER) that lies in whole
// vectors. If it lies along the depth (UPPER_DEEP), blocks of four by four are transposed on their
// way. p.COUNT is how many rows (columns) there are, p.SIDE_LINE the way from one to
// the next.

fn prepare_SIDE(batch: u32, line: u32) {}

fn fill_SIDE(batch: u32, first: u32, lane: u32, k: u32, end: u32, along_depth: bool) {
  let base = batch * p.SIDE_batch;
  if (UPPER_DEEP) {
    for (var i = lane; i < FOURS_UPPER * 4u; i += 64u) {
      let d = i % 4u * 4u;
      let line = first + i / 4u * 4u;
      let at = (base + line * p.SIDE_LINE + k + d) / 4u;
      let step = p.SIDE_LINE / 4u;
      let left = select(0u, p.COUNT - min(line, p.COUNT), k + d < end);
      var x = vec4<S>();
      var y = vec4<S>();
      var z = vec4<S>();
      var w = vec4<S>();
      if (left > 0u) { x = get4_SIDE(at); }
      if (left > 1u) { y = get4_SIDE(at + step); }
      if (left > 2u) { z = get4_SIDE(at + 2u * step); }
      if (left > 3u) { w = get4_SIDE(at + 3u * step); }
      let to = d * PITCH_UPPER + i / 4u;
      tile_SIDE[to] = vec4<S>(x.x, y.x, z.x, w.x);
      tile_SIDE[to + PITCH_UPPER] = vec4<S>(x.y, y.y, z.y, w.y);
      tile_SIDE[to + 2u * PITCH_UPPER] = vec4<S>(x.z, y.z, z.z, w.z);
      tile_SIDE[to + 3u * PITCH_UPPER] = vec4<S>(x.w, y.w, z.w, w.w);
    }
  } else {
    for (var i = lane; i < FOURS_UPPER * STEP; i += 64u) {
      let d = i / FOURS_UPPER;
      let line = first + i % FOURS_UPPER * 4u;
      var v = vec4<S>();
      if (k + d < end && line < p.COUNT) {
        v = get4_SIDE((base + line + (k + d) * p.SIDE_depth) / 4u);
      }
      tile_SIDE[d * PITCH_UPPER + i % FOURS_UPPER] = v;
    }
  }
}
