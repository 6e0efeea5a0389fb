// Moving and converting elements: strided copy and fill by element size, and casts between all dtypes.
#include "elementwise.h"

typedef unsigned char byte;

// Rows of a block are short: there a call of memmove is longer than the copy.
static void copy_bytes(byte *to, const byte *from, size_t n, const Rows *rows) {
  for (uint32_t r = rows->count;; r--) {
    if (n > 1024) memmove(to, from, n);
    else
#pragma clang loop unroll_count(4)
      for (size_t i = 0; i < n; i += 16) {
        i32x4 v; // not by way of load(): bytes lie anywhere
        memcpy(&v, from + i, 16);
        memcpy(to + i, &v, 16);
      }
    if (r == 1) break;
    NEXT_ROW(from, 0);
    NEXT_ROW(to, 1);
  }
}

// Words as of an elementwise kernel with one input. A fill is a copy of an immediate with strides 0.
#define COPY(bytes)                                                                                        \
  static void copy_body_b##bytes(                                                                          \
      const void *const *in, void *out, uint32_t n, const uint32_t *scalars, const Rows *rows) {           \
    (void)scalars;                                                                                         \
    copy_bytes(out, in[0], (size_t)n *bytes, rows);                                                        \
  }                                                                                                        \
  static const Operands copy_operands_b##bytes = {1, 0, bytes == 4 ? TURNED_COPY : PLAIN_COPY, 0, {bytes, bytes}};         \
  EXPORTED void copy_b##bytes(const uint32_t *words, uint32_t begin, uint32_t end) {                       \
    elementwise(words, begin, end, &copy_operands_b##bytes, copy_body_b##bytes);                      \
  }
COPY(1)
COPY(2)
COPY(4)
COPY(8)

// --- Casts ---------------------------------------------------------------------------------------------------------

// The codes of ts/core/dtype.ts.
enum { FLOAT64, FLOAT32, FLOAT16, BFLOAT16, INT64, INT32, INT16, INT8, UINT8, BOOL };

static inline float float_of(uint32_t word) {
  float value;
  memcpy(&value, &word, sizeof value);
  return value;
}

static inline uint32_t word_of(float value) {
  uint32_t word;
  memcpy(&word, &value, sizeof word);
  return word;
}

