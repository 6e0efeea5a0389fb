// One reduction of [outer, n, inner] over its middle, in a tree whose form depends on the sizes
// only. The includer defines
//   FOLD      name of the kernel          IDENTITY  the value that changes nothing
//   FILL      the value that MAP turns into IDENTITY, if another
//   QUICK     MEET of ordinary values, if that is quicker and MAP changes nothing
//   MEET(a,b) the operation, on vectors   LANES_OF(v) the same across the lanes of one vector
//   MAP(v)    applied to each element     FINISH(v) applied to each result
// A unit of work is `block` values of the middle (inner = 1), or `block` rows of one chunk of
// columns. Each unit writes one partial result, so out is [outer, blocks, inner]; the launch
// repeats on the partials until one block is left. x may lie in rows of `width` (if not 0; `inner`
// if that is more than 1) that are `pitch` apart, of elements `step` apart (1 if inner > 1, but for sums).
#ifndef FILL
#define FILL IDENTITY
#endif
#define FN(part) JOIN(JOIN(FOLD, part), SUFFIX)
#define PARAMS JOIN(FOLD, params)

#define GET(p) (step == 1 ? load(p) : EVERY_OTHER(p))

// n values by eight accumulators, from rows as `lines` tells; behind the last whole eight vectors, of step 1.
static inline __attribute__((always_inline)) V FN(run)(
    const PARAMS *p, const S *x, uint32_t n, const Lines *lines, uint32_t step) {
  (void)p;
  V a[8];
  UNROLL for (int k = 0; k < 8; k++) a[k] = splat((S)(IDENTITY));
  const uint32_t whole = n & ~(8u * LANES - 1), width = lines->width, turn = 8 * LANES * step;
  const ptrdiff_t skip = lines->skip;
  const S *at = x, *end;
#define EACH_ROW                                                                                  \
  for (uint32_t count, left = whole, first = lines->first; left > 0; left -= count, first = width, at += skip) \
    if (count = MIN(left, first), end = at + count * step, true)
#define VECTOR(k) GET(at + (k) * LANES * step)
#ifdef QUICK
  // One instruction instead of eight, right unless there is a NaN, which the sum shows, or zeros
  // may differ in sign; MEET may go on from what it found. Eight accumulators would be more than there are registers.
  V sum[4] = {0};
  EACH_ROW
#pragma clang loop unroll(disable)
    for (; at < end; at += turn / 2)
      UNROLL for (uint32_t k = 0; k < 4; k++) {
        V v = VECTOR(k);
        a[k] = QUICK(a[k], v);
        sum[k] += v;
      }
  I odd = isnan_((sum[0] + sum[1]) + (sum[2] + sum[3]));
  UNROLL for (int k = 0; k < 4; k++) odd |= a[k] == 0;
  if (any_(odd)) {
    at = x;
#else
  {
#endif
    EACH_ROW {
      // With an end in the middle, which never comes, Node 20 adds four before it loads the next; else one sum is
      // spilled.
      __asm__("" : "+r"(end));
#pragma clang loop unroll(disable)
      while (at < end) {
        UNROLL for (uint32_t k = 0; k < 4; k++) a[k] = MEET(a[k], MAP(VECTOR(k)));
        if (at + turn / 2 == end) break;
        UNROLL for (uint32_t k = 4; k < 8; k++) a[k] = MEET(a[k], MAP(VECTOR(k)));
        at += turn;
      }
    }
  }
  if (step == 1) {
    uint32_t i = whole;
    UNROLL for (int k = 0; k < 7; k++, i += LANES) {
      if (i + LANES > n) break;
      a[k] = MEET(a[k], MAP(load(x + i)));
    }
    if (i < n) a[7] = MEET(a[7], MAP(load_tail(x + i, n - i, (S)(FILL))));
  }
  UNROLL for (int k = 0; k < 4; k++) a[k] = MEET(a[k], a[k + 4]);
  return MEET(MEET(a[0], a[2]), MEET(a[1], a[3]));
}

// Rows of n values. Apart, since engines spill sums of a function that holds more.
static NOINLINE void FN(rows)(
    const PARAMS *p, const S *x, S *out, uint32_t count, uint32_t n, const Lines *lines) {
  for (; count > 0; count--, x += n) *out++ = FINISH(splat(LANES_OF(FN(run)(p, x, n, lines, 1))))[0];
}

static NOINLINE void FN(even)(const PARAMS *p, const S *x, S *out, uint32_t n, const Lines *lines) {
  *out = FINISH(splat(LANES_OF(FN(run)(p, x, n, lines, 2))))[0];
}
#undef GET
#undef VECTOR
#undef EACH_ROW

// Short rows: lanes are rows, so each result is the plain sequence of its row.
static inline void FN(short)(const PARAMS *p, const S *x, S *out, uint32_t begin, uint32_t end) {
  uint32_t n = p->n;
  for (uint32_t r = begin; r < end; r += LANES) {
    const S *row = x + (size_t)r * n;
    bool whole = r + LANES <= end;
    V a = splat((S)(IDENTITY));
    if (whole) {
      for (uint32_t j = 0; j < n; j++) a = MEET(a, MAP(load_strided(row + j, n)));
      store(out + r, FINISH(a));
      continue;
    }
    for (uint32_t k = r; k < end; k++, row += n) {
      a = splat((S)(IDENTITY));
      for (uint32_t j = 0; j < n; j++) a = MEET(a, MAP(splat(row[j])));
      out[k] = FINISH(a)[0];
    }
  }
}

// `rows` rows of `count` <= COLUMNS columns, `stride` apart.
static inline void FN(columns)(const PARAMS *p, const S *x, S *out, uint32_t rows, uint32_t count,
                               uint32_t stride) {
  (void)p;
  V a[REDUCE_VECTORS];
  uint32_t whole = count / LANES, tail = count % LANES, r = 0;
  size_t s = stride;
  for (uint32_t c = 0; c <= whole; c++) a[c] = splat((S)(IDENTITY));
#if defined QUICK && LANES == 4
  if (!tail) {
    V sum = {0};
    for (; r + 4 <= rows; r += 4, x += 4 * s)
      for (uint32_t c = 0; c < whole; c++) {
        const S *at = x + c * LANES;
        V v[4] = {load(at), load(at + s), load(at + 2 * s), load(at + 3 * s)};
        a[c] = QUICK(a[c], QUICK(QUICK(v[0], v[1]), QUICK(v[2], v[3])));
        sum += (v[0] + v[1]) + (v[2] + v[3]);
      }
    I odd = isnan_(sum);
    for (uint32_t c = 0; c < whole; c++) odd |= a[c] == 0;
    if (any_(odd)) {
      x -= r * s;
      r = 0;
    }
  }
#endif
  for (; r + 4 <= rows; r += 4, x += 4 * s) {
    for (uint32_t c = 0; c < whole; c++) {
      const S *at = x + c * LANES;
      V low = MEET(MAP(load(at)), MAP(load(at + s)));
      V high = MEET(MAP(load(at + 2 * s)), MAP(load(at + 3 * s)));
      a[c] = MEET(a[c], MEET(low, high));
    }
    if (tail) {
      const S *at = x + whole * LANES, fill = (S)(FILL);
      V low = MEET(MAP(load_tail(at, tail, fill)), MAP(load_tail(at + s, tail, fill)));
      V high = MEET(MAP(load_tail(at + 2 * s, tail, fill)), MAP(load_tail(at + 3 * s, tail, fill)));
      a[whole] = MEET(a[whole], MEET(low, high));
    }
  }
  for (; r < rows; r++, x += s) {
    for (uint32_t c = 0; c < whole; c++) a[c] = MEET(a[c], MAP(load(x + c * LANES)));
    if (tail)
      a[whole] = MEET(a[whole], MAP(load_tail(x + whole * LANES, tail, (S)(FILL))));
  }
  for (uint32_t c = 0; c < whole; c++) store(out + c * LANES, FINISH(a[c]));
  if (tail) store_tail(out + whole * LANES, FINISH(a[whole]), tail);
}

EXPORTED void JOIN(FOLD, SUFFIX)(const PARAMS *p, uint32_t begin, uint32_t end) {
  const S *x = IN(S, x);
  S *out = OUT(S, out);
  uint32_t n = p->n, inner = p->inner, block = p->block, blocks = p->blocks;
  if (inner == 1 && blocks == 1 && !p->width) {
    if (n <= REDUCE_SHORT) FN(short)(p, x, out, begin, end);
    else {
      const Lines lines = {.first = n};
      FN(rows)(p, x + (size_t)begin * n, out + begin, end - begin, n, &lines);
    }
    return;
  }
  S copy[REDUCE_BLOCK];
  const size_t pitch = p->width ? p->pitch : inner, step = p->width ? p->step : 1;
  uint32_t chunks = inner == 1 ? 1 : (inner + REDUCE_COLUMNS - 1) / REDUCE_COLUMNS;
  for (uint32_t u = begin; u < end; u++) {
    uint32_t chunk = u % chunks, b = u / chunks % blocks, o = u / chunks / blocks;
    uint32_t rows = MIN(block, n - b * block), first = chunk * REDUCE_COLUMNS;
    const uint32_t line = o * n + b * block, count = MIN(REDUCE_COLUMNS, inner - first);
    S *to = out + ((size_t)o * blocks + b) * inner + first;
    if (inner == 1) {
      Lines lines = {rows, p->width, (uint32_t)step, 0};
      const S *from = p->width ? side_by_side(copy, x, line, rows, pitch, sizeof(S), &lines) : x + line;
      if (lines.step == 1) FN(rows)(p, from, to, 1, rows, &lines);
      else FN(even)(p, from, to, rows, &lines);
      continue;
    }
    const S *from = x + line * pitch + first * step;
#ifdef COLUMNS_OF_STEP
    if (step != 1) {
      COLUMNS_OF_STEP(p, from, to, rows, count, pitch, step);
      continue;
    }
#endif
    FN(columns)(p, from, to, rows, count, (uint32_t)pitch);
  }
}

#undef FN
#undef PARAMS
#undef FOLD
#undef IDENTITY
#undef FILL
#undef MEET
#undef LANES_OF
#undef MAP
#undef FINISH
#undef QUICK
#undef COLUMNS_OF_STEP
