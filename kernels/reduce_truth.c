// any and all over the middle of [outer, n, inner], by element size: an element is false when its
// bits under `mask` are 0 (the mask drops the sign of a float, since -0 is false).
#include "kernel.h"
#ifndef S
#include "reduce.h"
#define SOURCE "reduce_truth.c"
#include "each_width.h"
#else

#define LIMIT 256

// Marks the columns where a row has a true value (want = 1) or a false one (want = 0).
static NOINLINE void NAME(mark)(uint8_t *restrict to, const S *restrict x, uint32_t n, S mask, bool want) {
  VECTORS for (uint32_t i = 0; i < n; i++) to[i] |= ((x[i] & mask) != 0) == want;
}

static NOINLINE void NAME(truth)(const any_params *p, bool want, uint32_t begin, uint32_t end) {
  const S *x = IN(S, x);
  uint8_t *out = OUT(uint8_t, out);
  uint32_t n = p->n, inner = p->inner, block = p->block, blocks = p->blocks;
  S mask = (S)((uint64_t)p->maskHigh << 32 | p->maskLow);
  uint32_t chunks = inner == 1 ? 1 : (inner + REDUCE_COLUMNS - 1) / REDUCE_COLUMNS;
  for (uint32_t u = begin; u < end; u++) {
    uint32_t chunk = u % chunks, b = u / chunks % blocks, o = u / chunks / blocks;
    uint32_t rows = MIN(block, n - b * block), first = chunk * REDUCE_COLUMNS;
    const S *from = x + ((size_t)o * n + (size_t)b * block) * inner + first;
    uint8_t *to = out + ((size_t)o * blocks + b) * inner + first;
    if (inner == 1) {
      // Marks of rows of `width`, then of all.
      uint8_t marks[LIMIT], some = 0;
      const uint32_t width = MIN(rows, LIMIT);
      memset(marks, 0, width);
      for (uint32_t i = 0; i < rows; i += LIMIT)
        NAME(mark)(marks, from + i, MIN(rows - i, LIMIT), mask, want);
      for (uint32_t i = 0; i < width; i++) some |= marks[i];
      *to = (some != 0) == want;
      continue;
    }
    uint32_t count = MIN(REDUCE_COLUMNS, inner - first);
    memset(to, 0, count);
    for (uint32_t r = 0; r < rows; r++, from += inner) NAME(mark)(to, from, count, mask, want);
    for (uint32_t c = 0; c < count && !want; c++) to[c] ^= 1;
  }
}

KERNEL(any) { NAME(truth)(p, true, begin, end); }
KERNEL(all) { NAME(truth)((const any_params *)p, false, begin, end); }

#undef LIMIT
#endif
