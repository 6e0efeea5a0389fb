// Values and positions of the maxima or minima of the middle of [outer, n, inner]: the first of
// equals, a NaN before all. Minima are found as the maxima of the reversed order: bits ^ flip (the
// sign bit of reals, all bits of integers).
#include "kernel.h"
#ifndef S
#include "reduce.h"
#define SOURCE "reduce_extreme.c"
#include "each_number.h"
#else

#if REAL
#define FLIP(p) ((p)->least ? (S)-0.0 : (S)0)
#else
#define FLIP(p) ((S)-(S)((p)->least != 0))
#endif
#define TURN(v) ((V)((I)(v) ^ (I)flip))

static inline V NAME(greatest)(const S *x, uint32_t n, V flip) {
  V low = TURN(splat(x[0])), a[4] = {low, low, low, low};
  uint32_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES)
    UNROLL for (int k = 0; k < 4; k++) a[k] = max_(a[k], TURN(load(x + i + k * LANES)));
  for (; i + LANES <= n; i += LANES) a[0] = max_(a[0], TURN(load(x + i)));
  if (i < n) a[1] = max_(a[1], TURN(load_tail(x + i, n - i, x[0])));
  return splat(max_lanes(max_(max_(a[0], a[2]), max_(a[1], a[3]))));
}

// Lanes of v that are `most`, a NaN being any NaN.
static inline I NAME(same)(V v, V most) { return (v == most) | (isnan_(v) & isnan_(most)); }

// Position of the first value that is `most`. There is one.
static inline uint32_t NAME(first)(const S *x, uint32_t n, V most, V flip) {
  uint32_t i = 0;
  // Passes by what it is not in, four vectors at a time; NaN, which equals nothing, is searched below.
  if (!any_(isnan_(most)))
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
      I found = TURN(load(x + i)) == most;
      UNROLL for (int k = 1; k < 4; k++) found |= TURN(load(x + i + k * LANES)) == most;
      if (any_(found)) break;
    }
  while (i + LANES <= n && !any_(NAME(same)(TURN(load(x + i)), most))) i += LANES;
  while (i + 1 < n && !NAME(same)(TURN(splat(x[i])), most)[0]) i++;
  return i;
}

// Short rows: lanes are rows.
static uint32_t NAME(extreme_short)(const S *x, S *values, int32_t *indices, uint32_t n,
                                    uint32_t begin, uint32_t end, V flip) {
  uint32_t r = begin;
  for (; r + LANES <= end; r += LANES) {
    const S *row = x + (size_t)r * n;
    V best = TURN(load_strided(row, n));
    I at = {0}, position = {0};
    for (uint32_t j = 1; j < n; j++) {
      V v = TURN(load_strided(row + j, n));
      position += 1;
      I better = ((v > best) | isnan_(v)) & ~isnan_(best);
      best = select(better, v, best);
      at = select(better, position, at);
    }
    store(values + r, TURN(best));
    for (int k = 0; k < LANES; k++) indices[r + k] = (int32_t)at[k];
  }
  return r;
}

static void NAME(extreme_columns)(const S *x, S *values, int32_t *indices, uint32_t rows,
                                  uint32_t count, uint32_t stride, V flip) {
  V best[REDUCE_VECTORS];
  I at[REDUCE_VECTORS];
  uint32_t vectors = (count + LANES - 1) / LANES, whole = count / LANES, tail = count % LANES;
  for (uint32_t c = 0; c < vectors; c++) {
    best[c] = TURN(c < whole ? load(x + c * LANES) : load_tail(x + c * LANES, tail, 0));
    at[c] = (I){0};
  }
  const S *row = x + stride;
  for (uint32_t r = 1; r < rows; r++, row += stride) {
    I position = (I)splat_as((I){0}, r);
    for (uint32_t c = 0; c < vectors; c++) {
      const S *from = row + c * LANES;
      V v = TURN(c < whole ? load(from) : load_tail(from, tail, 0));
      I better = ((v > best[c]) | isnan_(v)) & ~isnan_(best[c]);
      best[c] = select(better, v, best[c]);
      at[c] = select(better, position, at[c]);
    }
  }
  for (uint32_t c = 0; c < count; c++) {
    indices[c] = (int32_t)at[c / LANES][c % LANES];
    values[c] = TURN(best[c / LANES])[c % LANES];
  }
}

// inner = 1: units are rows. Else units are chunks of columns of one outer index.
KERNEL(extreme) {
  const S *x = IN(S, x);
  S *values = OUT(S, values);
  int32_t *indices = OUT(int32_t, indices);
  uint32_t n = p->n, inner = p->inner;
  V flip = splat(FLIP(p));
  if (inner == 1) {
    uint32_t r = begin;
    if (n <= REDUCE_SHORT) r = NAME(extreme_short)(x, values, indices, n, begin, end, flip);
    for (; r < end; r++) {
      const S *row = x + (size_t)r * n;
      uint32_t at = NAME(first)(row, n, NAME(greatest)(row, n, flip), flip);
      indices[r] = (int32_t)at;
      values[r] = row[at];
    }
    return;
  }
  uint32_t chunks = (inner + REDUCE_COLUMNS - 1) / REDUCE_COLUMNS;
  for (uint32_t u = begin; u < end; u++) {
    uint32_t o = u / chunks, first = u % chunks * REDUCE_COLUMNS;
    size_t to = (size_t)o * inner + first;
    NAME(extreme_columns)(x + (size_t)o * n * inner + first, values + to, indices + to, n,
                          MIN(REDUCE_COLUMNS, inner - first), inner, flip);
  }
}

// Long rows in two steps: units are blocks of rows, each giving its own best value;
KERNEL(extremeBlock) {
  const S *x = IN(S, x);
  S *best = OUT(S, best);
  V flip = splat(FLIP(p));
  for (uint32_t u = begin; u < end; u++) {
    uint32_t o = u / p->blocks, b = u % p->blocks;
    const S *from = x + (size_t)o * p->n + (size_t)b * p->block;
    best[u] = TURN(NAME(greatest)(from, MIN(p->block, p->n - b * p->block), flip))[0];
  }
}

// then units are rows: the first block that has the best value is searched for its position.
KERNEL(extremeFind) {
  const S *x = IN(S, x), *best = IN(S, best);
  S *values = OUT(S, values);
  int32_t *indices = OUT(int32_t, indices);
  V flip = splat(FLIP(p));
  for (uint32_t r = begin; r < end; r++) {
    const S *partial = best + (size_t)r * p->blocks;
    V most = NAME(greatest)(partial, p->blocks, flip);
    uint32_t start = NAME(first)(partial, p->blocks, most, flip) * p->block;
    const S *row = x + (size_t)r * p->n;
    uint32_t at = start + NAME(first)(row + start, MIN(p->block, p->n - start), most, flip);
    indices[r] = (int32_t)at;
    values[r] = row[at];
  }
}

#undef FLIP
#undef TURN
#endif
