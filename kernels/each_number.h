// Instantiates SOURCE for float32, float64, int32 and int64. REAL is 0 for the integers.
#include "each_real.h"
#ifndef ONLY_F32
#undef REAL
#undef S
#undef V
#undef I
#undef LANES
#undef SUFFIX
#define REAL 0
#define S int32_t
#define V i32x4
#define I i32x4
#define LANES 4
#define SUFFIX i32
#include SOURCE
#undef S
#undef V
#undef I
#undef LANES
#undef SUFFIX
#define S int64_t
#define V i64x2
#define I i64x2
#define LANES 2
#define SUFFIX i64
#include SOURCE
#endif
