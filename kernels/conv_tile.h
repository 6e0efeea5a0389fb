// Tiles of convolutions that read pixels where they lie, included once per dtype: for few filters,
// which would not pay for packing. Pixels come in groups of G vectors of one row; where a row does
// not divide, its last group reaches back over the one before.
//   direct: out[i, pixel] = start[i] + sum over k of a[i * depth + k] * source[tap[k] + pixel]
//   weights: out[i, k] = sum over images and pixels of g[i, pixel] * source[tap[k] + pixel]

#ifndef CONV_TILE_H
#define CONV_TILE_H
// Whether whole tiles of R rows have a loop of their own: what is rare does without.
#define RUNS(R) (R == TILE_M && !PAIRED && LANES == 4)
// Where a group of pixels lies in the source and in the output (or its gradient), in bytes.
typedef struct {
  uint32_t source, out;
} conv_group;
#define PLACE(p, bytes) ((__typeof__(p))((uintptr_t)(p) + (bytes)))
#endif

typedef struct {
  const S *source;
  // What the tile's rows start from, and for each step of the depth its tap and their weights: one
  // pointer for all.
  const int32_t *steps, *end;
  const conv_group *group;
  S *out;
  size_t out_row;
  uint32_t rows, count;  // count: of groups
} NAME(direct);

#define DIRECT_STEPS(R, C, G)                                                                  \
  V acc[R][C];                                                                                 \
  const int32_t *at = t->steps + R, *end = t->end;                                             \
  UNROLL for (int i = 0; i < R; i++) {                                                         \
    UNROLL for (int j = 0; j < C; j++) acc[i][j] = splat(((const S *)at)[i - R]);              \
  }                                                                                            \
  NO_UNROLL for (; at < end; at += R + 1) {                                                    \
    V right[C];                                                                                \
    UNROLL for (int j = 0; j < C; j++) right[j] = load(source[j / G] + *at + j % G * LANES);   \
    UNROLL for (int i = 0; i < R; i++) {                                                       \
      V left = splat(((const S *)at)[i + 1]);                                                  \
      UNROLL for (int j = 0; j < C; j++) acc[i][j] = madd(left, right[j], acc[i][j]);          \
    }                                                                                          \
  }                                                                                            \
  S *put[C / G];                                                                               \
  UNROLL for (int j = 0; j < C / G; j++) put[j] = PLACE(to, place[j].out);                     \
  UNROLL for (int i = 0; i < R; i++) {                                                         \
    UNROLL for (int j = 0; j < C; j++) store(put[j / G] + i * row + j % G * LANES, acc[i][j]); \
  }

#if LANES == 4
// Steps of `tile` rows of a, the last of which are repeated; returns their end.
static int32_t *NAME(direct_steps)(int32_t *to, const S *a, const S *start, const int32_t *tap,
                                   uint32_t depth, uint32_t rows, uint32_t tile) {
  for (uint32_t r = 0; r < tile; r++) *(S *)to++ = start ? start[MIN(r, rows - 1)] : 0;
  for (uint32_t k = 0; k < depth; k++) {
    *to++ = tap[k];
    for (uint32_t r = 0; r < tile; r++) *(S *)to++ = a[MIN(r, rows - 1) * depth + k];
  }
  return to;
}
#endif

