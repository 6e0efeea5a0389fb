// Batch normalisation of x [outer, channels, length] over outer and length. Units are channels, or
// groups of NORM_COLUMNS channels if length is 1.
#include "kernel.h"
#ifndef S
#include "norm.h"
#define SOURCE "norm_batch.c"
#include "each_real.h"
#else
#include "norm_moments.h"

#define WEIGHT(c) (weight ? weight[c] : 1)
#define BIAS(c) (bias ? bias[c] : 0)

static inline void NAME(statistics)(double middle, double spread, double eps, S *mean, S *var, S *rstd) {
  *mean = (S)middle;
  *var = (S)spread;
  *rstd = (S)(1 / sqrt(spread + eps));
}

// Length 1: for a block of rows, sums over n columns of d = x - centre and of d * d, or of g and of g * d.
static inline __attribute__((always_inline)) void NAME(total_rows)(const S *g, const S *x, size_t pitch, uint32_t n, const S *centre, S *a, S *b,
                                    const uint32_t count) {
  const bool own = g == x;
  EACH_VECTOR({
    V s = load(a + i), q = load(b + i), c = load(centre + i);
    UNROLL for (uint32_t k = 0; k < count; k++) {
      V d = NAME(get)(x + k * pitch + i, left, 0) - c, v = own ? d : NAME(get)(g + k * pitch + i, left, 0);
      s += v;
      q += v * d;
    }
    store(a + i, s);
    store(b + i, q);
  })
}

static NOINLINE void NAME(column_totals)(const S *g, const S *x, size_t pitch, uint32_t rows, uint32_t n,
                                         const S *centre, S *a, S *b) {
  for (uint32_t c = 0; c < n + LANES - 1; c++) a[c] = b[c] = 0;
  for (; rows >= 4; rows -= 4, x += 4 * pitch, g += 4 * pitch) NAME(total_rows)(g, x, pitch, n, centre, a, b, 4);
  for (; rows > 0; rows--, x += pitch, g += pitch) NAME(total_rows)(g, x, pitch, n, centre, a, b, 1);
}

// y = (x - m) * r + b with numbers for each of n columns.
static inline __attribute__((always_inline)) void NAME(affine_rows)(const S *x, S *y, size_t pitch, uint32_t n, const S *m, const S *r, const S *b,
                                     const uint32_t count) {
  EACH_VECTOR({
    V v[4], centre = load(m + i), scale = load(r + i), shift = load(b + i);
    UNROLL for (uint32_t k = 0; k < count; k++)
      v[k] = (NAME(get)(x + k * pitch + i, left, 0) - centre) * scale + shift;
    UNROLL for (uint32_t k = 0; k < count; k++) NAME(set)(y + k * pitch + i, v[k], left);
  })
}

static NOINLINE void NAME(affine_columns)(const S *x, S *y, size_t pitch, uint32_t rows, uint32_t n, const S *m,
                                          const S *r, const S *b) {
  for (; rows >= 4; rows -= 4, x += 4 * pitch, y += 4 * pitch) NAME(affine_rows)(x, y, pitch, n, m, r, b, 4);
  for (; rows > 0; rows--, x += pitch, y += pitch) NAME(affine_rows)(x, y, pitch, n, m, r, b, 1);
}

