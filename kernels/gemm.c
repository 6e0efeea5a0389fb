// matmul: out[n, i, j] = sum over k of a[n, i, k] * b[n, k, j] (+ bias, then relu), with any strides
// that leave one of the two dimensions of each matrix contiguous. The launch
// (ts/ops/primitives/matmul.ts) says which operand is read in place and which is packed; it may
// exchange the operands (the transposed product), so out has strides for rows and columns. Work is
// cut into jobs, blocks of rows x columns of one matrix; `per_unit` jobs are one unit of the range.
// A thread packs the columns of B its own jobs need, into the scratch slice of its first unit.
// Tiles read A along its rows: a large A that lies otherwise is turned first.
#include "kernel.h"
#ifndef S
#define SOURCE "gemm.c"
#include "each_number.h"
#else
#include "gemm_tile.h"

#ifndef GEMM_ONCE
#define GEMM_ONCE
enum { A_ROWS = 0, A_COLUMNS = 1 };                // a_mode: what is contiguous
enum { B_ROWS = 0, B_COLUMNS = 1, B_PACKED = 2 };  // b_mode: likewise, or packed here
enum { B_WHOLE = 3, B_ABREAST = 4 };               // or in any way, but small, or tiny
enum { BIAS_ROWS = 2 };                            // biased: rows instead of columns
// Rows of A that are turned side by side: half a cache line of A, and few places to write to.
enum { TURN_ROWS = 8 };
// Rows whose sums are turned together: whole tiles of two or six, and whole vectors.
enum { TURNED_ROWS = 12 };
// Columns of B that are packed side by side: whole cache lines.
enum { PACK_COLS = 32 };
// Rows of A for which B is read in place, in tiles of whole cache lines.
enum { FEW_ROWS = 12 };
#endif

// The tile for the last columns, where half as many do; of float32, for size.
#define HALVED (REAL && LANES == 4 && TILE_V == 4)
#define HALF_M (HALVED && TILE_M == 2 ? 4 : TILE_M)
#define HALF_V (HALVED ? 2 : TILE_V)
#define HALF_N (HALF_V * LANES)

// Part of a tile, or an output without unit stride: `tile` holds rows of `width`.
NOINLINE void NAME(put_part)(const S *tile, uint32_t width, const NAME(target) * t) {
  const bool add = t->add;
  for (uint32_t i = t->i0; i < t->i1; i++) {
    const S *from = tile + i * width;
    S *to = t->c + i * t->row;
    uint32_t j = t->j0;
    NO_UNROLL for (; t->col == 1 && j + LANES <= t->j1; j += LANES) {
      NAME(put)(to + j, load(from + j), add);
    }
    for (; j < t->j1; j++) {
      S *p = to + j * t->col;
      *p = add ? (S)(splat(*p) + splat(from[j]))[0] : from[j];
    }
  }
}

// Integers are multiplied in one way only, packed, by rows of A: for size.
#if REAL
FINISH(extern, main, TILE_M, TILE_V)
COLUMN_LOOP(extern, main, TILE_M, TILE_V)
MAIN_COLUMNS
TILE_STRIP(extern, row_strip, TILE_M, TILE_V, row[i][k], TILE_M *a_step, store)
ROW_LOOP(extern, main, TILE_M, TILE_V)
#else
FINISH_PART(main, TILE_V)
ROW_LOOP(static, main, TILE_M, TILE_V)
#endif
MAIN_ROWS
#if HALVED
FINISH(static, half, HALF_M, HALF_V)
TILE_ROWS(half, HALF_M, HALF_V)
TILE_COLUMNS(half, HALF_M, HALF_V)
#endif

// Tall tiles leave up to four rows, which are a tile of their own.
#if TILE_M > LANES
FINISH(static, four, 4, TILE_V)
TILE_ROWS(four, 4, TILE_V)
#define SHORT_M 4
#else
#define SHORT_M 0
#endif

