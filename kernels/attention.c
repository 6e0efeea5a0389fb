// Attention in blocks: out = softmax(scale q k^T + bias) v, and its gradients. Scores of BLOCK
// queries and keys are kept in cache, keys along rows and queries along lanes: statistics of a
// query stay in its lane, and k, v, q and the gradient are read in place as right operands. Of the
// whole softmax only the logarithms of its sums are kept; the backward computes blocks anew.
#include "kernel.h"
#ifndef S
#define SOURCE "attention.c"
#include "each_real.h"
#else
#include "gemm_tile.h"

#ifndef ATTENTION_ONCE
#define ATTENTION_ONCE
enum { BLOCK = 64 };
enum { WANT_QUERY = 1, WANT_KEY = 2 };  // wanted: gradients of q, or of k and v
#endif

MAIN_ROWS
MAIN_COLUMNS

// A matrix whose rows are contiguous.
typedef struct {
  const S *at;
  size_t step;
} NAME(rows_of);

TILE_STRIP(static, column_strip, TILE_M, TILE_V, a[i], TILE_M, store)

// c[i][j] = (add: +=) the sum over k of a[i][k] b[k][j], where `columns` says that a is stored
// transposed. With fewer than TILE_N columns b has TILE_N nevertheless.
static NOINLINE void NAME(multiply)(bool columns, NAME(rows_of) a, NAME(rows_of) b, uint32_t rows,
                                    uint32_t cols, uint32_t depth, S *c, size_t step, bool add) {
  NAME(target) out = {.row = step, .col = 1, .add = add};
  for (uint32_t j = 0; j < cols; j += TILE_N) {
    // The last panel is shifted left, so that it reads inside the matrix.
    const uint32_t width = MIN(TILE_N, cols - j), back = cols < TILE_N ? 0 : TILE_N - width;
    const S *right = b.at + j - back;
    S *to = c + j - back;
    out.j0 = back;
    out.j1 = back + width;
    uint32_t i = 0;
    if (!add && width == TILE_N) {
      const uint32_t tiles = rows / TILE_M;
      if (columns) NAME(column_strip)(tiles, depth, a.at, a.step, right, b.step, to, step);
      else NAME(row_strip)(tiles, depth, a.at, a.step, right, b.step, to, step);
      i = tiles * TILE_M;
    }
    for (; i < rows; i += TILE_M) {
      out.i1 = MIN(TILE_M, rows - i);
      out.c = to + i * step;
      if (columns) NAME(columns_main)(depth, a.at + i, a.step, right, b.step, &out);
      else NAME(rows_main)(depth, a.at + i * a.step, a.step, right, b.step, &out);
    }
  }
}

// x as a right operand: in place, or copied where it is too narrow, or where rows whose distance
// is a power of two would share one set of the cache.
static NOINLINE NAME(rows_of) NAME(right)(NAME(rows_of) x, uint32_t rows, uint32_t width,
                                          S *buffer) {
  if (width >= TILE_N && x.step * sizeof(S) % 1024 != 0) return x;
  const size_t step = MAX(width, TILE_N);
  for (uint32_t i = 0; i < rows; i++) {
    memcpy(buffer + i * step, x.at + i * x.step, width * sizeof(S));
    for (uint32_t k = width; k < step; k++) buffer[i * step + k] = 0;
  }
  return (NAME(rows_of)){buffer, step};
}

// out[k][i] = factor x[i][k], columns from `rows` to a multiple of TILE_N zero.
static NOINLINE NAME(rows_of) NAME(turn)(NAME(rows_of) x, uint32_t rows, uint32_t width, S factor,
                                         S *out) {
  const V scale = splat(factor);
  for (uint32_t i = 0; i < rows; i += LANES) {
    uint32_t k = 0;
    for (; i + LANES <= rows && k + LANES <= width; k += LANES) {
      V square[LANES];
      UNROLL for (int n = 0; n < LANES; n++) square[n] = load(x.at + (i + n) * x.step + k);
      NAME(transpose)(square);
      UNROLL for (int n = 0; n < LANES; n++) store(out + (k + n) * BLOCK + i, square[n] * scale);
    }
    for (; k < width; k++) {
      for (uint32_t n = i; n < MIN(i + LANES, rows); n++)
        out[k * BLOCK + n] = x.at[n * x.step + k] * factor;
    }
  }
  for (uint32_t k = 0; rows % TILE_N != 0 && k < width; k++) {
    for (uint32_t i = rows; i % TILE_N != 0; i++) out[k * BLOCK + i] = 0;
  }
  return (NAME(rows_of)){out, BLOCK};
}

