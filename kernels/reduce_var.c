// Variance and mean of the middle of [outer, n, inner]: blocks by the corrected two-pass formula
// while they are in the cache, blocks together by their means and squared deviations in double
// precision.
#include "kernel.h"
#ifndef S
#include "reduce.h"
#define SOURCE "reduce_var.c"
#include "each_real.h"
#else

// Sum of x - shift and of its square over n values, by four accumulators each.
static inline void NAME(deviations)(const S *x, uint32_t n, S shift, S *sum, S *squares) {
  V zero = splat((S)0), m = splat(shift);
  V a[4] = {zero, zero, zero, zero}, q[4] = {zero, zero, zero, zero};
  uint32_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES)
    for (int k = 0; k < 4; k++) {
      V d = load(x + i + k * LANES) - m;
      a[k] += d;
      q[k] += d * d;
    }
  for (; i < n; i += LANES) {
    V d = (i + LANES <= n ? load(x + i) : load_tail(x + i, n - i, shift)) - m;
    a[0] += d;
    q[0] += d * d;
  }
  *sum = sum_lanes((a[0] + a[2]) + (a[1] + a[3]));
  *squares = sum_lanes((q[0] + q[2]) + (q[1] + q[3]));
}

static inline void NAME(moments)(const S *x, uint32_t n, S *mean, S *m2) {
  S sum, squares;
  NAME(deviations)(x, n, 0, &sum, &squares);
  S centre = sum / (S)n;
  NAME(deviations)(x, n, centre, &sum, &squares);
  S rest = sum / (S)n;
  // An infinite mean is one already.
  *mean = rest == rest ? centre + rest : centre;
  *m2 = squares - sum * sum / (S)n;
}

// K vectors of columns at once, or the last `tail` columns of one vector.
#define K_LOOP for (uint32_t k = 0; k < K; k++)
#define GET(p) (tail ? load_tail((p) + k * LANES, tail, 0) : load((p) + k * LANES))
#define PUT(p, v) (tail ? store_tail((p) + k * LANES, v, tail) : store((p) + k * LANES, v))
static inline __attribute__((always_inline)) void NAME(moments_tile)(
    const S *x, uint32_t rows, size_t stride, S *mean, S *m2, const uint32_t K, uint32_t tail) {
  V inverse = splat(1 / (S)rows), sum[4], centre[4], squares[4];
  K_LOOP sum[k] = splat((S)0);
  for (uint32_t r = 0; r < rows; r++) K_LOOP sum[k] += GET(x + r * stride);
  K_LOOP centre[k] = sum[k] * inverse, sum[k] = squares[k] = splat((S)0);
  for (uint32_t r = 0; r < rows; r++) K_LOOP {
    V d = GET(x + r * stride) - centre[k];
    sum[k] += d;
    squares[k] += d * d;
  }
  K_LOOP {
    V shift = sum[k] * inverse;
    PUT(mean, select(isnan_(shift), centre[k], centre[k] + shift));
    PUT(m2, squares[k] - sum[k] * shift);
  }
}

static void NAME(moments_columns)(const S *x, uint32_t rows, uint32_t count, uint32_t stride,
                                  S *mean, S *m2) {
  uint32_t c = 0;
  for (; c + 4 * LANES <= count; c += 4 * LANES)
    NAME(moments_tile)(x + c, rows, stride, mean + c, m2 + c, 4, 0);
  for (; c + LANES <= count; c += LANES)
    NAME(moments_tile)(x + c, rows, stride, mean + c, m2 + c, 1, 0);
  if (c < count) NAME(moments_tile)(x + c, rows, stride, mean + c, m2 + c, 1, count - c);
}
#undef K_LOOP
#undef GET
#undef PUT

// Units as in reduce_tree.h. Writes the mean and the sum of squared deviations of each block:
// [outer, blocks, inner].
KERNEL(varBlock) {
  const S *x = IN(S, x);
  S *mean = OUT(S, mean), *m2 = OUT(S, m2);
  uint32_t n = p->n, inner = p->inner, block = p->block, blocks = p->blocks;
  uint32_t chunks = inner == 1 ? 1 : (inner + REDUCE_COLUMNS - 1) / REDUCE_COLUMNS;
  for (uint32_t u = begin; u < end; u++) {
    uint32_t chunk = u % chunks, b = u / chunks % blocks, o = u / chunks / blocks;
    uint32_t rows = MIN(block, n - b * block), first = chunk * REDUCE_COLUMNS;
    const S *from = x + ((size_t)o * n + (size_t)b * block) * inner + first;
    size_t to = ((size_t)o * blocks + b) * inner + first;
    if (inner == 1)
      NAME(moments)(from, rows, mean + to, m2 + to);
    else
      NAME(moments_columns)(from, rows, MIN(REDUCE_COLUMNS, inner - first), inner, mean + to,
                            m2 + to);
  }
}

// Units are the results, [outer, inner].
KERNEL(varMerge) {
  const S *means = IN(S, means), *m2s = IN(S, m2s);
  S *var = OUT(S, var), *mean = OUT(S, mean);
  uint32_t n = p->n, inner = p->inner, block = p->block, blocks = p->blocks;
  double divisor = n - F64(p->correction);
  for (uint32_t u = begin; u < end; u++) {
    const S *m = means + (size_t)(u / inner) * blocks * inner + u % inner;
    const S *q = m2s + (m - means);
    double sum = 0, squares = 0;
    for (uint32_t b = 0; b < blocks; b++)
      sum += (double)m[(size_t)b * inner] * MIN(block, n - b * block);
    double centre = sum / n;
    for (uint32_t b = 0; b < blocks; b++) {
      double d = m[(size_t)b * inner] - centre;
      squares += q[(size_t)b * inner] + d * d * MIN(block, n - b * block);
    }
    mean[u] = blocks == 1 ? m[0] : (S)centre;
    var[u] = (S)(squares / (divisor > 0 ? divisor : 0));
  }
}

#endif