static void NAME(batch_columns)(const batchNorm_params *p, uint32_t first, uint32_t n) {
  const S *x = IN(S, x) + first, *weight = p->weighted ? IN(S, weight) + first : NULL;
  const S *bias = p->biased ? IN(S, bias) + first : NULL;
  S *mean = OUT(S, mean) + first, *var = OUT(S, var) + first, *rstd = OUT(S, rstd) + first;
  uint32_t rows = p->outer, channels = p->channels;
  double middle[NORM_COLUMNS], squares[NORM_COLUMNS] = {0};
  S centre[NORM_COLUMNS + LANES] = {0}, scale[NORM_COLUMNS + LANES], shift[NORM_COLUMNS + LANES];
  // Each block of rows takes its squares about the mean of those before, the first about its own: as exact as two passes.
  for (uint32_t start = 0, count; start < rows; start += count) {
    const S *block = x + (size_t)start * channels;
    count = MIN(rows - start, NORM_ROWS);
    if (!start) {
      NAME(column_totals)(block, block, channels, count, n, centre, scale, shift);
      for (uint32_t c = 0; c < n; c++) centre[c] = (S)(middle[c] = (double)scale[c] / count);
    }
    NAME(column_totals)(block, block, channels, count, n, centre, scale, shift);
    const double own = 1.0 / count, part = (double)count / (start + count), weight = part * start;
    for (uint32_t c = 0; c < n; c++) {
      const double rest = scale[c] * own, gap = centre[c] + rest - middle[c];
      squares[c] += shift[c] - scale[c] * rest + gap * gap * weight;
      middle[c] += gap * part;
      centre[c] = (S)middle[c];
    }
  }
  for (uint32_t c = 0; c < n; c++) {
    NAME(statistics)(middle[c], squares[c] / rows, F64(p->eps), mean + c, var + c, rstd + c);
    centre[c] = mean[c];
    scale[c] = rstd[c] * WEIGHT(c);
    shift[c] = BIAS(c);
  }
  NAME(affine_columns)(x, OUT(S, y) + first, channels, rows, n, centre, scale, shift);
}

// y = (x - mean) * rstd * weight + bias with the statistics of the batch; var is divided by outer *
// length.
KERNEL(batchNorm) {
  const S *x = IN(S, x), *weight = p->weighted ? IN(S, weight) : NULL;
  const S *bias = p->biased ? IN(S, bias) : NULL;
  S *y = OUT(S, y), *mean = OUT(S, mean), *var = OUT(S, var), *rstd = OUT(S, rstd);
  uint32_t outer = p->outer, channels = p->channels, length = p->length;
  double n = (double)outer * length;
  for (uint32_t u = begin; u < end; u++) {
    if (length == 1) {
      NAME(batch_columns)(p, u * NORM_COLUMNS, MIN(channels - u * NORM_COLUMNS, NORM_COLUMNS));
      continue;
    }
    size_t first = (size_t)u * length, step = (size_t)channels * length;
    double sum = 0, rest = 0, squares = 0;
    for (uint32_t o = 0; o < outer; o++) NAME(total)(x + first + o * step, length, &sum);
    S centre = (S)(sum / n);
    for (uint32_t o = 0; o < outer; o++)
      NAME(deviations)(x + first + o * step, length, centre, &rest, &squares);
    NAME(statistics)
    (centre + rest / n, (squares - rest * rest / n) / n, F64(p->eps), mean + u, var + u, rstd + u);
    S scale = rstd[u] * WEIGHT(u);
    for (uint32_t o = 0; o < outer; o++)
      NAME(affine)(x + first + o * step, y + first + o * step, length, mean[u], scale, BIAS(u));
  }
}

// gx = scale (g - a - (x - centre) b) with numbers for each of n columns.
static inline __attribute__((always_inline)) void NAME(gradient_rows)(const S *g, const S *x, S *gx, size_t pitch, uint32_t n, const S *centre,
                                       const S *scale, const S *a, const S *b, const uint32_t count) {
  EACH_VECTOR({
    V v[2], m = load(centre + i), r = load(scale + i), s = load(a + i), t = load(b + i);
    UNROLL for (uint32_t k = 0; k < count; k++)
      v[k] = r * (NAME(get)(g + k * pitch + i, left, 0) - s - (NAME(get)(x + k * pitch + i, left, 0) - m) * t);
    UNROLL for (uint32_t k = 0; k < count; k++) NAME(set)(gx + k * pitch + i, v[k], left);
  })
}

