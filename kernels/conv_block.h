// Products of weights and blocks of packed pixels or taps, included once per dtype.

// Few of these tiles are not just stored.
#define FINISH_FEW(name, R, C)                                                    \
  static inline void NAME(finish_##name)(const S *tile, const NAME(target) * t) { \
    NAME(put_part)(tile, C * LANES, t);                                           \
  }
FINISH_FEW(pair, 2, PAIR_V)
FINISH_FEW(single, 1, 8)
// The tile for a few last columns.
#define NARROW_M (TILE_M == 2 ? 4 : 8)
FINISH_FEW(narrow, NARROW_M, TILE_V / 2)
TILE_ROWS(narrow, NARROW_M, TILE_V / 2)
MAIN_ROWS
TILE_ROWS(pair, 2, PAIR_V)
TILE_ROWS(single, 1, 8)
#if TILE_M == 6
// Five rows, since products of few channels have 5, 9 or 21.
FINISH_FEW(less, 5, TILE_V)
TILE_ROWS(less, 5, TILE_V)
#endif

// C vectors of every row of a block, the last of them `last` pixels from the first.
#define PACK_PIXELS(C)                                                                   \
  NO_UNROLL for (const int32_t *at = tap; at < end; at++, to += step) {                  \
    const S *p = from + *at;                                                             \
    V v[C];                                                                              \
    UNROLL for (int i = 0; i < C; i++) v[i] = load(p + (i < C - 1 ? i * LANES : last));  \
    UNROLL for (int i = 0; i < C; i++) store(to + (i < C - 1 ? i * LANES : last), v[i]); \
  }

// out[k][pixel] = source[tap[k] + pixel], some vectors of a run for every k.
static NOINLINE void NAME(pack_pixels)(S *out, size_t step, const S *source, const int32_t *tap,
                                       uint32_t depth, const conv_run *run, uint32_t runs) {
  const int32_t *end = tap + depth;
  for (; runs > 0; runs--, run++) {
    const uint32_t count = run->count;
    const uint32_t many = count % (7 * LANES) == 0 ? 7 : count % (6 * LANES) == 0 ? 6 : 4;
    const uint32_t most = MIN(many * LANES, count), last = most - LANES;
    for (uint32_t q = 0; q < count; q += most) {
      q = MIN(q, count - most);
      const S *from = source + run->source + q;
      S *to = out + run->at + q;
      if (most > 6 * LANES) PACK_PIXELS(7)
      else if (most > 4 * LANES) PACK_PIXELS(6)
      else if (most > 3 * LANES) PACK_PIXELS(4)
      else if (most > 2 * LANES) PACK_PIXELS(3)
      else if (most > LANES) PACK_PIXELS(2)
      else if (most == LANES) PACK_PIXELS(1)
      else {
        for (const int32_t *at = tap; at < end; at++, to += step) {
          for (uint32_t i = 0; i < most; i++) to[i] = from[*at + (int32_t)i];
        }
      }
    }
  }
}

// out[pixel][k] = source[tap[k] + pixel]
static NOINLINE void NAME(pack_taps)(S *out, size_t step, const S *source, const int32_t *tap,
                                     uint32_t taps, const conv_run *run, uint32_t runs) {
  for (uint32_t k = 0; k < taps; k += LANES) {
    for (uint32_t r = 0; r < runs; r++) {
      const S *from[LANES];
      UNROLL for (uint32_t l = 0; l < LANES; l++) {
        from[l] = source + tap[MIN(k + l, taps - 1)] + run[r].source;
      }
      const uint32_t count = run[r].count;
      S *to = out + run[r].at * step + k;
      for (uint32_t q = 0; count >= LANES && q < count; q += LANES) {
        const uint32_t at = MIN(q, count - LANES);
        V square[LANES];
        UNROLL for (int l = 0; l < LANES; l++) square[l] = load(from[l] + at);
        NAME(transpose)(square);
        UNROLL for (int l = 0; l < LANES; l++) store(to + (at + l) * step, square[l]);
      }
      for (uint32_t q = 0; count < LANES && q < count; q++) {
        UNROLL for (int l = 0; l < LANES; l++) to[q * step + l] = from[l][q];
      }
    }
  }
}

