// Sorts blocks of up to 1024 (key, place) of lines by a bitonic network in workgroup memory; of
// short lines, 1024 / width at once. Level 0 takes its pairs from x, others from `from_keys`.
// Gives the first `keep` of each block: as results if `last`, else as pairs, lines of which are
// `stride` long.

const BLOCK = 1024u;
// Past every pair.
const NONE = vec2<u32>(0xffffffffu, 0xffffffffu);
var<workgroup> block_pairs: array<vec2<u32>, 1024>;

fn sort_block(group: u32, lane: u32) {
  let width = p.width;
  for (var e = lane; e < BLOCK; e += 256u) {
    let unit = group * (BLOCK / width) + e / width;
    let line = unit / p.blocks;
    let i = unit % p.blocks * BLOCK + e % width;
    var pair = NONE;
    if (unit < p.units && i < p.n) {
      if (p.level == 0u) {
        let key = order_key_(get_x(element(line, i)));
        pair = vec2<u32>(select(key, ~key, p.descending != 0u), i);
      } else {
        pair = vec2<u32>(get_from_keys(line * p.n + i), get_from_places(line * p.n + i));
      }
    }
    block_pairs[e] = pair;
  }
  for (var run = 2u; run <= width; run *= 2u) {
    for (var step = run / 2u; step > 0u; step /= 2u) {
      workgroupBarrier();
      for (var t = lane; t < BLOCK / 2u; t += 256u) {
        let low = t / step * 2u * step + t % step;
        let a = block_pairs[low];
        let b = block_pairs[low + step];
        let up = ((low % width) & run) == 0u;
        if (less(b, a) == up) {
          block_pairs[low] = b;
          block_pairs[low + step] = a;
        }
      }
    }
  }
  workgroupBarrier();
  for (var e = lane; e < BLOCK; e += 256u) {
    let unit = group * (BLOCK / width) + e / width;
    let line = unit / p.blocks;
    let i = e % width;
    if (unit >= p.units || i >= p.keep) { continue; }
    let pair = block_pairs[e];
    if (p.last != 0u) {
      if (pair.y < p.size) { emit(line, i, pair.y); }
    } else {
      let at = unit % p.blocks * p.keep + i;
      if (at < p.stride) {
        set_keys(line * p.stride + at, pair.x);
        set_order(line * p.stride + at, pair.y);
      }
    }
  }
}
