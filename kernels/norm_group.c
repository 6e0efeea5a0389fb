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

// gx = rstd * (g w - a - (x - mean) b) of one row of a group, and what it adds to gweight and gbias.
static NOINLINE void NAME(row_backward)(const S *g, const S *x, const S *weight, S *gx, S *gweight, S *gbias, uint32_t n,
                                        S mean, S rstd, const S *ab) {
  static const S one[4 * LANES] = {[0 ... 4 * LANES - 1] = 1};
  const uint32_t mask = weight ? UINT32_MAX : 0;
  if (!weight) weight = one;
  const V m = splat(mean), r = splat(rstd), a = splat(ab[0]), b = splat(ab[1]);
// All reads first: those of rows of 4 KiB and the writes before them would seem to be of one place.
#define GRADIENTS(get, put)                                          \
  {                                                                  \
    V v = get(g + k), u = v * r, d = get(x + k) - m;                 \
    V t = get(weight + k), w = get(gweight + k), s = get(gbias + k); \
    put(gweight + k, w + u * d);                                     \
    put(gbias + k, s + v);                                           \
    put(gx + k, r * (v * t - a - d * b));                            \
  }
#define GET(p) load_tail(p, n - k, 0)
#define PUT(p, v) store_tail(p, v, n - k)
#define STEP (4 * LANES)
  // Constant distances from pointers that move: an address for each access takes half as long again.
  for (; n >= STEP; n -= STEP, g += STEP, x += STEP, gx += STEP, gweight += STEP, gbias += STEP, weight += STEP & mask)
    UNROLL for (uint32_t k = 0; k < STEP; k += LANES) GRADIENTS(load, store)
  uint32_t k = 0;
  for (; k + LANES <= n; k += LANES) GRADIENTS(load, store)
  if (k < n) GRADIENTS(GET, PUT)
#undef STEP
#undef GRADIENTS
#undef GET
#undef PUT
}

// groupNormBackward for length 1, with gweight and gbias: a unit is `rows` outer indices, whose
// partial sums are [units, groups * channels]. Rows one by one: several at once are more streams
// than are fetched ahead; but of short ones, whose sums are chains, those of several before their gx.
#define ROWS_AHEAD 8
#define AHEAD 2048
KERNEL(layerNormBackward) {
  const S *weight = IN(S, weight), *mean = IN(S, mean), *rstd = IN(S, rstd);
  const uint32_t n = p->channels, all = p->groups * n, ahead = MAX(1, MIN(ROWS_AHEAD, AHEAD / MAX(1, n)));
  S ab[ROWS_AHEAD][2];
  for (uint32_t u = begin; u < end; u++) {
    S *gweight = OUT(S, gweight) + (size_t)u * all, *gbias = OUT(S, gbias) + (size_t)u * all;
    memset(gweight, 0, all * sizeof(S));
    memset(gbias, 0, all * sizeof(S));
    const uint32_t last = MIN(p->outer, (u + 1) * p->rows) * p->groups;
    for (uint32_t stat = u * p->rows * p->groups, rows; stat < last; stat += rows) {
      const S *g = IN(S, g) + (size_t)stat * n, *x = IN(S, x) + (size_t)stat * n;
      rows = MIN(ahead, last - stat);
      for (uint32_t r = 0; r < rows; r++) {
        double sum = 0, dot = 0, scale = rstd[stat + r];
        NAME(dots)(g + r * n, x + r * n, p->weighted ? weight + (stat + r) % p->groups * n : NULL, n, mean[stat + r],
                   &sum, &dot);
        ab[r][0] = (S)(sum / n);
        ab[r][1] = (S)(dot * scale * scale / n);
      }
      for (uint32_t r = 0; r < rows; r++) {
        const uint32_t first = (stat + r) % p->groups * n;
        NAME(row_backward)(g + r * n, x + r * n, p->weighted ? weight + first : NULL, OUT(S, gx) + (size_t)(stat + r) * n,
                           gweight + first, gbias + first, n, mean[stat + r], rstd[stat + r], ab[r]);
      }
    }
  }
}
#undef ROWS_AHEAD
#undef AHEAD

// gweight[c] = sum(g * xhat), gbias[c] = sum(g) over outer and length. Units are channels of all
// groups.
KERNEL(groupNormAffine) {
  const S *g = IN(S, g), *x = IN(S, x), *mean = IN(S, mean), *rstd = IN(S, rstd);
  S *gweight = OUT(S, gweight), *gbias = OUT(S, gbias);
  uint32_t length = p->length, all = p->groups * p->channels;
  for (uint32_t u = begin; u < end; u++) {
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