// What is added to the scores of one head, or hides them.
typedef struct {
  const S *bias;
  const uint8_t *mask;
  size_t bias_row, mask_row;
  bool causal;
} NAME(view);

// Of a square of LANES queries and keys.
static inline void NAME(hide_square)(S *s, const NAME(view) * view, uint32_t i, uint32_t j) {
  V square[LANES];
  if (view->bias) {
    const S *from = view->bias + i * view->bias_row + j;
    UNROLL for (int n = 0; n < LANES; n++) square[n] = load(from + n * view->bias_row);
    NAME(transpose)(square);
    UNROLL for (int n = 0; n < LANES; n++) store(s + n * BLOCK, load(s + n * BLOCK) + square[n]);
  }
  if (view->mask) {
    const uint8_t *from = view->mask + i * view->mask_row + j;
    UNROLL for (int n = 0; n < LANES; n++) {
      square[n] = (V)load_mask_as(square[n], from + n * view->mask_row);
    }
    NAME(transpose)(square);
    UNROLL for (int n = 0; n < LANES; n++) {
      store(s + n * BLOCK, select((I)square[n], load(s + n * BLOCK), splat((S)-INFINITY)));
    }
  }
}

static NOINLINE void NAME(hide)(S *s, const NAME(view) * view, uint32_t i0, uint32_t rows,
                                uint32_t j0, uint32_t keys) {
  const uint32_t whole_rows = rows / LANES * LANES, whole_keys = keys / LANES * LANES;
  for (uint32_t i = 0; (view->bias || view->mask) && i < rows; i++) {
    uint32_t j = 0;
    for (; i < whole_rows && i % LANES == 0 && j < whole_keys; j += LANES)
      NAME(hide_square)(s + j * BLOCK + i, view, i0 + i, j0 + j);
    for (j = i < whole_rows ? whole_keys : 0; j < keys; j++) {
      S *at = s + j * BLOCK + i;
      if (view->bias) *at += view->bias[(i0 + i) * view->bias_row + j0 + j];
      if (view->mask && !view->mask[(i0 + i) * view->mask_row + j0 + j]) *at = (S)-INFINITY;
    }
  }
  for (uint32_t j = 0; view->causal && j < keys; j++) {
    for (uint32_t i = 0; i < rows && i0 + i < j0 + j; i++) s[j * BLOCK + i] = (S)-INFINITY;
  }
}

// Keys that one of the queries up to `last` sees.
static inline uint32_t NAME(seen)(const NAME(view) * view, uint32_t last, uint32_t keys) {
  return view->causal ? MIN(keys, last) : keys;
}

// Queries side by side, a whole number of tiles and of vectors.
static inline uint32_t NAME(lanes_of)(uint32_t rows) {
  return (rows + TILE_N - 1) / TILE_N * TILE_N;
}

// exp of what is not above 0, and 0 where that is less than any normal number: hidden scores are
// as quick as others. NaN stays. Below -87.7 the power of two that exp splits off is 0.
#if LANES == 4
#define WEIGHTS                              \
  Exp numbers;                               \
  read_splats(numbers.k, EXP_NUMBERS, 10);   \
  const V least = splat(-88.0f)
#define WEIGHT(x) NAME(weight)(&numbers, x, least)
static inline __attribute__((always_inline)) V NAME(weight)(const Exp *e, V x, V least) {
  I n;
  V p = exp_split(e, pmax_(x, least), &n);
  return p * power_of_two(n);
}
#else
#define WEIGHTS
#define WEIGHT exp_
#endif

