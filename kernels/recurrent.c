// Recurrent networks: single cells, and whole sequences of them. gi and gh are the products of
// input and hidden state with their weights, [batch, gates * size]. Units are rows of the batch,
// which know nothing of each other: a thread takes its rows through all steps without waiting.
#include "kernel.h"
#ifndef S
#define SOURCE "recurrent.c"
#include "each_real.h"
#else
#include "gemm_tile.h"

#ifndef RECURRENT_ONCE
#define RECURRENT_ONCE
enum { TANH = 0, RELU = 1, GRU = 2, LSTM = 3 };  // mode
// Rows a thread takes through the sequence at once: their products stay in cache.
enum { TOGETHER = 32 };
#endif

MAIN_ROWS

// ---- One row of a cell --------------------------------------------------------------------------

#define GET(q) (left >= LANES ? load((q) + i) : load_tail((q) + i, left, 0))
#define GET_OR_ZERO(q) ((q) ? GET(q) : splat((S)0))
#define PUT(q, v) (left >= LANES ? store((q) + i, v) : store_tail((q) + i, v, left))
#define EACH_VECTOR                                                                      \
  for (uint32_t i = 0, left = size; i < size; i += LANES, left = size - i)

// h = tanh(gi + gh), or relu.
static NOINLINE void NAME(rnn)(const S *gi, const S *gh, S *h, uint32_t size, bool relu) {
  EACH_VECTOR {
    V sum = GET(gi) + GET(gh);
    PUT(h, relu ? max_(sum, splat((S)0)) : tanh_(sum));
  }
}

// Gradient of gi, and of gh.
static NOINLINE void NAME(rnn_back)(const S *g, const S *h, S *gx, uint32_t size, bool relu) {
  EACH_VECTOR {
    V y = GET(h), v = GET(g);
    PUT(gx, relu ? select(y > 0, v, splat((S)0)) : v * ((S)1 - y * y));
  }
}

// i, f, o = sigmoid, g = tanh of gi + gh (order i f g o); next = f c + i g; h = o tanh(next).
// `gates` keeps i f g o. Without c it is zero.
static NOINLINE void NAME(lstm)(const S *gi, const S *gh, const S *c, S *h, S *next, S *gates,
                                uint32_t size) {
  EACH_VECTOR {
    V in = sigmoid_(GET(gi) + GET(gh));
    V forget = sigmoid_(GET(gi + size) + GET(gh + size));
    V cell = tanh_(GET(gi + 2 * size) + GET(gh + 2 * size));
    V out = sigmoid_(GET(gi + 3 * size) + GET(gh + 3 * size));
    V state = forget * GET_OR_ZERO(c) + in * cell;
    PUT(gates, in);
    PUT(gates + size, forget);
    PUT(gates + 2 * size, cell);
    PUT(gates + 3 * size, out);
    PUT(next, state);
    PUT(h, out * tanh_(state));
  }
}

// Gradients of gi (and of gh, the same) and of c, from those of h and next, each of which may be
// absent.
static NOINLINE void NAME(lstm_back)(const S *gates, const S *c, const S *next, const S *g_h,
                                     const S *g_next, S *gx, S *gc, uint32_t size) {
  V one = splat((S)1);
  EACH_VECTOR {
    V in = GET(gates), forget = GET(gates + size);
    V cell = GET(gates + 2 * size), out = GET(gates + 3 * size);
    V squashed = tanh_(GET(next));
    V dh = GET_OR_ZERO(g_h), dc = GET_OR_ZERO(g_next);
    dc += dh * out * (one - squashed * squashed);
    PUT(gx, dc * cell * in * (one - in));
    PUT(gx + size, dc * GET_OR_ZERO(c) * forget * (one - forget));
    PUT(gx + 2 * size, dc * in * (one - cell * cell));
    PUT(gx + 3 * size, dh * squashed * out * (one - out));
    PUT(gc, dc * forget);
  }
}

// r, z = sigmoid(gi + gh + bias), n = tanh(gi + r (gh + bias)) (order r z n); next = n + z (h - n).
// `gates` keeps r z n, `hidden` (if wanted) what r is multiplied with. Without h it is zero.
static NOINLINE void NAME(gru)(const S *gi, const S *gh, const S *bias, const S *h, S *next,
                               S *gates, S *hidden, uint32_t size) {
  EACH_VECTOR {
    V from_r = GET(gh), from_z = GET(gh + size), from_n = GET(gh + 2 * size);
    if (bias) {
      from_r += GET(bias);
      from_z += GET(bias + size);
      from_n += GET(bias + 2 * size);
    }
    V reset = sigmoid_(GET(gi) + from_r);
    V update = sigmoid_(GET(gi + size) + from_z);
    V fresh = tanh_(GET(gi + 2 * size) + reset * from_n);
    PUT(gates, reset);
    PUT(gates + size, update);
    PUT(gates + 2 * size, fresh);
    if (hidden) PUT(hidden, from_n);
    PUT(next, fresh + update * (GET_OR_ZERO(h) - fresh));
  }
}

