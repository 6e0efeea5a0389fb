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

// Length 1: adds to totals of n columns those of d = x - centre and d * d, or of g and g * d: vectors within NORM_ROWS
// rows, doubles across them.
static NOINLINE void NAME(column_totals)(const S *g, const S *x, size_t pitch, uint32_t rows, uint32_t n,
                                         const S *centre, double *sum, double *dot) {
  const bool own = g == x;
  for (uint32_t start = 0; start < rows; start += NORM_ROWS) {
    S a[NORM_COLUMNS + LANES] = {0}, b[NORM_COLUMNS + LANES] = {0};
    for (uint32_t o = start; o < MIN(rows, start + NORM_ROWS); o++, x += pitch, g += pitch) {
      EACH_VECTOR({
        V d = NAME(get)(x + i, left, 0) - load(centre + i), v = own ? d : NAME(get)(g + i, left, 0);
        store(a + i, load(a + i) + v);
        store(b + i, load(b + i) + v * d);
      })
    }
    for (uint32_t c = 0; c < n; c++) sum[c] += a[c], dot[c] += b[c];
  }
}

// y = (x - m) * r + b with numbers for each of n columns.
static NOINLINE void NAME(affine_columns)(const S *x, S *y, size_t pitch, uint32_t rows, uint32_t n, const S *m,
                                          const S *r, const S *b) {
  for (; rows > 0; rows--, x += pitch, y += pitch) {
    EACH_VECTOR(NAME(set)(
        y + i, (NAME(get)(x + i, left, 0) - load(m + i)) * load(r + i) + load(b + i), left))
  }
}

static void NAME(batch_columns)(const batchNorm_params *p, uint32_t first, uint32_t n) {
  const S *x = IN(S, x) + first, *weight = p->weighted ? IN(S, weight) + first : NULL;
  const S *bias = p->biased ? IN(S, bias) + first : NULL;
  S *mean = OUT(S, mean) + first, *var = OUT(S, var) + first, *rstd = OUT(S, rstd) + first;
  uint32_t rows = p->outer, channels = p->channels;
  double sum[NORM_COLUMNS] = {0}, rest[NORM_COLUMNS] = {0}, squares[NORM_COLUMNS] = {0};
  S centre[NORM_COLUMNS + LANES] = {0}, scale[NORM_COLUMNS + LANES], shift[NORM_COLUMNS + LANES];
  NAME(column_totals)(x, x, channels, rows, n, centre, sum, squares);
  for (uint32_t c = 0; c < n; c++) centre[c] = (S)(sum[c] / rows), squares[c] = 0;
  NAME(column_totals)(x, x, channels, rows, n, centre, rest, squares);
  for (uint32_t c = 0; c < n; c++) {
    NAME(statistics)(sum[c], rest[c], squares[c], rows, F64(p->eps), mean + c, var + c, rstd + c);
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
    NAME(statistics)(sum, rest, squares, n, F64(p->eps), mean + u, var + u, rstd + u);
    S scale = rstd[u] * WEIGHT(u);
    for (uint32_t o = 0; o < outer; o++)
      NAME(affine)(x + first + o * step, y + first + o * step, length, mean[u], scale, BIAS(u));
  }
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
  NAME(column_totals)(g, x, channels, rows, n, centre, sum, dot);
  for (uint32_t c = 0; c < n; c++) {
    S r = rstd[c];
    gweight[c] = (S)(dot[c] * r);
    gbias[c] = (S)sum[c];
    scale[c] = r * WEIGHT(c);
    a[c] = (S)(sum[c] / rows);
    b[c] = (S)(dot[c] * r * r / rows);
  }
  for (uint32_t o = 0; o < rows; o++, x += channels, g += channels, gx += channels) {
    EACH_VECTOR({
      V d = NAME(get)(x + i, left, 0) - load(centre + i);
      NAME(set)(gx + i, load(scale + i) * (NAME(get)(g + i, left, 0) - load(a + i) - d * load(b + i)), left);
    })
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