#if STRIPS
TILE_STRIP(extern, row_strip_add, TILE_M, TILE_V, row[i][k], TILE_M *a_step, ADD_VECTOR)

// Rows of whole tiles, LANES or a multiple, where columns of the output are contiguous.
static NOINLINE void NAME(put_turned)(const S *tile, uint32_t rows, const NAME(target) * t) {
  const bool add = t->add;
  const size_t col = t->col;
  for (uint32_t j = 0; j < TILE_N; j += LANES) {
    for (uint32_t i = 0; i < rows; i += LANES) {
      const S *from = tile + i * TILE_N + j;
      S *to = t->c + i + j * col;
      V square[LANES];
      UNROLL for (int k = 0; k < LANES; k++) square[k] = load(from + k * TILE_N);
      NAME(transpose)(square);
      UNROLL for (int k = 0; k < LANES; k++) NAME(put)(to + k * col, square[k], add);
    }
  }
}

// As many of `rows` as whole tiles take, of all columns of a panel; returns how many these are.
static NOINLINE uint32_t NAME(strips)(uint32_t rows, uint32_t depth, const S *a, size_t a_step,
                                      const S *b, size_t b_step, const NAME(target) * out) {
  if (out->col == 1) {
    // Seven or eight rows are left to the tiles of four.
    const uint32_t rest = rows % TILE_M, two = rest > 0 && TILE_M + rest <= 2 * SHORT_M;
    const uint32_t tiles = rows / TILE_M - (rows > TILE_M && two);
    NAME(row_strips)(tiles, depth, a, a_step, b, b_step, out->c, out->row, out->add);
    return tiles * TILE_M;
  }
  // Whole vectors of columns are of whole tiles.
  _Static_assert(TURNED_ROWS % TILE_M == 0 && TURNED_ROWS % LANES == 0, "rows of whole tiles");
  _Static_assert(TILE_M >= LANES || LANES % TILE_M == 0, "vectors of whole tiles");
  const uint32_t least = TILE_M < LANES ? LANES : TURNED_ROWS;
  S tile[TURNED_ROWS * TILE_N];
  NAME(target) to = *out;
  uint32_t i = 0;
  while (rows - i >= least) {
    const uint32_t some = MIN(TURNED_ROWS, (rows - i) / least * least);
    NAME(row_strip)(some / TILE_M, depth, a + i * a_step, a_step, b, b_step, tile, TILE_N);
    NAME(put_turned)(tile, some, &to);
    to.c += some;
    i += some;
  }
  return i;
}
#endif

// ---- Packing ------------------------------------------------------------------------------------

// Turns matrices of `lines` rows, which have `length` columns; both are LANES or more.
static inline __attribute__((always_inline)) void NAME(turn_all)(S *out, size_t out_step,
                                                                 const S *in, uint32_t lines,
                                                                 uint32_t length, size_t step,
                                                                 size_t batch, uint32_t count) {
  NO_UNROLL for (; count > 0; count--, in += batch, out += length * out_step) {
    NO_UNROLL for (uint32_t i = 0; i < lines; i += LANES) {
      const uint32_t line = MIN(i, lines - LANES);
      NO_UNROLL for (uint32_t k = 0; k < length; k += LANES) {
        const uint32_t at = MIN(k, length - LANES);
        const S *from = in + line * step + at;
        S *to = out + at * out_step + line;
        V square[LANES];
        UNROLL for (int n = 0; n < LANES; n++, from += step) square[n] = load(from);
        NAME(transpose)(square);
        UNROLL for (int n = 0; n < LANES; n++, to += out_step) store(to, square[n]);
      }
    }
  }
}

static NOINLINE void NAME(turn)(S *out, size_t out_step, const S *in, uint32_t lines,
                                uint32_t length, size_t step, size_t batch, uint32_t count) {
  NAME(turn_all)(out, out_step, in, lines, length, step, batch, count);
}