// loop: R rows by C / G groups from n, to their places. What is not there repeats the last.
// run: whole tiles of R rows from i, for depths too short to pay calls. Returns how many groups.
#define DIRECT_TILE(name, R, C, G)                                                               \
  static NOINLINE void NAME(direct_loop_##name)(const NAME(direct) * t, uint32_t n, S *to,       \
                                                size_t row, const conv_group *place) {           \
    const S *source[C / G];                                                                      \
    UNROLL for (uint32_t j = 0; j < C / G; j++) {                                                \
      source[j] = PLACE(t->source, t->group[MIN(n + j, t->count - 1)].source);                   \
    }                                                                                            \
    DIRECT_STEPS(R, C, G)                                                                        \
  }                                                                                              \
  __attribute__((unused)) static NOINLINE uint32_t NAME(direct_run_##name)(                      \
      const NAME(direct) * t, uint32_t i) {                                                      \
    const uint32_t count = t->count;                                                             \
    const size_t row = t->out_row;                                                               \
    S *to = t->out + i * row;                                                                    \
    uint32_t n = 0;                                                                              \
    for (; n + C / G <= count; n += C / G) {                                                     \
      const S *source[C / G];                                                                    \
      const conv_group *place = t->group + n;                                                    \
      UNROLL for (uint32_t j = 0; j < C / G; j++) source[j] = PLACE(t->source, place[j].source); \
      DIRECT_STEPS(R, C, G)                                                                      \
    }                                                                                            \
    return n;                                                                                    \
  }                                                                                              \
  static void NAME(direct_##name)(const NAME(direct) * t, uint32_t i) {                          \
    const uint32_t rows = MIN(R, t->rows - i);                                                   \
    S tile[R * C * LANES], *out = t->out + i * t->out_row;                                       \
    conv_group place[C / G];                                                                     \
    UNROLL for (uint32_t j = 0; j < C / G; j++) place[j].out = j * G * LANES * sizeof(S);        \
    uint32_t n = rows == R && RUNS(R) ? NAME(direct_run_##name)(t, i) : 0;                       \
    for (; n < t->count; n += C / G) {                                                           \
      const conv_group *to = t->group + n;                                                       \
      if (rows == R && n + C / G <= t->count) {                                                  \
        NAME(direct_loop_##name)(t, n, out, t->out_row, to);                                     \
        continue;                                                                                \
      }                                                                                          \
      NAME(direct_loop_##name)(t, n, tile, C * LANES, place);                                    \
      for (uint32_t r = 0; r < rows; r++) {                                                      \
        for (uint32_t j = 0; j < MIN(C / G, t->count - n); j++) {                                \
          UNROLL for (int v = 0; v < G * LANES; v += LANES) {                                    \
            store(PLACE(out, to[j].out) + r * t->out_row + v,                                    \
                  load(tile + (r * C + j * G) * LANES + v));                                     \
          }                                                                                      \
        }                                                                                        \
      }                                                                                          \
    }                                                                                            \
  }

typedef struct {
  const S *g, *source;
  const int32_t *tap;
  const conv_group *group;
  S *out;
  size_t g_row, g_image, source_image;
  // Whole groups come first, then those of which some is masked, to `all` for each vector.
  uint32_t rows, taps, whole, all[2];
  bool add;
  V mask[2];
} NAME(weights);

// Both vectors of a group are taken at once where they may be paired.
#define WEIGHTS_V (PAIRED ? 2 : 1)
#define WEIGHTS_M (TILE_M == 6 ? 3 : 4)
#define WEIGHTS_C (TILE_M == 6 ? 3 : 2)
#define WEIGHTS_STEP(R, C, masked)                                               \
  {                                                                              \
    V right[C][WEIGHTS_V];                                                       \
    UNROLL for (int j = 0; j < C; j++) {                                         \
      UNROLL for (int v = 0; v < WEIGHTS_V; v++) {                               \
        right[j][v] = masked(load(PLACE(source[j], at->source) + v * LANES), v); \
      }                                                                          \
    }                                                                            \
    UNROLL for (int i = 0; i < R; i++) {                                         \
      V left[WEIGHTS_V];                                                         \
      UNROLL for (int v = 0; v < WEIGHTS_V; v++) {                               \
        left[v] = masked(load(PLACE(g[i], at->out) + v * LANES), v);             \
      }                                                                          \
      UNROLL for (int j = 0; j < C; j++) {                                       \
        UNROLL for (int v = 0; v < WEIGHTS_V; v++) {                             \
          acc[i][j][v] = madd(left[v], right[j][v], acc[i][j][v]);               \
        }                                                                        \
      }                                                                          \
    }                                                                            \
    at++;                                                                        \
  }
#define WEIGHTS_WHOLE(x, v) (x)
#define WEIGHTS_PART(x, v) ((V)((I)(x) & (I)mask[v]))

#if LANES == 4
static NOINLINE void NAME(put_sums)(const NAME(weights) * t, uint32_t i, uint32_t k, uint32_t rows,
                                    uint32_t taps, uint32_t width, bool add,
                                    const S *sums) {
  for (uint32_t r = 0; r < rows; r++) {
    for (uint32_t j = 0; j < taps; j++) {
      const S *from = sums + (r * width + j) * 2 * LANES;
      const V sum = load(from) + load(from + LANES);
      S *to = t->out + (i + r) * (size_t)t->taps + k + j;
      *to = add ? *to + sum_lanes(sum) : sum_lanes(sum);
    }
  }
}
#endif

// Rows from i by C taps from k, summed over `images` images. The two vectors of a
// group have sums of their own: taken together where an engine may pair them, else one after the
// other, for registers.
#define WEIGHTS_TILE(name, R, C)                                                             \
  static NOINLINE void NAME(weights_##name)(const NAME(weights) * t, uint32_t i, uint32_t k, \
                                            uint32_t images) {                               \
    const uint32_t rows = MIN(R, t->rows - i), taps = MIN(C, t->taps - k);                   \
    S sums[R * C * 2 * LANES];                                                               \
    NO_UNROLL for (uint32_t u = 0; u < 2; u += WEIGHTS_V) {                                  \
      const S *g[R], *source[C];                                                             \
      V acc[R][C][WEIGHTS_V] = {0};                                                          \
      const V *mask = t->mask + u;                                                           \
      UNROLL for (uint32_t r = 0; r < R; r++) {                                              \
        g[r] = t->g + (i + MIN(r, rows - 1)) * t->g_row + u * LANES;                         \
      }                                                                                      \
      UNROLL for (uint32_t j = 0; j < C; j++) {                                              \
        source[j] = t->source + t->tap[k + MIN(j, taps - 1)] + u * LANES;                    \
      }                                                                                      \
      for (uint32_t n = 0; n < images; n++) {                                                \
        const conv_group *at = t->group, *whole = at + t->whole, *last = at + t->all[u];     \
        NO_UNROLL while (at < whole) WEIGHTS_STEP(R, C, WEIGHTS_WHOLE)                       \
        NO_UNROLL while (at < last) WEIGHTS_STEP(R, C, WEIGHTS_PART)                         \
        UNROLL for (int r = 0; r < R; r++) g[r] += t->g_image;                               \
        UNROLL for (int j = 0; j < C; j++) source[j] += t->source_image;                     \
      }                                                                                      \
      UNROLL for (int r = 0; r < R; r++) {                                                   \
        UNROLL for (int j = 0; j < C; j++) {                                                 \
          S *to = sums + ((r * C + j) * 2 + u) * LANES;                                      \
          UNROLL for (int v = 0; v < WEIGHTS_V; v++) store(to + v * LANES, acc[r][j][v]);    \
        }                                                                                    \
      }                                                                                      \
    }                                                                                        \
    NAME(put_sums)(t, i, k, rows, taps, C, t->add, sums);                                    \
  }
