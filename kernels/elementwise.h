// The loop of every elementwise kernel. A body computes a contiguous run; operands that are
// strided, broadcast or scalar are brought into small contiguous tiles first, so that one body per
// operator and dtype serves all layouts.
//
// Words: input addresses, output address, two words per scalar, ndim, sizes[ndim], then
// strides[ndim] of each input and of the output, in elements. ndim = 0 says that every operand is
// contiguous. Work units are output elements.
//
// 1 + 256 code for ndim: operands of 4 bytes are stored in the dtype of that code, but for inputs of stride 0, and
// are cast on the way.
#ifndef ISOTORCH_ELEMENTWISE_H
#define ISOTORCH_ELEMENTWISE_H

#include "kernel.h"

// MAX_NDIM is checked by ts/ops/launch.ts: 2^32 elements have no more dimensions of size 2.
enum { MAX_OPERANDS = 4, MAX_NDIM = 32, TILE = 1024, PART = 256, SHORT = 128, LONG_ROW = 64, FLAT_ROW = 256 };

// What elementwise.c does itself where the last input lies column by column.
enum { TURNED_ADD = 2, TURNED_SUB, TURNED_MUL, TURNED_DIV, TURNED_COPY, PLAIN_COPY };

// Inputs come first, the output last; sizes are bytes per element. `rows` says that the body does several rows, and if
// more than 1, which of the above it is; PLAIN_COPY is a copy that is not turned. `steps` says that the body, of one
// row, takes every second element of its float inputs itself.
typedef struct {
  uint8_t inputs, scalars, rows, steps, size[MAX_OPERANDS];
} Operands;

// How many rows to do, and how many bytes on the next one of each operand lies.
typedef struct {
  uint32_t count;
  bool every_second;
  ptrdiff_t step[MAX_OPERANDS];
} Rows;

// n elements, a multiple of 4, of every second one of float inputs, of which one more than the last is there.
#define EVERY_SECOND(loads, ...)                                                              \
  if (rows->every_second) {                                                                   \
    _Pragma("clang loop unroll_count(2)") for (uint32_t i = 0; i < n; i += 4) { loads __VA_ARGS__; } \
    return;                                                                                   \
  }
#define EVEN(p) __builtin_shufflevector(load(p), load((p) + 4), 0, 2, 4, 6)

#define NEXT_ROW(pointer, k) pointer = (__typeof__(pointer))((uintptr_t)pointer + (uintptr_t)rows->step[k])

// Computes n elements of each row; n is a multiple of the lanes of the row's vectors.
typedef void (*Body)(const void *const *in, void *out, uint32_t n, const uint32_t *scalars, const Rows *rows);

// A run of a multiple of 4 elements: the last ones in a copy.
static __attribute__((noinline, unused)) void whole_run(
    void (*run)(const float *x, float *out, uint32_t n), const float *x, float *out, uint32_t n) {
  uint32_t i = n & ~15u;
  run(x, out, i);
  if (i == n) return;
  float rest[16] = {0};
  memcpy(rest, x + i, (n - i) * sizeof *x);
  run(rest, rest, 16);
  memcpy(out + i, rest, (n - i) * sizeof *x);
}

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

// The codes of ts/core/dtype.ts.
enum { FLOAT64, FLOAT32, FLOAT16, BFLOAT16, INT64, INT32, INT16, INT8, UINT8, BOOL };

// How many bytes an element of the dtype has, and casting up to CAST of them between dtypes that differ.
enum { CAST = 512 };
extern const uint8_t SIZE[];
void cast_some(void *to, const void *from, uint32_t n, uint32_t source, uint32_t target);

void elementwise(
    const uint32_t *words, uint32_t begin, uint32_t end, const Operands *operands, Body body);

// Elements `step` apart, in rows of `width` that have `skip` elements between them; `first` are left of the first row.
typedef struct {
  uint32_t first, width, step;
  ptrdiff_t skip;
} Lines;

// Where n elements from `at` on, of rows from x on that lie `pitch` apart, are read: in place if they lie side by side,
// or in parts of eight vectors, side by side or every second one; else in a copy. `lines` tells of rows, and is told.
const void *side_by_side(
    void *copy, const void *x, uint32_t at, uint32_t n, size_t pitch, uint32_t size, Lines *lines);

#endif
