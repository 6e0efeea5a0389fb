// Products with few rows, whose time goes into reading B: dot products where both operands lie
// along the depth, else tiles of one or two rows that read whole cache lines of B in place, or,
// where the cache does not hold B, its rows in order.

// Two rows at a time; of columns, and of sums, what keeps enough apart where V8 pairs vectors.
// STREAM_: rows of A, rows of B, vectors of these a turn.
#if PAIRED
#define THIN_V 8
#define ONE_V 16
#define DOT_M 4
#define STREAM_M 3
#define STREAM_MOST 3, 2, 4
#define STREAM_TWO 2, 4, 4
#define STREAM_ONE 1, 4, 4
#define STREAM_V 4
#define STREAMED (1 << 20)
#else
#define THIN_V 4
#define ONE_V 8
#define DOT_M 2
#define STREAM_M 2
#define STREAM_TWO 2, 4, 1
#define STREAM_ONE 1, 4, 2
#define STREAM_V 2
#define STREAMED (1 << 19)
#endif
#define ONE_N (ONE_V * LANES)
// Vectors of the depth that a dot product sums apart, and columns of B whose dots are put at once:
// of some rows, and of many, for which B stays in the cache.
#define DOT_V 2
#define DOT_STEP (DOT_V * LANES)
#define DOT_COLS 64
#define DOT_NEAR 16
// Columns that are streamed at once, rows of B likewise; from STREAMED bytes of B.
#define STRIP 1024
#define STREAM_DEPTH 4
#define STREAM_STEP (STREAM_V * LANES)

// What there are tiles for: narrow builds have none of two rows, tall ones other tiles for many.
#if TILE_V == 4
// And four are a tile of their own, unless its lines of B share sets of the cache.
#define TILED(p) (!PAIRED || p->rows < 4 || (p->rows == 4 && p->b_depth % 512 == 0))
#else
#define TILED(p) (p->rows == 1 && p->cols >= ONE_N)
#endif
#if TILE_M == 2 || TILE_V == 2
#define row_loop_thin row_loop_main
#else
ROW_LOOP(static, thin, 2, THIN_V)
#endif
ROW_LOOP(static, one, 1, ONE_V)

// ---- Dot products -------------------------------------------------------------------------------

// a[i * a_step + k] and b[j * b_step + k] for whole steps of the depth, D vectors a turn. Of the R
// rows and C columns the first `rows` and `cols` are there, the others repeat the last. Sums of a
// column are `to_step` from those of the one before. One pointer goes from row to row and one from
// column to column: with one for each, Node 20 takes half as long again.
#define DOT(R, C, D)                                                                               \
  static NOINLINE void NAME(dot_##R##x##C)(uint32_t depth, const S *a, size_t a_step, const S *b,  \
                                           size_t b_step, uint32_t rows, uint32_t cols, S *to,     \
                                           size_t to_step) {                                       \
    V acc[R][C][D] = {0};                                                                          \
    size_t down[R], across[C];                                                                     \
    UNROLL for (uint32_t i = 0; i < R; i++) down[i] = i + 1 < rows ? a_step : 0;                   \
    UNROLL for (uint32_t j = 0; j < C; j++) across[j] = j + 1 < cols ? b_step : 0;                 \
    NO_UNROLL for (const S *end = a + depth; a != end; a += D * LANES, b += D * LANES) {           \
      const S *row = a, *col = b;                                                                  \
      V left[R][D];                                                                                \
      UNROLL for (int i = 0; i < R; i++, row += down[i - 1]) {                                     \
        OPAQUE(row);                                                                               \
        UNROLL for (int n = 0; n < D; n++) left[i][n] = load(row + n * LANES);                     \
      }                                                                                            \
      UNROLL for (int j = 0; j < C; j++, col += across[j - 1]) {                                   \
        OPAQUE(col);                                                                               \
        V right[D];                                                                                \
        UNROLL for (int n = 0; n < D; n++) right[n] = load(col + n * LANES);                       \
        UNROLL for (int i = 0; i < R; i++) {                                                       \
          UNROLL for (int n = 0; n < D; n++)                                                       \
            acc[i][j][n] = madd(left[i][n], right[n], acc[i][j][n]);                               \
        }                                                                                          \
      }                                                                                            \
    }                                                                                              \
    UNROLL for (int j = 0; j < C; j++, to += to_step) {                                            \
      UNROLL for (int n = 0; n < R * DOT_V; n++)                                                   \
        store(to + n / DOT_V * DOT_COLS * DOT_STEP + n % DOT_V * LANES,                            \
              n % DOT_V < D ? acc[n / DOT_V][j][n % D] : (V){0});                                  \
    }                                                                                              \
  }
