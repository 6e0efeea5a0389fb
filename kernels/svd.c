// Singular value decomposition by one-sided Jacobi rotations (Hestenes 1958): the columns of the
// matrix, or the rows where these are fewer, are turned in pairs until all are orthogonal. Their
// lengths are the singular values then, to high relative accuracy (Demmel and Veselic 1992,
// "Jacobi's method is more accurate than QR"). float32 is computed in double precision too.
#include "kernel.h"
#define SUFFIX f64

// As in LAPACK's xGESVJ, vectors are orthogonal if the cosine between them is below
// sqrt(length) epsilon, and 30 sweeps over all pairs are the most. For float32 a cosine of 2^-32
// will do: it changes singular values by its square.
#define SWEEPS 30
// Squared length of what counts as zero, where the greatest element is between 1 and 4.
#define NOTHING 1e-270

typedef struct {
  double xx, yy, xy;
} products;

static products multiply(const double *x, const double *y, uint32_t n) {
  f64x2 xx = {0}, yy = {0}, xy = {0};
  for (uint32_t i = 0; i < n; i += 2) {
    f64x2 a = load(x + i), b = load(y + i);
    xx += a * a;
    yy += b * b;
    xy += a * b;
  }
  return (products){sum_lanes(xx), sum_lanes(yy), sum_lanes(xy)};
}

// Turns two vectors of n, and what lies behind them up to `all`, until they are orthogonal. With
// tau = s / (1 + c) the rounding errors of a rotation shrink with its angle (Rutishauser 1966).
// A function of its own, which engines make fast while the first large matrix is still computed.
static __attribute__((noinline)) bool rotate(double *x, double *y, uint32_t n, uint32_t all,
                                             double tolerance) {
  products sums = multiply(x, y, n);
  double xx = sums.xx, yy = sums.yy, xy = sums.xy;
  if (MIN(xx, yy) < NOTHING || fabs(xy) <= tolerance * sqrt(xx) * sqrt(yy)) return false;
  double zeta = (yy - xx) / (2 * xy);
  double t = (zeta < 0 ? -1 : 1) / (fabs(zeta) + sqrt(1 + zeta * zeta));
  double c = 1 / sqrt(1 + t * t), s = c * t, tau = s / (1 + c);
  for (uint32_t i = 0; i < all; i += 2) {
    f64x2 a = load(x + i), b = load(y + i);
    store(x + i, a - s * (b + tau * a));
    store(y + i, b + s * (a - tau * b));
  }
  return true;
}

// Turns all pairs of k vectors, in rounds of pairs that share none, as in a tournament.
static bool sweep(double *w, uint32_t k, uint32_t stride, uint32_t n, uint32_t all,
                  double tolerance) {
  bool turned = false;
  uint32_t last = (k - 1) | 1;
  for (uint32_t round = 0; round < last; round++) {
    for (uint32_t i = 0; i <= last / 2; i++) {
      uint32_t a = i ? (round + i) % last : last, b = (round + last - i) % last;
      if (MAX(a, b) < k)
        turned |= rotate(w + MIN(a, b) * stride, w + MAX(a, b) * stride, n, all, tolerance);
    }
  }
  return turned;
}

// Makes x of an axis, orthogonal to the vectors that are done; returns the axis after it. Axes that
// these span nearly are passed over for good: all others remain, since the squared distances of the
// n axes from fewer than n vectors sum to 1 or more. Orthogonal at the second time (Parlett, "The
// symmetric eigenvalue problem", 6.9).
static uint32_t complete(double *x, double *w, double *end, uint32_t stride, uint32_t n,
                         uint32_t all, uint32_t axis) {
  do {
    memset(x, 0, n * sizeof *x);
    x[axis++] = 1;
    for (int pass = 0; pass < 2; pass++) {
      for (double *y = w; y < end; y += stride) {
        double inside = y[all] < 0 ? multiply(x, y, n).xy : 0;
        for (uint32_t i = 0; i < n; i++) x[i] -= inside * y[i];
      }
    }
  } while (multiply(x, x, n).xx * 2 * n < 1);
  return axis;
}

// Writes n numbers, `step` apart.
static void put(uint32_t to, uint32_t wide, size_t at, uint32_t step, const double *x, uint32_t n) {
  for (uint32_t i = 0; i < n; i++, at += step) {
    if (wide) ((double *)address(to))[at] = x[i];
    else ((float *)address(to))[at] = (float)x[i];
  }
}

// A unit is `share` matrices, one after the other in the same scratch memory, which has a row for
// each vector: the vector, its rotations and its squared length, -1 once it is done. The status
// word becomes 1 if a matrix is not finite, 2 if the rotations did not end.
KERNEL(svd) {
  uint32_t m = p->m, n = p->n, count = p->count, wide = p->wide, tall = m >= n;
  uint32_t length = MAX(m, n), k = MIN(m, n);
  uint32_t behind = (length + 1) & ~1u, all = behind + ((k + 1) & ~1u), stride = all + 2;
  size_t size = (size_t)count * stride;
  double tolerance = sqrt(length) * (wide ? 0x1p-52 : 0x1p-32);
  for (size_t at = begin * p->share; at < MIN(p->batch, end * p->share); at++) {
    double *w = OUT(double, scratch) + at / p->share * size, most = 0, rest = 0;
    memset(w, 0, size * sizeof *w);
    for (uint32_t i = 0; i < m * n; i++) {
      size_t from = at * m * n + i;
      double v = wide ? IN(double, x)[from] : IN(float, x)[from];
      w[tall ? i % n * stride + i / n : i / n * stride + i % n] = v;
      most = MAX(most, fabs(v));
      rest += v - v;
    }
    uint32_t sweeps = 0;
    if (rest != 0) {
      *OUT(uint32_t, status) = 1;
      continue;
    }
    // A power of two that brings the greatest element to between 1 and 4 (a subnormal one below 1).
    uint64_t bits;
    memcpy(&bits, &most, sizeof bits);
    bits = (2046 - MIN(bits >> 52, 2045)) << 52;
    memcpy(&most, &bits, sizeof bits);
    for (size_t i = 0; i < size; i++) w[i] *= most;
    for (uint32_t j = 0; j < k; j++) w[j * stride + behind + j] = 1;
    while (k > 1 && sweep(w, k, stride, length, all, tolerance))
      if (++sweeps == SWEEPS) {
        *OUT(uint32_t, status) = 2;
        break;
      }
    for (double *x = w; x < w + (size_t)k * stride; x += stride) {
      double square = multiply(x, x, length).xx;
      x[all] = square < NOTHING ? 0 : square;
    }
    for (uint32_t r = 0, axis = 0; r < count; r++) {
      double *x = w;
      for (double *y = w; y < w + size; y += stride)
        if (y[all] > x[all]) x = y;
      double value = sqrt(x[all]) / most;
      if (value == 0) axis = complete(x, w, w + size, stride, length, all, axis);
      double divisor = sqrt(multiply(x, x, length).xx);
      for (uint32_t i = 0; i < length; i++) x[i] /= divisor;
      x[all] = -1;
      put(tall ? p->u : p->vh, wide, at * length * count + r * (tall ? 1 : length),
          tall ? count : 1, x, length);
      if (r >= k) continue;
      put(p->s, wide, at * k + r, 1, &value, 1);
      put(tall ? p->vh : p->u, wide, at * k * k + r * (tall ? k : 1), tall ? 1 : k, x + behind, k);
    }
  }
}
