// Moving and converting elements: strided copy and fill by element size, and casts between all dtypes.
#include "elementwise.h"
#include "half.h"

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

static inline int64_t double_to_long(double value) {
  if (!(value > -0x1p63)) return INT64_MIN;
  return value >= 0x1p63 ? INT64_MIN : (int64_t)value;
}

#define PAIR(source, target) ((source) << 4 | (target))
#define STEP(source, S, target, T, hint, expression)                         \
  case PAIR(source, target): {                                               \
    const S *x = from;                                                       \
    T *o = to;                                                               \
    hint for (uint32_t i = 0; i < n; i++) o[i] = (T)(expression);            \
    break;                                                                   \
  }

// One step of a cast; what integers lose are upper bits.
static NOINLINE void cast_step(void *restrict to, const void *restrict from, uint32_t n, uint32_t source, uint32_t target) {
  switch (PAIR(source, target)) {
    case PAIR(FLOAT16, FLOAT32): halves_to_floats(from, to, n); break;
    case PAIR(BFLOAT16, FLOAT32): bfloats_to_floats(from, to, n); break;
    STEP(UINT8, uint8_t, FLOAT32, float, VECTORS, x[i])
    STEP(INT16, int16_t, INT32, int32_t, , x[i])
    STEP(INT8, int8_t, INT32, int32_t, , x[i])
    STEP(UINT8, uint8_t, INT32, int32_t, VECTORS, x[i])
    STEP(FLOAT32, float, FLOAT64, double, WIDE, x[i])
    STEP(INT32, int32_t, FLOAT64, double, VECTORS, x[i])
    STEP(INT64, int64_t, FLOAT64, double, , x[i])
    STEP(FLOAT64, double, FLOAT32, float, WIDE, x[i])
    STEP(INT32, int32_t, FLOAT32, float, WIDE, x[i])
    STEP(INT64, int64_t, FLOAT32, float, , (double)x[i])
    case PAIR(FLOAT32, FLOAT16): floats_to_halves(from, to, n); break;
    case PAIR(FLOAT32, BFLOAT16): floats_to_bfloats(from, to, n); break;
    STEP(FLOAT64, double, INT64, int64_t, , double_to_long(x[i]))
    STEP(INT32, int32_t, INT64, int64_t, WIDE, x[i])
    STEP(INT64, int64_t, INT32, int32_t, WIDE, (uint64_t)x[i])
    STEP(FLOAT32, float, INT32, int32_t, VECTORS, x[i])
    STEP(INT32, int32_t, INT16, int16_t, , x[i])
    STEP(INT32, int32_t, INT8, int8_t, VECTORS, x[i])
    STEP(FLOAT32, float, BOOL, uint8_t, VECTORS, x[i] != 0)
    STEP(FLOAT64, double, BOOL, uint8_t, , x[i] != 0)
    STEP(INT32, int32_t, BOOL, uint8_t, VECTORS, x[i] != 0)
    STEP(INT64, int64_t, BOOL, uint8_t, , x[i] != 0)
    default: __builtin_trap();
  }
}

// Whether int32 reaches to all of them; a NaN is out of reach.
static bool all_near(const float *x, uint32_t n) {
  uint32_t far = 0;
  VECTORS for (uint32_t i = 0; i < n; i++) far |= !(__builtin_fabsf(x[i]) < 0x1p31f);
  return far == 0;
}

// Where the next step leads, of dtypes that have no step of their own to the target.
static uint32_t next_of(const void *x, uint32_t n, uint32_t source, uint32_t target) {
  switch (source) {
    case FLOAT16:
    case BFLOAT16: return FLOAT32;
    case INT16:
    case INT8: return INT32;
    case UINT8: return target == FLOAT32 ? target : INT32;
    case INT32: return target == FLOAT16 || target == BFLOAT16 ? FLOAT32 : target;
    case FLOAT32:
      if (target <= BFLOAT16 || target == BOOL) return target;
      return all_near(x, n) ? INT32 : FLOAT64;
    case FLOAT64: return target == BOOL || target == FLOAT32 ? target : target < INT64 ? FLOAT32 : INT64;
    default: return target == BOOL || target <= FLOAT32 ? target : target < INT64 ? FLOAT32 : INT32;
  }
}

const uint8_t SIZE[] = {8, 4, 2, 2, 8, 4, 2, 1, 1, 1};

void cast_some(void *to, const void *from, uint32_t n, uint32_t source, uint32_t target) {
  // Bools are read as the bytes they are; bytes are written alike, signed or not.
  uint32_t at = source == BOOL ? UINT8 : source, k = 0;
  if (target == UINT8) target = INT8;
  double tiles[2][CAST];
  do {
    const uint32_t next = next_of(from, n, at, target);
    void *into = next == target ? to : tiles[k];
    cast_step(into, from, n, at, next);
    from = into;
    at = next;
    k ^= 1;
  } while (at != target);
}

// Words: input, output, source code, target code, which differ. Contiguous operands; work units are elements.
EXPORTED void cast_any(const uint32_t *words, uint32_t begin, uint32_t end) {
  const uint32_t source = words[2], target = words[3];
  const byte *in = address(words[0]);
  byte *out = address(words[1]);
  for (uint32_t n; begin < end; begin += n) {
    n = MIN(CAST, end - begin);
    cast_some(out + (size_t)begin * SIZE[target], in + (size_t)begin * SIZE[source], n, source, target);
  }
}