// Copies A into rows `out_row` apart. A unit is TURN_ROWS rows of one matrix.
KERNEL(matmulPack) {
  const uint32_t rows = p->rows, depth = p->depth, units = (rows + TURN_ROWS - 1) / TURN_ROWS;
  for (uint32_t unit = begin; unit < end; unit++) {
    const uint32_t first = unit % units * TURN_ROWS, last = MIN(rows, first + TURN_ROWS);
    const S *a = IN(S, a) + (size_t)(unit / units) * p->a_batch;
    S *out = OUT(S, out) + (size_t)(unit / units) * rows * p->out_row;
    if (p->a_row == 1 && last - first >= LANES && depth >= LANES) {
      NAME(turn)(out + (size_t)first * p->out_row, p->out_row, a + first, depth, last - first,
                 p->a_depth, 0, 1);
      continue;
    }
    for (uint32_t i = first; i < last; i++) {
      for (uint32_t k = 0; k < depth; k++)
        out[(size_t)i * p->out_row + k] = a[i * (size_t)p->a_row + k * (size_t)p->a_depth];
    }
  }
}

static inline uint32_t NAME(panel_width)(uint32_t cols) { return cols > HALF_N ? TILE_N : HALF_N; }

// Panels of B side by side: [panel][k][TILE_N].
static NOINLINE void NAME(pack_panels)(S *out, const S *b, uint32_t depth, size_t step) {
  for (uint32_t k = 0; k < depth; k++, b += step, out += TILE_N) {
    UNROLL for (int j = 0; j < PACK_COLS; j += TILE_N) {
      UNROLL for (int n = 0; n < TILE_N; n += LANES)
        store(out + (size_t)j * depth + n, load(b + j + n));
    }
  }
}

// One panel of B: [k][TILE_N], or [k][HALF_N] where no more columns are left; what stands past
// `cols` is of no consequence.
static NOINLINE void NAME(pack_panel)(S *out, const S *b, uint32_t depth, uint32_t cols,
                                      size_t step) {
  const uint32_t width = NAME(panel_width)(cols);
  // Rows from which a whole panel can be read without leaving the matrix.
  const uint32_t past = width - cols, rows = step ? (past + step - 1) / step : depth;
  const uint32_t whole = past == 0 ? depth : depth - MIN(depth, rows);
  uint32_t k = 0;
  for (; k < whole; k++, b += step, out += width) {
    for (uint32_t j = 0; j < width; j += LANES) store(out + j, load(b + j));
  }
  for (; k < depth; k++, b += step, out += width) {
    for (uint32_t j = 0; j < width; j++) out[j] = j < cols ? b[j] : 0;
  }
}

// The same from a matrix whose columns are contiguous: few of them at a time, which processors
// fetch ahead.
static NOINLINE void NAME(pack_panel_transposed)(S *out, const S *b, uint32_t depth, uint32_t cols,
                                                 size_t step) {
  const uint32_t width = NAME(panel_width)(cols), whole = depth - depth % LANES;
  for (uint32_t j = 0; j < width; j += LANES) {
    const S *from[LANES];
    UNROLL for (int i = 0; i < LANES; i++) from[i] = b + MIN(j + i, cols - 1) * step;
    S *to = out + j;
    NO_UNROLL for (uint32_t k = 0; k < whole; k += LANES) {
      V square[LANES];
      UNROLL for (int i = 0; i < LANES; i++) square[i] = load(from[i] + k);
      NAME(transpose)(square);
      UNROLL for (int i = 0; i < LANES; i++, to += width) store(to, square[i]);
    }
    for (uint32_t k = whole; k < depth; k++, to += width) {
      UNROLL for (int i = 0; i < LANES; i++) to[i] = from[i][k];
    }
  }
}

// ---- Blocks -------------------------------------------------------------------------------------

// Rows [i0, i1) and columns [j0, j1) of one matrix, as the jobs of a run give them.
typedef struct {
  const S *a, *b;
  S *c, *pack;
  uint32_t i0, i1, j0, j1;
} NAME(block);

