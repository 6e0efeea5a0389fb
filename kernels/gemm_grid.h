// Floats of B that are turned at once.
#define GRID_SPACE 4096

// Small matrices, one after the other, in one function: a call for each would take as long as they
// do. The last tiles reach back over what others have stored, with the same values.
typedef struct {
  uint32_t rows, cols, depth;
  // The columns of tiles, and how far the last vector of a tile is from its first.
  uint32_t first, last, reach;
  size_t a_row, a_depth, a_batch, b_step, b_batch;
} NAME(grid);

// Tiles of R rows by C vectors.
#define GRID(name, R, C, REACH)                                                                  \
  static NOINLINE void NAME(name)(const NAME(grid) * g, const S *left, const S *right, S *out,   \
                                  uint32_t count) {                                              \
    const uint32_t rows = g->rows, first = g->first, last = g->last, depth = g->depth;           \
    const size_t a_row = g->a_row, b_step = g->b_step, to_step = g->cols, step = g->a_depth;     \
    const size_t reach = REACH, a_batch = g->a_batch, b_batch = g->b_batch;                      \
    NO_UNROLL for (; count > 0; count--, left += a_batch, right += b_batch) {                    \
      NO_UNROLL for (uint32_t i = 0; i < rows; i += R) {                                         \
        const uint32_t line = MIN(i, rows - R);                                                  \
        NO_UNROLL for (uint32_t j = first; j < last; j += C * LANES) {                           \
          const uint32_t col = MIN(j, last - C * LANES);                                         \
          GRID_TILE(R, C, left, right + col, out + line * to_step + col)                         \
        }                                                                                        \
      }                                                                                          \
      out += rows * to_step;                                                                     \
    }                                                                                            \
  }

// One pointer goes through the rows of A: more than there are registers for are slower.
#define GRID_TILE(R, C, left, right, out)                                                        \
  const S *a = left + line * a_row, *b = right, *end = b + depth * b_step;                       \
  S *to = out;                                                                                   \
  V acc[R][C] = {0};                                                                             \
  NO_UNROLL for (; b != end; a += step, b += b_step) {                                           \
    const S *at = a;                                                                             \
    V each[C];                                                                                   \
    UNROLL for (int n = 0; n < C; n++) each[n] = load(b + (n < C - 1 ? n * LANES : reach));      \
    UNROLL for (int m = 0; m < R; m++) {                                                         \
      V value = splat(*at);                                                                      \
      at += a_row;                                                                               \
      OPAQUE(at);                                                                                \
      UNROLL for (int n = 0; n < C; n++) acc[m][n] = madd(value, each[n], acc[m][n]);            \
    }                                                                                            \
  }                                                                                              \
  UNROLL for (int m = 0; m < R; m++, to += to_step) {                                            \
    UNROLL for (int n = 0; n < C; n++) store(to + (n < C - 1 ? n * LANES : reach), acc[m][n]);   \
  }

GRID(grid_4x1, 4, 1, 0)
GRID(grid_4x2, 4, 2, g->reach)
#if TILE_M == 2
#define THREE_M 2
#else
#define THREE_M 3
#endif
GRID(grid_three, THREE_M, 3, g->reach)
#if PAIRED
GRID(grid_near, 4, 2, LANES)
GRID(grid_8x2, 8, 2, LANES)
GRID(grid_4x4, 4, 4, 3 * LANES)
#define EIGHT_M 8
#else
#define EIGHT_M 4
#endif

// Eight columns without gaps.
static NOINLINE void NAME(grid_eight)(const NAME(grid) * g, const S *left, const S *right, S *out,
                                      uint32_t count) {
  enum { b_step = 2 * LANES, reach = LANES };
  const uint32_t rows = g->rows, depth = g->depth;
  const size_t a_row = g->a_row, to_step = g->cols, step = g->a_depth;
  const size_t a_batch = g->a_batch, b_batch = g->b_batch;
  NO_UNROLL for (; count > 0; count--, left += a_batch, right += b_batch) {
    NO_UNROLL for (uint32_t i = 0; i < rows; i += EIGHT_M) {
      const uint32_t line = MIN(i, rows - EIGHT_M);
      GRID_TILE(EIGHT_M, 2, left, right, out + line * to_step)
    }
    out += rows * to_step;
  }
}

// Turns matrices of 8 x 8: with constant steps in half the time.
static NOINLINE void NAME(turn_eight)(S *out, const S *in, size_t batch, uint32_t count) {
  enum { size = 2 * LANES };
  NAME(turn_all)(out, size, in, size, size, size, batch, count);
}

#define LANE(v, n) __builtin_shufflevector(v, v, n, n, n, n)