// Gradients of gi, gh and h; that of h may take the place of g.
static NOINLINE void NAME(gru_back)(const S *g, const S *gates, const S *hidden, const S *h, S *ggi,
                                    S *ggh, S *g_h, uint32_t size) {
  V one = splat((S)1);
  EACH_VECTOR {
    V reset = GET(gates), update = GET(gates + size), fresh = GET(gates + 2 * size), v = GET(g);
    V dn = v * (one - update) * (one - fresh * fresh);
    V dz = v * (GET_OR_ZERO(h) - fresh) * update * (one - update);
    V dr = dn * GET(hidden) * reset * (one - reset);
    PUT(ggi, dr);
    PUT(ggh, dr);
    PUT(ggi + size, dz);
    PUT(ggh + size, dz);
    PUT(ggi + 2 * size, dn);
    PUT(ggh + 2 * size, dn * reset);
    PUT(g_h, v * update);
  }
}

// ---- Cells --------------------------------------------------------------------------------------

// Row u of a matrix of `width` columns.
#define AT(q, width) ((q) + (size_t)u * (width))
#define EACH_UNIT for (uint32_t u = begin; u < end; u++)

KERNEL(rnnCell) {
  const uint32_t n = p->size;
  EACH_UNIT NAME(rnn)(AT(IN(S, gi), n), AT(IN(S, gh), n), AT(OUT(S, h), n), n, p->relu);
}

KERNEL(rnnCellBackward) {
  const uint32_t n = p->size;
  EACH_UNIT NAME(rnn_back)(AT(IN(S, g), n), AT(IN(S, h), n), AT(OUT(S, gx), n), n, p->relu);
}

KERNEL(lstmCell) {
  const uint32_t n = p->size;
  EACH_UNIT NAME(lstm)(AT(IN(S, gi), 4 * n), AT(IN(S, gh), 4 * n), AT(IN(S, c), n),
                       AT(OUT(S, h), n), AT(OUT(S, next), n), AT(OUT(S, gates), 4 * n), n);
}

KERNEL(lstmCellBackward) {
  const uint32_t n = p->size;
  EACH_UNIT NAME(lstm_back)(AT(IN(S, gates), 4 * n), AT(IN(S, c), n), AT(IN(S, next), n),
                            p->hasH ? AT(IN(S, gh), n) : NULL,
                            p->hasNext ? AT(IN(S, gnext), n) : NULL, AT(OUT(S, gx), 4 * n),
                            AT(OUT(S, gc), n), n);
}

KERNEL(gruCell) {
  const uint32_t n = p->size;
  EACH_UNIT NAME(gru)(AT(IN(S, gi), 3 * n), AT(IN(S, gh), 3 * n), NULL, AT(IN(S, h), n),
                      AT(OUT(S, next), n), AT(OUT(S, gates), 3 * n), NULL, n);
}

KERNEL(gruCellBackward) {
  const uint32_t n = p->size;
  EACH_UNIT NAME(gru_back)(AT(IN(S, g), n), AT(IN(S, gates), 3 * n), AT(IN(S, gh), 3 * n) + 2 * n,
                           AT(IN(S, h), n), AT(OUT(S, ggi), 3 * n), AT(OUT(S, ggh), 3 * n),
                           AT(OUT(S, gHidden), n), n);
}

// ---- Sequences ----------------------------------------------------------------------------------

// A right operand [depth, width] of any strides in panels [panel][k][TILE_N], columns past the end
// zero. Units are 16 columns, a multiple of every TILE_N.
KERNEL(recurrentPack) {
  const S *x = IN(S, x);
  for (uint32_t u = begin; u < end; u++) {
    for (uint32_t j = u * 16; j < MIN((u + 1) * 16, p->width); j += TILE_N) {
      S *out = OUT(S, out) + (size_t)j * p->depth;
      for (uint32_t k = 0; k < p->depth; k++) {
        for (uint32_t n = 0; n < TILE_N; n++) {
          size_t at = k * (size_t)p->x_depth + (j + n) * (size_t)p->x_width;
          *out++ = j + n < p->width ? x[at] : 0;
        }
      }
    }
  }
}

