// Depthwise convolutions of 3 x 3 taps and their gradients, float32, where pixels lie: in the
// tensor if the padding is 1, else in a padded copy.

#define DEPTH_SUM(w, sum) madd(w[2], v[2], madd(w[1], v[1], madd(w[0], v[0], sum)))
#define DEPTH_TOUCH(p) (void)*(const volatile S *)(p);

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

// Rows of a plane: where the first tap of its columns is, how far rows are apart, whether none is
// before, none behind, columns end at both sides, what is read next, and a row of zeros.
typedef struct {
  const S *at, *next, *zeros;
  size_t cols, across;
  uint32_t rows;
  bool top, bottom, edged;
} NAME(depth_band);

// One vector of columns of results: what is read of a row serves three sums, or two of stride 2.
static inline __attribute__((always_inline)) void NAME(depth_column)(const NAME(depth_band) *b,
                                                                     const V *w, V bias, S *out,
                                                                     uint32_t q, int edge) {
  const size_t cols = b->cols, across = b->across;
  const S *at = b->at + q;
  V v[3], above, here = bias;
  out += q;
  if (!b->top) {
    NAME(depth_near)(at - cols, edge, v);
    here = DEPTH_SUM(w, bias);
  }
  NAME(depth_near)(at, edge, v);
  above = DEPTH_SUM((w + 3), here);
  here = DEPTH_SUM(w, bias);
  NO_UNROLL for (uint32_t rows = b->rows - b->bottom; rows > 0; rows--, out += across) {
    at += cols;
    NAME(depth_near)(at, edge, v);
    store(out, DEPTH_SUM((w + 6), above));
    above = DEPTH_SUM((w + 3), here);
    here = DEPTH_SUM(w, bias);
  }
  if (b->bottom) store(out, above);
}

