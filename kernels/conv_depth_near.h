// Depthwise convolutions of 3 x 3 taps and their input gradients, float32, where pixels lie: in the
// tensor if the padding is 1, else in a padded copy.

#define DEPTH_SUM(w, sum) madd(w[2], v[2], madd(w[1], v[1], madd(w[0], v[0], sum)))

// The three taps of a row around `at`; what is before (edge -1) or behind (1) the row is zero.
static inline __attribute__((always_inline)) void NAME(depth_near)(const S *at, int edge, V *v) {
  v[1] = load(at);
  v[0] = edge < 0 ? __builtin_shufflevector((V){0}, v[1], 3, 4, 5, 6) : load(at - 1);
  v[2] = edge > 0 ? __builtin_shufflevector(v[1], (V){0}, 1, 2, 3, 4) : load(at + 1);
}

// The same of every second column.
static inline __attribute__((always_inline)) void NAME(depth_apart)(const S *at, int edge, V *v) {
  const V a = load(at), b = load(at + LANES);
  v[1] = __builtin_shufflevector(a, b, 0, 2, 4, 6);
  v[2] = __builtin_shufflevector(a, b, 1, 3, 5, 7);
  v[0] = edge < 0
             ? __builtin_shufflevector((V){0}, v[2], 3, 4, 5, 6)
             : __builtin_shufflevector(load(at - 1), load(at + LANES - 1), 0, 2, 4, 6);
}

// Rows of a plane: the second tap of the first, how far rows are apart, columns and rows of results;
// `edged` if nothing is around it. Scratch is a row of zeros, one of results that nobody reads, and
// sums that wait.
typedef struct {
  const S *at;
  S *scratch;
  size_t cols, across;
  uint32_t rows;
  bool edged;
} NAME(depth_band);

// One vector of columns of a plane of results: what is read of a row serves three sums.
static inline __attribute__((always_inline)) void NAME(depth_column)(const NAME(depth_band) *b,
                                                                     const V *w, V bias, S *out,
                                                                     uint32_t q, int edge) {
  const size_t cols = b->cols;
  const S *at = b->at + q;
  V v[3];
  out += q;
  NAME(depth_near)(at, edge, v);
  V above = DEPTH_SUM((w + 3), bias), here = DEPTH_SUM(w, bias);
  NO_UNROLL for (uint32_t rows = b->rows - 1; rows > 0; rows--, out += cols) {
    at += cols;
    NAME(depth_near)(at, edge, v);
    store(out, DEPTH_SUM((w + 6), above));
    above = DEPTH_SUM((w + 3), here);
    here = DEPTH_SUM(w, bias);
  }
  store(out, above);
}

// Rows of pixels, of g where gradients of weights are summed, and those before and behind.
typedef struct {
  const S *x, *g, *before, *behind;
  size_t cols;
  uint32_t rows;
} NAME(depth_pair);

#ifdef DEPTH_PAIRED
#define DEPTH_TWO(code) UNROLL for (int j = 0; j < 2; j++) code;
#define DEPTH_SUM_TWO(w, to, from)                                                              \
  DEPTH_TWO(to[j] = madd(w[2], v[2][j], madd(w[1], v[1][j], madd(w[0], v[0][j], from[j]))))
#define DEPTH_LOAD_TWO(at)                                                               \
  UNROLL for (int k = 0; k < 3; k++) DEPTH_TWO(v[k][j] = load(at + (k - 1 + j * LANES)))

// Two vectors of columns of results.
static NOINLINE void NAME(depth_two)(const NAME(depth_pair) *b, const S *weight, int32_t step,
                                     S offset, S *out) {
  const size_t cols = b->cols;
  const S *at = b->x;
  V w[9], v[3][2], above[2], here[2];
  const V start[2] = {splat(offset), splat(offset)};
  UNROLL for (int k = 0; k < 9; k++) w[k] = splat(weight[k * step]);
  DEPTH_LOAD_TWO(b->before)
  DEPTH_SUM_TWO(w, here, start)
  DEPTH_LOAD_TWO(at)
  DEPTH_SUM_TWO((w + 3), above, here)
  DEPTH_SUM_TWO(w, here, start)
  NO_UNROLL for (uint32_t rows = b->rows; rows > 0; out += cols) {
    rows--;
    at = rows ? at + cols : b->behind;
    DEPTH_LOAD_TWO(at)
    DEPTH_SUM_TWO((w + 6), above, above)
    DEPTH_TWO(store(out + j * LANES, above[j]))
    DEPTH_SUM_TWO((w + 3), above, here)
    DEPTH_SUM_TWO(w, here, start)
  }
}
#endif

// Rows longer than these are taken one after the other.
enum { DEPTH_ALONG = 20 };

