// The tiles every product is made of, included once per dtype: TILE_M x TILE_N outputs are kept in
// registers while the depth runs. A tile sums its depth in order and adds the sum to the output
// once, so an output's bits depend on the depth blocks alone, never on the tile that happens to
// cover it.
// rows: a[i * a_step + k], contiguous along the depth and read in place; of the rows the first i1
//   are there, the others repeat the last.
// columns: a[k * a_step + i], TILE_M rows side by side: packed panels, or a transposed matrix read
//   in place.
// Both take b[k * b_step + j]: a packed panel (b_step = TILE_N), or a matrix read in place.

// Two rows by four vectors are as fast as any tile in engines without relaxed SIMD, and not far
// behind where V8 pairs vectors.
#ifndef TILE_M
#define TILE_M 2
#define TILE_V 4
#endif
#include "gemm_common.h"

// Whether V8 pairs the vectors of this build: those of no loop within another.
#define PAIRED (TILE_M > 2 && TILE_V == 4)
// Whether tiles run in strips: of float32, for size.
#define STRIPS (REAL && LANES == 4 && !PAIRED)

// Where a tile goes: element (i, j) at c[i * row + j * col], for i in [i0, i1) and j in [j0, j1)
// only.
typedef struct {
  S *c;
  size_t row, col;
  uint32_t i0, i1, j0, j1;
  bool add;
} NAME(target);

// What is large and in every file that has tiles is gemm.c's, under names of no kernel.
#define SHARE(name, ...) void NAME(name)(__VA_ARGS__) __asm__("tile." TEXT(NAME(name)))
#define LOOP_ARGUMENTS                                                                           \
  uint32_t depth, const S *a, size_t a_step, const S *b, size_t b_step, uint32_t last, S *to, \
      size_t to_step
#define STRIP_ARGUMENTS                                                                      \
  uint32_t tiles, uint32_t depth, const S *left, size_t a_step, const S *panel, size_t b_step, \
      S *to, size_t to_step
SHARE(put_part, const S *tile, uint32_t width, const NAME(target) * t);
#if REAL
SHARE(finish_main, const S *tile, const NAME(target) * t);
SHARE(row_loop_main, LOOP_ARGUMENTS);
SHARE(column_loop_main, LOOP_ARGUMENTS);
SHARE(row_strip, STRIP_ARGUMENTS);
SHARE(row_strip_add, STRIP_ARGUMENTS);
#endif

// The sums of LANES vectors, each as sum_lanes gives it.
static inline __attribute__((always_inline)) V NAME(sum_each)(const V *v) {
  V lane[LANES];
  UNROLL for (int i = 0; i < LANES; i++) lane[i] = v[i];
  NAME(transpose)(lane);
#if LANES == 4
  return (lane[0] + lane[2]) + (lane[1] + lane[3]);
#else
  return lane[0] + lane[1];
#endif
}

// The lanes of a vector, `step` elements apart.
static inline __attribute__((always_inline)) void NAME(put_lanes)(S *p, size_t step, V v,
                                                                  bool add) {
  UNROLL for (int k = 0; k < LANES; k++) p[k * step] = add ? (S)(splat(p[k * step]) + v)[k] : v[k];
}

static inline bool NAME(is_whole)(const NAME(target) * t, uint32_t rows, uint32_t cols) {
  return t->i0 == 0 && t->i1 == rows && t->j0 == 0 && t->j1 == cols;
}

// Defines finish_<name>, which puts C vectors of each row one by one.
#define FINISH_PART(name, C)                                                      \
  static inline void NAME(finish_##name)(const S *tile, const NAME(target) * t) { \
    NAME(put_part)(tile, C * LANES, t);                                           \
  }

// Defines finish_<name>: puts R rows of C vectors from `tile` where they belong.
#define FINISH(linkage, name, R, C)                                                                \
  linkage NOINLINE void NAME(finish_##name)(const S *tile, const NAME(target) * t) {               \
    const bool whole = NAME(is_whole)(t, R, C * LANES), add = t->add;                              \
    const size_t row = t->row, col = t->col;                                                       \
    S *to = t->c;                                                                                  \
    if (whole && col == 1) {                                                                       \
      NO_UNROLL for (const S *end = tile + R * C * LANES; tile < end; tile += C * LANES) {         \
        UNROLL for (int j = 0; j < C * LANES; j += LANES) NAME(put)(to + j, load(tile + j), add);  \
        to += row;                                                                                 \
      }                                                                                            \
    } else if (whole && row == 1 && R >= LANES) {                                                  \
      for (int j = 0; j < C * LANES; j += LANES, to += LANES * col) {                              \
        UNROLL for (int i = 0; i + LANES <= R; i += LANES) {                                       \
          V square[LANES];                                                                         \
          UNROLL for (int k = 0; k < LANES; k++) square[k] = load(tile + (i + k) * C * LANES + j); \
          NAME(transpose)(square);                                                                 \
          UNROLL for (int k = 0; k < LANES; k++) NAME(put)(to + i + k * col, square[k], add);      \
        }                                                                                          \
        UNROLL for (int i = R / LANES * LANES; i < R; i++) {                                       \
          NAME(put_lanes)(to + i, col, load(tile + i * C * LANES + j), add);                       \
        }                                                                                          \
      }                                                                                            \
    } else {                                                                                       \
      NAME(put_part)(tile, C * LANES, t);                                                          \
    }                                                                                              \
  }

