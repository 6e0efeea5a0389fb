// Units of convolutions that read pixels in place, in float32 only; included once per dtype.

#if LANES == 4
DIRECT_TILE(main, TILE_M, TILE_V, 2)
DIRECT_TILE(pair, 2, PAIR_V, 2)
DIRECT_TILE(single, 1, 8, 2)
// Groups of one vector, for short rows.
DIRECT_TILE(fine, TILE_M, TILE_V, 1)
WEIGHTS_TILE(main, WEIGHTS_M, WEIGHTS_C)
WEIGHTS_TILE(pair, 2, 4)

// Rows of padded planes, `row` apart, that `count` planes from x have for rows of pixels from y:
// what is padded as it is needed stays in the cache.
SMALL
static void NAME(fill_band)(S *to, const S *x, const conv_padding *t, uint32_t plane,
                            uint32_t count, int32_t y) {
  for (; count > 0; count--, to += plane, x += t->height * t->width) {
    NAME(pad_rows)(to, x, t, y, plane / (t->cols * t->kept));
  }
}
#define PADDING(p) \
  {p->height, p->width, p->cols, p->phases, p->phases, 1, p->pad_w}
// The first row of padded planes for a row of pixels.
#define BAND_ROW(p, y) \
  ((int32_t)((y) * (p->source_row / (p->cols * p->phases))) - (int32_t)p->pad_h)

// Rows of the next tile: a last one, two, or four of six have tiles of their own.
SMALL
static uint32_t direct_rows(uint32_t rest, bool fine) {
  if (fine || (rest > 2 && (rest != 4 || TILE_M < 6))) return TILE_M;
  return MIN(rest, 2);
}

// The weights of one group in steps.
SMALL
static void NAME(direct_tiles)(const convProduct_params *p, uint32_t group, const int32_t *tap,
                               uint32_t depth, bool fine, int32_t *steps) {
  const S *weight = IN(S, weight) + p->weight_at + group * (size_t)p->weight_group;
  const S *start = p->biased ? IN(S, bias) + group * p->filters : NULL;
  for (uint32_t i = 0; i < p->filters;) {
    const uint32_t rest = p->filters - i, tile = direct_rows(rest, fine);
    steps = NAME(direct_steps)(steps, weight + i * depth, start ? start + i : NULL, tap, depth,
                               MIN(rest, tile), tile);
    i += tile;
  }
}

// `col_block` rows of pixels, read in place, by all filters. Scratch of a range: groups, lines,
// a band, taps, steps.
SMALL
static void NAME(direct_units)(const convProduct_params *p, uint32_t begin, uint32_t end) {
  const uint32_t last = MIN(end * p->per_unit, p->units);
  const bool fine = p->direct > 1 && RUNS(TILE_M);
  const uint32_t size = (fine ? 1 : 2) * LANES;
  const uint32_t depth = p->channels * p->taps_h * p->taps_w;
  const uint32_t blocks = (p->grid_h + p->col_block - 1) / p->col_block;
  const uint32_t across = (p->grid_w + size - 1) / size, filters = p->filters;
  const size_t source_size = (size_t)p->channels * (p->line_rows ? p->line_plane : p->plane);
  const conv_padding padding = PADDING(p);
  conv_group *group = (conv_group *)(OUT(S, scratch) + (size_t)begin * p->slice);
  conv_groups(group, MIN(p->col_block, p->grid_h), p->grid_w, size, p->source_row, p->out_row);
  int32_t *lines = (int32_t *)(group + p->col_block * across);
  int32_t *tap = lines + p->line_words, *steps = tap + depth;
  const conv_window window = WINDOW(p);
  conv_taps(tap, &window, 0, depth);
  for (uint32_t unit = begin * p->per_unit, of = p->groups; unit < last; unit++) {
    const uint32_t y = unit % blocks * p->col_block, at = unit / blocks;
    if (of != at % p->groups) {
      of = at % p->groups;
      NAME(direct_tiles)(p, of, tap, depth, fine, steps);
    }
    const S *source = IN(S, source) + at * source_size + p->source_at +
                      (size_t)y * (p->line_rows ? source_size : p->source_row);
    if (p->line_rows) {
      source = NAME(fill_lines)(LINES(p), lines, source, MIN(p->col_block, p->grid_h - y));
    } else if (p->band) {
      const S *x = IN(S, source) + (size_t)at * p->channels * p->height * p->width;
      NAME(fill_band)((S *)lines, x, &padding, p->plane, p->channels, BAND_ROW(p, y));
      source = (S *)lines + p->source_at;
    }
    NAME(direct) t = {
        .source = source,
        .end = steps,
        .group = group,
        .out = OUT(S, out) + (size_t)at * filters * p->out_plane + p->out_at +
               (size_t)y * p->out_row,
        .out_row = p->out_plane,
        .rows = filters,
        .count = MIN(p->col_block, p->grid_h - y) * across,
    };
    for (uint32_t i = 0; i < filters;) {
      const uint32_t tile = direct_rows(filters - i, fine);
      t.steps = t.end;
      t.end += tile + (tile + 1) * depth;
      if (fine) NAME(direct_fine)(&t, i);
      else if (tile == 1) NAME(direct_single)(&t, i);
      else if (tile == TILE_M) NAME(direct_main)(&t, i);
      else if (TILE_M > 2) NAME(direct_pair)(&t, i);
      i += tile;
    }
  }
}

