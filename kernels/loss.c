// Losses against class indices: x is [outer, classes, inner], target [outer, inner].
#include "kernel.h"
#ifndef S
#include "index.h"
#include <math.h>
#define SOURCE "loss.c"
#include "each_real.h"
#else

// The class of a position: false if it is ignored, or does not exist (then the status word says
// so).
static inline bool NAME(class_of)(int32_t target, int32_t ignore, uint32_t classes,
                                  uint32_t position, uint32_t *status, uint32_t *class) {
  return target != ignore && resolve(target, classes, 0, position, status, class);
}

// Largest logit of one position (a NaN shows in the sum), and the log of the sum of exp(x -
// largest).
static void NAME(log_sum_row)(const S *x, uint32_t n, S *most, S *log_sum) {
  V low = splat((S)-INFINITY), m[4] = {low, low, low, low}, total[4] = {0};
  uint32_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES)
    UNROLL for (int k = 0; k < 4; k++) m[k] = pmax_(m[k], load(x + i + k * LANES));
  for (; i < n; i += LANES) {
    uint32_t left = n - i;
    m[0] = pmax_(m[0], left >= LANES ? load(x + i) : load_tail(x + i, left, (S)-INFINITY));
  }
  *most = max_lanes(pmax_(pmax_(m[0], m[1]), pmax_(m[2], m[3])));
  i = 0;
#if LANES == 4
  i = n & ~15u;
  exp_sum(x, NULL, i, *most, total);
#endif
  for (; i < n; i += LANES) {
    uint32_t left = n - i;
    V e = exp_((left >= LANES ? load(x + i) : load_tail(x + i, left, *most)) - *most);
    total[0] += left >= LANES ? e : select(iota_as(e) < (S)left, e, splat((S)0));
  }
  V sum = (total[0] + total[2]) + (total[1] + total[3]);
  *log_sum = log_(splat(sum_lanes(sum)))[0];
}

static void NAME(log_sum_columns)(const S *x, uint32_t n, size_t inner, uint32_t count, S *most,
                                  S *log_sum) {
  for (uint32_t c = 0; c < count; c += LANES) {
    uint32_t left = count - c;
    V m = splat((S)-INFINITY), total = splat((S)0);
#define GET(r) (left >= LANES ? load(x + (r)*inner + c) : load_tail(x + (r)*inner + c, left, 0))
    for (uint32_t r = 0; r < n; r++) m = pmax_(m, GET(r));
    for (uint32_t r = 0; r < n; r++) total += exp_(GET(r) - m);
#undef GET
    total = log_(total);
    if (left >= LANES) {
      store(most + c, m);
      store(log_sum + c, total);
    } else {
      store_tail(most + c, m, left);
      store_tail(log_sum + c, total, left);
    }
  }
}

// The sum over classes of weight * (x - shift), for label smoothing.
static S NAME(smooth)(const S *x, const S *weight, uint32_t n, size_t inner, S most, S log_sum) {
  S total = 0;
  for (uint32_t c = 0; c < n; c++)
    total += (weight ? weight[c] : 1) * (x[c * inner] - most - log_sum);
  return total;
}

