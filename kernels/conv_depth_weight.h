// Weight gradients of depthwise convolutions of 3 x 3 taps, float32, where pixels lie.

// Adds to sums[3 * kx + ky] the products of a column of taps and of rows c, b, a of g. Engines
// keep this order, and with it all sums in registers.
#define DEPTH_ADD(kx, tap)                            \
  {                                                   \
    const V t = tap;                                  \
    FORGET;                                           \
    UNROLL for (int ky = 2; ky >= 0; ky--) {          \
      sums[3 * kx + ky] = madd(ky == 0 ? c : ky == 1 ? b : a, t, sums[3 * kx + ky]); \
    }                                                 \
    FORGET;                                           \
  }

// Adds to sums what a vector of columns of g gives, q from the first: of a band of rows, and of one
// before and one behind.
#define DEPTH_DOWN(TAPS)                                                   \
  {                                                                        \
    const S *x = b->x + q, *above = b->before + q, *at = b->g + q;         \
    const S *behind = b->behind + q;                                       \
    NO_UNROLL for (uint32_t rows = b->rows; rows > 0; x += cols) {         \
      rows--;                                                              \
      const S *below = rows ? at + cols : behind;                          \
      const V a = load(above), b = load(at), c = load(below);              \
      TAPS                                                                 \
      above = at;                                                          \
      at = below;                                                          \
    }                                                                      \
  }

#define DEPTH_LEFT(m) __builtin_shufflevector((V){0}, m, 3, 4, 5, 6)
#define DEPTH_RIGHT(m) __builtin_shufflevector(m, (V){0}, 1, 2, 3, 4)

// Nine sums of four lanes over the first and the last vector of columns of a band; `keep` are the
// columns that the last has alone.
static NOINLINE void NAME(depth_sides)(const NAME(depth_pair) *b, S *to, I keep) {
  const size_t cols = b->cols;
  V sums[9] = {0};
  size_t q = cols - LANES;
  DEPTH_DOWN(DEPTH_ADD(0, load(x - 1)) const V m = load(x); DEPTH_ADD(1, m)
             DEPTH_ADD(2, DEPTH_RIGHT(m)))
  UNROLL for (int k = 0; k < 9; k++) sums[k] = (V)((I)sums[k] & keep);
  q = 0;
  DEPTH_DOWN(DEPTH_ADD(2, load(x + 1)) const V m = load(x); DEPTH_ADD(1, m)
             DEPTH_ADD(0, DEPTH_LEFT(m)))
  UNROLL for (int k = 0; k < 9; k++) store(to + k * LANES, sums[k]);
}

// Adds one between: in a loop over these some engines would keep no sum in a register.
static NOINLINE void NAME(depth_mid)(const NAME(depth_pair) *b, size_t q, S *to) {
  const size_t cols = b->cols;
  V sums[9];
  UNROLL for (int k = 0; k < 9; k++) sums[k] = load(to + k * LANES);
  DEPTH_DOWN(DEPTH_ADD(2, load(x + 1)) DEPTH_ADD(1, load(x)) DEPTH_ADD(0, load(x - 1)))
  UNROLL for (int k = 0; k < 9; k++) store(to + k * LANES, sums[k]);
}

#ifndef DEPTH_PAIRED
// Sums go along rows longer than these: processors fetch ahead what is read in the order of memory.
enum { DEPTH_LONG = 28 };

// Nine sums, `from`, and what a row of x gives; this order of taps keeps them in registers.
static NOINLINE void NAME(depth_along)(const NAME(depth_pair) *p, const S *from, S *to) {
  const S *x = p->x, *above = p->before, *at = p->g, *below = p->behind;
  const S *last = at + p->cols - LANES;
  V sums[9];
  UNROLL for (int k = 0; k < 9; k++) sums[k] = load(from + k * LANES);
  {
    const V a = load(above), b = load(at), c = load(below), m = load(x);
    DEPTH_ADD(2, load(x + 1)) DEPTH_ADD(1, m) DEPTH_ADD(0, DEPTH_LEFT(m))
  }
  NO_UNROLL for (;;) {
    x += LANES, above += LANES, at += LANES, below += LANES;
    if (at >= last) break;
    const V a = load(above), b = load(at), c = load(below);
    DEPTH_ADD(0, load(x - 1)) DEPTH_ADD(1, load(x)) DEPTH_ADD(2, load(x + 1))
  }
  const int32_t over = at - last;
  const I keep = iota_as((I){0}) >= over;
  x -= over;
  const V a = (V)((I)load(above - over) & keep), b = (V)((I)load(last) & keep);
  const V c = (V)((I)load(below - over) & keep), m = load(x);
  DEPTH_ADD(2, DEPTH_RIGHT(m)) DEPTH_ADD(1, m) DEPTH_ADD(0, load(x - 1))
  UNROLL for (int k = 0; k < 9; k++) store(to + k * LANES, sums[k]);
}
#else
enum { DEPTH_LONG = 24 };

