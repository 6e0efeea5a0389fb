// What the indexing kernels share: checked indices, and rows of bytes moved.
#ifndef ISOTORCH_INDEX_H
#define ISOTORCH_INDEX_H

#include "kernel.h"

// Columns of one unit of work where a unit owns columns, and elements where it owns a piece of a
// flat destination; as in ts/ops/primitives/index.ts.
#define INDEX_COLUMNS 128
#define INDEX_BLOCK 16384
// Elements that are begun at once, while the first cache holds them.
#define INDEX_START 2048

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

// `count` positions from the `at`-th on, at most INDEX_TILE of 64 bits, which are narrowed into a tile: what does not
// fit is in no tensor.
#define INDEX_TILE 512
static inline const int32_t *positions_at(int32_t *tile, const void *index, uint32_t wide, size_t at, uint32_t count) {
  if (!wide) return (const int32_t *)index + at;
  const int64_t *from = (const int64_t *)index + at;
  uint32_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const i32x4 a = (i32x4)load(from + i), b = (i32x4)load(from + i + 2);
    const i32x4 low = __builtin_shufflevector(a, b, 0, 2, 4, 6), high = __builtin_shufflevector(a, b, 1, 3, 5, 7);
    store(tile + i, select(high == low >> 31, low, splat(INT32_MIN)));
  }
  for (; i < count; i++) tile[i] = from[i] == (int32_t)from[i] ? (int32_t)from[i] : INT32_MIN;
  return tile;
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

// Units of work that own columns of [outer, n, inner], done as one: neighbouring chunks of one outer index, or
// whole outer indices of few elements.
typedef struct {
  uint32_t outer, last, first, columns;
} Piece;

// Where unit `u` begins; returns how many units it is.
static inline uint32_t piece_at(Piece *piece, uint32_t u, uint32_t end, uint32_t n, uint32_t inner) {
  const uint32_t chunks = (inner + INDEX_COLUMNS - 1) / INDEX_COLUMNS, chunk = u % chunks;
  const uint32_t most = chunks == 1 ? MAX(1, INDEX_START / MAX(1, n * inner)) : chunks - chunk;
  const uint32_t units = MIN(end - u, most);
  piece->outer = u / chunks;
  piece->last = chunks == 1 ? u + units : piece->outer + 1;
  piece->first = chunk * INDEX_COLUMNS;
  piece->columns = MIN(units * INDEX_COLUMNS, inner - piece->first);
  return units;
}

// What a piece starts from: x, or zeros if x is null, in elements of `size` bytes.
static inline void start_piece(
    void *out, const void *x, const Piece *piece, uint32_t n, uint32_t inner, uint32_t size) {
  const size_t stride = (size_t)inner * size, at = (size_t)piece->outer * n * stride + piece->first * size;
  size_t rows = (size_t)(piece->last - piece->outer) * n, bytes = piece->columns * size;
  if (stride == bytes) bytes *= rows, rows = 1;
  uint8_t *to = (uint8_t *)out + at;
  const uint8_t *from = x ? (const uint8_t *)x + at : NULL;
  for (; rows > 0; rows--, to += stride) {
    if (!from) {
      memset(to, 0, bytes);
      continue;
    }
    move_bytes(to, from, bytes);
    from += stride;
  }
}

#endif
