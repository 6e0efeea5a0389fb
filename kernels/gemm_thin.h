// Products with few rows, whose time goes into reading B: dot products where both operands lie
// along the depth, else tiles of one or two rows that read whole cache lines of B in place.

// Two rows at a time; of columns, and of sums, what keeps enough apart where V8 pairs vectors.
#if PAIRED
#define THIN_V 8
#define ONE_V 16
#define DOT_M 4
#define STREAM 4
#define STREAM_V 4
#else
#define THIN_V 4
#define ONE_V 8
#define DOT_M 2
#define STREAM 8
#define STREAM_V 1
#endif
#define ONE_N (ONE_V * LANES)
// Vectors of the depth that a dot product sums apart, and columns of B that stay in the cache.
#define DOT_V 2
#define DOT_STEP (DOT_V * LANES)
#define DOT_COLS 16
// Columns that a row streams at once, and bytes of B from which it does.
#define STRIP 512
#define STREAMED (1 << 20)

#define FINISH_PART(name, C)                                                     \
  static inline void NAME(finish_##name)(const S *tile, const NAME(target) * t) { \
    NAME(put_part)(tile, C * LANES, t);                                          \
  }

#if TILE_M == 2 && TILE_V == THIN_V
#define rows_thin rows_main
#else
FINISH_PART(thin, THIN_V)
TILE_ROWS(thin, 2, THIN_V)
#endif
FINISH_PART(one, ONE_V)
TILE_ROWS(one, 1, ONE_V)

// ---- Dot products -------------------------------------------------------------------------------

// a[i * a_step + k] and b[j * b_step + k] for whole steps of the depth. Of the R rows and C columns
// the first `rows` and `cols` are there, the others repeat the last.
#define DOT(R, C)                                                                                 \
  static NOINLINE void NAME(dot_##R##x##C)(uint32_t depth, const S *a, size_t a_step, const S *b, \
                                           size_t b_step, uint32_t rows, uint32_t cols, S *to) {  \
    V acc[R][C][DOT_V] = {0};                                                                     \
    const S *row[R], *col[C];                                                                     \
    UNROLL for (uint32_t i = 0; i < R; i++) row[i] = a + MIN(i, rows - 1) * a_step;               \
    UNROLL for (uint32_t j = 0; j < C; j++) col[j] = b + MIN(j, cols - 1) * b_step;               \
    NO_UNROLL for (uint32_t k = 0; k < depth; k += DOT_STEP) {                                    \
      V left[R][DOT_V];                                                                           \
      UNROLL for (int n = 0; n < R * DOT_V; n++) {                                                \
        left[n / DOT_V][n % DOT_V] = load(row[n / DOT_V] + k + n % DOT_V * LANES);                \
      }                                                                                           \
      UNROLL for (int j = 0; j < C; j++) {                                                        \
        V right[DOT_V];                                                                           \
        UNROLL for (int n = 0; n < DOT_V; n++) right[n] = load(col[j] + k + n * LANES);           \
        UNROLL for (int i = 0; i < R; i++) {                                                      \
          UNROLL for (int n = 0; n < DOT_V; n++)                                                  \
            acc[i][j][n] = madd(left[i][n], right[n], acc[i][j][n]);                              \
        }                                                                                         \
      }                                                                                           \
    }                                                                                             \
    UNROLL for (int i = 0; i < R; i++) {                                                          \
      UNROLL for (int n = 0; n < C * DOT_V; n++)                                                  \
        store(to + i * DOT_COLS * DOT_STEP + n * LANES, acc[i][n / DOT_V][n % DOT_V]);            \
    }                                                                                             \
  }
#if PAIRED
DOT(4, 2)
DOT(2, 4)
DOT(1, 8)
#else
DOT(2, 2)
DOT(1, 4)
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