// What a vector of columns of a row of pixels gives three rows of results: the last of the sums for
// the one above, which is stored, and others that wait for the rows below.
#define DEPTH_PART(q, edge)                              \
  {                                                      \
    NAME(depth_near)(x + (q), edge, v);                  \
    store(to + (q), DEPTH_SUM((w + 6), load(part)));     \
    store(part, DEPTH_SUM((w + 3), load(part + LANES))); \
    store(part + LANES, DEPTH_SUM(w, bias));             \
    part += 2 * LANES;                                   \
  }

#ifdef DEPTH_PAIRED
// The columns of a row but the first and last vector of them, two vectors at a time.
static NOINLINE void NAME(depth_between)(const S *x, const S *weight, int32_t step, S offset, S *to,
                                         size_t width, S *part) {
  V w[9], v[3][2], sum[3][2];
  const V start[2] = {splat(offset), splat(offset)};
  UNROLL for (int k = 0; k < 9; k++) w[k] = splat(weight[k * step]);
  S *above = part, *here = part + width;
  const S *at = x + LANES - 1;
  to += LANES;
  for (size_t rest = width - 2 * LANES, by;; rest -= by) {
    OPAQUE(at);
    OPAQUE(to);
    OPAQUE(above);
    OPAQUE(here);
    DEPTH_TWO(v[0][j] = load(at + j * LANES))
    DEPTH_TWO(v[1][j] = load(at + 1 + j * LANES))
    DEPTH_TWO(v[2][j] = load(at + 2 + j * LANES))
    DEPTH_TWO(sum[0][j] = load(above + j * LANES))
    DEPTH_TWO(sum[1][j] = load(here + j * LANES))
    DEPTH_SUM_TWO((w + 6), sum[0], sum[0])
    DEPTH_SUM_TWO((w + 3), sum[1], sum[1])
    DEPTH_SUM_TWO(w, sum[2], start)
    DEPTH_TWO(store(to + j * LANES, sum[0][j]))
    DEPTH_TWO(store(above + j * LANES, sum[1][j]))
    DEPTH_TWO(store(here + j * LANES, sum[2][j]))
    if (rest <= 2 * LANES) break;
    by = MIN(2 * LANES, rest - 2 * LANES);
    at += by, to += by, above += 2 * LANES, here += 2 * LANES;
  }
}
#endif

// Results in the order of memory, which processors fetch ahead; weights are read backwards by a
// `step` of -1.
static NOINLINE void NAME(depth_rows)(const NAME(depth_band) *b, const S *weight, int32_t step,
                                      S offset, S *out) {
  const size_t width = b->across, cols = b->cols;
  const bool edged = b->edged;
  S *zeros = b->scratch, *line = zeros + width, *waiting = line + width, *to = line;
  const uint32_t rows = b->rows;
  const S *x = b->at - (edged ? 0 : cols);
  V w[9], v[3], bias = splat(offset);
  UNROLL for (int k = 0; k < 9; k++) w[k] = splat(weight[k * step]);
  NO_UNROLL for (size_t q = 0; q < 2 * width + 8 * LANES; q += LANES) store(waiting + q, bias);
  for (uint32_t rest = rows + !edged;; rest--) {
    S *part = waiting;
    size_t q = 0;
    if (edged) {
      DEPTH_PART(0, -1)
      DEPTH_PART(width - LANES, 1)
      q = LANES;
#ifdef DEPTH_PAIRED
      NAME(depth_between)(x, weight, step, offset, to, width, part);
      q = width;
#endif
    } else DEPTH_PART(width - LANES, 0)
    NO_UNROLL for (; q < width - LANES; q += LANES) DEPTH_PART(q, 0)
    if (rest == 0) break;
    x = edged && rest == 1 ? zeros : x + cols;
    if (rest <= rows) to = to == line ? out : to + width;
  }
}

#define DEPTH_HALF(q, edge)                        \
  {                                                \
    const S *at = x + 2 * (q);                     \
    NAME(depth_apart)(at, edge, v);                \
    const V here = DEPTH_SUM((w + 3), load(part)); \
    NAME(depth_apart)(at + cols, edge, v);         \
    store(out + (q), DEPTH_SUM((w + 6), here));    \
    store(part, DEPTH_SUM(w, bias));               \
    part += LANES;                                 \
  }

// The same of stride 2.
static NOINLINE void NAME(depth_halves)(const NAME(depth_band) *b, const S *weight, S offset,
                                        S *out) {
  const size_t width = b->across, cols = b->cols;
  const S *x = b->at;
  V w[9], v[3], bias = splat(offset);
  UNROLL for (int k = 0; k < 9; k++) w[k] = splat(weight[k]);
  NO_UNROLL for (size_t q = 0; q < width; q += LANES) {
    if (!b->edged) NAME(depth_apart)(x - cols + 2 * MIN(q, width - LANES), 0, v);
    store(b->scratch + q, b->edged ? bias : DEPTH_SUM(w, bias));
  }
  NO_UNROLL for (uint32_t rows = b->rows; rows > 0; rows--, x += 2 * cols, out += width) {
    S *part = b->scratch;
    size_t q = 0;
    if (b->edged) {
      DEPTH_HALF(0, -1)
      q = LANES;
    }
    NO_UNROLL for (; q < width - LANES; q += LANES) DEPTH_HALF(q, 0)
    DEPTH_HALF(width - LANES, 0)
  }
}