// Adds the bias to what the tiles have left, or to zero if there is no depth to sum; then relu.
static NOINLINE void NAME(finish)(const matmul_params *p, const NAME(block) * t) {
  const S *bias = IN(S, bias);
  const V zero = splat((S)0);
  const I relu = zero < splat((S)p->relu);
#define RELU(v) select(((v) < zero) & relu, zero, v)
  const uint32_t rows = t->i1 - t->i0, cols = t->j1 - t->j0;
  // The bias belongs to columns, or in an exchanged product to rows: so lie contiguous outputs.
  const bool across = p->biased != BIAS_ROWS && p->out_col == 1;
  S *to = t->c + t->i0 * (size_t)p->out_row + t->j0 * (size_t)p->out_col;
  bias += across ? t->j0 : t->i0;
  const uint32_t lines = across ? rows : cols, length = across ? cols : rows;
  const size_t step = across ? p->out_row : p->out_col;
  for (uint32_t n = 0; n < lines; n++, to += step) {
    if (p->depth == 0) memset(to, 0, length * sizeof(S));
    uint32_t i = 0;
    if (p->biased) {
      for (; REAL && i + LANES <= length; i += LANES)
        store(to + i, RELU(load(to + i) + load(bias + i)));
      for (; i < length; i++) to[i] = RELU(splat(to[i]) + splat(bias[i]))[0];
    } else if (p->relu) {
      for (; REAL && i + LANES <= length; i += LANES) store(to + i, RELU(load(to + i)));
      for (; i < length; i++) to[i] = RELU(splat(to[i]))[0];
    }
  }
#undef RELU
}

// The first column of a panel, which is shifted left where it would leave the matrix.
static inline uint32_t NAME(panel_start)(const matmul_params *p, uint32_t j, uint32_t width) {
  return j + width > p->cols && p->cols >= width ? p->cols - width : j;
}

static NOINLINE void NAME(pack_block)(const matmul_params *p, const NAME(block) * t, uint32_t k0,
                                      uint32_t depth) {
  S *out = t->pack;
  const S *from = t->b + k0 * (size_t)p->b_depth;
  for (uint32_t j = t->j0; j < t->j1;) {
    const uint32_t left = t->j1 - j, width = NAME(panel_width)(left);
    const uint32_t start = NAME(panel_start)(p, j, width), cols = MIN(width, p->cols - start);
    const S *b = from + start * (size_t)p->b_col;
    if (p->b_col == 1 && left >= PACK_COLS) {
      NAME(pack_panels)(out, b, depth, p->b_depth);
      out += (size_t)PACK_COLS * depth;
      j += PACK_COLS;
      continue;
    }
    if (p->b_col == 1) NAME(pack_panel)(out, b, depth, cols, p->b_depth);
    else NAME(pack_panel_transposed)(out, b, depth, cols, p->b_col);
    out += (size_t)width * depth;
    j += width;
  }
}

