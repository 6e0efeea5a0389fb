// Instantiates SOURCE for float32 and float64: S is the scalar, V the vector type, I the integer vector of equal lanes.
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
#define S double
#define V f64x2
#define I i64x2
#define LANES 2
#define SUFFIX f64
#include SOURCE