// With logp = x - most - logSum and e = smoothing:
//   loss = -(1 - e) w[t] logp[t] - e / classes * sum_c w[c] logp[c];  scale = w[t];
// both 0 where target is ignored.
// Units are positions (inner = 1), or chunks of LOSS_COLUMNS columns of one outer index.
#define LOSS_COLUMNS 64
KERNEL(crossEntropy) {
  const S *x = IN(S, x), *weight = p->weighted ? IN(S, weight) : NULL;
  const int32_t *target = IN(int32_t, target);
  S *loss = OUT(S, loss), *scale = OUT(S, scale), *most = OUT(S, most), *log_sum = OUT(S, logSum);
  uint32_t *status = OUT(uint32_t, status), n = p->classes, inner = p->inner, class;
  uint32_t chunks = inner == 1 ? 1 : (inner + LOSS_COLUMNS - 1) / LOSS_COLUMNS;
  S e = (S)F64(p->smoothing);
  for (uint32_t u = begin; u < end; u++) {
    uint32_t o = u / chunks, first = u % chunks * LOSS_COLUMNS;
    uint32_t count = inner == 1 ? 1 : MIN(LOSS_COLUMNS, inner - first);
    const S *from = x + (size_t)o * n * inner + first;
    size_t at = (size_t)o * inner + first;
    if (inner == 1)
      NAME(log_sum_row)(from, n, most + at, log_sum + at);
    else
      NAME(log_sum_columns)(from, n, inner, count, most + at, log_sum + at);
    for (uint32_t c = 0; c < count; c++, at++, from++) {
      loss[at] = scale[at] = 0;
      if (!NAME(class_of)(target[at], p->ignore, n, at, status, &class)) continue;
      S w = weight ? weight[class] : 1, logp = from[(size_t)class * inner] - most[at] - log_sum[at];
      loss[at] = -(1 - e) * w * logp;
      scale[at] = w;
      if (e != 0) loss[at] -= e / n * NAME(smooth)(from, weight, n, inner, most[at], log_sum[at]);
    }
  }
}

// f exp(x - most - log_sum) - even * w, and 0 where f is 0, whatever x is.
static inline V NAME(soft_part)(V x, V most, V log_sum, V f, V even, V w) {
  return select(f == 0, splat((S)0), f * exp_(x - most - log_sum) - even * w);
}

// One row of classes, or one row of columns for each class; `soft` and `even` are per position.
static void NAME(soft_row)(const S *x, const S *weight, S *gx, uint32_t n, S most, S log_sum,
                           S soft, S even) {
  uint32_t i = 0;
#if LANES == 4
  if (even == 0 && soft != 0) {
    exp_run(x, gx, n & ~15u, most, log_sum);
#pragma clang loop unroll_count(4)
    for (; i < (n & ~15u); i += LANES) store(gx + i, load(gx + i) * soft);
  }
#endif
  for (; i < n; i += LANES) {
    uint32_t left = n - i;
    V v = left >= LANES ? load(x + i) : load_tail(x + i, left, most), w = splat((S)1);
    if (weight) w = left >= LANES ? load(weight + i) : load_tail(weight + i, left, 0);
    v = NAME(soft_part)(v, splat(most), splat(log_sum), splat(soft), splat(even), w);
    if (left >= LANES)
      store(gx + i, v);
    else
      store_tail(gx + i, v, left);
  }
}

static void NAME(soft_columns)(const S *x, const S *weight, S *gx, uint32_t n, size_t inner,
                               uint32_t count, const S *most, const S *log_sum, const S *soft,
                               const S *even) {
  for (uint32_t r = 0; r < n; r++, x += inner, gx += inner) {
    V w = splat(weight ? weight[r] : 1);
    for (uint32_t c = 0; c < count; c += LANES) {
      uint32_t left = count - c;
#define GET(q) (left >= LANES ? load((q) + c) : load_tail((q) + c, left, 0))
      V v = NAME(soft_part)(GET(x), GET(most), GET(log_sum), load(soft + c), load(even + c), w);
#undef GET
      if (left >= LANES)
        store(gx + c, v);
      else
        store_tail(gx + c, v, left);
    }
  }
}

// What the sums of losses and scales give: the first, or with `mean` its quotient by the second.
KERNEL(lossTotal) {
  const S *totals = IN(S, totals);
  for (; begin < end; begin++) {
    *OUT(S, loss) = p->mean ? totals[0] / totals[1] : totals[0];
    *OUT(S, scale) = totals[1];
  }
}

// The gradient of a position: its own, or what the one of all (step = 0) gives to each.
#define GRADIENT(at) (g[(at) * (size_t)p->step] / total)
#define TOTAL S total = p->mean ? *IN(S, total) : 1

