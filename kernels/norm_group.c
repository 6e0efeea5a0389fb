// Group and layer normalisation: x is [outer, groups, channels, length]; a group of one outer index
// is normalised together, and weight and bias belong to its channels (layer norm: groups 1,
// channels n, length 1).
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

// Length 1: K vectors of columns of one group from column c, or its last `tail` columns, over rows
// [from, to).
static inline __attribute__((always_inline)) void NAME(affine_tile)(
    const groupNormAffine_params *p, uint32_t c, uint32_t from, uint32_t to, S *weights, S *biases,
    const uint32_t K, uint32_t tail) {
  const S *mean = IN(S, mean), *rstd = IN(S, rstd);
  uint32_t groups = p->groups, all = groups * p->channels, group = c / p->channels;
  const S *g = IN(S, g) + c, *x = IN(S, x) + c;
  V weight[4], bias[4];
  for (uint32_t k = 0; k < K; k++) weight[k] = bias[k] = splat((S)0);
  for (uint32_t o = from; o < to; o++) {
    size_t at = (size_t)o * all, stat = (size_t)o * groups + group;
    V m = splat(mean[stat]), r = splat(rstd[stat]);
    for (uint32_t k = 0; k < K; k++) {
      V v = tail ? load_tail(g + at, tail, 0) : load(g + at + k * LANES);
      V w = tail ? load_tail(x + at, tail, 0) : load(x + at + k * LANES);
      weight[k] += v * ((w - m) * r);
      bias[k] += v;
    }
  }
  for (uint32_t k = 0; k < K; k++) {
    NAME(set)(weights + c + k * LANES, weight[k], tail ? tail : LANES);
    NAME(set)(biases + c + k * LANES, bias[k], tail ? tail : LANES);
  }
}

static void NAME(affine_columns)(const groupNormAffine_params *p, uint32_t first, uint32_t last,
                                 uint32_t from, uint32_t to, S *weights, S *biases) {
  for (uint32_t c = first; c < last;) {
    uint32_t left = MIN(last, (c / p->channels + 1) * p->channels) - c;
    if (left >= 4 * LANES) {
      NAME(affine_tile)(p, c, from, to, weights, biases, 4, 0);
      c += 4 * LANES;
    } else if (left >= LANES) {
      NAME(affine_tile)(p, c, from, to, weights, biases, 1, 0);
      c += LANES;
    } else {
      NAME(affine_tile)(p, c, from, to, weights, biases, 1, left);
      c += left;
    }
  }
}

// gweight[c] = sum(g * xhat), gbias[c] = sum(g) over outer and length. If length is 1, partials of
// NORM_ROWS outer indices ([blocks, channels]; units are blocks x chunks of columns); else the
// results themselves (units are channels of all groups).
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