// out[rows, width] = (add: +=) a [rows, depth] times packed b; rows of out hold whole tiles.
static NOINLINE void NAME(product)(const S *a, const S *b, S *out, uint32_t rows, uint32_t depth,
                                   uint32_t width, size_t step, bool add) {
  NAME(target) t = {.row = step, .col = 1, .j1 = TILE_N};
  for (uint32_t j = 0; j < width; j += TILE_N) {
    for (uint32_t k0 = 0; k0 < depth; k0 += DEPTH_BLOCK) {
      const uint32_t some = MIN(DEPTH_BLOCK, depth - k0);
      t.add = add || k0 > 0;
      uint32_t i = 0;
#if STRIPS
      const uint32_t tiles = rows / TILE_M;
      NAME(row_strips)(tiles, some, a + k0, depth, b, TILE_N, out + j, step, t.add);
      i = tiles * TILE_M;
#endif
      for (; i < rows; i += TILE_M) {
        t.i1 = MIN(TILE_M, rows - i);
        t.c = out + i * step + j;
        NAME(rows_main)(some, a + (size_t)i * depth + k0, depth, b, TILE_N, &t);
      }
      b += (size_t)some * TILE_N;
    }
  }
}

static inline void NAME(copy_rows)(S *to, size_t to_step, const S *from, size_t from_step,
                                   uint32_t rows, uint32_t size) {
  for (uint32_t i = 0; i < rows; i++) {
    if (from)
      memcpy(to + i * to_step, from + i * from_step, size * sizeof(S));
    else
      memset(to + i * to_step, 0, size * sizeof(S));
  }
}

// Step s of a sweep: the time it is at, and rows from r0 of a tensor [time, batch, width] there.
#define TIME(s) (p->reverse ? p->steps - 1 - (s) : (s))
#define ROWS(type, name, t, width) (type(S, name) + ((size_t)(t) * p->batch + r0) * (width))
// Whether row i takes part at time t; a row behind its end keeps its state.
#define ACTIVE(i, t) (!lengths || (t) < (uint32_t)lengths[r0 + (i)])
#define LENGTHS (p->hasLengths ? IN(int32_t, lengths) : NULL)
// Rows from r0 of an optional tensor [batch, size].
#define STATE(name, flag) (p->flag ? IN(S, name) + (size_t)r0 * size : NULL)

// Rows up to the last that takes part at time t.
static inline uint32_t NAME(living)(const int32_t *lengths, uint32_t r0, uint32_t rows,
                                    uint32_t t) {
  while (rows > 0 && !ACTIVE(rows - 1, t)) rows--;
  return rows;
}

// Rows [r0, r0 + rows) through all steps; gh has room for their products.
static NOINLINE void NAME(sweep)(const recurrentSequence_params *p, uint32_t r0, uint32_t rows,
                                 S *gh) {
  const uint32_t size = p->size, mode = p->mode, gates = mode < GRU ? 1 : mode + 1;
  const uint32_t wide = gates * size, kept = mode < GRU ? 0 : 4 * size;
  const S *h = STATE(h0, hasH), *c = mode == LSTM ? STATE(c0, hasC) : NULL;
  const S *bias = mode == GRU && p->hasBias ? IN(S, bias) : NULL;
  const int32_t *lengths = LENGTHS;
  for (uint32_t s = 0; s < p->steps; s++) {
    const uint32_t t = TIME(s);
    const S *gi = ROWS(IN, gi, t, wide);
    S *out = ROWS(OUT, out, t, size), *keep = ROWS(OUT, gates, t, kept);
    S *cells = mode == LSTM ? ROWS(OUT, cells, t, size) : NULL;
    const uint32_t living = NAME(living)(lengths, r0, rows, t);
    if (h)
      NAME(product)(h, IN(S, weight), gh, living, size, wide, p->step, false);
    else
      memset(gh, 0, (size_t)living * p->step * sizeof(S));
    for (uint32_t i = 0; i < rows; i++) {
      const S *x = gi + i * (size_t)wide, *y = gh + i * (size_t)p->step;
      const size_t at = i * (size_t)size;
      S *to = out + at, *saved = keep + i * (size_t)kept;
      if (!ACTIVE(i, t)) {
        NAME(copy_rows)(to, size, h ? h + at : NULL, size, 1, size);
        if (mode == LSTM) NAME(copy_rows)(cells + at, size, c ? c + at : NULL, size, 1, size);
        NAME(copy_rows)(saved, kept, NULL, kept, 1, kept);
      } else if (mode == LSTM)
        NAME(lstm)(x, y, c ? c + at : NULL, to, cells + at, saved, size);
      else if (mode == GRU)
        NAME(gru)(x, y, bias, h ? h + at : NULL, to, saved, saved + wide, size);
      else
        NAME(rnn)(x, y, to, size, mode == RELU);
    }
    h = out;
    c = cells;
  }
  NAME(copy_rows)(OUT(S, last) + (size_t)r0 * size, size, h, size, rows, size);
  if (mode == LSTM)
    NAME(copy_rows)(OUT(S, lastCell) + (size_t)r0 * size, size, c, size, rows, size);
}

