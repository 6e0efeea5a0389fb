// Group and layer normalisation: x is [outer, groups, channels, length]; a group of one outer index is normalised together, and
// weight and bias belong to its channels (layer norm: groups 1, channels n, length 1).
#include "kernel.h"
#ifndef S
#include "norm.h"
#define SOURCE "norm_group.c"
#include "each_real.h"
#else
#include "norm_moments.h"

// y = (x - mean) * rstd * weight + bias. Units are groups: mean and rstd are [outer, groups].
KERNEL(groupNorm) {
  const S *x = IN(S, x), *weight = p->weighted ? IN(S, weight) : NULL;
  const S *bias = p->biased ? IN(S, bias) : NULL;
  S *y = OUT(S, y), *mean = OUT(S, mean), *rstd = OUT(S, rstd);
  uint32_t channels = p->channels, length = p->length, n = channels * length;
  double eps = F64(p->eps);
  for (uint32_t u = begin; u < end; u++) {
    size_t base = (size_t)u * n;
    uint32_t first = u % p->groups * channels;
    double sum = 0, rest = 0, squares = 0;
    NAME(total)(x + base, n, &sum);
    S centre = (S)(sum / n);
    NAME(deviations)(x + base, n, centre, &rest, &squares);
    S m = mean[u] = (S)(centre + rest / n);
    S r = rstd[u] = (S)(1 / sqrt((squares - rest * rest / n) / n + eps));
    if (length == 1) {
      NAME(affine_row)(x + base, weight ? weight + first : NULL, bias ? bias + first : NULL,
                       y + base, n, m, r);
      continue;
    }
    for (uint32_t c = first; c < first + channels; c++, base += length)
      NAME(affine)(x + base, y + base, length, m, weight ? r * weight[c] : r, bias ? bias[c] : 0);
  }
}

// gx = rstd * (g w - mean(g w) - xhat * mean(g w xhat)), the means over the group.
KERNEL(groupNormBackward) {
  const S *g = IN(S, g), *x = IN(S, x), *mean = IN(S, mean), *rstd = IN(S, rstd);
  const S *weight = p->weighted ? IN(S, weight) : NULL;
  S *gx = OUT(S, gx);
  uint32_t channels = p->channels, length = p->length, n = channels * length;
  for (uint32_t u = begin; u < end; u++) {
    size_t base = (size_t)u * n;
    uint32_t first = u % p->groups * channels;
    const S *ws = weight && length == 1 ? weight + first : NULL;
    uint32_t pieces = length == 1 ? 1 : channels, size = length == 1 ? n : length;
    S m = mean[u], r = rstd[u];
    double sum = 0, dot = 0;
    for (uint32_t c = 0; c < pieces; c++) {
      double s = 0, d = 0, w = weight && !ws ? weight[first + c] : 1;
      size_t at = base + (size_t)c * size;
      NAME(dots)(g + at, x + at, ws, size, m, &s, &d);
      sum += w * s;
      dot += w * d;
    }
    S a = (S)(sum / n), b = (S)(dot * r * r / n);
    for (uint32_t c = 0; c < pieces; c++, base += size) {
      S w = weight && !ws ? weight[first + c] : 1;
      NAME(gradient)(g + base, x + base, ws, gx + base, size, m, r, w, a, b);
    }
  }
}

// Length 1: columns [first, last) of g and x over rows [from, to), added up in row order.
static void NAME(affine_columns)(const groupNormAffine_params *p, uint32_t first, uint32_t last,
                                 uint32_t from, uint32_t to, S *weights, S *biases) {
  const S *g = IN(S, g), *x = IN(S, x), *mean = IN(S, mean), *rstd = IN(S, rstd);
  uint32_t groups = p->groups, channels = p->channels, all = groups * channels, step;
  for (uint32_t c = first; c < last; c += step) {
    // As many columns of one group as fit a vector.
    uint32_t group = c / channels, left = MIN(last, (group + 1) * channels) - c;
    V weight = splat((S)0), bias = weight;
    for (uint32_t o = from; o < to; o++) {
      size_t at = (size_t)o * all + c, stat = (size_t)o * groups + group;
      V v = NAME(get)(g + at, left, 0);
      weight += v * ((NAME(get)(x + at, left, 0) - splat(mean[stat])) * splat(rstd[stat]));
      bias += v;
    }
    NAME(set)(weights + c, weight, left);
    NAME(set)(biases + c, bias, left);
    step = MIN(left, LANES);
  }
}

// gweight[c] = sum(g * xhat), gbias[c] = sum(g) over outer and length. If length is 1, partials of NORM_ROWS outer indices
// ([blocks, channels]; units are blocks x chunks of columns); else the results themselves (units are channels of all groups).
KERNEL(groupNormAffine) {
  const S *g = IN(S, g), *x = IN(S, x), *mean = IN(S, mean), *rstd = IN(S, rstd);
  S *gweight = OUT(S, gweight), *gbias = OUT(S, gbias);
  uint32_t length = p->length, all = p->groups * p->channels;
  uint32_t chunks = (all + NORM_COLUMNS - 1) / NORM_COLUMNS;
  for (uint32_t u = begin; u < end; u++) {
    if (length == 1) {
      uint32_t b = u / chunks, first = u % chunks * NORM_COLUMNS, from = b * NORM_ROWS;
      NAME(affine_columns)(p, first, MIN(first + NORM_COLUMNS, all), from,
                           MIN(p->outer, from + NORM_ROWS), gweight + (size_t)b * all,
                           gbias + (size_t)b * all);
      continue;
    }
    double weight = 0, bias = 0;
    for (uint32_t o = 0; o < p->outer; o++) {
      size_t stat = (size_t)o * p->groups + u / p->channels, at = ((size_t)o * all + u) * length;
      double s = 0, d = 0;
      NAME(dots)(g + at, x + at, NULL, length, mean[stat], &s, &d);
      weight += d * rstd[stat];
      bias += s;
    }
    gweight[u] = (S)weight;
    gbias[u] = (S)bias;
  }
}

#endif