DOT(1, 4, DOT_V)
#if PAIRED
DOT(4, 2, DOT_V)
DOT(2, 4, DOT_V)
#else
// With two vectors more would be loaded than there are registers for.
DOT(2, 4, 1)
#endif

// Puts the dots that `sums` holds, DOT_COLS a row, after adding the last `left` of the depth.
static NOINLINE void NAME(put_dots)(const S *sums, uint32_t left, const S *a, size_t a_step,
                                    const S *b, size_t b_step, const NAME(target) * t) {
  S dots[DOT_M * DOT_COLS];
  for (uint32_t i = 0; i < t->i1; i++) {
    S *to = dots + i * DOT_COLS;
    for (uint32_t j = 0; j < t->j1; j += LANES) {
      const S *from = sums + (i * DOT_COLS + j) * DOT_STEP;
      V each[LANES];
      UNROLL for (int n = 0; n < LANES; n++)
        each[n] = load(from + n * DOT_STEP) + load(from + n * DOT_STEP + LANES);
      store(to + j, NAME(sum_each)(each));
    }
    for (uint32_t j = 0; left && j < t->j1; j++) {
      S sum = 0;
      for (uint32_t k = 0; k < left; k++) sum += a[i * a_step + k] * b[j * b_step + k];
      to[j] += sum;
    }
  }
  NAME(put_part)(dots, DOT_COLS, t);
}

// The columns of a turn are a part of the block apart: as in streams, what fetches ahead goes on.
static NOINLINE void NAME(block_dot)(const matmul_params *p, const NAME(block) * t, uint32_t k0,
                                     uint32_t depth, bool add) {
  NAME(target) out = {.row = p->out_row, .col = p->out_col, .add = add};
  const size_t a_row = p->a_row, b_col = p->b_col;
  const uint32_t whole = depth - depth % DOT_STEP;
  const uint32_t most = t->i1 - t->i0 <= DOT_M ? DOT_COLS : DOT_NEAR;
  S sums[DOT_M * DOT_COLS * DOT_STEP];
  for (uint32_t j0 = t->j0; j0 < t->j1; j0 += most) {
    const S *b = t->b + j0 * b_col + k0;
    out.j1 = MIN(most, t->j1 - j0);
    for (uint32_t i = t->i0; i < t->i1; i += DOT_M) {
      const S *a = t->a + i * a_row + k0;
      const uint32_t rows = MIN(DOT_M, t->i1 - i), width = PAIRED && rows > 2 ? 2 : 4;
      const uint32_t apart = (out.j1 + width - 1) / width;
      const size_t step = apart * b_col, to_step = apart * DOT_STEP;
      for (uint32_t j = 0; j < apart; j++) {
        const S *right = b + j * b_col;
        const uint32_t cols = (out.j1 - j + apart - 1) / apart;
        S *to = sums + j * DOT_STEP;
        if (rows == 1) NAME(dot_1x4)(whole, a, a_row, right, step, rows, cols, to, to_step);
        else if (width == 4) NAME(dot_2x4)(whole, a, a_row, right, step, rows, cols, to, to_step);
#if PAIRED
        else NAME(dot_4x2)(whole, a, a_row, right, step, rows, cols, to, to_step);
#endif
      }
      out.i1 = rows;
      out.c = t->c + i * out.row + j0 * out.col;
      NAME(put_dots)(sums, depth - whole, a + whole, a_row, b + whole, b_col, &out);
    }
  }
}