// The same backwards: dh and dc, rows of `step`, are the gradients of the states on their way.
static NOINLINE void NAME(sweep_back)(const recurrentBackward_params *p, uint32_t r0, uint32_t rows,
                                      S *dh, S *dc) {
  const uint32_t size = p->size, mode = p->mode, gates = mode < GRU ? 1 : mode + 1;
  const uint32_t wide = gates * size, kept = mode < GRU ? 0 : 4 * size;
  const S *h0 = STATE(h0, hasH), *c0 = STATE(c0, hasC);
  const int32_t *lengths = LENGTHS;
  NAME(copy_rows)(dh, p->step, STATE(glast, hasLast), size, rows, size);
  if (mode == LSTM) NAME(copy_rows)(dc, p->step, STATE(gcell, hasCell), size, rows, size);
  for (uint32_t s = p->steps; s-- > 0;) {
    const uint32_t t = TIME(s), before = s > 0 ? TIME(s - 1) : 0;
    const S *g = p->hasG ? ROWS(IN, g, t, size) : NULL, *keep = ROWS(IN, gates, t, kept);
    const S *h = s > 0 ? ROWS(IN, out, before, size) : h0, *out = ROWS(IN, out, t, size);
    const S *cells = mode == LSTM ? ROWS(IN, cells, t, size) : NULL;
    const S *c = mode == LSTM && s > 0 ? ROWS(IN, cells, before, size) : c0;
    S *ggi = ROWS(OUT, ggi, t, wide), *ggh = mode == GRU ? ROWS(OUT, ggh, t, wide) : ggi;
    for (uint32_t r = 0; r < rows; r++) {
      const size_t at = r * (size_t)size, far = r * (size_t)wide;
      const S *from = keep + r * (size_t)kept;
      S *d = dh + r * (size_t)p->step;
      if (g) EACH_VECTOR PUT(d, GET(d) + GET(g + at));
      if (!ACTIVE(r, t)) {
        NAME(copy_rows)(ggi + far, wide, NULL, wide, 1, wide);
        NAME(copy_rows)(ggh + far, wide, NULL, wide, 1, wide);
        continue;
      }
      if (mode == LSTM)
        NAME(lstm_back)(from, c ? c + at : NULL, cells + at, d, dc + r * (size_t)p->step, ggi + far,
                        dc + r * (size_t)p->step, size);
      else if (mode == GRU)
        NAME(gru_back)(d, from, from + wide, h ? h + at : NULL, ggi + far, ggh + far, d, size);
      else
        NAME(rnn_back)(d, out + at, ggi + far, size, mode == RELU);
      if (mode != GRU) NAME(copy_rows)(d, size, NULL, size, 1, size);
    }
    const uint32_t living = NAME(living)(lengths, r0, rows, t);
    NAME(product)(ggh, IN(S, weight), dh, living, wide, size, p->step, true);
  }
  NAME(copy_rows)(OUT(S, gh0) + (size_t)r0 * size, size, dh, p->step, rows, size);
  if (mode == LSTM)
    NAME(copy_rows)(OUT(S, gc0) + (size_t)r0 * size, size, dc, p->step, rows, size);
}

// A unit is `rows` rows of the batch, with as many rows of scratch.
#define EACH_PART                                                                               \
  for (uint32_t r0 = begin * p->rows, last = MIN(end * p->rows, p->batch), rows; r0 < last;     \
       r0 += rows)                                                                              \
    if ((rows = MIN(TOGETHER, last - r0)))

KERNEL(recurrentSequence) {
  S *gh = OUT(S, scratch) + (size_t)begin * p->rows * p->step;
  EACH_PART NAME(sweep)(p, r0, rows, gh);
}

KERNEL(recurrentBackward) {
  const uint32_t most = MIN(TOGETHER, (end - begin) * p->rows);
  S *dh = OUT(S, scratch) + (size_t)begin * p->rows * p->step * 2;
  EACH_PART NAME(sweep_back)(p, r0, rows, dh, dh + (size_t)most * p->step);
}

#undef GET
#undef GET_OR_ZERO
#undef PUT
#undef EACH_VECTOR
#undef AT
#undef EACH_UNIT
#undef TIME
#undef ROWS
#undef ACTIVE
#undef LENGTHS
#undef STATE
#undef EACH_PART
#endif