static NOINLINE void NAME(block_dot)(const matmul_params *p, const NAME(block) * t, uint32_t k0,
                                     uint32_t depth, bool add) {
  NAME(target) out = {.row = p->out_row, .col = p->out_col, .add = add};
  const size_t a_row = p->a_row, b_col = p->b_col;
  const uint32_t whole = depth - depth % DOT_STEP;
  S sums[DOT_M * DOT_COLS * DOT_STEP];
  for (uint32_t j0 = t->j0; j0 < t->j1; j0 += DOT_COLS) {
    const S *b = t->b + j0 * b_col + k0;
    out.j1 = MIN(DOT_COLS, t->j1 - j0);
    for (uint32_t i = t->i0; i < t->i1; i += DOT_M) {
      const S *a = t->a + i * a_row + k0;
      const uint32_t rows = MIN(DOT_M, t->i1 - i);
      const uint32_t width = rows == 1 ? 2 * DOT_M : rows == 2 ? DOT_M : 2;
      for (uint32_t j = 0; j < out.j1; j += width) {
        const S *right = b + j * b_col;
        const uint32_t cols = MIN(width, out.j1 - j);
        S *to = sums + j * DOT_STEP;
#if PAIRED
        if (rows == 1) NAME(dot_1x8)(whole, a, a_row, right, b_col, rows, cols, to);
        else if (rows == 2) NAME(dot_2x4)(whole, a, a_row, right, b_col, rows, cols, to);
        else NAME(dot_4x2)(whole, a, a_row, right, b_col, rows, cols, to);
#else
        if (rows == 1) NAME(dot_1x4)(whole, a, a_row, right, b_col, rows, cols, to);
        else NAME(dot_2x2)(whole, a, a_row, right, b_col, rows, cols, to);
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
// to[j] += the sum over STREAM rows of a[k] b[k][j], in their order; of whole vectors.
static NOINLINE void NAME(stream)(uint32_t cols, const S *a, const S *b, size_t step, S *to) {
  V left[STREAM];
  const S *row[STREAM];
  UNROLL for (int k = 0; k < STREAM; k++) {
    left[k] = splat(a[k]);
    row[k] = b + k * step;
  }
  NO_UNROLL for (uint32_t j = 0; j < cols; j += STREAM_V * LANES) {
    V sum[STREAM_V];
    UNROLL for (int n = 0; n < STREAM_V; n++) sum[n] = load(to + j + n * LANES);
    UNROLL for (int k = 0; k < STREAM; k++) {
      UNROLL for (int n = 0; n < STREAM_V; n++)
        sum[n] = madd(left[k], load(row[k] + j + n * LANES), sum[n]);
    }
    UNROLL for (int n = 0; n < STREAM_V; n++) store(to + j + n * LANES, sum[n]);
  }
}

static NOINLINE void NAME(stream_one)(uint32_t cols, S a, const S *b, S *to) {
  for (uint32_t j = 0; j < cols; j += LANES)
    store(to + j, madd(splat(a), load(b + j), load(to + j)));
}

// A single row times a matrix that the second-level cache does not hold: read along its rows.
static NOINLINE void NAME(single)(const matmul_params *p, const NAME(block) * t, uint32_t k0,
                                  uint32_t depth, bool add) {
  S sums[STRIP];
  for (uint32_t j = t->j0; j < t->j1; j += STRIP) {
    const uint32_t cols = MIN(STRIP, t->j1 - j);
    const S *a = t->a + k0, *b = t->b + j + k0 * (size_t)p->b_depth;
    memset(sums, 0, cols * sizeof(S));
    uint32_t k = 0;
    for (; k + STREAM <= depth; k += STREAM, b += STREAM * (size_t)p->b_depth)
      NAME(stream)(cols, a + k, b, p->b_depth, sums);
    for (; k < depth; k++, b += p->b_depth) NAME(stream_one)(cols, a[k], b, sums);
    const NAME(target) out = {
        .c = t->c + j * (size_t)p->out_col, .col = p->out_col, .i1 = 1, .j1 = cols, .add = add};
    NAME(put_part)(sums, 0, &out);
  }
}

#endif

// A few rows times B as it lies: two of them, or the last alone, times strips of its columns.
static NOINLINE void NAME(thin)(const matmul_params *p, const NAME(block) * t, uint32_t k0,
                                uint32_t depth, bool add) {
  NAME(target) out = {.row = p->out_row, .col = p->out_col, .add = add};
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
        if (one) NAME(rows_one)(depth, a, p->a_row, b, p->b_depth, &out);
        else NAME(rows_thin)(depth, a, p->a_row, b, p->b_depth, &out);
      }
    }
  }
}