// ---- Rows ---------------------------------------------------------------------------------------

#if LANES == 4
// The sum first: else clang lets all products wait for it, in registers.
#if defined(RELAXED)
#define PLUS(sum, x, y) madd(x, y, sum)
#else
#define PLUS(sum, x, y) ((sum) + (x) * (y))
#endif

// Adds products of M rows of A to sums, `cols` of each: R rows of B at once, along which they
// are read, C vectors a turn. They are a part of the depth apart, unless `near`, so that each next
// one begins where the last ended: what fetches ahead goes on.
#define STREAM(name, ...) STREAM_OF(name, __VA_ARGS__)
#define STREAM_OF(name, M, R, C)                                                               \
  static NOINLINE void NAME(name)(uint32_t depth, uint32_t cols, const S *a, size_t a_step,    \
                                  const S *b, size_t b_step, S *sums, bool near) {             \
    const size_t apart = near ? 1 : depth / R, step = near ? R : 1;                            \
    NO_UNROLL for (; depth > 0; depth -= R, a += step, b += step * b_step) {                   \
      V left[M][R];                                                                            \
      const S *row[R];                                                                         \
      S *to[M];                                                                                \
      UNROLL for (int k = 0; k < R; k++) {                                                     \
        UNROLL for (int i = 0; i < M; i++) left[i][k] = splat(a[i * a_step + k * apart]);      \
        row[k] = b + k * apart * b_step;                                                       \
      }                                                                                        \
      UNROLL for (int i = 0; i < M; i++) to[i] = sums + i * cols;                              \
      NO_UNROLL for (const S *end = sums + cols; to[0] != end;) {                              \
        V sum[M][C];                                                                           \
        UNROLL for (int i = 0; i < M; i++) {                                                   \
          OPAQUE(to[i]);                                                                       \
          UNROLL for (int j = 0; j < C; j++) sum[i][j] = load(to[i] + j * LANES);              \
        }                                                                                      \
        UNROLL for (int k = 0; k < R; k++, row[k - 1] += C * LANES) {                          \
          OPAQUE(row[k]);                                                                      \
          UNROLL for (int j = 0; j < C; j++) {                                                 \
            V right = load(row[k] + j * LANES);                                                \
            UNROLL for (int i = 0; i < M; i++) sum[i][j] = PLUS(sum[i][j], left[i][k], right); \
          }                                                                                    \
        }                                                                                      \
        UNROLL for (int i = 0; i < M; i++, to[i - 1] += C * LANES) {                           \
          UNROLL for (int j = 0; j < C; j++) store(to[i] + j * LANES, sum[i][j]);              \
        }                                                                                      \
      }                                                                                        \
    }                                                                                          \
  }
STREAM(stream_two, STREAM_TWO)
STREAM(stream_one, STREAM_ONE)
#if STREAM_M == 3
STREAM(stream_three, STREAM_MOST)
#else
#define stream_three_f32 stream_two_f32
#endif

#define STREAM_ROWS(depth, a, a_row, b, b_depth)                                            \
  {                                                                                         \
    if (STREAM_M == 3 && out.i1 == 3)                                                       \
      NAME(stream_three)(depth, width, a, a_row, b, b_depth, sums, near);                   \
    else if (out.i1 == 2) NAME(stream_two)(depth, width, a, a_row, b, b_depth, sums, near); \
    else NAME(stream_one)(depth, width, a, a_row, b, b_depth, sums, near);                  \
  }

