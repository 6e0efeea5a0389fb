// Template: copies where the source is contiguous along another dimension (TURNED)
// than the result, in tiles of 32 by 32 of both dimensions, so that both sides are read and written
// along rows. WALK finds the tile's place in the other dimensions.

var<workgroup> tile: array<u32, 1056>;

fn run_copy(group: u32, lane: u32) {
  let across = p.dims[TURNED];
  let along = p.dims[LAST];
  let source_step = p.dims[SOURCE_STEP];
  let target_step = p.dims[TARGET_STEP];
  let tiles_across = (across + 31u) / 32u;
  let tiles_along = (along + 31u) / 32u;
  let tiles = p.range / (across * along) * tiles_across * tiles_along;
  let c = lane % 32u;
  // There are more tiles than groups where they are not whole.
  for (var t = group; t < tiles; t += (p.range + 1023u) / 1024u) {
    let i = t / tiles_along % tiles_across * 32u;
    let j = t % tiles_along * 32u;
    var rest = t / (tiles_along * tiles_across);
    var from_x = i + j * source_step;
    var to_out = i * target_step + j;
    WALK
    for (var r = lane / 32u; r < 32u; r += 2u) {
      if (j + r < along && i + c < across) {
        tile[r * 33u + c] = get_x(from_x + r * source_step + c);
      }
    }
    workgroupBarrier();
    for (var r = lane / 32u; r < 32u; r += 2u) {
      if (i + r < across && j + c < along) {
        set_out(to_out + r * target_step + c, tile[c * 33u + r]);
      }
    }
    workgroupBarrier();
  }
}