// The tiles of one panel of B, as wide as out->j1 asks for: rows [i0, i1), columns of `out`.
static NOINLINE void NAME(panel)(const matmul_params *p, const NAME(block) * t, uint32_t k0,
                                 uint32_t depth, const S *b, size_t b_step, bool half,
                                 NAME(target) * out) {
  const size_t a_row = p->a_row, a_depth = p->a_depth;
  uint32_t height = half ? HALF_M : TILE_M;
  S *const c = out->c;
  uint32_t i = t->i0;
  out->i0 = 0;
#if STRIPS
  const bool whole = !half && out->j0 == 0 && out->j1 == TILE_N;
  if (whole && p->a_mode == A_ROWS && (out->col == 1 || out->row == 1)) {
    out->c = c + i * out->row;
    i += NAME(strips)(t->i1 - i, depth, t->a + i * a_row + k0, a_row, b, b_step, out);
  }
#endif
  for (; i < t->i1; i += height) {
    const uint32_t last = t->i1 - i;
    // Seven or eight rows are two such tiles.
    const bool four = SHORT_M && !half && p->a_mode == A_ROWS && last <= 2 * SHORT_M &&
                      (last <= SHORT_M || last > TILE_M);
    if (four) height = SHORT_M;
    const uint32_t count = MIN(height, t->i1 - i), up = height - count;
    if (!REAL || p->a_mode == A_ROWS) {
      const S *a = t->a + i * a_row + k0;
      out->i1 = count;
      out->c = c + i * out->row;
#if HALVED
      if (half) NAME(rows_half)(depth, a, a_row, b, b_step, out);
      else
#endif
#if SHORT_M
      if (four) NAME(rows_four)(depth, a, a_row, b, b_step, out);
      else
#endif
        NAME(rows_main)(depth, a, a_row, b, b_step, out);
    }
#if REAL
    else {
      // The last tile is shifted up, so that it reads inside the matrix.
      const S *a = t->a + (i - up) + k0 * a_depth;
      out->i0 = up;
      out->i1 = height;
      out->c = c + (i - up) * out->row;
#if HALVED
      if (half) NAME(columns_half)(depth, a, a_depth, b, b_step, out);
      else
#endif
        NAME(columns_main)(depth, a, a_depth, b, b_step, out);
    }
#else
    (void)a_depth, (void)up;
#endif
  }
}

static NOINLINE void NAME(block_packed)(const matmul_params *p, const NAME(block) * t, uint32_t k0,
                                        uint32_t depth, bool add) {
  NAME(pack_block)(p, t, k0, depth);
  NAME(target) out = {.row = p->out_row, .col = p->out_col, .add = add};
  NAME(block) part = *t;
  for (; part.i0 < t->i1; part.i0 += p->row_block) {
    part.i1 = MIN(part.i0 + p->row_block, t->i1);
    const S *b = t->pack;
    for (uint32_t j = t->j0; j < t->j1; j += TILE_N, b += (size_t)depth * TILE_N) {
      const uint32_t cols = MIN(TILE_N, t->j1 - j), width = NAME(panel_width)(cols);
      const uint32_t start = NAME(panel_start)(p, j, width);
      out.j0 = j - start;
      out.j1 = out.j0 + cols;
      out.c = t->c + start * out.col;
      NAME(panel)(p, &part, k0, depth, b, width, width < TILE_N, &out);
    }
  }
}

#if REAL
#include "gemm_thin.h"

static NOINLINE void NAME(block_in_place)(const matmul_params *p, const NAME(block) * t,
                                          uint32_t k0, uint32_t depth, bool add) {
  NAME(target) out = {.row = p->out_row, .col = p->out_col, .add = add};
  for (uint32_t j = t->j0; j < t->j1;) {
    const bool half = t->j1 - j < TILE_N && (t->j1 - j <= HALF_N || p->cols < TILE_N);
    const uint32_t width = half ? HALF_N : TILE_N, cols = MIN(width, t->j1 - j);
    const uint32_t start = NAME(panel_start)(p, j, width);
    out.j0 = j - start;
    out.j1 = out.j0 + cols;
    out.c = t->c + start * out.col;
    const S *b = t->b + start + k0 * (size_t)p->b_depth;
    NAME(panel)(p, t, k0, depth, b, p->b_depth, width < TILE_N, &out);
    j += cols;
  }
}

#endif