static void NAME(backward_columns)(const batchNormBackward_params *p, uint32_t first, uint32_t n) {
  const S *g = IN(S, g) + first, *x = IN(S, x) + first, *mean = IN(S, mean) + first, *rstd = IN(S, rstd) + first;
  const S *weight = p->weighted ? IN(S, weight) + first : NULL;
  S *gx = OUT(S, gx) + first, *gweight = OUT(S, gweight) + first, *gbias = OUT(S, gbias) + first;
  uint32_t rows = p->outer, channels = p->channels;
  double sum[NORM_COLUMNS] = {0}, dot[NORM_COLUMNS] = {0};
  S centre[NORM_COLUMNS + LANES] = {0}, scale[NORM_COLUMNS + LANES],
                              a[NORM_COLUMNS + LANES], b[NORM_COLUMNS + LANES];
  for (uint32_t c = 0; c < n; c++) centre[c] = mean[c];
  for (uint32_t start = 0, count; start < rows; start += count) {
    const size_t at = (size_t)start * channels;
    count = MIN(rows - start, NORM_ROWS);
    NAME(column_totals)(g + at, x + at, channels, count, n, centre, a, b);
    for (uint32_t c = 0; c < n; c++) sum[c] += a[c], dot[c] += b[c];
  }
  for (uint32_t c = 0; c < n; c++) {
    S r = rstd[c];
    gweight[c] = (S)(dot[c] * r);
    gbias[c] = (S)sum[c];
    scale[c] = r * WEIGHT(c);
    a[c] = (S)(sum[c] / rows);
    b[c] = (S)(dot[c] * r * r / rows);
  }
  for (; rows >= 2; rows -= 2, x += 2 * channels, g += 2 * channels, gx += 2 * channels)
    NAME(gradient_rows)(g, x, gx, channels, n, centre, scale, a, b, 2);
  if (rows) NAME(gradient_rows)(g, x, gx, channels, n, centre, scale, a, b, 1);
}

// gx = weight rstd (g - mean(g) - xhat mean(g xhat)), gweight = sum(g xhat), gbias = sum(g).
KERNEL(batchNormBackward) {
  const S *g = IN(S, g), *x = IN(S, x), *mean = IN(S, mean), *rstd = IN(S, rstd);
  const S *weight = p->weighted ? IN(S, weight) : NULL;
  S *gx = OUT(S, gx), *gweight = OUT(S, gweight), *gbias = OUT(S, gbias);
  uint32_t outer = p->outer, channels = p->channels, length = p->length;
  double n = (double)outer * length;
  for (uint32_t u = begin; u < end; u++) {
    if (length == 1) {
      NAME(backward_columns)(p, u * NORM_COLUMNS, MIN(channels - u * NORM_COLUMNS, NORM_COLUMNS));
      continue;
    }
    size_t first = (size_t)u * length, step = (size_t)channels * length;
    double sum = 0, dot = 0;
    for (uint32_t o = 0; o < outer; o++) {
      size_t at = first + o * step;
      NAME(dots)(g + at, x + at, NULL, length, mean[u], &sum, &dot);
    }
    S r = rstd[u], a = (S)(sum / n), b = (S)(dot * r * r / n);
    gweight[u] = (S)(dot * r);
    gbias[u] = (S)sum;
    for (uint32_t o = 0; o < outer; o++) {
      size_t at = first + o * step;
      NAME(gradient)(g + at, x + at, NULL, gx + at, length, mean[u], r * WEIGHT(u), 1, a, b);
    }
  }
}

// y = (x - mean) / sqrt(var + eps) * weight + bias with given statistics. Units are outer indices.
KERNEL(batchNormInference) {
  const S *x = IN(S, x), *mean = IN(S, mean), *var = IN(S, var);
  const S *weight = p->weighted ? IN(S, weight) : NULL, *bias = p->biased ? IN(S, bias) : NULL;
  S *y = OUT(S, y);
  uint32_t channels = p->channels, length = p->length;
  double eps = F64(p->eps);
  S centre[NORM_COLUMNS + LANES], scale[NORM_COLUMNS + LANES], shift[NORM_COLUMNS + LANES];
  for (uint32_t first = 0, n; first < channels; first += n) {
    n = MIN(channels - first, NORM_COLUMNS);
    for (uint32_t k = 0; k < n; k++) {
      const uint32_t c = first + k;
      centre[k] = mean[c], scale[k] = (S)(WEIGHT(c) / sqrt(var[c] + eps)), shift[k] = BIAS(c);
    }
    const size_t at = (size_t)begin * channels + first;
    if (length == 1) NAME(affine_columns)(x + at, y + at, channels, end - begin, n, centre, scale, shift);
    else
      for (uint32_t o = begin; o < end; o++)
        for (uint32_t k = 0; k < n; k++) {
          const size_t plane = ((size_t)o * channels + first + k) * length;
          NAME(affine)(x + plane, y + plane, length, centre[k], scale[k], shift[k]);
        }
  }
}

#undef WEIGHT
#undef BIAS
#undef EACH_VECTOR
#endif
