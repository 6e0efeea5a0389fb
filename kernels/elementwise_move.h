// Elements moved from and to any strides, by their size: what passes through tiles, and copies.
#ifndef ISOTORCH_ELEMENTWISE_MOVE_H
#define ISOTORCH_ELEMENTWISE_MOVE_H

#include "elementwise_turn.h"

#define MOVE(type)                                                                    \
  {                                                                                   \
    type *t = (type *)to + i * to_across;                                             \
    const type *f = (const type *)from + i * across;                                  \
    _Pragma("clang loop unroll_count(4)")                                             \
    for (; i < n; i++, t += to_across, f += across) *t = *f;                          \
    break;                                                                            \
  }

// An element repeated in 16 bytes.
static i32x4 repeated(const byte *from, uint32_t size) {
  if (size == 8) return (i32x4)splat(*(const int64_t *)from);
  const uint32_t value = size == 4   ? *(const uint32_t *)from
                         : size == 2 ? *(const uint16_t *)from * 0x10001u
                                     : *from * 0x1010101u;
  return splat((int32_t)value);
}

// Some first elements of a row, to elements side by side.
static uint32_t gather(byte *to, const byte *from, ptrdiff_t across, uint32_t n, uint32_t size) {
  const uint32_t lanes = 16 / size;
  uint32_t i = 0;
  if (across == 1) {
#pragma clang loop unroll_count(2)
    for (; i + lanes <= n; i += lanes, from += 16, to += 16) {
      i32x4 v;  // not by way of load(): bytes lie anywhere
      memcpy(&v, from, 16);
      memcpy(to, &v, 16);
    }
  } else if (across == 0) {
    const i32x4 value = repeated(from, size);
    i = n & ~(lanes - 1);
    byte *const end = to + i * size;
    // Constant distances: with an index the loop takes twice as long.
    for (; end - to >= 128; to += 128)
#pragma clang loop unroll(full)
      for (uint32_t k = 0; k < 128; k += 16) memcpy(to + k, &value, 16);
    for (; end - to >= 16; to += 16) memcpy(to, &value, 16);
  } else if (size == 4) {
    const int32_t *f = (const int32_t *)from;
    int32_t *t = (int32_t *)to;
    if (across == 2)
#pragma clang loop unroll_count(4)
      for (; i + 4 < n; i += 4, f += 8) store(t + i, MIX(load(f), load(f + 4), 0, 2, 4, 6));
    else
#pragma clang loop unroll_count(2)
      for (; i + 4 <= n; i += 4, f += 4 * across) store(t + i, load_strided(f, across));
  }
  return i;
}

// Moves rows of n elements: rows lie `down` elements apart, elements `across`.
static void move_rows(
    byte *to, ptrdiff_t to_down, ptrdiff_t to_across, const byte *from, ptrdiff_t down, ptrdiff_t across, uint32_t rows,
    uint32_t n, uint32_t size) {
  for (; rows > 0; rows--, to += to_down * (ptrdiff_t)size, from += down * (ptrdiff_t)size) {
    if (to_across == 1 && across == 1 && n > 256) {
      memcpy(to, from, (size_t)n * size);
      continue;
    }
    uint32_t i = 0;
    if (to_across == 1) i = gather(to, from, across, n, size);
    else if (to_across == 2 && across == 1 && size == 4)
      for (int32_t *t = (int32_t *)to; i + 4 <= n; i += 4, t += 8) {
        const i32x4 v = load((const int32_t *)from + i);
        t[0] = v[0], t[2] = v[1], t[4] = v[2], t[6] = v[3];
      }
    switch (size) {
      case 1: MOVE(uint8_t)
      case 2: MOVE(uint16_t)
      case 4: MOVE(uint32_t)
      default: MOVE(uint64_t)
    }
  }
}

// Of one row, between strides counted in elements.
static void move_strided(
    byte *to, int32_t to_across, const byte *from, int32_t across, uint32_t n, uint32_t size) {
  move_rows(to, 0, to_across, from, 0, across, 1, n, size);
}

#endif