// Where a loop puts its tile: into place, or into `tile`, from where FINISH takes it.
#define TILE_RUN(name, R, C, loop)                                              \
  if (t->col == 1 && !t->add && NAME(is_whole)(t, R, C * LANES)) {              \
    NAME(loop##_##name)(depth, a, a_step, b, b_step, R - 1, t->c, t->row);      \
  } else {                                                                      \
    S tile[R * C * LANES];                                                      \
    NAME(loop##_##name)(depth, a, a_step, b, b_step, t->i1 - 1, tile, C *LANES); \
    NAME(finish_##name)(tile, t);                                               \
  }

// A loop and plain stores of whole rows are all there is in these functions: where there is more,
// V8 keeps fewer accumulators in registers, or does not pair them.
#define TILE_PUT(R, C, put_vector)                                                    \
  UNROLL for (int i = 0; i < R; i++, to += to_step) {                                 \
    UNROLL for (int j = 0; j < C; j++) put_vector(to + j * LANES, acc[i][j]);         \
  }
#define TILE_STORE(R, C) TILE_PUT(R, C, store)

#define TILE_STEP(R, C, left_of)                                                      \
  {                                                                                   \
    V right[C];                                                                       \
    UNROLL for (int j = 0; j < C; j++) right[j] = load(b + j * LANES);                \
    UNROLL for (int i = 0; i < R; i++) {                                              \
      V left = splat(left_of);                                                        \
      UNROLL for (int j = 0; j < C; j++) acc[i][j] = madd(left, right[j], acc[i][j]); \
    }                                                                                 \
  }

#define ROW_LOOP(linkage, name, R, C)                                                      \
  linkage NOINLINE void NAME(row_loop_##name)(LOOP_ARGUMENTS) {                            \
    V acc[R][C] = {0};                                                                     \
    const S *row[R];                                                                       \
    UNROLL for (uint32_t i = 0; i < R; i++) row[i] = a + MIN(i, last) * a_step;            \
    NO_UNROLL for (uint32_t k = 0; k < depth; k++, b += b_step) TILE_STEP(R, C, row[i][k]) \
    TILE_STORE(R, C)                                                                       \
  }
#define COLUMN_LOOP(linkage, name, R, C)                                       \
  linkage NOINLINE void NAME(column_loop_##name)(LOOP_ARGUMENTS) {             \
    V acc[R][C] = {0};                                                         \
    (void)last;                                                                \
    NO_UNROLL for (uint32_t k = 0; k < depth; k++, a += a_step, b += b_step) { \
      TILE_STEP(R, C, a[i])                                                    \
    }                                                                          \
    TILE_STORE(R, C)                                                           \
  }
// Defines <which>_<name>, one tile by its loop.
#define TILE(which, loop, name, R, C)                                                     \
  static void NAME(which##_##name)(uint32_t depth, const S *a, size_t a_step, const S *b, \
                                   size_t b_step, const NAME(target) * t) {               \
    TILE_RUN(name, R, C, loop)                                                            \
  }
#define MAIN_ROWS TILE(rows, row_loop, main, TILE_M, TILE_V)
#define MAIN_COLUMNS TILE(columns, column_loop, main, TILE_M, TILE_V)
#define TILE_ROWS(name, R, C)     \
  ROW_LOOP(static, name, R, C)    \
  TILE(rows, row_loop, name, R, C)
#define TILE_COLUMNS(name, R, C)  \
  COLUMN_LOOP(static, name, R, C) \
  TILE(columns, column_loop, name, R, C)

// Defines <name>, which runs through tiles of whole rows, one below the other: for each of them a
// call would take a tenth of the time of a depth of 384.
#define TILE_STRIP(linkage, name, R, C, left_of, a_next, put_vector)             \
  linkage NOINLINE void NAME(name)(STRIP_ARGUMENTS) {                            \
    NO_UNROLL for (; tiles > 0; tiles--, left += a_next) {                       \
      V acc[R][C] = {0};                                                         \
      const S *row[R], *a = left, *b = panel;                                    \
      UNROLL for (uint32_t i = 0; i < R; i++) row[i] = a + i * a_step;           \
      NO_UNROLL for (uint32_t k = 0; k < depth; k++, a += a_step, b += b_step) { \
        TILE_STEP(R, C, left_of)                                                 \
      }                                                                          \
      TILE_PUT(R, C, put_vector)                                                 \
    }                                                                            \
  }
#define ADD_VECTOR(p, v) store(p, load(p) + (v))

#if STRIPS
// Strips whose sums are stored, or added.
static inline void NAME(row_strips)(uint32_t tiles, uint32_t depth, const S *a, size_t a_step,
                                    const S *b, size_t b_step, S *to, size_t to_step, bool add) {
  if (add) NAME(row_strip_add)(tiles, depth, a, a_step, b, b_step, to, to_step);
  else NAME(row_strip)(tiles, depth, a, a_step, b, b_step, to, to_step);
}
#endif