// Scores become exponentials against the largest so far, `most`; `shrink` is what the sums so far
// are to be multiplied by.
static NOINLINE void NAME(exponentials)(S *s, uint32_t lanes, uint32_t keys, S *most, S *total,
                                        S *shrink) {
  WEIGHTS;
  for (uint32_t i = 0; i < lanes; i += 2 * LANES) {
    V top[2], old[2], sum[2] = {0};
    UNROLL for (int n = 0; n < 2; n++) old[n] = top[n] = load(most + i + n * LANES);
    for (uint32_t j = 0; j < keys; j++) {
      UNROLL for (int n = 0; n < 2; n++) {
        top[n] = pmax_(top[n], load(s + j * BLOCK + i + n * LANES));
      }
    }
    UNROLL for (int n = 0; n < 2; n++) {
      store(most + i + n * LANES, top[n]);
      // A query that has seen nothing keeps sums of zero.
      top[n] = select(top[n] == (S)-INFINITY, splat((S)0), top[n]);
    }
    for (uint32_t j = 0; j < keys; j++) {
      S *at = s + j * BLOCK + i;
      // Nothing is stored before all is read: so V8 can pair both.
      V e[2];
      UNROLL for (int n = 0; n < 2; n++) sum[n] += e[n] = WEIGHT(load(at + n * LANES) - top[n]);
      UNROLL for (int n = 0; n < 2; n++) store(at + n * LANES, e[n]);
    }
    UNROLL for (int n = 0; n < 2; n++) {
      V factor = WEIGHT(old[n] - top[n]);
      store(shrink + i + n * LANES, factor);
      store(total + i + n * LANES, load(total + i + n * LANES) * factor + sum[n]);
    }
  }
}

static NOINLINE void NAME(scale_row)(S *x, uint32_t n, S factor) {
  uint32_t i = 0;
  for (; i + LANES <= n; i += LANES) store(x + i, load(x + i) * factor);
  for (; i < n; i++) x[i] *= factor;
}

#define HEAD(x) (n * (size_t)p->x##_batch + h * (size_t)p->x##_head)
#define OPERAND(x, row) {IN(S, x) + HEAD(x) + (row) * (size_t)p->x##_row, p->x##_row}
#define VIEW                                                   \
  {.bias = p->biased ? IN(S, bias) + HEAD(bias) : NULL,        \
   .mask = p->masked ? IN(uint8_t, mask) + HEAD(mask) : NULL,  \
   .bias_row = p->bias_row,                                    \
   .mask_row = p->mask_row,                                    \
   .causal = p->causal}