#if LANES == 4
// Fills lines of `images` images; `tap` begins their scratch. Returns the lines.
SMALL
static NOINLINE const S *NAME(fill_lines)(const conv_lines *t, int32_t *tap, const S *source,
                                 uint32_t images) {
  const uint32_t count = t->channels * t->taps_w, rows = images * t->rows;
  const conv_window window = {1, t->taps_w, t->plane, 0, 0, 1, 1};
  const conv_grid grid = {.rows = t->rows, .cols = t->cols, .source_row = t->row,
                          .source_image = t->channels * t->plane, .source_step = 1};
  conv_run *run = (conv_run *)(tap + count);
  S *to = (S *)(run + rows);
  conv_taps(tap, &window, 0, count);
  NAME(pack_pixels)(to, t->pitch, source, tap, count, run,
                    conv_runs(run, &grid, 0, rows * t->cols));
  return to;
}
#endif

// out[i, j] (+)= sum over k of a[i * a_step + k] * b[k * b_step + j].
typedef struct {
  const S *a, *b;
  S *out;
  size_t a_step, b_step, row;
  uint32_t rows, cols, depth;
  // room: for results of whole tiles
  bool add, room;
} NAME(block);

// sums[r] = sum over k of row r of a by column[k], in whole vectors.
static NOINLINE void NAME(column_loop)(uint32_t depth, const S *a, size_t a_step, const S *column,
                                       uint32_t last, S *sums) {
  const S *row[4];
  V acc[4] = {0};
  UNROLL for (uint32_t r = 0; r < 4; r++) row[r] = a + MIN(r, last) * a_step;
  NO_UNROLL for (uint32_t k = 0; k < depth; k += LANES) {
    const V right = load(column + k);
    UNROLL for (int r = 0; r < 4; r++) acc[r] = madd(load(row[r] + k), right, acc[r]);
  }
  UNROLL for (int r = 0; r < 4; r++) sums[r] = sum_lanes(acc[r]);
}

// The last column by itself, in vectors along the depth.
SMALL
static void NAME(block_column)(const NAME(block) * t, uint32_t first, uint32_t last) {
  const uint32_t col = t->cols - 1, whole = t->depth / LANES * LANES;
  S column[DEPTH_BLOCK], sums[4];
  NO_UNROLL for (uint32_t k = 0; k < t->depth; k++) column[k] = t->b[k * t->b_step + col];
  for (uint32_t i = first; i < last; i += 4) {
    const S *a = t->a + i * t->a_step;
    const uint32_t rows = MIN(4, last - i);
    NAME(column_loop)(whole, a, t->a_step, column, rows - 1, sums);
    for (uint32_t r = 0; r < rows; r++, a += t->a_step) {
      S sum = sums[r], *to = t->out + (i + r) * t->row + col;
      for (uint32_t k = whole; k < t->depth; k++) sum += a[k] * column[k];
      *to = t->add ? *to + sum : sum;
    }
  }
}

#if TILE_M == 6
// Rows [0, rows) of results with room, in tiles of six and five rows.
SMALL
static NOINLINE void NAME(block_few)(const NAME(block) * t, uint32_t rows, uint32_t cols) {
  const uint32_t tiles = (rows + 5) / 6, fives = MIN(tiles, tiles * 6 - rows);
  (void)NAME(rows_less);
  for (uint32_t j = 0; j < cols; j += TILE_N) {
    for (uint32_t n = 0, i = 0; n < tiles; i += n++ < fives ? 5 : 6) {
      const S *a = t->a + i * t->a_step, *b = t->b + j;
      S *to = t->out + i * t->row + j;
      const uint32_t last = rows - 1 - i;
      if (n < fives) NAME(row_loop_less)(t->depth, a, t->a_step, b, t->b_step, last, to, t->row);
      else NAME(row_loop_main)(t->depth, a, t->a_step, b, t->b_step, last, to, t->row);
    }
  }
}
#endif

