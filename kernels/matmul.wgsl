// out[b, i, j] = sum over k of a[b, i, k] * b[b, k, j], plus bias[j]: tiles of 64 x 64 by workgroups
// of 16 x 16, each invocation a 4 x 4 part. Operands are read by their strides.

const TILE = 64u;
const DEPTH = 16u;
var<workgroup> tile_a: array<S, 1024>;
var<workgroup> tile_b: array<S, 1024>;

fn matmul(group: u32, lane: u32) {
  let columns = (p.cols + TILE - 1u) / TILE;
  let rows = (p.rows + TILE - 1u) / TILE;
  let batch = group / (rows * columns);
  let row = group / columns % rows * TILE;
  let col = group % columns * TILE;
  let ty = lane / 16u * 4u;
  let tx = lane % 16u * 4u;
  var total: array<S, 16>;
  for (var k = 0u; k < p.depth; k += DEPTH) {
    for (var e = lane; e < 1024u; e += 256u) {
      // Neighbouring invocations read along the dimension that is contiguous.
      let r = select(e / DEPTH, e % TILE, p.a_row == 1u);
      let d = select(e % DEPTH, e / TILE, p.a_row == 1u);
      var v = S(0);
      if (row + r < p.rows && k + d < p.depth) {
        v = get_a(batch * p.a_batch + (row + r) * p.a_row + (k + d) * p.a_depth);
      }
      tile_a[d * TILE + r] = v;
      let c = select(e % TILE, e / DEPTH, p.b_depth == 1u);
      let f = select(e / TILE, e % DEPTH, p.b_depth == 1u);
      v = S(0);
      if (col + c < p.cols && k + f < p.depth) {
        v = get_b(batch * p.b_batch + (k + f) * p.b_depth + (col + c) * p.b_col);
      }
      tile_b[f * TILE + c] = v;
    }
    workgroupBarrier();
    for (var d = 0u; d < DEPTH; d++) {
      for (var i = 0u; i < 4u; i++) {
        let x = tile_a[d * TILE + ty + i];
        for (var j = 0u; j < 4u; j++) {
          total[i * 4u + j] += x * tile_b[d * TILE + tx + j];
        }
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      let r = row + ty + i;
      let c = col + tx + j;
      if (r < p.rows && c < p.cols) {
        var v = total[i * 4u + j];
        if (p.biased != 0u) { v += get_bias(c); }
        set_out((batch * p.rows + r) * p.cols + c, v);
      }
    }
  }
}