// gx[c] = g (p[c] ((1 - e) w[t] + e / classes * sum w) - (1 - e) w[t] [c = t]
//            - e / classes * w[c]), p = exp(logp). Units as in crossEntropy.
KERNEL(crossEntropyBackward) {
  const S *g = IN(S, g), *x = IN(S, x), *most = IN(S, most), *log_sum = IN(S, logSum);
  const S *weight = p->weighted ? IN(S, weight) : NULL;
  const int32_t *target = IN(int32_t, target);
  S *gx = OUT(S, gx), e = (S)F64(p->smoothing), weights = p->classes;
  const TOTAL;
  uint32_t n = p->classes, inner = p->inner, class, none = 0;
  if (weight) {
    weights = 0;
    for (uint32_t c = 0; c < n; c++) weights += weight[c];
  }
  uint32_t chunks = inner == 1 ? 1 : (inner + LOSS_COLUMNS - 1) / LOSS_COLUMNS;
  for (uint32_t u = begin; u < end; u++) {
    uint32_t o = u / chunks, first = u % chunks * LOSS_COLUMNS;
    uint32_t count = inner == 1 ? 1 : MIN(LOSS_COLUMNS, inner - first);
    size_t base = (size_t)o * n * inner + first, at = (size_t)o * inner + first;
    // Per position: the factor of p, of the target's one, and of the even part.
    S soft[LOSS_COLUMNS + LANES] = {0}, hard[LOSS_COLUMNS], even[LOSS_COLUMNS + LANES] = {0};
    for (uint32_t c = 0; c < count; c++) {
      bool known = NAME(class_of)(target[at + c], p->ignore, n, 0, &none, &class);
      S w = known && weight ? weight[class] : 1, v = known ? GRADIENT(at + c) : 0;
      hard[c] = v * (1 - e) * w;
      even[c] = v * (e / n);
      soft[c] = hard[c] + even[c] * weights;
    }
    if (inner == 1)
      NAME(soft_row)(x + base, weight, gx + base, n, most[at], log_sum[at], soft[0], even[0]);
    else
      NAME(soft_columns)(x + base, weight, gx + base, n, inner, count, most + at, log_sum + at,
                         soft, even);
    for (uint32_t c = 0; c < count; c++)
      if (NAME(class_of)(target[at + c], p->ignore, n, 0, &none, &class))
        gx[base + (size_t)class * inner + c] -= hard[c];
  }
}

// loss = -w[t] x[t], scale = w[t]; 0 where target is ignored. Units are positions.
KERNEL(nllLoss) {
  const S *x = IN(S, x), *weight = p->weighted ? IN(S, weight) : NULL;
  const int32_t *target = IN(int32_t, target);
  S *loss = OUT(S, loss), *scale = OUT(S, scale);
  uint32_t *status = OUT(uint32_t, status), n = p->classes, inner = p->inner, class;
  for (uint32_t u = begin; u < end; u++) {
    loss[u] = scale[u] = 0;
    if (!NAME(class_of)(target[u], p->ignore, n, u, status, &class)) continue;
    scale[u] = weight ? weight[class] : 1;
    loss[u] = -scale[u] * x[((size_t)(u / inner) * n + class) * inner + u % inner];
  }
}

// gx = -w[t] g at the target, 0 elsewhere. Units are outer indices.
KERNEL(nllLossBackward) {
  const S *g = IN(S, g), *weight = p->weighted ? IN(S, weight) : NULL;
  const int32_t *target = IN(int32_t, target);
  S *gx = OUT(S, gx);
  const TOTAL;
  uint32_t n = p->classes, inner = p->inner, class, none = 0;
  size_t size = (size_t)n * inner;
  if (end > begin) memset(gx + begin * size, 0, (end - begin) * size * sizeof(S));
  for (uint32_t u = begin; u < end; u++)
    for (uint32_t c = 0; c < inner; c++) {
      size_t at = (size_t)u * inner + c;
      if (NAME(class_of)(target[at], p->ignore, n, 0, &none, &class))
        gx[u * size + (size_t)class * inner + c] = -(weight ? weight[class] : 1) * GRADIENT(at);
    }
}

#undef LOSS_COLUMNS
#undef GRADIENT
#undef TOTAL
#endif