// Rows [first, last): whole tiles, one, two or four last rows with tiles of their own, and a few
// last columns too. Which columns are summed as one is the same for every tile.
SMALL
static NOINLINE void NAME(block_rows)(const NAME(block) * t, uint32_t first, uint32_t last) {
  const uint32_t rest = (last - first) % TILE_M;
  const uint32_t after = rest <= 2 || rest == 4 ? last - rest : last;
  const uint32_t few = t->cols % TILE_N, cols = few <= TILE_N / 2 ? t->cols - few : t->cols;
  const bool lone = t->cols % 16 == 1;
  NAME(target) to = {.row = t->row, .col = 1, .add = t->add};
  for (uint32_t j = 0; j < cols; j += TILE_N) {
    to.j1 = MIN(TILE_N, cols - j);
    uint32_t i = first;
#if STRIPS
    if (to.j1 == TILE_N || (t->room && !t->add)) {
      const uint32_t tiles = (after - first) / TILE_M;
      NAME(row_strips)(tiles, t->depth, t->a + i * t->a_step, t->a_step, t->b + j, t->b_step,
                       t->out + i * t->row + j, t->row, t->add);
      i += tiles * TILE_M;
    }
#endif
    for (; i < after; i += TILE_M) {
      to.i1 = MIN(TILE_M, last - i);
      const S *a = t->a + i * t->a_step;
      to.c = t->out + i * t->row + j;
      if (t->room && !t->add) {
        NAME(row_loop_main)(t->depth, a, t->a_step, t->b + j, t->b_step, to.i1 - 1, to.c, t->row);
      } else NAME(rows_main)(t->depth, a, t->a_step, t->b + j, t->b_step, &to);
    }
  }
  to.i1 = MIN(rest, 2);
  for (uint32_t i = after; i < last; i += 2) {
    for (uint32_t j = 0; j < cols; j += (rest == 1 ? 8 : PAIR_V) * LANES) {
      const S *a = t->a + i * t->a_step, *b = t->b + j;
      to.j1 = MIN((rest == 1 ? 8 : PAIR_V) * LANES, cols - j);
      to.c = t->out + i * t->row + j;
      if (rest == 1) NAME(rows_single)(t->depth, a, 0, b, t->b_step, &to);
      else if (TILE_M > 2) NAME(rows_pair)(t->depth, a, t->a_step, b, t->b_step, &to);
    }
  }
  if (lone) NAME(block_column)(t, first, last);
  to.j1 = few;
  for (uint32_t i = first; i < last && cols < t->cols && !lone; i += NARROW_M) {
    to.i1 = MIN(NARROW_M, last - i);
    to.c = t->out + i * t->row + cols;
    NAME(rows_narrow)(t->depth, t->a + i * t->a_step, t->a_step, t->b + cols, t->b_step, &to);
  }
}

SMALL
static void NAME(block_product)(const NAME(block) * t) {
#if TILE_M == 6
  if (t->room && !t->add && t->rows <= ROW_BLOCK && t->rows > 2 && t->cols % 16 != 1) {
    NAME(block_few)(t, t->rows, t->cols);
    return;
  }
#endif
  for (uint32_t i = 0; i < t->rows; i += ROW_BLOCK) {
    NAME(block_rows)(t, i, MIN(i + ROW_BLOCK, t->rows));
  }
}

// Touches numbers in their order in memory: of more than two streams no processor fetches ahead.
static NOINLINE void NAME(fetch)(const S *from, size_t count) {
  const S *end = from + count;
  for (; from < end; from += 64 / sizeof(S)) (void)*(const volatile S *)from;
}

#if LANES == 4
// `rows` runs of `cols` numbers, `step` apart, which tiles touch in bursts, one for every `part`
// steps of their depths: what memory takes passes while they compute. Processors predict where one
// instruction will read, so tiles that touch are of one shape.
typedef struct {
  const S *from;
  size_t step;
  uint32_t rows, cols, at, part, wait;
} NAME(stream);

static inline __attribute__((always_inline)) void NAME(burst)(NAME(stream) * s) {
  s->wait = s->part;
  if (s->rows == 0) return;
  const S *from = s->from + MIN(s->at, s->cols - BURST);
  UNROLL for (uint32_t i = 0; i < BURST; i += 64 / sizeof(S)) {
    (void)*(const volatile S *)(from + i);
  }
  s->at += BURST;
  if (s->at < s->cols) return;
  s->at = 0;
  s->from += s->step;
  s->rows--;
}

static NOINLINE void NAME(bursts)(NAME(stream) * s, uint32_t count) {
  for (; count > 0 && s->rows > 0; count--) NAME(burst)(s);
}