// A few rows times B along its rows: two of them, or the last three or one. What is read past the
// last column is the next row's, and of no consequence; the last rows, which have none, are copied.
// The order of sums follows from the shape alone, not from the columns of this block.
static NOINLINE void NAME(stream)(const matmul_params *p, const NAME(block) * t, uint32_t k0,
                                  uint32_t depth, bool add) {
  NAME(target) out = {.row = p->out_row, .col = p->out_col, .add = add};
  const size_t a_row = p->a_row, b_depth = p->b_depth;
  const bool near = p->cols > STRIP;
  const uint32_t whole = (depth - (p->cols % STREAM_STEP > 0)) / STREAM_DEPTH * STREAM_DEPTH;
  S sums[STREAM_M * STRIP], last[STREAM_DEPTH * STRIP], left[STREAM_M * STREAM_DEPTH] = {0};
  for (uint32_t j = t->j0; j < t->j1; j += STRIP) {
    const uint32_t cols = MIN(STRIP, t->j1 - j), width = cols + -cols % STREAM_STEP;
    const S *b = t->b + j + k0 * b_depth, *rest = b + whole * b_depth;
    out.j1 = cols;
    memset(last, 0, sizeof last);
    for (uint32_t k = 0; k < depth - whole; k++)
      memcpy(last + k * width, rest + k * b_depth, cols * sizeof(S));
    for (uint32_t i = t->i0; i < t->i1; i += out.i1) {
      const S *a = t->a + i * a_row + k0;
      out.i1 = t->i1 - i <= STREAM_M ? t->i1 - i : 2;
      for (uint32_t n = 0; n < out.i1; n++) {
        for (uint32_t k = 0; k < depth - whole; k++)
          left[n * STREAM_DEPTH + k] = a[n * a_row + whole + k];
      }
      out.c = t->c + i * out.row + j * out.col;
      memset(sums, 0, out.i1 * width * sizeof(S));
      STREAM_ROWS(whole, a, a_row, b, b_depth)
      if (whole < depth) STREAM_ROWS(STREAM_DEPTH, left, STREAM_DEPTH, last, width)
      NAME(put_part)(sums, width, &out);
    }
  }
}
#endif

// A few rows times B as it lies: two of them, or the last alone, times strips of its columns.
static NOINLINE void NAME(thin)(const matmul_params *p, const NAME(block) * t, uint32_t k0,
                                uint32_t depth, bool add) {
  NAME(target) out = {.row = p->out_row, .col = p->out_col, .add = add};
  S tile[2 * ONE_N];
  for (uint32_t j0 = t->j0; j0 < t->j1; j0 += ONE_N) {
    const uint32_t j1 = MIN(j0 + ONE_N, t->j1);
    for (uint32_t i = t->i0; i < t->i1; i += 2) {
      const bool one = i + 1 == t->i1 && p->cols >= ONE_N;
      const uint32_t width = one ? ONE_N : THIN_V * LANES;
      const S *a = t->a + i * (size_t)p->a_row + k0;
      out.i1 = MIN(2, t->i1 - i);
      for (uint32_t j = j0; j < j1; j += width) {
        const uint32_t start = NAME(panel_start)(p, j, width);
        out.j0 = j - start;
        out.j1 = out.j0 + MIN(width, j1 - j);
        const S *b = t->b + start + k0 * (size_t)p->b_depth;
        out.c = t->c + i * out.row + start * out.col;
        const bool whole = out.col == 1 && !add && NAME(is_whole)(&out, 2 - one, width);
        S *to = whole ? out.c : tile;
        const size_t step = whole ? out.row : width;
        if (one) NAME(row_loop_one)(depth, a, p->a_row, b, p->b_depth, 0, to, step);
        else NAME(row_loop_thin)(depth, a, p->a_row, b, p->b_depth, out.i1 - 1, to, step);
        if (!whole) NAME(put_part)(tile, width, &out);
      }
    }
  }
}
