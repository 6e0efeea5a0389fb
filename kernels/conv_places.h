// Where the pixels, taps and groups of convolutions lie.

#ifndef CONV_PLACES_H
#define CONV_PLACES_H
// Of a block of B: its columns, and how far apart its rows are (an odd number of cache lines).
enum { BLOCK_COLS = 64, BLOCK_STEP = 80, ROW_BLOCK = 120 };
// Of a tile of two rows.
enum { PAIR_V = PAIRED ? 8 : 4 };
// What `direct` is where planes are read in place, without groups; up to which depth rows are few,
// so that few lines of results are written side by side; columns of few planes, and words of many,
// that are read at once; words that the last cache keeps; words of a burst, and after how many
// steps of a tile memory is ready for another; words that the cache keeps if they are fetched.
enum {
  PLANAR = 3,
  PLANAR_DEPTH = 32,
  PLANAR_TILES = TILE_M == 2 ? 24 : 1,
  PLANAR_COLS = 1024,
  PLANAR_WORDS = 1 << 16,
  PLANAR_KEPT = 3 << 20,
  BURST = 64,
  BURST_STEPS = 96 * (PAIRED ? 4 : 2) / (TILE_M * TILE_V),
  MOST_FETCHED = 900000
};
// Of the weight gradient read in place: groups of pixels that stay in cache.
enum { WEIGHT_GROUPS = 128 };
// Of the weight gradient of packed taps: results that the first caches keep.
enum { MOST_SUMS = 16384 };

// Groups of `size` floats of rows x cols; the last of a row ends where the row does. Returns
// the count.
__attribute__((unused)) static uint32_t conv_groups(conv_group *to, uint32_t rows, uint32_t cols,
                                                    uint32_t size, uint32_t source_row,
                                                    uint32_t out_row) {
  uint32_t n = 0;
  for (uint32_t y = 0; y < rows; y++) {
    for (uint32_t x = 0; x < cols; x += size) {
      const uint32_t at = MIN(x, cols - size);
      to[n++] = (conv_group){(y * source_row + at) * 4, (y * out_row + at) * 4};
    }
  }
  return n;
}

// Pixels side by side: where they begin in the source, in the output and in their block.
typedef struct {
  uint32_t source, out, at, count;
} conv_run;

// Pixels of images, each a grid of rows x cols, and how far these are apart.
typedef struct {
  uint32_t rows, cols, source_image, source_row, source_step, out_image, out_row, out_step;
} conv_grid;

// Pixels [first, last) as runs; returns the count of these.
SMALL
static NOINLINE uint32_t conv_runs(conv_run *to, const conv_grid *g, uint32_t first,
                                   uint32_t last) {
  uint32_t n = 0, x = first % g->cols, y = first / g->cols % g->rows,
           image = first / g->cols / g->rows;
  for (uint32_t at = 0; at < last - first; x = 0) {
    const uint32_t count = MIN(g->cols - x, last - first - at);
    to[n++] = (conv_run){image * g->source_image + y * g->source_row + x * g->source_step,
                         image * g->out_image + y * g->out_row + x * g->out_step, at, count};
    at += count;
    if (++y == g->rows) {
      y = 0;
      image++;
    }
  }
  return n;
}

// Places of taps [first, last) of (c, ky, kx) in planes; columns may be apart by their remainder.
typedef struct {
  uint32_t taps_h, taps_w, plane, cols;
  int32_t row, step, phases;
} conv_window;
#define WINDOW(p) \
  {p->taps_h, p->taps_w, p->plane, p->cols, p->tap_row, p->tap_step, p->phases}

SMALL
static NOINLINE void conv_taps(int32_t *to, const conv_window *w, uint32_t first, uint32_t last) {
  uint32_t x = first % w->taps_w, y = first / w->taps_w % w->taps_h,
           c = first / w->taps_w / w->taps_h;
  for (uint32_t k = first; k < last; k++) {
    const int32_t at = (int32_t)x * w->step;
    *to++ = (int32_t)(c * w->plane) + (int32_t)y * w->row +
            at % w->phases * (int32_t)w->cols + at / w->phases;
    if (++x < w->taps_w) continue;
    x = 0;
    if (++y < w->taps_h) continue;
    y = 0;
    c++;
  }
}

// Rows of images as lines: a line for each channel and column of the kernel, of what it reaches in
// each of `rows` rows of each image, so that short rows need not fill vectors.
typedef struct {
  uint32_t channels, taps_w, plane, row, rows, cols, pitch;
} conv_lines;
#define LINES(p)                                                                             \
  (&(conv_lines){p->channels, p->taps_w, p->line_plane, p->line_row, p->line_rows, p->cols, \
                 p->tap_step})
#endif
