// Tiles of convolutions, included once per dtype. The input lies in padded planes (convPad), so
// that an output pixel of a tap is the pixel's place plus the tap's: no patches are gathered. Both
// places are byte offsets in small tables.
//   product: out[i, pixel] = sum over k of a[i * a_step + k] * source[tap[k] + pixel]
//   weights: out[i, k] = sum over images and pixels of g[i, pixel] * source[tap[k] + pixel]

// LANES pixels of one row. Only lanes [from, from + count) are written; the others repeat a
// neighbour or are nothing.
#ifndef CONV_TILE_H
#define CONV_TILE_H
typedef struct {
  int32_t source, out;
  uint32_t from, count;
} conv_pixels;
#endif

typedef struct {
  const S *a;  // rows of taps
  const char *source;
  const int32_t *tap;
  const conv_pixels *pixels;
  const S *start;  // what a sum starts from: start[i * start_step]
  S *out;
  size_t a_step, start_step, out_row, out_step;
  uint32_t rows, depth, panels;  // panels: vectors of pixels
} NAME(conv);

static const S NAME(conv_zero)[1] = {0};

static NOINLINE void NAME(conv_put_part)(const NAME(conv) * t, const S *tile, uint32_t width,
                                         uint32_t i, uint32_t v, uint32_t rows, uint32_t vectors,
                                         bool add) {
  for (uint32_t j = 0; j < vectors; j++) {
    const conv_pixels pixels = t->pixels[v + j];
    for (uint32_t r = 0; r < rows; r++) {
      const S *from = tile + (r * width + j) * LANES;
      S *to = t->out + (i + r) * t->out_row + pixels.out;
      if (pixels.count == LANES && t->out_step == 1) {
        NAME(put)(to, load(from), add);
        continue;
      }
      for (uint32_t l = pixels.from; l < pixels.from + pixels.count; l++) {
        to[l * t->out_step] = add ? to[l * t->out_step] + from[l] : from[l];
      }
    }
  }
}

#define CONV_STEP(R, C, at)                                                              \
  {                                                                                      \
    const int32_t offset = tap[at];                                                      \
    V right[C];                                                                          \
    UNROLL for (int j = 0; j < C; j++) right[j] = load((const S *)(source[j] + offset)); \
    UNROLL for (int i = 0; i < R; i++) {                                                 \
      V left = splat(row[i][at]);                                                        \
      UNROLL for (int j = 0; j < C; j++) acc[i][j] = madd(left, right[j], acc[i][j]);    \
    }                                                                                    \
  }

// Rows from i times C vectors of pixels from v, over taps [k0, k0 + depth).
#define CONV_TILE(name, R, C)                                                                     \
  static NOINLINE void NAME(conv_##name)(const NAME(conv) * t, uint32_t i, uint32_t v,            \
                                         uint32_t k0, uint32_t depth) {                           \
    const uint32_t rows = MIN(R, t->rows - i), vectors = MIN(C, t->panels - v);                   \
    const S *start = k0 ? NAME(conv_zero) : t->start + i * t->start_step;                         \
    const size_t start_step = k0 ? 0 : t->start_step;                                             \
    const int32_t *tap = t->tap + k0;                                                             \
    const S *row[R];                                                                              \
    const char *source[C];                                                                        \
    V acc[R][C];                                                                                  \
    UNROLL for (uint32_t r = 0; r < R; r++) {                                                     \
      row[r] = t->a + (i + MIN(r, rows - 1)) * t->a_step + k0;                                    \
      UNROLL for (int j = 0; j < C; j++) acc[r][j] = splat(start[MIN(r, rows - 1) * start_step]); \
    }                                                                                             \
    UNROLL for (uint32_t j = 0; j < C; j++) {                                                     \
      source[j] = t->source + t->pixels[v + MIN(j, vectors - 1)].source;                          \
    }                                                                                             \
    uint32_t k = depth % TILE_STEPS;                                                              \
    if (k) CONV_STEP(R, C, 0)                                                                     \
    NO_UNROLL for (; k < depth; k += TILE_STEPS) {                                                \
      CONV_STEP(R, C, k)                                                                          \
      if (TILE_STEPS > 1) CONV_STEP(R, C, k + 1)                                                  \
    }                                                                                             \
    bool whole = rows == R && vectors == C && t->out_step == 1;                                   \
    UNROLL for (uint32_t j = 0; j < C; j++) {                                                     \
      whole = whole && t->pixels[v + MIN(j, vectors - 1)].count == LANES;                         \
    }                                                                                             \
    if (whole) {                                                                                  \
      UNROLL for (int j = 0; j < C; j++) {                                                        \
        S *to = t->out + i * t->out_row + t->pixels[v + j].out;                                   \
        UNROLL for (int r = 0; r < R; r++) NAME(put)(to + r * t->out_row, acc[r][j], k0 > 0);     \
      }                                                                                           \
    } else {                                                                                      \
      S tile[R * C * LANES];                                                                      \
      UNROLL for (int r = 0; r < R; r++) {                                                        \
        UNROLL for (int j = 0; j < C; j++) store(tile + (r * C + j) * LANES, acc[r][j]);          \
      }                                                                                           \
      NAME(conv_put_part)(t, tile, C, i, v, rows, vectors, k0 > 0);                               \
    }                                                                                             \
  }