// Units of `row_block` filters by `col_block` taps of one group, over `images` images of both.
SMALL
static void NAME(add_weights)(const convWeights_params *p, NAME(weights) * t, const S *source,
                              const S *g, uint32_t unit, uint32_t last, uint32_t images) {
  const uint32_t parts = (t->rows + p->row_block - 1) / p->row_block;
  const uint32_t blocks = (t->taps + p->col_block - 1) / p->col_block;
  for (; unit < last; unit++) {
    const uint32_t of = unit / blocks / parts, filter = unit / blocks % parts * p->row_block;
    const uint32_t from = unit % blocks * p->col_block, to = MIN(from + p->col_block, t->taps);
    const uint32_t end = MIN(filter + p->row_block, t->rows);
    t->g = g + of * t->rows * t->g_row;
    t->source = source + (size_t)of * p->channels * p->plane;
    t->out = OUT(S, out) + (size_t)of * t->rows * t->taps;
    for (uint32_t i = filter, rows; i < end; i += rows) {
      const uint32_t rest = end - i;
      const bool few = rest <= 2 || (rest == 4 && WEIGHTS_M == 3);
      rows = few ? 2 : WEIGHTS_M;
      for (uint32_t k = from; k < to; k += few ? 4 : WEIGHTS_C) {
        if (few) NAME(weights_pair)(t, i, k, images);
        else NAME(weights_main)(t, i, k, images);
      }
    }
  }
}

// Weights read in place. Scratch of a range: groups, taps, lines.
SMALL
static void NAME(direct_weights)(const convWeights_params *p, uint32_t begin, uint32_t end) {
  const uint32_t first = begin * p->per_unit, last = MIN(end * p->per_unit, p->units);
  const uint32_t filters = p->filters, taps = p->channels * p->taps_h * p->taps_w;
  const uint32_t size = 2 * LANES, inside = p->grid_w / size * size, rest = p->grid_w - inside;
  conv_group *group = (conv_group *)(OUT(S, scratch) + (size_t)begin * p->slice);
  const uint32_t whole = conv_groups(group, p->grid_h, inside, size, p->source_row, p->grid_w);
  const uint32_t back = size - rest, partial = rest ? p->grid_h : 0;
  for (uint32_t y = 0; y < partial; y++) {
    const uint32_t x = inside - back;
    group[whole + y] = (conv_group){(y * p->source_row + x) * 4, (y * p->grid_w + x) * 4};
  }
  int32_t *tap = (int32_t *)(group + whole + partial);
  const conv_window window = WINDOW(p);
  conv_taps(tap, &window, 0, taps);
  const size_t image_size =
      (size_t)(p->line_rows ? p->line_plane : p->plane) * p->channels * p->groups;
  NAME(weights)
  t = {.tap = tap,
       .g_row = (size_t)p->grid_h * p->grid_w,
       .source_image = p->line_rows ? p->source_row : image_size,
       .rows = filters,
       .taps = taps};
  t.g_image = t.g_row * filters * p->groups;
  UNROLL for (uint32_t l = 0; l < 2 * LANES; l++) {
    t.mask[l / LANES][l % LANES] = l >= back ? 1 : 0;
  }
  UNROLL for (int v = 0; v < 2; v++) t.mask[v] = (V)(t.mask[v] != 0);
  // Images, or parts of one, that stay in the first cache; small ones twice as long, for fewer sums.
  const uint32_t most = p->line_rows ? WEIGHT_GROUPS : 2 * WEIGHT_GROUPS;
  const uint32_t together = MAX(1, most / (whole + partial));
  for (uint32_t image = 0, at = 0; image < p->batch; t.add = true) {
    const uint32_t images = MIN(together, p->batch - image);
    t.group = group + at;
    t.whole = MIN(WEIGHT_GROUPS, whole - at);
    at += t.whole;
    const uint32_t masked = at < whole ? 0 : partial;
    const S *source = IN(S, source) + image * image_size;
    if (t.group == group && images * (image_size + t.g_image) < MOST_FETCHED) {
      NAME(fetch)(source, images * image_size);
      NAME(fetch)(IN(S, g) + image * t.g_image, images * t.g_image);
    }
    if (p->line_rows) source = NAME(fill_lines)(LINES(p), tap + taps, source, images);
    // The first vector of a group may be masked wholly.
    t.all[0] = t.whole + (WEIGHTS_V == 1 && back >= LANES ? 0 : masked);
    t.all[1] = t.whole + masked;
    NAME(add_weights)(p, &t, source, IN(S, g) + image * t.g_image, first, last, images);
    if (at < whole) continue;
    at = 0;
    image += images;
  }
}
#endif