// Whole tiles of a block, one below the other, which begin with `start`.
static NOINLINE void NAME(stream_tiles)(const NAME(block) * t, NAME(stream) * s, const S *a,
                                        const S *panel, S *to, const S *start, uint32_t tiles) {
  const size_t a_step = t->a_step, b_step = t->b_step, to_step = t->row;
  const size_t next = t->add ? TILE_M : 0;
  NO_UNROLL do {
    V acc[TILE_M][TILE_V];
    const S *row[TILE_M], *b = panel;
    UNROLL for (uint32_t i = 0; i < TILE_M; i++) {
      row[i] = a + i * a_step;
      UNROLL for (int j = 0; j < TILE_V; j++) acc[i][j] = splat(start[i]);
    }
    for (uint32_t k = 0, depth = t->depth; k < depth;) {
      if (s->wait == 0) NAME(burst)(s);
      const uint32_t end = k + MIN(s->wait, depth - k);
      s->wait -= end - k;
      NO_UNROLL for (; k < end; k++, b += b_step) TILE_STEP(TILE_M, TILE_V, row[i][k])
    }
    TILE_STORE(TILE_M, TILE_V)
    a += TILE_M * a_step;
    start += next;
  } while (--tiles > 0);
}

// A product of planes of pixels that are read where they lie, of at least TILE_M rows, in tiles of
// six and five, or the last of which begins before the others end; so do the last columns. Of many
// planes all tiles of a few columns follow each other: the first reads a line of a plane at each
// step, and so waits for many at once; what the last cache `keeps` comes sooner as blocks, in the
// order of planes. Of few, which have whole tiles of columns, the next block is fetched meanwhile:
// of this product, or the first of another with `follow` columns, from `next`.
SMALL
static void NAME(planar_product)(NAME(block) * t, const S *bias, NAME(stream) * s, const S *next,
                                 uint32_t follow, bool keeps) {
  const S none[TILE_M] = {0};
  const uint32_t depth = t->depth, all = t->cols, rows = t->rows;
  const bool deep = depth > PLANAR_DEPTH;
  const uint32_t some = keeps ? PLANAR_WORDS / depth / TILE_N * TILE_N : all;
  const uint32_t most = deep ? some : PLANAR_COLS;
  const uint32_t tiles = (rows + TILE_M - 1) / TILE_M, over = tiles * TILE_M - rows;
  const uint32_t fives = TILE_M == 6 && over <= tiles && !bias ? over : 0;
  const uint32_t group = deep ? tiles : PLANAR_TILES;
  for (uint32_t rest = all, cols; rest > 0; rest -= cols, t->b += cols, t->out += cols) {
    cols = rest < most + TILE_N ? rest : most;
    for (uint32_t k = 0; k < depth && (deep ? keeps : s->from == NULL); k++) {
      NAME(fetch)(t->b + k * t->b_step, cols);
    }
    NAME(bursts)(s, -1u);
    if (cols < rest) next = t->b + cols;
    const uint32_t after = MIN(most, cols < rest ? rest - cols : follow);
    const bool ahead = next && after >= BURST && !deep;
    *s = (NAME(stream)){next, t->b_step, ahead ? depth : 0, after, 0, 1 << 30, 0};
    // Faster than memory is, tiles would wait.
    const uint32_t steps = MAX(BURST_STEPS, tiles * (cols / TILE_N) * BURST / after);
    if (fives == 0 && !deep) s->part = steps;
    for (uint32_t i = 0; i < tiles; i += group) {
      for (uint32_t j = 0; j < cols; j += TILE_N) {
        const uint32_t col = MIN(j, cols - TILE_N);
        for (uint32_t n = i; n < MIN(tiles, i + group); n++) {
          const uint32_t at = n < fives ? n * 5 : MIN(n * TILE_M - fives, rows - TILE_M);
          const S *a = t->a + at * t->a_step, *b = t->b + col;
          S *to = t->out + at * t->row + col;
          if (fives) NAME(bursts)(s, (depth + steps - 1) / steps);
#if TILE_M == 6
          if (n < fives) {
            NAME(row_loop_less)(depth, a, t->a_step, b, t->b_step, 4, to, t->row);
            continue;
          }
#endif
          // All that end before the last, where vectors are not paired.
          const uint32_t whole = PAIRED || fives ? 1 : MAX(1, MIN(rows / TILE_M, i + group) - n);
          NAME(stream_tiles)(t, s, a, b, to, bias ? bias + at : none, whole);
          n += whole - 1;
        }
      }
    }
  }
}
#endif
