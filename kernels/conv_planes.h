// Weight gradients of single taps, included once per dtype: products of planes as they follow each
// other, whose depth is pixels. Processors fetch ahead in long runs: tiles go through all that is
// packed before the next rows, and nothing is touched beside them, which would wait.

#if LANES == 4
// Rows of whole tiles of any height, which pass the columns of narrow tiles from the cache.
enum { PLANES_ROWS = 24 };

// Rows [first, last), the sums of `part` steps of the depth at a time.
SMALL
static void NAME(planes_rows)(const NAME(block) * t, uint32_t part, uint32_t first,
                              uint32_t last) {
  const uint32_t few = t->cols % TILE_N;
  const uint32_t cols = few <= TILE_N / 2 ? t->cols - few : t->cols;
  S tile[TILE_M * TILE_N];
  NAME(target) to = {.row = t->row, .col = 1};
  for (uint32_t i = first; i < last; i += TILE_M) {
    // The last tile of all begins where it ends with the rows.
    const uint32_t from = MIN(i, t->rows - TILE_M), over = i - from;
    to.i1 = MIN(TILE_M - over, last - i);
    to.add = t->add;
    for (uint32_t k = 0; k < t->depth; k += part, to.add = true) {
      const S *a = t->a + from * t->a_step + k, *b = t->b + k * t->b_step;
      for (uint32_t j = 0; j < cols; j += TILE_N) {
        NAME(row_loop_main)(MIN(part, t->depth - k), a, t->a_step, b + j, t->b_step, TILE_M - 1,
                            tile, TILE_N);
        to.j1 = MIN(TILE_N, cols - j);
        to.c = t->out + i * t->row + j;
        NAME(finish_main)(tile + over * TILE_N, &to);
      }
    }
  }
  to.j1 = few;
  for (uint32_t i = first; i < last && cols < t->cols; i += NARROW_M) {
    to.i1 = MIN(NARROW_M, last - i);
    to.c = t->out + i * t->row + cols;
    to.add = t->add;
    for (uint32_t k = 0; k < t->depth; k += part, to.add = true) {
      NAME(rows_narrow)(MIN(part, t->depth - k), t->a + i * t->a_step + k, t->a_step,
                        t->b + k * t->b_step + cols, t->b_step, &to);
    }
  }
}

// A unit is a part of the depth, blocks of `col_block` pixels, whose sums are a matrix by
// themselves: `filters` planes of g by `channels` of the source, packed. Scratch of a range: a
// packed block, places of planes.
SMALL
static void NAME(planes_weights)(const convWeights_params *p, uint32_t begin, uint32_t end) {
  const uint32_t rows = p->filters, cols = p->channels, pixels = p->grid_w, deep = p->col_block;
  const uint32_t blocks = (pixels + deep - 1) / deep, all = p->batch * blocks;
  const uint32_t last = MIN(end * p->per_unit, p->units), pitch = (cols + 15) / 16 * 16;
  S *pack = OUT(S, scratch) + (size_t)begin * p->slice;
  int32_t *tap = (int32_t *)(pack + deep * pitch);
  const conv_window window = WINDOW(p);
  conv_taps(tap, &window, 0, cols);
  for (uint32_t unit = begin * p->per_unit, at = unit * all / p->units; unit < last; unit++) {
    NAME(block) t = {.b = pack, .out = OUT(S, out) + (size_t)unit * rows * cols,
                     .a_step = pixels, .b_step = pitch, .row = cols, .rows = rows, .cols = cols};
    for (const uint32_t stop = (unit + 1) * all / p->units; at < stop; at++, t.add = true) {
      const uint32_t k = at % blocks * deep;
      const size_t image = at / blocks;
      t.a = IN(S, g) + image * rows * pixels + k;
      t.depth = MIN(deep, pixels - k);
      const conv_run run = {.count = t.depth};
      NAME(pack_taps)(pack, pitch, IN(S, source) + image * cols * pixels + k, tap, cols, &run, 1);
      for (uint32_t i = 0; i < rows; i += PLANES_ROWS) {
        NAME(planes_rows)(&t, p->row_block, i, MIN(rows, i + PLANES_ROWS));
      }
    }
  }
}
#endif