// A plane of few columns.
static NOINLINE void NAME(depth_columns)(const NAME(depth_band) *b, const S *weight, int32_t step,
                                         S offset, S *out) {
  const uint32_t width = b->across;
  V w[9], bias = splat(offset);
  UNROLL for (int k = 0; k < 9; k++) w[k] = splat(weight[k * step]);
  NAME(depth_column)(b, w, bias, out, 0, -1);
  NO_UNROLL for (uint32_t q = LANES; q < width - LANES; q += LANES) {
#ifdef DEPTH_PAIRED
    if (width > 3 * LANES) {
      const size_t at = MIN(q, width - 2 * LANES - 1);
      const S *x = b->at + at, *zeros = b->scratch + at;
      const NAME(depth_pair) pair = {x, x, zeros, zeros, width, b->rows};
      NAME(depth_two)(&pair, weight, step, offset, out + at);
      q += LANES;
      continue;
    }
#endif
    NAME(depth_column)(b, w, bias, out, q, 0);
  }
  NAME(depth_column)(b, w, bias, out, width - LANES, 1);
}

// Four columns of two rows of the input gradient of stride 2 from each of g and the next row's.
#define DEPTH_SPREAD(c, b, d)                                                              \
  {                                                                                        \
    const V a = load(g), even = a * w[4], odd = madd(w[3], b, a * w[5]);                   \
    store(out, __builtin_shufflevector(even, odd, 0, 4, 1, 5));                            \
    store(out + LANES, __builtin_shufflevector(even, odd, 2, 6, 3, 7));                    \
    const V left = madd(w[1], c, a * w[7]);                                                \
    const V right = madd(w[2], c, a * w[8]) + madd(w[0], d, b * w[6]);                     \
    store(below, __builtin_shufflevector(left, right, 0, 4, 1, 5));                        \
    store(below + LANES, __builtin_shufflevector(left, right, 2, 6, 3, 7));                \
  }

// The input gradient of stride 2; `zeros` are a row behind the last.
static NOINLINE void NAME(depth_spread)(const S *g, const S *weight, S *out, uint32_t width,
                                        uint32_t rows, const S *zeros) {
  V w[9];
  UNROLL for (int k = 0; k < 9; k++) w[k] = splat(weight[k]);
  NO_UNROLL for (; rows > 0; rows--) {
    const S *next = rows > 1 ? g + width : zeros, *last = g + width - LANES;
    S *below = out + 2 * width;
    NO_UNROLL for (; g < last; g += LANES, next += LANES, out += 2 * LANES, below += 2 * LANES) {
      DEPTH_SPREAD(load(next), load(g + 1), load(next + 1))
    }
    const size_t over = g - last;
    g -= over, next -= over, out -= 2 * over, below -= 2 * over;
    DEPTH_SPREAD(load(next), __builtin_shufflevector(load(g), (V){0}, 1, 2, 3, 4),
                 __builtin_shufflevector(load(next), (V){0}, 1, 2, 3, 4))
    g += LANES;
    out = below + 2 * LANES;
  }
}

// A plane or a band of one, in the way that suits it.
static void NAME(depth_any)(const convDepth_params *p, const NAME(depth_band) *b, const S *weight,
                            S bias, S *out) {
  const int32_t step = p->input ? -1 : 1;
  weight += 8 * p->input;
  if (p->form == 2) NAME(depth_halves)(b, weight, bias, out);
  else if (b->edged && b->across <= DEPTH_ALONG) NAME(depth_columns)(b, weight, step, bias, out);
  else NAME(depth_rows)(b, weight, step, bias, out);
}

// Planes [unit, last) of results whose pixels are read in place.
SMALL static void NAME(depth_planes)(const convDepth_params *p, uint32_t unit, uint32_t last,
                                     S *scratch) {
  const size_t width = p->width, pixels = p->height * width, size = p->out_h * p->out_w;
  NAME(depth_band) band = {IN(S, x) + unit * pixels, scratch, width, p->out_w, p->out_h, true};
  S *out = OUT(S, out) + unit * size;
  for (; unit < last; unit++, band.at += pixels, out += size) {
    const uint32_t channel = unit % p->channels;
    const S *weight = IN(S, weight) + channel * 9;
    const S bias = p->biased ? IN(S, bias)[channel] : 0;
    if (p->form == 3) NAME(depth_spread)(band.at, weight, out, width, p->height, scratch);
    else NAME(depth_any)(p, &band, weight, bias, out);
  }
}