typedef struct {
  const char *g, *source;
  const int32_t *tap;
  const conv_pixels *pixels;  // `out` is the place in g
  S *out;
  size_t g_row, g_image, source_image;  // bytes
  uint32_t rows, taps, whole,
      partial;  // whole vectors come first, then the partial ones, all alike
  V mask;
} NAME(weights);

#define WEIGHTS_STEP(R, C, masked)                                                          \
  {                                                                                         \
    V left[R];                                                                              \
    UNROLL for (int i = 0; i < R; i++) left[i] = masked(load((const S *)(g[i] + at->out))); \
    UNROLL for (int j = 0; j < C; j++) {                                                    \
      V right = masked(load((const S *)(source[j] + at->source)));                          \
      UNROLL for (int i = 0; i < R; i++) acc[i][j] = madd(left[i], right, acc[i][j]);       \
    }                                                                                       \
    at++;                                                                                   \
  }
#define WEIGHTS_WHOLE(v) (v)
#define WEIGHTS_PART(v) ((V)((I)(v) & (I)t->mask))

// Rows from i by C taps from k, summed over `images` images from the first.
#define WEIGHTS_TILE(name, R, C)                                                             \
  static NOINLINE void NAME(weights_##name)(const NAME(weights) * t, uint32_t i, uint32_t k, \
                                            uint32_t first, uint32_t images) {               \
    const uint32_t rows = MIN(R, t->rows - i), taps = MIN(C, t->taps - k);                   \
    const char *g[R], *source[C];                                                            \
    V acc[R][C] = {0};                                                                       \
    UNROLL for (uint32_t r = 0; r < R; r++) {                                                \
      g[r] = t->g + first * t->g_image + (i + MIN(r, rows - 1)) * t->g_row;                  \
    }                                                                                        \
    UNROLL for (uint32_t j = 0; j < C; j++) {                                                \
      source[j] = t->source + first * t->source_image + t->tap[k + MIN(j, taps - 1)];        \
    }                                                                                        \
    for (uint32_t n = 0; n < images; n++) {                                                  \
      const uint32_t whole = t->whole, all = whole + t->partial;                             \
      const conv_pixels *at = t->pixels;                                                     \
      uint32_t v = 0;                                                                        \
      for (; v < whole; v++) WEIGHTS_STEP(R, C, WEIGHTS_WHOLE)                               \
      for (; v < all; v++) WEIGHTS_STEP(R, C, WEIGHTS_PART)                                  \
      UNROLL for (int r = 0; r < R; r++) g[r] += t->g_image;                                 \
      UNROLL for (int j = 0; j < C; j++) source[j] += t->source_image;                       \
    }                                                                                        \
    S *out = t->out + (size_t)i * t->taps + k;                                               \
    S sums[R * C];                                                                           \
    UNROLL for (int r = 0; r < R; r++) {                                                     \
      UNROLL for (int j = 0; j < C; j++) sums[r * C + j] = sum_lanes(acc[r][j]);             \
    }                                                                                        \
    for (uint32_t r = 0; r < rows; r++) {                                                    \
      for (uint32_t j = 0; j < taps; j++) {                                                  \
        S *to = out + (size_t)r * t->taps + j;                                               \
        *to = first ? *to + sums[r * C + j] : sums[r * C + j];                               \
      }                                                                                      \
    }                                                                                        \
  }
