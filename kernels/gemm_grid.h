// Small matrices, one after the other, in one function: a call for each would take as long as they
// do. The last tiles reach back over what others have stored, with the same values.
#define GRID_M 4
#define GRID(C)                                                                                  \
  static NOINLINE void NAME(grid_##C)(const matmul_params *p, const S *left, const S *right,     \
                                      S *out, uint32_t count) {                                  \
    const uint32_t rows = p->rows, cols = p->cols, depth = p->depth;                             \
    const size_t a_step = p->a_row, b_step = p->b_depth, to_step = cols;                         \
    NO_UNROLL for (; count > 0; count--, left += p->a_batch, right += p->b_batch) {              \
      NO_UNROLL for (uint32_t i = 0; i < rows; i += GRID_M) {                                    \
        const uint32_t first = MIN(i, rows - GRID_M);                                            \
        NO_UNROLL for (uint32_t j = 0; j < cols; j += C * LANES) {                               \
          const uint32_t col = MIN(j, cols - C * LANES);                                         \
          const S *row[GRID_M], *b = right + col;                                                \
          S *to = out + first * to_step + col;                                                   \
          V acc[GRID_M][C] = {0};                                                                \
          UNROLL for (int m = 0; m < GRID_M; m++) row[m] = left + (first + m) * a_step;          \
          NO_UNROLL for (uint32_t k = 0; k < depth; k++, b += b_step) {                          \
            TILE_STEP(GRID_M, C, row[i][k])                                                      \
          }                                                                                      \
          TILE_STORE(GRID_M, C)                                                                  \
        }                                                                                        \
      }                                                                                          \
      out += rows * to_step;                                                                     \
    }                                                                                            \
  }
GRID(2)
#if PAIRED
GRID(4)
#endif

// Whether whole matrices are read in place and few of the last rows and columns are done twice.
static bool NAME(is_grid)(const matmul_params *p) {
  const uint32_t rows = p->rows, cols = p->cols, width = 2 * LANES;
  return p->b_mode == B_ROWS && p->a_mode == A_ROWS && p->out_col == 1 && !p->biased && !p->relu &&
         rows <= p->row_block && cols <= p->col_block && p->depth <= p->depth_block &&
         rows >= GRID_M && (rows % GRID_M == 0 || rows > 2 * GRID_M) && cols >= width &&
         (cols % width == 0 || cols > 2 * width);
}

static void NAME(run_grid)(const matmul_params *p, size_t n, uint32_t count) {
  const S *a = IN(S, a) + n * p->a_batch, *b = IN(S, b) + n * p->b_batch;
  S *out = OUT(S, out) + n * p->rows * p->cols;
#if PAIRED
  if (p->cols >= 4 * LANES) {
    NAME(grid_4)(p, a, b, out, count);
    return;
  }
#endif
  NAME(grid_2)(p, a, b, out, count);
}