static NOINLINE void NAME(run_block)(const matmul_params *p, const NAME(block) * t) {
#if REAL
  const bool rows = p->b_mode == B_ROWS;
  const bool few = rows && p->a_mode == A_ROWS && p->rows <= FEW_ROWS && p->cols >= THIN_V * LANES;
#if LANES == 4
  // In tiles, rows of B that share sets of the cache would come one by one; what is read past a
  // row's end must be of the next.
  const bool far = p->depth * (uint64_t)p->cols * sizeof(S) >= STREAMED;
  const bool collide = p->b_depth % (4096 / sizeof(S)) == 0;
  const uint32_t once = PAIRED ? (p->b_depth % 512 == 0 ? 4 : 3) : 1;
  const bool ordered = (far && p->rows <= once) || (collide && p->depth > FEW_ROWS);
  const bool streamed =
      few && p->b_depth >= STREAM_STEP && (ordered || (TILE_V == 2 && !TILED(p)));
#endif
#endif
  for (uint32_t k0 = 0; k0 < p->depth; k0 += p->depth_block) {
    const uint32_t depth = MIN(p->depth_block, p->depth - k0);
    const bool add = k0 > 0;
#if REAL
    if (p->b_mode == B_COLUMNS) NAME(block_dot)(p, t, k0, depth, add);
#if LANES == 4
    else if (streamed) NAME(stream)(p, t, k0, depth, add);
#endif
    else if (few && TILED(p)) NAME(thin)(p, t, k0, depth, add);
    else if (rows) NAME(block_in_place)(p, t, k0, depth, add);
    else
#endif
      NAME(block_packed)(p, t, k0, depth, add);
  }
  if (p->biased || p->relu || p->depth == 0) NAME(finish)(p, t);
}

#if REAL && LANES == 4
#include "gemm_grid.h"

// For the choice among builds: a panel of 24 rows by 32 columns, 256 deep, on whatever stands in the
// 96 KiB at `scratch`. A unit is one such product.
EXPORTED void NAME(tileProbe)(const void *scratch, uint32_t begin, uint32_t end) {
  const S *a = scratch, *b = a + 24 * 256;
  S *c = (S *)b + 32 * 256;
  for (uint32_t unit = begin; unit < end; unit++) {
    for (uint32_t j = 0; j < 32; j += TILE_N) {
#if STRIPS
      NAME(row_strip)(24 / TILE_M, 256, a, 256, b + j * 256, TILE_N, c + j, 32);
#else
      for (uint32_t i = 0; i < 24; i += TILE_M) {
        const NAME(target) out = {
            .c = c + i * 32 + j, .row = 32, .col = 1, .i1 = TILE_M, .j1 = TILE_N};
        NAME(rows_main)(256, a + i * 256, 256, b + j * 256, TILE_N, &out);
      }
#endif
    }
  }
}
#endif

KERNEL(matmul) {
  const uint32_t row_blocks = (p->rows + p->row_block - 1) / p->row_block;
  const uint32_t col_blocks = (p->cols + p->col_block - 1) / p->col_block;
  const uint32_t jobs = p->batch * row_blocks * col_blocks;
  const uint32_t last = MIN(end * p->per_unit, jobs);
#if REAL && LANES == 4
  if (p->b_mode == B_WHOLE) {
    NAME(run_grid)(p, begin * p->per_unit, last - begin * p->per_unit);
    return;
  }
  if (p->b_mode == B_ABREAST) {
    NAME(run_abreast)(p, begin * p->per_unit, last);
    return;
  }
#endif
  S *pack = OUT(S, scratch) + (size_t)begin * p->slice;
  for (uint32_t job = begin * p->per_unit; job < last;) {
    // Jobs of the same columns follow each other: they run as one block.
    const uint32_t row = job % row_blocks, count = MIN(row_blocks - row, last - job);
    const uint32_t n = job / row_blocks / col_blocks, col = job / row_blocks % col_blocks;
    // So do columns of few rows, where they are not packed.
    const bool join = row_blocks == 1 && p->b_mode != B_PACKED;
    const uint32_t next = join ? MIN(col_blocks - col, last - job) : 1;
    const NAME(block) t = {
        .a = IN(S, a) + n * (size_t)p->a_batch,
        .b = IN(S, b) + n * (size_t)p->b_batch,
        .c = OUT(S, out) + n * (size_t)p->rows * p->cols,
        .pack = pack,
        .i0 = row * p->row_block,
        .i1 = MIN((row + count) * p->row_block, p->rows),
        .j0 = col * p->col_block,
        .j1 = MIN((col + next) * p->col_block, p->cols),
    };
    NAME(run_block)(p, &t);
    job += count * next;
  }
}

#endif