#define DEPTH_ADD_TWO(kx)                                                               \
  {                                                                                     \
    V t[2];                                                                             \
    DEPTH_TWO(t[j] = load(x + (kx - 1 + j * LANES)))                                    \
    FORGET;                                                                             \
    DEPTH_TWO(sums[3 * kx + 2][j] = madd(a[j], t[j], sums[3 * kx + 2][j]))              \
    DEPTH_TWO(sums[3 * kx + 1][j] = madd(b[j], t[j], sums[3 * kx + 1][j]))              \
    DEPTH_TWO(sums[3 * kx][j] = madd(c[j], t[j], sums[3 * kx][j]))                      \
    FORGET;                                                                             \
  }
#define DEPTH_THREE_ROWS                                \
  V a[2], b[2], c[2];                                   \
  DEPTH_TWO(a[j] = load(above + j * LANES))             \
  DEPTH_TWO(b[j] = load(at + j * LANES))                \
  DEPTH_TWO(c[j] = load(below + j * LANES))             \
  DEPTH_ADD_TWO(2) DEPTH_ADD_TWO(1) DEPTH_ADD_TWO(0)
#define DEPTH_PUT_TWO                   \
  UNROLL for (int k = 0; k < 9; k++) DEPTH_TWO(store(to + (2 * k + j) * LANES, sums[k][j]))

// Nine sums of pairs of vectors from the second vector on that end before `last`.
static NOINLINE void NAME(depth_wide)(const NAME(depth_pair) *p, size_t last, S *to) {
  const size_t cols = p->cols;
  V sums[9][2] = {0};
  NO_UNROLL for (size_t q = LANES; q < last; q += 2 * LANES) {
    const S *x = p->x + q, *above = p->before + q, *at = p->g + q, *behind = p->behind + q;
    NO_UNROLL for (uint32_t rows = p->rows; rows > 0; x += cols) {
      rows--;
      const S *below = rows ? at + cols : behind;
      DEPTH_THREE_ROWS
      above = at;
      at = below;
    }
  }
  DEPTH_PUT_TWO
}

// The same in the order of memory.
static NOINLINE void NAME(depth_long)(const NAME(depth_pair) *p, size_t last, S *to) {
  const size_t cols = p->cols;
  const S *from = p->x, *first = p->before, *mid = p->g;
  V sums[9][2] = {0};
  NO_UNROLL for (uint32_t rows = p->rows; rows > 0; from += cols) {
    rows--;
    const S *next = rows ? mid + cols : p->behind;
    const S *x = from + LANES, *above = first + LANES, *at = mid + LANES, *below = next + LANES;
    const S *end = mid + last;
    NO_UNROLL for (; at < end; x += 2 * LANES) {
      DEPTH_THREE_ROWS
      above += 2 * LANES;
      at += 2 * LANES;
      below += 2 * LANES;
    }
    first = mid;
    mid = next;
  }
  DEPTH_PUT_TWO
}
#endif

// The same for a stride of 2, rows in order: four columns of g give those of two rows of x. Not
// fused: what waits for a fused product waits longer than for a sum.
#define DEPTH_PAIRS(edge)                                                                   \
  {                                                                                         \
    const V a = (V)((I)load(g) & mask), c = (V)((I)load(next) & mask);                      \
    V v[3];                                                                                 \
    NAME(depth_apart)(x, edge, v);                                                          \
    UNROLL for (int k = 0; k < 3; k++) sums[3 * k + 1] += a * v[k];                        \
    NAME(depth_apart)(x + across, edge, v);                                                 \
    UNROLL for (int k = 0; k < 3; k++) {                                                    \
      sums[3 * k + 2] += a * v[k];                                                          \
      sums[3 * k] += c * v[k];                                                              \
    }                                                                                       \
  }
static NOINLINE void NAME(depth_pairs)(const S *x, const S *g, const S *behind, size_t width,
                                       uint32_t rows, S *to, I keep) {
  const size_t across = 2 * width;
  V sums[9] = {0};
  NO_UNROLL for (; rows > 0; rows--) {
    const S *next = rows > 1 ? g + width : behind, *last = g + width - LANES;
    I mask = ~(I){0};
    DEPTH_PAIRS(-1)
    NO_UNROLL do {
      x += 2 * LANES, g += LANES, next += LANES;
      if (g >= last) {
        const size_t over = g - last;
        g -= over, next -= over, x -= 2 * over;
        mask = keep;
      }
      DEPTH_PAIRS(0)
    } while (g < last);
    g += LANES;
    x += 2 * LANES + across;
  }
  UNROLL for (int k = 0; k < 9; k++) store(to + k * LANES, sums[k]);
}

