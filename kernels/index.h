// What the indexing kernels share: checked indices, and rows of bytes moved.
#ifndef ISOTORCH_INDEX_H
#define ISOTORCH_INDEX_H

#include "kernel.h"

// Columns of one unit of work where a unit owns columns, and elements where it owns a piece of a
// flat destination; as in ts/ops/primitives/index.ts.
#define INDEX_COLUMNS 128
#define INDEX_BLOCK 16384

// Leaves 1 + the first position with a bad index in the status word (which starts as 0), whichever
// thread comes first.
static inline void refuse(uint32_t *status, uint32_t position) {
  uint32_t mine = position + 1, seen = __atomic_load_n(status, __ATOMIC_RELAXED);
  while (seen == 0 || mine < seen) {
    bool done = __atomic_compare_exchange_n(status, &seen, mine, false, __ATOMIC_RELAXED,
                                            __ATOMIC_RELAXED);
    if (done) return;
  }
}

// The row an index names, n long; negative ones count from the end if `wrap`. False if there is
// none: then nothing is touched.
static inline bool resolve(int32_t index, uint32_t n, uint32_t wrap, uint32_t position,
                           uint32_t *status, uint32_t *row) {
  uint32_t at = (uint32_t)index;
  if (index < 0 && wrap) at += n;
  *row = at;
  if (at < n) return true;
  refuse(status, position);
  return false;
}

// Whether four indices name rows as they are: not negative, and below n.
static inline bool all_below(const int32_t *index, uint32_t n) {
  return all_((i32x4)((u32x4)load(index) < n));
}

// Copies that are mostly short: a call into memory.copy costs more than a few vectors.
static NOINLINE void move_bytes(void *to, const void *from, size_t bytes) {
  if (bytes > 256) {
    memcpy(to, from, bytes);
    return;
  }
  uint8_t *d = to;
  const uint8_t *s = from;
  for (; bytes >= 64; bytes -= 64, d += 64, s += 64) UNROLL for (int k = 0; k < 64; k += 16) memcpy(d + k, s + k, 16);
  for (; bytes >= 16; bytes -= 16, d += 16, s += 16) memcpy(d, s, 16);
  for (; bytes >= 4; bytes -= 4, d += 4, s += 4) memcpy(d, s, 4);
  for (; bytes; bytes--) *d++ = *s++;
}

// What a scatter starts from: x, or zeros if x is null. `rows` rows of `bytes` bytes, `stride`
// bytes apart.
static inline void start_columns(uint8_t *out, const uint8_t *x, uint32_t rows, size_t stride,
                                 size_t bytes) {
  if (stride == bytes) bytes = stride *= rows, rows = 1;
  for (uint32_t r = 0; r < rows; r++, out += stride) {
    if (!x) {
      memset(out, 0, bytes);
      continue;
    }
    move_bytes(out, x, bytes);
    x += stride;
  }
}

#endif
