// Operands that lie column by column beside others that lie row by row: squares of them are turned in registers.
#ifndef ISOTORCH_ELEMENTWISE_TURN_H
#define ISOTORCH_ELEMENTWISE_TURN_H

#include "elementwise.h"

typedef unsigned char byte;

#define TURN(type)                                                                    \
  for (uint32_t c = first_column; c < columns; c++)                                   \
    for (uint32_t r = c < whole_columns ? whole_rows : 0; r < rows; r++)              \
      ((type *)to)[r * to_row + c] = ((const type *)from)[c * from_column + r];

#define MIX(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)

// Turns the square of four rows a to d: they become its columns.
#define TURN_SQUARE(a, b, c, d)                                                           \
  {                                                                                       \
    const __typeof__(a) ab = MIX(a, b, 0, 4, 1, 5), cd = MIX(c, d, 0, 4, 1, 5);           \
    const __typeof__(a) ab_high = MIX(a, b, 2, 6, 3, 7), cd_high = MIX(c, d, 2, 6, 3, 7); \
    a = MIX(ab, cd, 0, 1, 4, 5), b = MIX(ab, cd, 2, 3, 6, 7);                             \
    c = MIX(ab_high, cd_high, 0, 1, 4, 5), d = MIX(ab_high, cd_high, 2, 3, 6, 7);         \
  }

// Elements of four bytes move in 4 x 4 squares, down the columns, so that a line of the cache is done with when it has
// been read once.
static void turn_squares(
    int32_t *to, ptrdiff_t to_row, const int32_t *from, ptrdiff_t from_column, uint32_t rows, uint32_t columns) {
  for (; columns > 0; columns -= 4, from += 4 * from_column, to += 4) {
    const int32_t *second = from + from_column, *third = second + from_column, *fourth = third + from_column;
#pragma clang loop unroll_count(4)
    for (uint32_t r = 0; r < rows; r += 4) {
      int32_t *out = to + r * to_row;
      i32x4 a = load(from + r), b = load(second + r), c = load(third + r), d = load(fourth + r);
      TURN_SQUARE(a, b, c, d)
      store(out, a);
      store(out + to_row, b);
      store(out + 2 * to_row, c);
      store(out + 3 * to_row, d);
    }
  }
}

// Triples to three rows (of images, channels last), four at a time; and back. Return how many they did.
static uint32_t split_triples(int32_t *to, ptrdiff_t to_row, const int32_t *from, uint32_t columns) {
  uint32_t c = 0;
  for (; c + 4 <= columns; c += 4, from += 12, to += 4) {
    i32x4 a = load(from), b = load(from + 4), d = load(from + 8);
    store(to, MIX(MIX(a, b, 0, 3, 6, 6), d, 0, 1, 2, 5));
    store(to + to_row, MIX(MIX(a, b, 1, 4, 7, 7), d, 0, 1, 2, 6));
    store(to + 2 * to_row, MIX(MIX(a, b, 2, 5, 5, 5), d, 0, 1, 4, 7));
  }
  return c;
}

static uint32_t join_triples(int32_t *to, const int32_t *from, ptrdiff_t from_column, uint32_t rows) {
  uint32_t r = 0;
  for (; r + 4 <= rows; r += 4, from += 4, to += 12) {
    i32x4 a = load(from), b = load(from + from_column), d = load(from + 2 * from_column);
    i32x4 ab = MIX(a, b, 0, 4, 1, 5), high = MIX(b, d, 2, 6, 3, 7);
    store(to, MIX(ab, d, 0, 1, 4, 2));
    store(to + 4, MIX(MIX(ab, d, 3, 5, 5, 5), MIX(a, high, 2, 4, 4, 4), 0, 1, 4, 5));
    store(to + 8, MIX(a, high, 5, 3, 6, 7));
  }
  return r;
}

// Copies rows x columns elements that lie column by column, to rows.
static void turn(
    byte *to, ptrdiff_t to_row, const byte *from, ptrdiff_t from_column, uint32_t rows, uint32_t columns,
    uint32_t size) {
  int32_t *t = (int32_t *)to;
  const int32_t *f = (const int32_t *)from;
  // What vectors have done: the first columns of the first rows.
  uint32_t whole_rows = 0, whole_columns = columns, first_column = 0;
  if (size == 4) {
    if (rows == 3 && from_column == 3) first_column = split_triples(t, to_row, f, columns);
    else if (columns == 3 && to_row == 3) whole_rows = join_triples(t, f, from_column, rows);
    else {
      whole_rows = rows & ~3u;
      whole_columns = columns & ~3u;
      turn_squares(t, to_row, f, from_column, whole_rows, whole_columns);
    }
  }
  if (size == 1) TURN(uint8_t)
  else if (size == 2) TURN(uint16_t)
  else if (size == 4) TURN(uint32_t)
  else TURN(uint64_t)
}

// So many columns are done in all rows before the next.
enum { COLUMNS_TURNED = 128 };

// Rows of n columns, multiples of 4 and of 8, of a kernel whose last input, y, lies column by column, `across` elements
// apart; those of x and of the result are `row` apart. Squares of y are turned in registers and used there, two vectors
// of a row at once: stores to one line of the cache go in pairs.
static inline __attribute__((always_inline)) void turned_rows(
    uint32_t kind, const float *x, const float *y, ptrdiff_t across, float *out, uint32_t n,
    uint32_t rows, ptrdiff_t row) {
  for (uint32_t c = 0; c < n; c += COLUMNS_TURNED) {
    const float *in = kind == TURNED_COPY ? out : x, *column = y + (ptrdiff_t)c * across;
    float *to = out;
    const uint32_t end = MIN(n, c + COLUMNS_TURNED);
    for (uint32_t r = rows; r > 0; r -= 4, in += 4 * row, column += 4, to += 4 * row) {
      const float *from = column, *p = in + c;
      float *q = to + c;
      for (uint32_t i = c; i < end; i += 8, from += 8 * across, p += 8, q += 8) {
        f32x4 v[8];
#pragma clang loop unroll(full)
        for (uint32_t k = 0; k < 8; k++) v[k] = load(from + k * across);
        TURN_SQUARE(v[0], v[1], v[2], v[3])
        TURN_SQUARE(v[4], v[5], v[6], v[7])
#pragma clang loop unroll(full)
        for (uint32_t k = 0; k < 8; k++) {
          const ptrdiff_t at = k / 2 * row + k % 2 * 4;
          const f32x4 a = load(p + at), b = v[k % 2 * 4 + k / 2];
          store(
              q + at, kind == TURNED_ADD   ? a + b
                      : kind == TURNED_SUB ? a - b
                      : kind == TURNED_MUL ? a * b
                      : kind == TURNED_DIV ? a / b : b);
        }
      }
    }
  }
}

#endif
