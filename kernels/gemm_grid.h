// Floats of B that are turned at once.
#define GRID_SPACE 4096

// Small matrices, one after the other, in one function: a call for each would take as long as they
// do. The last tiles reach back over what others have stored, with the same values.
typedef struct {
  uint32_t rows, cols, depth;
  // The columns of tiles.
  uint32_t first, last;
  size_t a_row, a_depth, a_batch, b_step, b_batch;
} NAME(grid);

#define GRID(R, C)                                                                               \
  static NOINLINE void NAME(grid_##R##x##C)(const NAME(grid) * g, const S *left, const S *right, \
                                            S *out, uint32_t count) {                            \
    const uint32_t rows = g->rows, first = g->first, last = g->last, depth = g->depth;           \
    const size_t a_row = g->a_row, b_step = g->b_step, to_step = g->cols, step = g->a_depth;     \
    NO_UNROLL for (; count > 0; count--, left += g->a_batch, right += g->b_batch) {              \
      NO_UNROLL for (uint32_t i = 0; i < rows; i += R) {                                         \
        const uint32_t line = MIN(i, rows - R);                                                  \
        NO_UNROLL for (uint32_t j = first; j < last; j += C * LANES) {                           \
          const uint32_t col = MIN(j, last - C * LANES);                                         \
          const S *row[R], *b = right + col, *end = b + depth * b_step;                          \
          S *to = out + line * to_step + col;                                                    \
          V acc[R][C] = {0};                                                                     \
          UNROLL for (int m = 0; m < R; m++) row[m] = left + (line + m) * a_row;                 \
          size_t at = 0;                                                                         \
          NO_UNROLL for (; b != end; at += step, b += b_step) {                                  \
            TILE_STEP(R, C, row[i][at])                                                          \
          }                                                                                      \
          TILE_STORE(R, C)                                                                       \
        }                                                                                        \
      }                                                                                          \
      out += rows * to_step;                                                                     \
    }                                                                                            \
  }
GRID(4, 1)
GRID(4, 2)
#if PAIRED
GRID(8, 2)
GRID(4, 4)
#endif

// Products [n, n + count). A lies in any way; B is turned, as much as the cache keeps, or in rows.
static void NAME(run_grid)(const matmul_params *p, size_t n, uint32_t count) {
  const S *a = IN(S, a) + n * p->a_batch, *b = IN(S, b) + n * p->b_batch;
  S *out = OUT(S, out) + n * p->rows * p->cols;
  S turned[GRID_SPACE];
  const uint32_t rows = p->rows, cols = p->cols, depth = p->depth;
  const bool turn = p->b_col != 1;
  const uint32_t width = (cols < 2 * LANES ? 1 : cols < 4 * LANES || !PAIRED ? 2 : 4) * LANES;
#if PAIRED
  // Half a tile's columns take half its time.
  const uint32_t rest = width == 4 * LANES && rows >= 8 && cols % width <= 8 ? cols % width : 0;
#else
  const uint32_t rest = 0;
#endif
  const uint32_t most = turn ? GRID_SPACE / (depth * cols) : count;
  NAME(grid) g = {.rows = rows, .cols = cols, .depth = depth, .a_row = p->a_row,
                  .a_depth = p->a_depth, .a_batch = p->a_batch,
                  .b_step = turn ? cols : p->b_depth, .b_batch = turn ? depth * cols : p->b_batch};
  for (uint32_t some; count > 0; count -= some, out += some * rows * cols) {
    some = MIN(count, most);
    if (turn) NAME(turn)(turned, cols, b, cols, depth, p->b_col, p->b_batch, some);
    const S *right = turn ? turned : b;
    g.first = 0, g.last = cols - rest;
    if (width == LANES) NAME(grid_4x1)(&g, a, right, out, some);
#if PAIRED
    else if (width == 4 * LANES) NAME(grid_4x4)(&g, a, right, out, some);
    else if (rows >= 8) NAME(grid_8x2)(&g, a, right, out, some);
#endif
    else NAME(grid_4x2)(&g, a, right, out, some);
#if PAIRED
    g.first = g.last, g.last = cols;
    if (rest) NAME(grid_8x2)(&g, a, right, out, some);
#endif
    a += some * p->a_batch, b += some * p->b_batch;
  }
}

// Products of tiny matrices, one in each lane: elements of as many are turned, so that all layouts
// cost the same. Elements of a matrix:
#define TINY 64

// Two rows by two columns at a time; where one is left, twice the same.
static NOINLINE void NAME(abreast)(const matmul_params *p, const S *left, const S *right, S *out) {
  const uint32_t rows = p->rows, cols = p->cols, depth = p->depth;
  const size_t a_step = p->a_depth * LANES, b_step = p->b_depth * LANES;
  for (uint32_t i = 0; i < rows; i += 2) {
    const uint32_t line[2] = {i, MIN(i + 1, rows - 1)};
    for (uint32_t j = 0; j < cols; j += 2) {
      const uint32_t col[2] = {j, MIN(j + 1, cols - 1)};
      V acc[4] = {0};
      const S *a[2], *b[2];
      UNROLL for (int n = 0; n < 2; n++) {
        a[n] = left + line[n] * p->a_row * LANES;
        b[n] = right + col[n] * p->b_col * LANES;
      }
      NO_UNROLL for (uint32_t k = 0; k < depth; k++) {
        UNROLL for (int n = 0; n < 2; n++) {
          OPAQUE(a[n]);
          OPAQUE(b[n]);
        }
        UNROLL for (int n = 0; n < 4; n++) acc[n] = madd(load(a[n / 2]), load(b[n % 2]), acc[n]);
        UNROLL for (int n = 0; n < 2; n++) a[n] += a_step, b[n] += b_step;
      }
      UNROLL for (int n = 0; n < 4; n++)
        store(out + (line[n / 2] * cols + col[n % 2]) * LANES, acc[n]);
    }
  }
}

// Products [n, end) of at least LANES.
static void NAME(run_abreast)(const matmul_params *p, uint32_t n, uint32_t end) {
  const uint32_t a_size = p->rows * p->depth, b_size = p->depth * p->cols;
  const uint32_t size = p->rows * p->cols;
  S left[TINY * LANES], right[TINY * LANES], sums[TINY * LANES], some[TINY * LANES];
  for (; n < end; n += LANES) {
    const uint32_t first = MIN(n, p->batch - LANES), count = MIN(LANES, end - n);
    const S *a = IN(S, a) + (size_t)first * p->a_batch, *b = IN(S, b) + (size_t)first * p->b_batch;
    S *out = OUT(S, out) + (size_t)n * size;
    S *to = count == LANES ? out : some;
    NAME(turn)(left, LANES, a, LANES, a_size, p->a_batch, 0, 1);
    NAME(turn)(right, LANES, b, LANES, b_size, p->b_batch, 0, 1);
    NAME(abreast)(p, left, right, sums);
    NAME(turn)(to, size, sums, size, LANES, LANES, 0, 1);
    if (to == some) memcpy(out, some + (n - first) * size, count * size * sizeof(S));
  }
}