// Matrices of 4 x 4, in registers: turned there where their columns are contiguous.
static NOINLINE void NAME(fours)(const matmul_params *p, const S *a, const S *b, S *out,
                                 uint32_t count) {
  const size_t a_batch = p->a_batch, b_batch = p->b_batch;
  const bool turn_a = p->a_depth != 1, turn_b = p->b_col != 1;
  NO_UNROLL for (; count > 0; count--, a += a_batch, b += b_batch, out += LANES * LANES) {
    V left[LANES], right[LANES];
    UNROLL for (int k = 0; k < LANES; k++) right[k] = load(b + k * LANES);
    UNROLL for (int k = 0; k < LANES; k++) left[k] = load(a + k * LANES);
    if (turn_b) NAME(transpose)(right);
    if (turn_a) NAME(transpose)(left);
    UNROLL for (int i = 0; i < LANES; i++) {
      V sum = madd(LANE(left[i], 0), right[0], (V){0});
      sum = madd(LANE(left[i], 1), right[1], sum);
      sum = madd(LANE(left[i], 2), right[2], sum);
      store(out + i * LANES, madd(LANE(left[i], 3), right[3], sum));
    }
  }
}

#if PAIRED
// The last columns of a row are the next one's first.
static void NAME(run_near)(const NAME(grid) * g, const S *a, const S *b, S *out, uint32_t count) {
  if (g->last == 4 * LANES) NAME(grid_4x4)(g, a, b, out, count);
  else if (g->rows < 8) NAME(grid_near)(g, a, b, out, count);
  else if (g->cols == 2 * LANES && g->b_step == g->cols) NAME(grid_eight)(g, a, b, out, count);
  else NAME(grid_8x2)(g, a, b, out, count);
}
#endif

// Products [n, n + count). A lies in any way; B is turned, as much as the cache keeps, or in rows.
static void NAME(run_grid)(const matmul_params *p, size_t n, uint32_t count) {
  const S *a = IN(S, a) + n * p->a_batch, *b = IN(S, b) + n * p->b_batch;
  S *out = OUT(S, out) + n * p->rows * p->cols;
  S turned[GRID_SPACE + 2 * LANES];
  const uint32_t rows = p->rows, cols = p->cols, depth = p->depth;
  const bool turn = p->b_col != 1;
  if (rows == LANES && cols == LANES && depth == LANES && MAX(p->a_row, p->a_depth) == LANES &&
      MAX(p->b_col, p->b_depth) == LANES) {
    NAME(fours)(p, a, b, out, count);
    return;
  }
  // Vectors of a tile: of few columns all, the last of which ends with them.
  const uint32_t few = (cols + LANES - 1) / LANES;
  const uint32_t width = (few < 4 ? few : cols < 4 * LANES || !PAIRED ? 2 : 4) * LANES;
#if PAIRED
  // Half a tile's columns take half its time.
  const uint32_t rest = width == 4 * LANES && rows >= 8 && cols % width <= 8 ? cols % width : 0;
#else
  const uint32_t rest = 0;
#endif
  const uint32_t most = turn ? GRID_SPACE / (depth * cols) : count;
  NAME(grid) g = {.rows = rows, .cols = cols, .depth = depth, .a_row = p->a_row,
                  .a_depth = p->a_depth, .a_batch = p->a_batch,
                  .reach = few < 4 ? cols - LANES : LANES,
                  .b_step = turn ? cols : p->b_depth, .b_batch = turn ? depth * cols : p->b_batch};
#if PAIRED
  // Pairs of vectors, where what they read and write past a row is the next one's, and is written
  // again: of all matrices but the last. Nine columns would compute twice as many.
  const bool near = cols > LANES && cols <= 3 * LANES && cols != 9 && p->b_batch >= cols;
#endif
  for (uint32_t some; count > 0; count -= some, out += some * rows * cols) {
    some = MIN(count, most);
    if (turn && cols == 2 * LANES && depth == cols && p->b_col == cols)
      NAME(turn_eight)(turned, b, p->b_batch, some);
    else if (turn) NAME(turn)(turned, cols, b, cols, depth, p->b_col, p->b_batch, some);
    const S *right = turn ? turned : b;
#if PAIRED
    if (near && count > 1) {
      some -= some == count;
      g.first = 0, g.last = few > 2 ? 4 * LANES : 2 * LANES;
      NAME(run_near)(&g, a, right, out, some);
      a += some * p->a_batch, b += some * p->b_batch;
      continue;
    }
#endif
    g.first = 0, g.last = MAX(cols, width) - rest;
    if (width == LANES) NAME(grid_4x1)(&g, a, right, out, some);
    else if (width == 3 * LANES) NAME(grid_three)(&g, a, right, out, some);
    else if (rows >= EIGHT_M && cols == 2 * LANES && g.b_step == cols)
      NAME(grid_eight)(&g, a, right, out, some);
#if PAIRED
    else if (width == 4 * LANES) NAME(grid_4x4)(&g, a, right, out, some);
    else if (rows >= 8 && cols >= 8) NAME(grid_8x2)(&g, a, right, out, some);
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