static inline float half_to_float(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = (half >> 10) & 31, fraction = half & 1023;
  if (exponent == 0) return float_of(sign | word_of((float)fraction * 0x1p-24f));
  if (exponent == 31) return float_of(sign | 0x7f800000 | fraction << 13);
  return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

// Nearest, ties to even.
static inline uint16_t float_to_half(float value) {
  uint32_t word = word_of(value), sign = (word >> 16) & 0x8000, size = word & 0x7fffffff;
  if (size > 0x7f800000) return (uint16_t)(sign | 0x7e00);
  if (size >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
  // Below 2^-14: adding 1/2 puts the units of 2^-24 into the lowest bits, rounded by the addition.
  if (size < 0x38800000) return (uint16_t)(sign | (word_of(float_of(size) + 0.5f) - 0x3f000000));
  return (uint16_t)(sign | ((size - 0x38000000 + 0xfff + ((size >> 13) & 1)) >> 13));
}

static inline float bfloat_to_float(uint16_t half) { return float_of((uint32_t)half << 16); }

static inline uint16_t float_to_bfloat(float value) {
  uint32_t word = word_of(value);
  if ((word & 0x7fffffff) > 0x7f800000) return 0x7fc0;
  return (uint16_t)((word + 0x7fff + ((word >> 16) & 1)) >> 16);
}

static inline int64_t double_to_long(double value) {
  if (!(value > -0x1p63)) return INT64_MIN;
  return value >= 0x1p63 ? INT64_MIN : (int64_t)value;
}

#define EACH(type, expression)                             \
  {                                                        \
    const type *x = from;                                  \
    for (uint32_t i = 0; i < n; i++) to[i] = (expression); \
    break;                                                 \
  }

static void read_doubles(double *to, const void *from, uint32_t n, uint32_t code) {
  switch (code) {
    case FLOAT64: EACH(double, x[i])
    case FLOAT32: EACH(float, (double)x[i])
    case FLOAT16: EACH(uint16_t, (double)half_to_float(x[i]))
    case BFLOAT16: EACH(uint16_t, (double)bfloat_to_float(x[i]))
    case INT64: EACH(int64_t, (double)x[i])
    case INT32: EACH(int32_t, x[i])
    case INT16: EACH(int16_t, x[i])
    case INT8: EACH(int8_t, x[i])
    default: EACH(uint8_t, x[i])
  }
}

static void read_longs(int64_t *to, const void *from, uint32_t n, uint32_t code) {
  switch (code) {
    case FLOAT64: EACH(double, double_to_long(x[i]))
    case FLOAT32: EACH(float, double_to_long((double)x[i]))
    case FLOAT16: EACH(uint16_t, double_to_long((double)half_to_float(x[i])))
    case BFLOAT16: EACH(uint16_t, double_to_long((double)bfloat_to_float(x[i])))
    case INT64: EACH(int64_t, x[i])
    case INT32: EACH(int32_t, x[i])
    case INT16: EACH(int16_t, x[i])
    case INT8: EACH(int8_t, x[i])
    default: EACH(uint8_t, x[i])
  }
}

#define WRITE(type, expression)                            \
  {                                                        \
    type *o = to;                                          \
    for (uint32_t i = 0; i < n; i++) o[i] = (expression);  \
    break;                                                 \
  }

static void write_floats(void *to, const double *x, uint32_t n, uint32_t code) {
  switch (code) {
    case FLOAT64: WRITE(double, x[i])
    case FLOAT32: WRITE(float, (float)x[i])
    case FLOAT16: WRITE(uint16_t, float_to_half((float)x[i]))
    case BFLOAT16: WRITE(uint16_t, float_to_bfloat((float)x[i]))
    default: WRITE(uint8_t, x[i] != 0)
  }
}

static void write_integers(void *to, const int64_t *x, uint32_t n, uint32_t code) {
  switch (code) {
    case INT64: WRITE(int64_t, x[i])
    case INT32: WRITE(int32_t, (int32_t)(uint32_t)(uint64_t)x[i])
    case INT16: WRITE(int16_t, (int16_t)(uint16_t)(uint64_t)x[i])
    case INT8: WRITE(int8_t, (int8_t)(uint8_t)(uint64_t)x[i])
    default: WRITE(uint8_t, (uint8_t)(uint64_t)x[i])
  }
}

// Pairs that training meets often go directly; the rest through tiles of doubles or 64-bit integers.
static bool cast_directly(void *to_, const void *from, uint32_t n, uint32_t source, uint32_t target) {
#define DIRECT(from_code, from_type, to_code, to_type, expression) \
  if (source == from_code && target == to_code) {                  \
    to_type *to = to_;                                             \
    const from_type *x = from;                                     \
    for (uint32_t i = 0; i < n; i++) to[i] = (expression);         \
    return true;                                                   \
  }
  DIRECT(FLOAT32, float, FLOAT64, double, (double)x[i])
  DIRECT(FLOAT64, double, FLOAT32, float, (float)x[i])
  DIRECT(INT32, int32_t, FLOAT32, float, (float)x[i])
  DIRECT(UINT8, uint8_t, FLOAT32, float, (float)x[i])
  DIRECT(BOOL, uint8_t, FLOAT32, float, (float)x[i])
  DIRECT(BOOL, uint8_t, INT32, int32_t, (int32_t)x[i])
  DIRECT(INT32, int32_t, BOOL, uint8_t, x[i] != 0)
  DIRECT(INT64, int64_t, INT32, int32_t, (int32_t)(uint32_t)(uint64_t)x[i])
  DIRECT(INT32, int32_t, INT64, int64_t, x[i])
  DIRECT(FLOAT16, uint16_t, FLOAT32, float, half_to_float(x[i]))
  DIRECT(FLOAT32, float, FLOAT16, uint16_t, float_to_half(x[i]))
  DIRECT(BFLOAT16, uint16_t, FLOAT32, float, bfloat_to_float(x[i]))
  DIRECT(FLOAT32, float, BFLOAT16, uint16_t, float_to_bfloat(x[i]))
  return false;
}

static const uint8_t SIZE[] = {8, 4, 2, 2, 8, 4, 2, 1, 1, 1};

// Words: input, output, source code, target code. Contiguous operands; work units are elements.
EXPORTED void cast_any(const uint32_t *words, uint32_t begin, uint32_t end) {
  uint32_t source = words[2], target = words[3];
  const byte *in = (const byte *)address(words[0]) + (size_t)begin * SIZE[source];
  byte *out = (byte *)address(words[1]) + (size_t)begin * SIZE[target];
  if (cast_directly(out, in, end - begin, source, target)) return;
  union {
    double floats[TILE];
    int64_t longs[TILE];
  } tile;
  bool through_doubles = target < INT64 || (target == BOOL && source < INT64);
  for (uint32_t i = begin; i < end; i += TILE) {
    uint32_t n = MIN(TILE, end - i);
    if (through_doubles) {
      read_doubles(tile.floats, in, n, source);
      write_floats(out, tile.floats, n, target);
    } else {
      read_longs(tile.longs, in, n, source);
      if (target == BOOL)
        for (uint32_t k = 0; k < n; k++) tile.longs[k] = tile.longs[k] != 0;
      write_integers(out, tile.longs, n, target);
    }
    in += (size_t)n * SIZE[source];
    out += (size_t)n * SIZE[target];
  }
}
