// Stable sorting along the middle of [outer, n, inner], the largest k, and searching in sorted
// rows. Values become unsigned keys of the same order (a NaN is greatest, -0 equals 0),
// complemented if descending; keys are sorted with the positions they came from.
#include "kernel.h"
#ifndef S
#define INSERTION 24
#define WIDE_LINE 4096
#define TOP_LIMIT 64
#define SOURCE "sort.c"
#include "each_number.h"
#else

#if LANES == 4
#define U uint32_t
#else
#define U uint64_t
#endif
#define TOP_BIT ((U)1 << (8 * sizeof(U) - 1))

static inline U NAME(key)(S value, bool descending) {
  U key;
#if REAL
  if (value == 0) value = 0;
  memcpy(&key, &value, sizeof key);
  if (value != value)
    key = ~(U)0;
  else
    key = key & TOP_BIT ? ~key : key | TOP_BIT;
#else
  key = (U)value ^ TOP_BIT;
#endif
  return descending ? ~key : key;
}

static void NAME(insertion)(U *keys, int32_t *order, uint32_t n) {
  for (uint32_t i = 1; i < n; i++) {
    U key = keys[i];
    int32_t place = order[i];
    uint32_t j = i;
    for (; j > 0 && keys[j - 1] > key; j--) {
      keys[j] = keys[j - 1];
      order[j] = order[j - 1];
    }
    keys[j] = key;
    order[j] = place;
  }
}

// Sorts by digits from the least; passes in which all digits are equal are left out. Returns which
// half holds the result.
static uint32_t NAME(radix)(U *const keys[2], int32_t *const order[2], uint32_t n) {
  uint32_t digit = n >= WIDE_LINE ? 11 : 8, mask = (1u << digit) - 1, half = 0;
  uint32_t starts[1 << 11];
  for (uint32_t shift = 0; shift < 8 * sizeof(U); shift += digit) {
    const U *from = keys[half];
    memset(starts, 0, (mask + 1) * sizeof *starts);
    for (uint32_t i = 0; i < n; i++) starts[from[i] >> shift & mask]++;
    if (starts[from[0] >> shift & mask] == n) continue;
    for (uint32_t d = 0, total = 0; d <= mask; d++) {
      uint32_t count = starts[d];
      starts[d] = total;
      total += count;
    }
    U *to = keys[1 - half];
    for (uint32_t i = 0; i < n; i++) {
      uint32_t at = starts[from[i] >> shift & mask]++;
      to[at] = from[i];
      order[1 - half][at] = order[half][i];
    }
    half = 1 - half;
  }
  return half;
}

// Leaves, in their order, those whose uppermost digits can be among the places [*first, *keep) of the sorted line, and makes
// places of these of them. Returns their number.
static uint32_t NAME(prune)(U *keys, int32_t *order, uint32_t n, uint32_t *first, uint32_t *keep) {
  const uint32_t digit = n >= WIDE_LINE ? 11 : 8, shift = 8 * sizeof(U) - digit;
  uint32_t counts[1 << 11], low = 0, below = 0, left = 0;
  memset(counts, 0, sizeof *counts << digit);
  for (uint32_t i = 0; i < n; i++) counts[keys[i] >> shift]++;
  while (below + counts[low] <= *first) below += counts[low++];
  uint32_t high = low, reached = below + counts[low];
  while (reached < *keep) reached += counts[++high];
  const uint32_t range = high - low;
  for (uint32_t i = 0; i < n; i++) {
    const U key = keys[i];
    keys[left] = key;
    order[left] = order[i];
    left += (uint32_t)(key >> shift) - low <= range;
  }
  *first -= below;
  *keep -= below;
  return left;
}

