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

static inline void NAME(statistics)(double sum, double rest, double squares, double n, double eps,
                                    S *mean, S *var, S *rstd) {
  double centre = (S)(sum / n), spread = (squares - rest * rest / n) / n;
  *mean = (S)(centre + rest / n);
  *var = (S)spread;
  *rstd = (S)(1 / sqrt(spread + eps));
}

// Length 1: per column c of [first, last), totals of `one` and `two` over all rows: vectors within
// NORM_ROWS rows, doubles across them.
#define COLUMN_TOTALS(rows, first, last, A, B, one, two)                                 \
  for (uint32_t start = 0; start < (rows); start += NORM_ROWS) {                         \
    uint32_t stop = MIN((rows), start + NORM_ROWS);                                      \
    V a[NORM_COLUMNS / LANES], b[NORM_COLUMNS / LANES];                                  \
    for (int k = 0; k < NORM_COLUMNS / LANES; k++) a[k] = b[k] = splat((S)0);            \
    for (uint32_t o = start; o < stop; o++)                                              \
      for (uint32_t c = (first), k = 0; c < (last); c += LANES, k++) {                   \
        uint32_t left = (last)-c;                                                        \
        size_t at = (size_t)o * channels + c;                                            \
        a[k] += (one);                                                                   \
        b[k] += (two);                                                                   \
      }                                                                                  \
    for (uint32_t c = 0; c < (last) - (first); c++) {                                    \
      A[c] += a[c / LANES][c % LANES];                                                   \
      B[c] += b[c / LANES][c % LANES];                                                   \
    }                                                                                    \
  }
#define GET(q) NAME(get)((q) + at, left, 0)

static void NAME(batch_columns)(const batchNorm_params *p, uint32_t first, uint32_t last) {
  const S *x = IN(S, x), *weight = p->weighted ? IN(S, weight) : NULL;
  const S *bias = p->biased ? IN(S, bias) : NULL;
  S *y = OUT(S, y), *mean = OUT(S, mean), *var = OUT(S, var), *rstd = OUT(S, rstd);
  uint32_t rows = p->outer, channels = p->channels;
  double sum[NORM_COLUMNS] = {0}, rest[NORM_COLUMNS] = {0}, squares[NORM_COLUMNS] = {0};
  S centre[NORM_COLUMNS + LANES] = {0}, scale[NORM_COLUMNS + LANES], shift[NORM_COLUMNS + LANES];
  COLUMN_TOTALS(rows, first, last, sum, squares, GET(x), splat((S)0))
  for (uint32_t c = first; c < last; c++) centre[c - first] = (S)(sum[c - first] / rows);
#define DEVIATION (GET(x) - load(centre + c - first))
  COLUMN_TOTALS(rows, first, last, rest, squares, DEVIATION, DEVIATION *DEVIATION)
#undef DEVIATION
  for (uint32_t c = first; c < last; c++) {
    uint32_t k = c - first;
    NAME(statistics)(sum[k], rest[k], squares[k], rows, F64(p->eps), mean + c, var + c, rstd + c);
    centre[k] = mean[c];
    scale[k] = rstd[c] * WEIGHT(c);
    shift[k] = BIAS(c);
  }
  for (uint32_t o = 0; o < rows; o++)
    for (uint32_t c = first; c < last; c += LANES) {
      size_t at = (size_t)o * channels + c;
      uint32_t left = last - c, k = c - first;
      V v = (GET(x) - load(centre + k)) * load(scale + k) + load(shift + k);
      NAME(set)(y + at, v, left);
    }
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
      NAME(batch_columns)(p, u * NORM_COLUMNS, MIN(channels, (u + 1) * NORM_COLUMNS));
      continue;
    }
    size_t first = (size_t)u * length, step = (size_t)channels * length;
    double sum = 0, rest = 0, squares = 0;
    for (uint32_t o = 0; o < outer; o++) NAME(total)(x + first + o * step, length, &sum);
    S centre = (S)(sum / n);
    for (uint32_t o = 0; o < outer; o++)
      NAME(deviations)(x + first + o * step, length, centre, &rest, &squares);
    NAME(statistics)(sum, rest, squares, n, F64(p->eps), mean + u, var + u, rstd + u);
    S scale = rstd[u] * WEIGHT(u);
    for (uint32_t o = 0; o < outer; o++)
      NAME(affine)(x + first + o * step, y + first + o * step, length, mean[u], scale, BIAS(u));
  }
}

static void NAME(backward_columns)(const batchNormBackward_params *p, uint32_t first,
                                   uint32_t last) {
  const S *g = IN(S, g), *x = IN(S, x), *mean = IN(S, mean), *rstd = IN(S, rstd);
  const S *weight = p->weighted ? IN(S, weight) : NULL;
  S *gx = OUT(S, gx), *gweight = OUT(S, gweight), *gbias = OUT(S, gbias);
  uint32_t rows = p->outer, channels = p->channels;
  double sum[NORM_COLUMNS] = {0}, dot[NORM_COLUMNS] = {0};
  S centre[NORM_COLUMNS + LANES] = {0}, scale[NORM_COLUMNS + LANES], a[NORM_COLUMNS + LANES],
                              b[NORM_COLUMNS + LANES];
  for (uint32_t c = first; c < last; c++) centre[c - first] = mean[c];
  COLUMN_TOTALS(rows, first, last, sum, dot, GET(g), GET(g) * (GET(x) - load(centre + c - first)))
  for (uint32_t c = first; c < last; c++) {
    uint32_t k = c - first;
    S r = rstd[c];
    gweight[c] = (S)(dot[k] * r);
    gbias[c] = (S)sum[k];
    scale[k] = r * WEIGHT(c);
    a[k] = (S)(sum[k] / rows);
    b[k] = (S)(dot[k] * r * r / rows);
  }
  for (uint32_t o = 0; o < rows; o++)
    for (uint32_t c = first; c < last; c += LANES) {
      size_t at = (size_t)o * channels + c;
      uint32_t left = last - c, k = c - first;
      V d = GET(x) - load(centre + k);
      NAME(set)(gx + at, load(scale + k) * (GET(g) - load(a + k) - d * load(b + k)), left);
    }
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
      NAME(backward_columns)(p, u * NORM_COLUMNS, MIN(channels, (u + 1) * NORM_COLUMNS));
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
  for (uint32_t c = 0; c < channels; c++) {
    S scale = (S)(WEIGHT(c) / sqrt(var[c] + eps)), m = mean[c], b = BIAS(c);
    for (uint32_t o = begin; o < end; o++) {
      size_t at = ((size_t)o * channels + c) * length;
      if (length == 1)
        y[at] = (x[at] - m) * scale + b;
      else
        NAME(affine)(x + at, y + at, length, m, scale, b);
    }
  }
}

#undef WEIGHT
#undef BIAS
#undef COLUMN_TOTALS
#undef GET
#endif
