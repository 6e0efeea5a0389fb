// Instantiates SOURCE for float32 and float64: S is the scalar, V the vector type, I the integer
// vector of equal lanes, REAL 1. float32 is compiled for speed, the others for size (wasm/build.mjs), apart.
#define REAL 1
#ifndef NO_F32
#define S float
#define V f32x4
#define I i32x4
#define LANES 4
#define SUFFIX f32
#include SOURCE
#undef S
#undef V
#undef I
#undef LANES
#undef SUFFIX
#endif
#ifndef ONLY_F32
#define S double
#define V f64x2
#define I i64x2
#define LANES 2
#define SUFFIX f64
#include SOURCE
#endif