// Writes the places [first, keep) of each sorted line: values and positions [outer, keep - first, inner]. keys and order are
// scratch for two copies of x. Units are lines.
KERNEL(sort) {
  const S *x = IN(S, x);
  S *values = OUT(S, values);
  int32_t *indices = OUT(int32_t, indices);
  uint32_t n = p->n, inner = p->inner, count = p->keep - p->first;
  for (uint32_t u = begin; u < end; u++) {
    U *keys[2] = {OUT(U, keys) + (size_t)u * 2 * n};
    int32_t *order[2] = {OUT(int32_t, order) + (size_t)u * 2 * n};
    keys[1] = keys[0] + n;
    order[1] = order[0] + n;
    const S *line = x + (size_t)(u / inner) * n * inner + u % inner;
    bool rises = true, falls = true;
    U last = 0;
    for (uint32_t i = 0; i < n; i++) {
      const U key = NAME(key)(line[(size_t)i * inner], p->descending);
      rises &= i == 0 || key >= last;
      falls &= i == 0 || key < last;
      keys[0][i] = last = key;
      order[0][i] = (int32_t)i;
    }
    uint32_t half = 0, first = p->first, keep = p->keep, left = n;
    if (!rises && !falls && n > INSERTION && count < n / 2)
      left = NAME(prune)(keys[0], order[0], n, &first, &keep);
    if (rises || falls)
      for (uint32_t i = 0; i < n && falls; i++) order[0][i] = (int32_t)(n - 1 - i);
    else if (left <= INSERTION)
      NAME(insertion)(keys[0], order[0], left);
    else
      half = NAME(radix)(keys, order, left);
    size_t to = (size_t)(u / inner) * count * inner + u % inner;
    for (uint32_t i = first; i < keep; i++, to += inner) {
      int32_t place = order[half][i];
      values[to] = line[(size_t)place * inner];
      indices[to] = place;
    }
  }
}

// The places [first, keep), up to TOP_LIMIT, of each line in sorted order, found in one pass. Units are lines.
KERNEL(topk) {
  const S *x = IN(S, x);
  S *values = OUT(S, values);
  int32_t *indices = OUT(int32_t, indices);
  uint32_t n = p->n, inner = p->inner, keep = p->keep, first = p->first;
  for (uint32_t u = begin; u < end; u++) {
    U keys[TOP_LIMIT];
    int32_t order[TOP_LIMIT];
    const S *line = x + (size_t)(u / inner) * n * inner + u % inner;
    uint32_t found = 0;
    for (uint32_t i = 0; i < n; i++) {
      U key = NAME(key)(line[(size_t)i * inner], p->descending);
      if (found == keep && key >= keys[keep - 1]) continue;
      uint32_t j = found < keep ? found++ : keep - 1;
      for (; j > 0 && keys[j - 1] > key; j--) {
        keys[j] = keys[j - 1];
        order[j] = order[j - 1];
      }
      keys[j] = key;
      order[j] = (int32_t)i;
    }
    size_t to = (size_t)(u / inner) * (keep - first) * inner + u % inner;
    for (uint32_t i = first; i < keep; i++, to += inner) {
      values[to] = line[(size_t)order[i] * inner];
      indices[to] = order[i];
    }
  }
}

// How many elements of the sorted row are below the value (or not above it, if `right`). Units are
// values; row r of n serves `count` values (all values if there is one row).
KERNEL(searchsorted) {
  const S *sorted = IN(S, sorted), *values = IN(S, values);
  int32_t *out = OUT(int32_t, out);
  for (uint32_t u = begin; u < end; u++) {
    const S *row = sorted + (size_t)(u / p->count) * p->n;
    S value = values[u];
    uint32_t low = 0, high = p->n;
    while (low < high) {
      uint32_t middle = low + (high - low) / 2;
      // Written so that a NaN is past every element.
      bool after = p->right ? !(row[middle] > value) : !(row[middle] >= value);
      if (after)
        low = middle + 1;
      else
        high = middle;
    }
    out[u] = (int32_t)low;
  }
}

// Whether an element differs from the one before it; the first does.
KERNEL(runStarts) {
  const S *x = IN(S, x);
  uint8_t *out = OUT(uint8_t, out);
  for (uint32_t u = begin; u < end; u++) out[u] = u == 0 || x[u] != x[u - 1];
}

#undef U
#undef TOP_BIT
#endif
