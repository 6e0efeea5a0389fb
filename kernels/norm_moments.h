// Sums over one contiguous piece, for the norms: vectors within blocks, double precision across
// them. Included once per dtype.

static inline V NAME(get)(const S *p, uint32_t left, S fill) {
  return left >= LANES ? load(p) : load_tail(p, left, fill);
}
static inline void NAME(set)(S *p, V v, uint32_t left) {
  if (left >= LANES)
    store(p, v);
  else
    store_tail(p, v, left);
}

// Adds sum(x - m) and sum((x - m)^2).
static inline void NAME(deviations)(const S *x, uint32_t n, S m, double *sum, double *squares) {
  V zero = splat((S)0), centre = splat(m);
  for (uint32_t start = 0; start < n; start += NORM_BLOCK) {
    uint32_t last = MIN(n, start + NORM_BLOCK), i = start;
    V a[4] = {zero, zero, zero, zero}, q[4] = {zero, zero, zero, zero};
    for (; i + 4 * LANES <= last; i += 4 * LANES)
      for (int k = 0; k < 4; k++) {
        V d = load(x + i + k * LANES) - centre;
        a[k] += d;
        q[k] += d * d;
      }
    for (; i < last; i += LANES) {
      V d = NAME(get)(x + i, last - i, m) - centre;
      a[0] += d;
      q[0] += d * d;
    }
    *sum += sum_lanes((a[0] + a[2]) + (a[1] + a[3]));
    *squares += sum_lanes((q[0] + q[2]) + (q[1] + q[3]));
  }
}

// Adds sum(x).
static inline void NAME(total)(const S *x, uint32_t n, double *sum) {
  V zero = splat((S)0);
  for (uint32_t start = 0; start < n; start += NORM_BLOCK) {
    uint32_t last = MIN(n, start + NORM_BLOCK), i = start;
    V a[4] = {zero, zero, zero, zero};
    for (; i + 4 * LANES <= last; i += 4 * LANES)
      for (int k = 0; k < 4; k++) a[k] += load(x + i + k * LANES);
    for (; i < last; i += LANES) a[0] += NAME(get)(x + i, last - i, 0);
    *sum += sum_lanes((a[0] + a[2]) + (a[1] + a[3]));
  }
}

// Adds sum(g w) and sum(g w (x - m)); w is 1 where null.
static inline void NAME(dots)(const S *g, const S *x, const S *w, uint32_t n, S m, double *sum,
                              double *dot) {
  V zero = splat((S)0), centre = splat(m);
  for (uint32_t start = 0; start < n; start += NORM_BLOCK) {
    uint32_t last = MIN(n, start + NORM_BLOCK), i = start;
    V a[2] = {zero, zero}, q[2] = {zero, zero};
    for (; i + 4 * LANES <= last; i += 4 * LANES)
      UNROLL for (int k = 0; k < 4; k++) {
        V v = load(g + i + k * LANES);
        if (w) v *= load(w + i + k * LANES);
        a[k & 1] += v;
        q[k & 1] += v * (load(x + i + k * LANES) - centre);
      }
    for (; i < last; i += LANES) {
      V v = NAME(get)(g + i, last - i, 0);
      if (w) v *= NAME(get)(w + i, last - i, 0);
      a[0] += v;
      q[0] += v * (NAME(get)(x + i, last - i, m) - centre);
    }
    *sum += sum_lanes(a[0] + a[1]);
    *dot += sum_lanes(q[0] + q[1]);
  }
}

// Whole vectors, then what is left: `left` lanes of one.
#define EACH_VECTOR(...)                                                                           \
  uint32_t i = 0, left = LANES;                                                                    \
  for (; i + LANES <= n; i += LANES) __VA_ARGS__;                                                      \
  left = n - i;                                                                                    \
  if (left > 0) __VA_ARGS__;

// y = (x - m) * r + b.
static inline void NAME(affine)(const S *x, S *y, uint32_t n, S m, S r, S b) {
  EACH_VECTOR(
      NAME(set)(y + i, (NAME(get)(x + i, left, 0) - splat(m)) * splat(r) + splat(b), left))
}

// y = (x - m) * r * w + b by elements; w and b may be null.
static inline void NAME(affine_row)(const S *x, const S *w, const S *b, S *y, uint32_t n, S m,
                                    S r) {
  EACH_VECTOR({
    V v = (NAME(get)(x + i, left, 0) - splat(m)) * splat(r);
    if (w) v *= NAME(get)(w + i, left, 0);
    if (b) v += NAME(get)(b + i, left, 0);
    NAME(set)(y + i, v, left);
  })
}

// gx = r * (g w - a - (x - m) b), with one weight, or one per element if `ws`.
static inline void NAME(gradient)(const S *g, const S *x, const S *ws, S *gx, uint32_t n, S m, S r,
                                  S w, S a, S b) {
  EACH_VECTOR({
    V v = NAME(get)(g + i, left, 0) * (ws ? NAME(get)(ws + i, left, 0) : splat(w));
    V d = NAME(get)(x + i, left, 0) - splat(m);
    NAME(set)(gx + i, splat(r) * (v - splat(a) - d * splat(b)), left);
  })
}