// out = from + the lanes of each of four sums.
static inline __attribute__((always_inline)) void NAME(depth_four)(S *out, const S *from,
                                                                   const V *v) {
  const V a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5) +
              __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
  const V b = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5) +
              __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
  store(out, load(from) + __builtin_shufflevector(a, b, 0, 1, 4, 5) +
                 __builtin_shufflevector(a, b, 2, 3, 6, 7));
}
static NOINLINE void NAME(depth_add)(S *out, const S *from, const S *sums) {
  V v[9];
  UNROLL for (int k = 0; k < 9; k++) v[k] = load(sums + (k % 3 * 3 + k / 3) * LANES);
  NAME(depth_four)(out, from, v);
  NAME(depth_four)(out + LANES, from + LANES, v + LANES);
  out[8] = from[8] + sum_lanes(v[8]);
}

// Nine sums of four lanes over a band, along its rows or down its columns.
static inline __attribute__((always_inline)) void NAME(depth_band_sums)(
    const NAME(depth_pair) *band, const S *zeros, S *to, I keep) {
  const uint32_t width = band->cols;
#ifdef DEPTH_PAIRED
  S wide[18 * LANES];
  const bool pairs = width > 3 * LANES;
  if (width > DEPTH_LONG) NAME(depth_long)(band, width - 2 * LANES, wide);
  else if (pairs) NAME(depth_wide)(band, width - 2 * LANES, wide);
  NAME(depth_sides)(band, to, keep);
  uint32_t q = LANES;
  if (pairs) {
    q += (width - LANES - 1) / (2 * LANES) * 2 * LANES;
    UNROLL for (int k = 0; k < 9 * LANES; k += LANES) {
      store(to + k, load(to + k) + (load(wide + 2 * k) + load(wide + 2 * k + LANES)));
    }
  }
  (void)zeros;
#else
  if (width > DEPTH_LONG) {
    NAME(depth_pair) row = *band;
    for (uint32_t i = band->rows; i > 0; zeros = to) {
      row.behind = --i ? row.g + width : band->behind;
      NAME(depth_along)(&row, zeros, to);
      row.before = row.g, row.g = row.behind, row.x += width;
    }
    return;
  }
  NAME(depth_sides)(band, to, keep);
  uint32_t q = LANES;
#endif
  for (; q < width - LANES; q += LANES) NAME(depth_mid)(band, q, to);
}

// The gradients of the weights of channels [unit, last): planes are added up by bands. Scratch is
// nine sums and a row of zeros.
SMALL static void NAME(depth_grads)(const convDepth_params *p, uint32_t unit, uint32_t last,
                                    S *scratch) {
  const uint32_t width = p->out_w, height = p->out_h, step = p->form;
  const size_t size = height * width, pixels = size * step * step;
  const S *zeros = scratch + 9 * LANES;
  const I keep = iota_as((I){0}) >= (int32_t)(-width % LANES);
  // Planes in their order in memory, which processors fetch ahead.
  for (uint32_t n = 0; n < p->batch; n++) {
    for (uint32_t u = unit; u < last; u++) {
      S *sums = OUT(S, out) + u * 9;
      const size_t plane = n * p->channels + u;
      const S *x = IN(S, x) + plane * pixels, *g = IN(S, weight) + plane * size;
      for (uint32_t row = 0, rows; row < height; row += rows) {
        rows = MIN(p->lines, height - row);
        const size_t far = rows * width;
        const NAME(depth_pair) band = {
            x, g, row ? g - width : zeros, row + rows < height ? g + far : zeros, width, rows};
        if (step == 2) NAME(depth_pairs)(x, g, band.behind, width, rows, scratch, keep);
        else NAME(depth_band_sums)(&band, zeros, scratch, keep);
        NAME(depth_add)(sums, n + row > 0 ? sums : zeros, scratch);
        x += step * step * far;
        g += far;
      }
    }
  }
  for (; unit < last; unit++) {
    S *out = OUT(S, out) + unit * 9;
    const V a = load(out), b = load(out + LANES), c = splat(out[8]);
    if (any_((a != a) | (b != b) | (c != c))) {
      for (uint32_t k = 0; k < 9; k++) {
        if (out[k] != out[k]) out[k] = NAME(depth_exact)(p, unit, k);
      }
    }
  }
}
