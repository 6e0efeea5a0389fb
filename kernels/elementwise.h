// The loop of every elementwise kernel. A body computes a contiguous run; operands that are
// strided, broadcast or scalar are brought into small contiguous tiles first, so that one body per
// operator and dtype serves all layouts.
//
// Words: input addresses, output address, two words per scalar, ndim, sizes[ndim], then
// strides[ndim] of each input and of the output, in elements. ndim = 0 says that every operand is
// contiguous. Work units are output elements.
#ifndef ISOTORCH_ELEMENTWISE_H
#define ISOTORCH_ELEMENTWISE_H

#include "kernel.h"

// MAX_NDIM is checked by ts/ops/launch.ts: 2^32 elements have no more dimensions of size 2.
enum { MAX_OPERANDS = 4, MAX_NDIM = 32, TILE = 1024, LONG_ROW = 64, FLAT_ROW = 256, TURNED_ROWS = 16, TURNED_PITCH = 256 };

// Inputs come first, the output last; sizes are bytes per element.
typedef struct {
  uint8_t inputs, scalars, size[MAX_OPERANDS];
} Operands;

// Computes n elements; n is a multiple of the lanes of the row's vectors.
typedef void (*Body)(const void *const *in, void *out, uint32_t n, const uint32_t *scalars);

static inline float scalar_f32(const uint32_t *w) {
  float value;
  memcpy(&value, w, sizeof value);
  return value;
}

static inline double scalar_f64(const uint32_t *w) {
  double value;
  memcpy(&value, w, sizeof value);
  return value;
}

static inline int32_t scalar_i32(const uint32_t *w) { return (int32_t)w[0]; }

static inline int64_t scalar_i64(const uint32_t *w) {
  int64_t value;
  memcpy(&value, w, sizeof value);
  return value;
}

void elementwise(
    const uint32_t *words, uint32_t begin, uint32_t end, const Operands *operands, Body body);

// Copies n elements of `size` bytes between strides counted in elements.
void move_strided(
    unsigned char *to, int32_t to_stride, const unsigned char *from, int32_t from_stride, uint32_t n,
    uint32_t size);

// Copies rows x columns elements that lie column by column, to rows. Fastest: TURNED_ROWS rows TURNED_PITCH apart.
void turn(
    unsigned char *to, ptrdiff_t to_row, const unsigned char *from, ptrdiff_t from_column, uint32_t rows,
    uint32_t columns, uint32_t size);

#endif