#define ROW(x, width, row) ((x) + (((size_t)n * p->rows + (row)) * p->heads + h) * (width))
#define GRADIENT(x, width, row) \
  (OUT(S, x) + n * (size_t)p->x##_batch + (row) * (size_t)p->x##_row + h * (width))

// BLOCK queries of one head.
static NOINLINE void NAME(attend)(const attention_params *p, uint32_t n, uint32_t h, uint32_t i0,
                                  S *scratch) {
  const uint32_t rows = MIN(BLOCK, p->rows - i0), lanes = NAME(lanes_of)(rows);
  const NAME(view) view = VIEW;
  S *s = scratch, *turned = s + BLOCK * BLOCK + TILE_N, *copy = turned + BLOCK * p->size;
  S most[BLOCK], total[BLOCK] = {0}, shrink[BLOCK];
  for (uint32_t i = 0; i < lanes; i++) most[i] = (S)-INFINITY;
  S *out = ROW(OUT(S, out), p->width, i0);
  S *lse = OUT(S, lse) + (n * p->heads + h) * (size_t)p->rows;
  const size_t step = (size_t)p->heads * p->width;
  NAME(rows_of) q = OPERAND(q, i0), keys = {s, BLOCK};
  q = NAME(turn)(q, rows, p->size, (S)F64(p->scale), turned);
  const uint32_t last = NAME(seen)(&view, i0 + rows, p->keys);
  for (uint32_t j0 = 0; j0 < last; j0 += BLOCK) {
    const uint32_t count = MIN(BLOCK, last - j0);
    const NAME(rows_of) k = OPERAND(k, j0), v = OPERAND(v, j0);
    NAME(multiply)(false, k, q, count, lanes, p->size, s, BLOCK, false);
    NAME(hide)(s, &view, i0, rows, j0, count);
    NAME(exponentials)(s, lanes, count, most, total, shrink);
    for (uint32_t i = 0; j0 > 0 && i < rows; i++)
      if (shrink[i] != 1) NAME(scale_row)(out + i * step, p->width, shrink[i]);
    const NAME(rows_of) right = NAME(right)(v, count, p->width, copy);
    NAME(multiply)(true, keys, right, rows, p->width, count, out, step, j0 > 0);
  }
  for (uint32_t i = 0; i < lanes; i += LANES)
    store(most + i, load(most + i) + log_(load(total + i)));
  for (uint32_t i = 0; i < rows; i++) {
    NAME(scale_row)(out + i * step, p->width, 1 / total[i]);
    lse[i0 + i] = most[i];
  }
}

KERNEL(attention) {
  const uint32_t blocks = (p->rows + BLOCK - 1) / BLOCK;
  const uint32_t last = MIN(end * p->per_unit, p->batch * p->heads * blocks);
  S *scratch = OUT(S, scratch) + (size_t)begin * p->slice;
  for (uint32_t job = begin * p->per_unit; job < last; job++) {
    const uint32_t head = job / blocks;
    NAME(attend)(p, head / p->heads, head % p->heads, job % blocks * BLOCK, scratch);
  }
}

// ---- Backward -----------------------------------------------------------------------------------

// With p = exp(s - lse): s becomes p, and dp becomes scale p (dp - delta).
static NOINLINE void NAME(slopes)(S *s, S *dp, uint32_t lanes, uint32_t keys, const S *lse,
                                  const S *delta, S scale) {
  WEIGHTS;
  const V factor = splat(scale);
  for (uint32_t j = 0; j < keys; j++, s += BLOCK, dp += BLOCK) {
    for (uint32_t i = 0; i < lanes; i += 2 * LANES) {
      V e[2], slope[2];
      UNROLL for (int n = 0; n < 2; n++) {
        const uint32_t at = i + n * LANES;
        e[n] = WEIGHT(load(s + at) - load(lse + at));
        slope[n] = e[n] * (load(dp + at) - load(delta + at)) * factor;
      }
      UNROLL for (int n = 0; n < 2; n++) store(s + i + n * LANES, e[n]);
      UNROLL for (int n = 0; n < 2; n++) store(dp + i + n * LANES, slope[n]);
    }
  }
}

static NOINLINE S NAME(inner)(const S *a, const S *b, uint32_t n) {
  V sum = {0};
  uint32_t i = 0;
  for (; i + LANES <= n; i += LANES) sum += load(a + i) * load(b + i);
  if (i < n) sum += load_tail(a + i, n - i, 0) * load_tail(b + i, n - i, 0);
  return sum_lanes(sum);
}

// The queries [i0, i1) and keys [j0, j1) of one head; of one of them all.
typedef struct {
  uint32_t n, h, i0, i1, j0, j1;
} NAME(part);

// What BLOCK queries from i0 give to the keys of `part`, and get from them.
static NOINLINE void NAME(learn)(const attentionBackward_params *p, const NAME(part) * part,
                                 uint32_t i0, S *scratch) {
  const uint32_t n = part->n, h = part->h, size = p->size, width = p->width;
  const uint32_t rows = MIN(BLOCK, part->i1 - i0), lanes = NAME(lanes_of)(rows);
  const NAME(view) view = VIEW;
  S *s = scratch, *dp = s + BLOCK * BLOCK + TILE_N, *turned = dp + BLOCK * BLOCK + TILE_N;
  S *turned_g = turned + BLOCK * size, *copy_q = turned_g + BLOCK * width;
  S *copy_g = copy_q + BLOCK * MAX(size, TILE_N), *copy_k = copy_g + BLOCK * MAX(width, TILE_N);
  const NAME(rows_of) q = OPERAND(q, i0), g = OPERAND(g, i0);
  const NAME(rows_of) weights = {s, BLOCK}, scores = {dp, BLOCK};
  const S scale = (S)F64(p->scale), *out = ROW(IN(S, out), width, i0);
  const S *sums = IN(S, lse) + (n * p->heads + h) * (size_t)p->rows + i0;
  S lse[BLOCK] = {0}, delta[BLOCK] = {0};
  for (uint32_t i = 0; i < rows; i++) {
    lse[i] = sums[i];
    delta[i] = NAME(inner)(g.at + i * g.step, out + i * (size_t)p->heads * width, width);
  }
  const NAME(rows_of) qt = NAME(turn)(q, rows, size, scale, turned);
  const NAME(rows_of) gt = NAME(turn)(g, rows, width, 1, turned_g);
  const bool to_query = p->wanted & WANT_QUERY, to_key = p->wanted & WANT_KEY;
  NAME(rows_of) right_q = q, right_g = g;
  if (to_key) right_q = NAME(right)(q, rows, size, copy_q);
  if (to_key) right_g = NAME(right)(g, rows, width, copy_g);
  S *dq = GRADIENT(dq, size, i0);
  const uint32_t last = NAME(seen)(&view, i0 + rows, part->j1);
  const bool add = i0 > part->i0;
  for (uint32_t j = MAX(last, part->j0); to_key && !add && j < part->j1; j++) {
    memset(GRADIENT(dk, size, j), 0, size * sizeof(S));
    memset(GRADIENT(dv, width, j), 0, width * sizeof(S));
  }
  for (uint32_t j0 = part->j0; j0 < last; j0 += BLOCK) {
    const uint32_t count = MIN(BLOCK, last - j0);
    const NAME(rows_of) k = OPERAND(k, j0), v = OPERAND(v, j0);
    NAME(multiply)(false, k, qt, count, lanes, size, s, BLOCK, false);
    NAME(hide)(s, &view, i0, rows, j0, count);
    NAME(multiply)(false, v, gt, count, lanes, width, dp, BLOCK, false);
    NAME(slopes)(s, dp, lanes, count, lse, delta, scale);
    if (to_key) {
      S *dk = GRADIENT(dk, size, j0), *dv = GRADIENT(dv, width, j0);
      NAME(multiply)(false, weights, right_g, count, width, rows, dv, p->dv_row, add);
      NAME(multiply)(false, scores, right_q, count, size, rows, dk, p->dk_row, add);
    }
    if (to_query) {
      const NAME(rows_of) right_k = NAME(right)(k, count, size, copy_k);
      NAME(multiply)(true, scores, right_k, rows, size, count, dq, p->dq_row, j0 > part->j0);
    }
  }
}

// A job is one head (both gradients at once), or a span of its queries or of its keys.
KERNEL(attentionBackward) {
  const uint32_t row_parts = (p->rows + p->row_span - 1) / p->row_span;
  const uint32_t key_parts = (p->keys + p->key_span - 1) / p->key_span;
  const uint32_t parts = row_parts * key_parts;
  const uint32_t last = MIN(end * p->per_unit, p->batch * p->heads * parts);
  S *scratch = OUT(S, scratch) + (size_t)begin * p->slice;
  for (uint32_t job = begin * p->per_unit; job < last; job++) {
    const uint32_t head = job / parts, n = head / p->heads, h = head % p->heads;
    const uint32_t i0 = job % parts / key_parts * p->row_span;
    const uint32_t j0 = job % parts % key_parts * p->key_span;
    const NAME(part) part = {
        n, h, i0, MIN(i0 + p->row_span, p->rows), j0, MIN(j0 + p->key_span, p->keys)};
    for (uint32_t i = i0; i < part.i1; i += BLOCK) NAME(learn)(p, &part, i, scratch);
  }
}

#undef HEAD
#undef WEIGHT
#undef WEIGHTS
#undef OPERAND
#undef VIEW
#undef ROW
#undef GRADIENT
#endif