static inline __attribute__((always_inline)) void NAME(depth_second)(const NAME(depth_band) *b,
                                                                     const V *w, V bias, S *out,
                                                                     uint32_t q, int edge) {
  const size_t cols = b->cols, across = b->across;
  const S *at = b->at + 2 * q;
  V v[3], here = bias;
  out += q;
  if (!b->top) {
    NAME(depth_apart)(at - cols, edge, v);
    here = DEPTH_SUM(w, bias);
  }
  NO_UNROLL for (uint32_t rows = b->rows; rows > 0; rows--, out += across) {
    NAME(depth_apart)(at, edge, v);
    here = DEPTH_SUM((w + 3), here);
    at += cols;
    NAME(depth_apart)(at, edge, v);
    at += cols;
    store(out, DEPTH_SUM((w + 6), here));
    here = DEPTH_SUM(w, bias);
  }
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

// A band of results of 3 x 3 taps, `apart` where the stride is 2; weights are read backwards by a
// `step` of -1. On the way the next band is read in its order in memory, so that the processor
// fetches ahead, which columns keep it from; at a stride of 2, which reads more than it computes, at
// once.
static inline __attribute__((always_inline)) void NAME(depth_rows)(const NAME(depth_band) *b,
                                                                   const S *weight, int32_t step,
                                                                   S offset, S *out, bool apart) {
  const uint32_t width = b->across, side = b->edged ? LANES : 0, right = apart ? 0 : side;
  uint32_t ahead = apart ? b->rows * width / 4 : b->rows / 4;
  const S *next = b->next;
  V w[9], bias = splat(offset);
  UNROLL for (int k = 0; k < 9; k++) w[k] = splat(weight[k * step]);
#define DEPTH_AT(q, edge)                                    \
  {                                                          \
    if (apart) NAME(depth_second)(b, w, bias, out, q, edge); \
    else NAME(depth_column)(b, w, bias, out, q, edge);       \
  }
  if (side) DEPTH_AT(0, -1)
  NO_UNROLL for (uint32_t q = side; q < width - right; q += LANES) {
    for (uint32_t i = side ? ahead : 0; i > 0; i--, next += 16) DEPTH_TOUCH(next)
    if (apart) ahead = 0;
#ifdef DEPTH_PAIRED
    if (!apart && side && width > 3 * LANES) {
      const size_t at = MIN(q, width - 2 * LANES - 1);
      const S *x = b->at + at;
      const NAME(depth_pair) pair = {
          x, x, b->top ? b->zeros + at : x - width,
          b->bottom ? b->zeros + at : x + b->rows * width, width, b->rows};
      NAME(depth_two)(&pair, weight, step, offset, out + at);
      for (uint32_t i = ahead; i > 0; i--, next += 16) DEPTH_TOUCH(next)
      q += LANES;
      continue;
    }
#endif
    DEPTH_AT(MIN(q, width - LANES), 0)
  }
  if (right) DEPTH_AT(width - LANES, 1)
}

static NOINLINE void NAME(depth_roll)(const NAME(depth_band) *b, const S *weight, int32_t step,
                                      S offset, S *out) {
  NAME(depth_rows)(b, weight, step, offset, out, false);
}

static NOINLINE void NAME(depth_skip)(const NAME(depth_band) *b, const S *weight, int32_t step,
                                      S offset, S *out) {
  NAME(depth_rows)(b, weight, step, offset, out, true);
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

// Planes [unit, last) of results whose pixels are read in place.
SMALL static void NAME(depth_planes)(const convDepth_params *p, uint32_t unit, uint32_t last,
                                     const S *zeros) {
  const size_t width = p->width, pixels = p->height * width, step = p->form;
  uint32_t channel = unit % p->channels;
  const S *x = IN(S, x) + unit * pixels, *end = IN(S, x) + p->units * pixels;
  S *out = OUT(S, out) + (size_t)unit * p->out_h * p->out_w;
  NAME(depth_band) band = {x, x, zeros, width, p->out_w, 0, 0, 0, true};
  for (; unit < last; unit++, x += pixels) {
    const S *weight = IN(S, weight) + channel * 9;
    const S bias = p->biased ? IN(S, bias)[channel] : 0;
    if (++channel == p->channels) channel = 0;
    if (step == 3) {
      NAME(depth_spread)(x, weight, out, width, p->height, zeros);
      out += 4 * pixels;
      continue;
    }
    band.at = x;
    for (uint32_t row = 0; row < p->out_h; row += band.rows) {
      band.rows = MIN(p->lines, p->out_h - row);
      band.top = row == 0;
      band.bottom = step == 1 && row + band.rows == p->out_h;
      const size_t size = step * band.rows * width;
      band.next = MIN(band.at + size, end - size);
      if (step == 2) NAME(depth_skip)(&band, weight, 1, bias, out);
      else NAME(depth_roll)(&band, weight + 8 * p->input, p->input ? -1 : 1, bias, out);
      band.at += size;
      out += band.rows * p->out_w;
    }
  }
}

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
// Nine sums of four lanes over the first and the last vector of columns of a band; `keep` are the
// columns that the last has alone.
static NOINLINE void NAME(depth_sides)(const NAME(depth_pair) *b, S *to, I keep) {
  const size_t cols = b->cols;
  V sums[9] = {0};
  size_t q = cols - LANES;
  DEPTH_DOWN(DEPTH_ADD(0, load(x - 1)) const V m = load(x); DEPTH_ADD(1, m)
             DEPTH_ADD(2, __builtin_shufflevector(m, (V){0}, 1, 2, 3, 4)))
  UNROLL for (int k = 0; k < 9; k++) sums[k] = (V)((I)sums[k] & keep);
  q = 0;
  DEPTH_DOWN(DEPTH_ADD(2, load(x + 1)) const V m = load(x); DEPTH_ADD(1, m)
             DEPTH_ADD(0, __builtin_shufflevector((V){0}, m, 3, 4, 5, 6)))
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

#ifdef DEPTH_PAIRED
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
// Nine sums of pairs of vectors from q on that end before `last`.
static NOINLINE void NAME(depth_wide)(const NAME(depth_pair) *p, size_t q, size_t last, S *to) {
  const size_t cols = p->cols;
  V sums[9][2] = {0};
  NO_UNROLL for (; q < last; q += 2 * LANES) {
    const S *x = p->x + q, *above = p->before + q, *at = p->g + q, *behind = p->behind + q;
    NO_UNROLL for (uint32_t rows = p->rows; rows > 0; x += cols) {
      rows--;
      const S *below = rows ? at + cols : behind;
      V a[2], b[2], c[2];
      DEPTH_TWO(a[j] = load(above + j * LANES))
      DEPTH_TWO(b[j] = load(at + j * LANES))
      DEPTH_TWO(c[j] = load(below + j * LANES))
      DEPTH_ADD_TWO(2) DEPTH_ADD_TWO(1) DEPTH_ADD_TWO(0)
      above = at;
      at = below;
    }
  }
  UNROLL for (int k = 0; k < 9; k++) DEPTH_TWO(store(to + (2 * k + j) * LANES, sums[k][j]))
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

// The gradients of the weights of channels [unit, last): planes are added up by bands. Scratch is
// nine sums and a row of zeros.
SMALL static void NAME(depth_grads)(const convDepth_params *p, uint32_t unit, uint32_t last,
                                    S *scratch) {
  const uint32_t width = p->out_w, height = p->out_h, step = p->form;
  const size_t size = height * width, pixels = size * step * step;
  const S *zeros = scratch + 9 * LANES;
  const I keep = iota_as((I){0}) >= (int32_t)(-width % LANES);
  // Planes in their order in memory, which processors fetch ahead, and large ones by themselves.
  const bool slow =
      step == 1 && p->lines < height && p->batch * p->channels * pixels > 1 << 20;
  for (uint32_t n = 0; n < p->batch; n++) {
    for (uint32_t u = unit; u < last; u++) {
      S *sums = OUT(S, out) + u * 9;
      const size_t plane = n * p->channels + u;
      const S *x = IN(S, x) + plane * pixels, *g = IN(S, weight) + plane * size;
      if (slow) {
        for (size_t at = 0; at < size; at += 16) DEPTH_TOUCH(x + at)
        for (size_t at = 0; at < size; at += 16) DEPTH_TOUCH(g + at)
      }
      for (uint32_t row = 0, rows; row < height; row += rows) {
        rows = MIN(p->lines, height - row);
        const bool more = row + rows < height;
        const size_t far = rows * width;
        if (step == 2) {
          NAME(depth_pairs)(x, g, more ? g + far : zeros, width, rows, scratch, keep);
        } else {
          const NAME(depth_pair) band = {
              x, g, row ? g - width : zeros, more ? g + far : zeros, width, rows};
          NAME(depth_sides)(&band, scratch, keep);
          uint32_t q = LANES;
#ifdef DEPTH_PAIRED
          if (width > 3 * LANES) {
            S wide[18 * LANES];
            NAME(depth_wide)(&band, q, width - 2 * LANES, wide);
            while (q < width - 2 * LANES) q += 2 * LANES;
            UNROLL for (int k = 0; k < 9 * LANES; k += LANES) {
              const V pair = load(wide + 2 * k) + load(wide + 2 * k + LANES);
              store(scratch + k, load(scratch + k) + pair);
            }
          }
#endif
          for (; q < width - LANES; q += LANES) {
            NAME(depth_mid)(&band, q, scratch);
          }
        }
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
