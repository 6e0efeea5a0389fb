// The vocabulary of the kernels: four 128-bit vector types and overloaded functions on them. Only
// this header names intrinsics; the same text compiles to WebAssembly SIMD and natively
// (sanitizers). Operators + - * & | ^ ~ and comparisons (whose masks have lanes of all ones) are
// clang's own and wrap on integers. For / % << >> on integers use the functions, which are defined
// for every input.
#ifndef ISOTORCH_SIMD_H
#define ISOTORCH_SIMD_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __wasm_simd128__
#include <wasm_simd128.h>
#define WASM_SIMD 1
#else
#define WASM_SIMD 0
#endif

typedef float f32x4 __attribute__((vector_size(16)));
typedef double f64x2 __attribute__((vector_size(16)));
// Integer vectors are the masks that comparisons give. Their lanes have 32 and 64 bits, but clang's
// choice of int, long or long long for them differs from int32_t and int64_t: see LANE_TYPE.
typedef __typeof__((f32x4){0} == (f32x4){0}) i32x4;
typedef __typeof__((f64x2){0} == (f64x2){0}) i64x2;
typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef uint64_t u64x2 __attribute__((vector_size(16)));

// Before a loop with a constant number of turns over an array of vectors, which then stays in
// registers.
#define UNROLL _Pragma("clang loop unroll(full)")
// A loop that is left to the compiler to do in vectors, which it cannot under sanitizers.
#ifdef __wasm__
#define VECTORS _Pragma("clang loop vectorize(enable) interleave(disable)")
#else
#define VECTORS
#endif

#define VFN static inline __attribute__((overloadable, always_inline, unused))

// M(vector, scalar, mask)
#define REAL_TYPES(M) M(f32x4, float, i32x4) M(f64x2, double, i64x2)
#define INTEGER_TYPES(M) M(i32x4, int32_t, i32x4) M(i64x2, int64_t, i64x2)
#define ALL_TYPES(M) REAL_TYPES(M) INTEGER_TYPES(M)

// Adds the scalar overloads for lanes whose type is neither int32_t nor int64_t: M(scalar,
// unsigned, vector)
#ifdef __LP64__
#define LANE_TYPE(M) M(long long, unsigned long long, i64x2)
#else
#define LANE_TYPE(M) M(long, unsigned long, i32x4)
#endif

// ---- Splat, load, store -------------------------------------------------------------------------

VFN f32x4 splat(float x) { return (f32x4){x, x, x, x}; }
VFN f64x2 splat(double x) { return (f64x2){x, x}; }
VFN i32x4 splat(int32_t x) { return (i32x4){x, x, x, x}; }
VFN i64x2 splat(int64_t x) { return (i64x2){x, x}; }
#define M(S, U, V)                                                                                 \
  VFN V splat(S x) { return (V){0} + x; }
LANE_TYPE(M)
#undef M
VFN f32x4 splat_f32(float x) { return splat(x); }
VFN f64x2 splat_f64(double x) { return splat(x); }
VFN i32x4 splat_i32(int32_t x) { return splat(x); }
VFN i64x2 splat_i64(int64_t x) { return splat(x); }
// The scalar x, converted to the lane type of v, in every lane.
#define splat_as(v, x) splat((__typeof__((v)[0]))(x))

// Unaligned whole vectors.
#define M(V, S, I)                                                                                 \
  VFN V load(const S *p) {                                                                         \
    V v;                                                                                           \
    memcpy(&v, p, sizeof v);                                                                       \
    return v;                                                                                      \
  }                                                                                                \
  VFN void store(S *p, V v) { memcpy(p, &v, sizeof v); }
ALL_TYPES(M)
#undef M

// The first n lanes, 0 < n < LANES, touching no memory past them; the other lanes are `fill`.
#define M(V, S, I)                                                                                 \
  VFN V load_tail(const S *p, uint32_t n, S fill) {                                                \
    V v = splat(fill);                                                                             \
    v[0] = p[0];                                                                                   \
    if (n > 1) v[1] = p[1];                                                                        \
    if (n > 2) v[2] = p[2];                                                                        \
    return v;                                                                                      \
  }                                                                                                \
  VFN void store_tail(S *p, V v, uint32_t n) {                                                     \
    p[0] = v[0];                                                                                   \
    if (n > 1) p[1] = v[1];                                                                        \
    if (n > 2) p[2] = v[2];                                                                        \
  }
M(f32x4, float, i32x4)
M(i32x4, int32_t, i32x4)
#undef M
#define M(V, S, I)                                                                                 \
  VFN V load_tail(const S *p, uint32_t n, S fill) {                                                \
    (void)n;                                                                                       \
    return (V){p[0], fill};                                                                        \
  }                                                                                                \
  VFN void store_tail(S *p, V v, uint32_t n) {                                                     \
    (void)n;                                                                                       \
    p[0] = v[0];                                                                                   \
  }
M(f64x2, double, i64x2)
M(i64x2, int64_t, i64x2)
#undef M

// Lanes `s` elements apart.
VFN f32x4 load_strided(const float *p, ptrdiff_t s) {
  return (f32x4){p[0], p[s], p[2 * s], p[3 * s]};
}
VFN i32x4 load_strided(const int32_t *p, ptrdiff_t s) {
  return (i32x4){p[0], p[s], p[2 * s], p[3 * s]};
}
VFN f64x2 load_strided(const double *p, ptrdiff_t s) { return (f64x2){p[0], p[s]}; }
VFN i64x2 load_strided(const int64_t *p, ptrdiff_t s) { return (i64x2){p[0], p[s]}; }

// 0, 1, 2, ... in the lanes of the example's type.
VFN f32x4 iota_as(f32x4 v) { return (void)v, (f32x4){0, 1, 2, 3}; }
VFN f64x2 iota_as(f64x2 v) { return (void)v, (f64x2){0, 1}; }
VFN i32x4 iota_as(i32x4 v) { return (void)v, (i32x4){0, 1, 2, 3}; }
VFN i64x2 iota_as(i64x2 v) { return (void)v, (i64x2){0, 1}; }

// ---- Bits and masks -----------------------------------------------------------------------------

VFN i32x4 bits(f32x4 v) { return (i32x4)v; }
VFN i64x2 bits(f64x2 v) { return (i64x2)v; }
VFN i32x4 bits(i32x4 v) { return v; }
VFN i64x2 bits(i64x2 v) { return v; }
VFN f32x4 from_bits(i32x4 v) { return (f32x4)v; }
VFN f64x2 from_bits(i64x2 v) { return (f64x2)v; }

// mask ? a : b in each lane; masks are 0 or all ones.
#define M(V, S, I)                                                                                 \
  VFN V select(I mask, V a, V b) { return (V)(((I)a & mask) | ((I)b & ~mask)); }
ALL_TYPES(M)
#undef M

#if WASM_SIMD
VFN bool any_(i32x4 mask) { return wasm_i32x4_bitmask((v128_t)mask) != 0; }
VFN bool any_(i64x2 mask) { return wasm_v128_any_true((v128_t)mask); }
VFN bool all_(i32x4 mask) { return wasm_i32x4_bitmask((v128_t)mask) == 15; }
VFN bool all_(i64x2 mask) { return wasm_i64x2_all_true((v128_t)mask); }
#else
VFN bool any_(i32x4 mask) { return (mask[0] | mask[1] | mask[2] | mask[3]) != 0; }
VFN bool any_(i64x2 mask) { return (mask[0] | mask[1]) != 0; }
VFN bool all_(i32x4 mask) { return mask[0] && mask[1] && mask[2] && mask[3]; }
VFN bool all_(i64x2 mask) { return mask[0] && mask[1]; }
#endif

// Numbers for a loop. Some engines make a constant anew wherever a loop uses it, in three
// instructions; what was read from memory stays in its register.
#if WASM_SIMD
VFN void read_splats(f32x4 *to, const float *from, size_t n) {
  __asm__("" : "+r"(from)); // so that the compiler does not know what is there
  UNROLL for (size_t i = 0; i < n; i++) to[i] = (f32x4)wasm_v128_load32_splat(from + i);
}
VFN void read_splats(f64x2 *to, const double *from, size_t n) {
  __asm__("" : "+r"(from));
  UNROLL for (size_t i = 0; i < n; i++) to[i] = (f64x2)wasm_v128_load64_splat(from + i);
}
#else
#define M(V, S, I)                                                                                 \
  VFN void read_splats(V *to, const S *from, size_t n) {                                           \
    for (size_t i = 0; i < n; i++) to[i] = splat(from[i]);                                         \
  }
REAL_TYPES(M)
#undef M
#endif

// Has the compiler load again what it would keep in a register.
#define FORGET __asm__ volatile("" ::: "memory")

// Bools in memory are bytes, true when not 0; masks of them, of the lane width asked for.
VFN i32x4 load_mask_i32(const uint8_t *p) {
#if WASM_SIMD
  v128_t v = wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(p)));
  return (i32x4)v != 0;
#else
  return (i32x4){p[0], p[1], p[2], p[3]} != 0;
#endif
}
VFN i64x2 load_mask_i64(const uint8_t *p) { return (i64x2){p[0], p[1]} != 0; }
VFN i32x4 load_mask_tail_i32(const uint8_t *p, uint32_t n) {
  i32x4 v = {p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0};
  return v != 0;
}
VFN i64x2 load_mask_tail_i64(const uint8_t *p, uint32_t n) {
  (void)n;
  return (i64x2){p[0], 0} != 0;
}
// The mask kind that belongs to the example's lanes: load_mask_as((V){0}, p).
#define M(V, I, W)                                                                                 \
  VFN I load_mask_as(V v, const uint8_t *p) { return (void)v, load_mask_##W(p); }                  \
  VFN I load_mask_tail_as(V v, const uint8_t *p, uint32_t n) {                                     \
    return (void)v, load_mask_tail_##W(p, n);                                                      \
  }
M(f32x4, i32x4, i32)
M(f64x2, i64x2, i64)
M(i32x4, i32x4, i32)
M(i64x2, i64x2, i64)
#undef M

// Masks to bytes 0 and 1.
VFN void store_mask(uint8_t *p, i32x4 mask) {
#if WASM_SIMD
  v128_t half = wasm_i16x8_narrow_i32x4((v128_t)mask, (v128_t)mask);
  v128_t bytes = wasm_i8x16_narrow_i16x8(half, half);
  wasm_v128_store32_lane(p, wasm_v128_and(bytes, wasm_i8x16_splat(1)), 0);
#else
  for (int i = 0; i < 4; i++) p[i] = mask[i] & 1;
#endif
}
VFN void store_mask(uint8_t *p, i64x2 mask) {
  p[0] = mask[0] & 1;
  p[1] = mask[1] & 1;
}
VFN void store_mask_tail(uint8_t *p, i32x4 mask, uint32_t n) {
  p[0] = mask[0] & 1;
  if (n > 1) p[1] = mask[1] & 1;
  if (n > 2) p[2] = mask[2] & 1;
}
VFN void store_mask_tail(uint8_t *p, i64x2 mask, uint32_t n) {
  (void)n;
  p[0] = mask[0] & 1;
}

// ---- Classes and signs of floating point --------------------------------------------------------

VFN f32x4 abs_(f32x4 v) { return (f32x4)((i32x4)v & INT32_MAX); }
VFN f64x2 abs_(f64x2 v) { return (f64x2)((i64x2)v & INT64_MAX); }
VFN i32x4 abs_(i32x4 v) { return select(v < 0, -v, v); }
VFN i64x2 abs_(i64x2 v) { return select(v < 0, -v, v); }
VFN f32x4 copysign_(f32x4 size, f32x4 sign) { return select(splat(INT32_MIN), sign, size); }
VFN f64x2 copysign_(f64x2 size, f64x2 sign) { return select(splat(INT64_MIN), sign, size); }
#define M(V, S, I)                                                                                 \
  VFN I isnan_(V v) { return v != v; }                                                             \
  VFN I isinf_(V v) { return abs_(v) == (S)INFINITY; }                                             \
  VFN I isfinite_(V v) { return abs_(v) < (S)INFINITY; }                                           \
  VFN I signbit_(V v) { return (I)v < 0; }                                                         \
  VFN V neg_(V v) { return -v; }                                                                   \
  /* -1, 0 or 1; PyTorch's sign(NaN) is 0 */                                                       \
  VFN V sign_(V v) {                                                                               \
    V one = splat((S)1), zero = splat((S)0);                                                       \
    return select(v > 0, one, select(v < 0, -one, zero));                                          \
  }
REAL_TYPES(M)
#undef M
#define M(V, S, I)                                                                                 \
  VFN I isnan_(V v) { return v != v; }                                                             \
  VFN I isinf_(V v) { return v != v; }                                                             \
  VFN I isfinite_(V v) { return v == v; }                                                          \
  VFN I signbit_(V v) { return v < 0; }                                                            \
  VFN V neg_(V v) { return -v; }                                                                   \
  VFN V sign_(V v) { return (v < 0) - (v > 0); }
INTEGER_TYPES(M)
#undef M

// ---- Minimum and maximum ------------------------------------------------------------------------

// NaN if either is NaN (PyTorch's minimum, maximum, amin, amax); -0 is below 0.
#if WASM_SIMD
VFN f32x4 min_(f32x4 a, f32x4 b) { return (f32x4)wasm_f32x4_min((v128_t)a, (v128_t)b); }
VFN f32x4 max_(f32x4 a, f32x4 b) { return (f32x4)wasm_f32x4_max((v128_t)a, (v128_t)b); }
VFN f64x2 min_(f64x2 a, f64x2 b) { return (f64x2)wasm_f64x2_min((v128_t)a, (v128_t)b); }
VFN f64x2 max_(f64x2 a, f64x2 b) { return (f64x2)wasm_f64x2_max((v128_t)a, (v128_t)b); }
VFN i32x4 min_(i32x4 a, i32x4 b) { return (i32x4)wasm_i32x4_min((v128_t)a, (v128_t)b); }
VFN i32x4 max_(i32x4 a, i32x4 b) { return (i32x4)wasm_i32x4_max((v128_t)a, (v128_t)b); }
#else
#define M(V, S, I)                                                                                 \
  VFN V min_(V a, V b) {                                                                           \
    V least = select(a < b, a, select(b < a, b, (V)((I)a | (I)b)));                                \
    return select(a != a, a, select(b != b, b, least));                                            \
  }                                                                                                \
  VFN V max_(V a, V b) {                                                                           \
    V most = select(a > b, a, select(b > a, b, (V)((I)a & (I)b)));                                 \
    return select(a != a, a, select(b != b, b, most));                                             \
  }
REAL_TYPES(M)
#undef M
VFN i32x4 min_(i32x4 a, i32x4 b) { return select(a < b, a, b); }
VFN i32x4 max_(i32x4 a, i32x4 b) { return select(a > b, a, b); }
#endif
VFN i64x2 min_(i64x2 a, i64x2 b) { return select(a < b, a, b); }
VFN i64x2 max_(i64x2 a, i64x2 b) { return select(a > b, a, b); }
// The other one if one is NaN (PyTorch's fmin, fmax).
#define M(V, S, I)                                                                                 \
  VFN V fmin_(V a, V b) { return select(a != a, b, select(b != b, a, min_(a, b))); }               \
  VFN V fmax_(V a, V b) { return select(a != a, b, select(b != b, a, max_(a, b))); }
ALL_TYPES(M)
#undef M
// b where it is less (greater), else a: one instruction. A NaN in a stays, a NaN in b is ignored.
#if WASM_SIMD
VFN f32x4 pmin_(f32x4 a, f32x4 b) { return (f32x4)wasm_f32x4_pmin((v128_t)a, (v128_t)b); }
VFN f32x4 pmax_(f32x4 a, f32x4 b) { return (f32x4)wasm_f32x4_pmax((v128_t)a, (v128_t)b); }
VFN f64x2 pmin_(f64x2 a, f64x2 b) { return (f64x2)wasm_f64x2_pmin((v128_t)a, (v128_t)b); }
VFN f64x2 pmax_(f64x2 a, f64x2 b) { return (f64x2)wasm_f64x2_pmax((v128_t)a, (v128_t)b); }
#else
VFN f32x4 pmin_(f32x4 a, f32x4 b) { return select(b < a, b, a); }
VFN f32x4 pmax_(f32x4 a, f32x4 b) { return select(a < b, b, a); }
VFN f64x2 pmin_(f64x2 a, f64x2 b) { return select(b < a, b, a); }
VFN f64x2 pmax_(f64x2 a, f64x2 b) { return select(a < b, b, a); }
#endif
VFN i32x4 pmin_(i32x4 a, i32x4 b) { return min_(a, b); }
VFN i32x4 pmax_(i32x4 a, i32x4 b) { return max_(a, b); }
VFN i64x2 pmin_(i64x2 a, i64x2 b) { return min_(a, b); }
VFN i64x2 pmax_(i64x2 a, i64x2 b) { return max_(a, b); }
// v within numbers low <= high; NaN stays.
#define M(V, S, I)                                                                                 \
  VFN V clamp_(V v, S low, S high) { return pmax_(pmin_(v, splat(high)), splat(low)); }
ALL_TYPES(M)
#undef M
// The same for scalars.
#define M(S, U, V)                                                                                 \
  VFN S min_(S a, S b) { return a != a ? a : b != b ? b : a < b ? a : b; }                         \
  VFN S max_(S a, S b) { return a != a ? a : b != b ? b : a > b ? a : b; }
M(float, float, f32x4)
M(double, double, f64x2)
M(int32_t, uint32_t, i32x4)
M(int64_t, uint64_t, i64x2)
LANE_TYPE(M)
#undef M

// ---- Rounding and arithmetic --------------------------------------------------------------------

#if WASM_SIMD
#define M(V, S, I)                                                                                 \
  VFN V floor_(V v) { return (V)wasm_##V##_floor((v128_t)v); }                                     \
  VFN V ceil_(V v) { return (V)wasm_##V##_ceil((v128_t)v); }                                       \
  VFN V trunc_(V v) { return (V)wasm_##V##_trunc((v128_t)v); }                                     \
  VFN V round_(V v) { return (V)wasm_##V##_nearest((v128_t)v); } /* half to even */                \
  VFN V sqrt_(V v) { return (V)wasm_##V##_sqrt((v128_t)v); }
REAL_TYPES(M)
#undef M
#else
#define M(V, S, I)                                                                                 \
  VFN V floor_(V v) { return __builtin_elementwise_floor(v); }                                     \
  VFN V ceil_(V v) { return __builtin_elementwise_ceil(v); }                                       \
  VFN V trunc_(V v) { return __builtin_elementwise_trunc(v); }                                     \
  VFN V round_(V v) { return __builtin_elementwise_roundeven(v); } /* half to even */              \
  VFN V sqrt_(V v) { return __builtin_elementwise_sqrt(v); }
REAL_TYPES(M)
#undef M
#endif
#define M(V, S, I)                                                                                 \
  VFN V floor_(V v) { return v; }                                                                  \
  VFN V ceil_(V v) { return v; }                                                                   \
  VFN V trunc_(V v) { return v; }                                                                  \
  VFN V round_(V v) { return v; }                                                                  \
  VFN V madd(V a, V b, V c) { return a * b + c; }
INTEGER_TYPES(M)
#undef M

// a * b + c. Two roundings, hence the same bits everywhere; the RELAXED build may fuse them.
#if WASM_SIMD && defined(RELAXED)
VFN f32x4 madd(f32x4 a, f32x4 b, f32x4 c) {
  return (f32x4)wasm_f32x4_relaxed_madd((v128_t)a, (v128_t)b, (v128_t)c);
}
VFN f64x2 madd(f64x2 a, f64x2 b, f64x2 c) {
  return (f64x2)wasm_f64x2_relaxed_madd((v128_t)a, (v128_t)b, (v128_t)c);
}
#else
VFN f32x4 madd(f32x4 a, f32x4 b, f32x4 c) { return a * b + c; }
VFN f64x2 madd(f64x2 a, f64x2 b, f64x2 c) { return a * b + c; }
#endif

// ---- Across lanes, in a fixed order -------------------------------------------------------------

// Lanes combined as (0 op 2) op (1 op 3); max and min propagate NaN.
#define SWAP4(v) __builtin_shufflevector(v, v, 2, 3, 0, 1)
#define SWAP2(v) __builtin_shufflevector(v, v, 1, 0, 3, 2)
#define M(V, S, I)                                                                                 \
  VFN S sum_lanes(V v) { return v += SWAP4(v), (v + SWAP2(v))[0]; }                                \
  VFN S prod_lanes(V v) { return v *= SWAP4(v), (v * SWAP2(v))[0]; }                               \
  VFN S max_lanes(V v) { return v = max_(v, SWAP4(v)), max_(v, SWAP2(v))[0]; }                     \
  VFN S min_lanes(V v) { return v = min_(v, SWAP4(v)), min_(v, SWAP2(v))[0]; }
M(f32x4, float, i32x4)
M(i32x4, int32_t, i32x4)
#undef M
#define SWAP(v) __builtin_shufflevector(v, v, 1, 0)
#define M(V, S, I)                                                                                 \
  VFN S sum_lanes(V v) { return (v + SWAP(v))[0]; }                                                \
  VFN S prod_lanes(V v) { return (v * SWAP(v))[0]; }                                               \
  VFN S max_lanes(V v) { return max_(v, SWAP(v))[0]; }                                             \
  VFN S min_lanes(V v) { return min_(v, SWAP(v))[0]; }
M(f64x2, double, i64x2)
M(i64x2, int64_t, i64x2)
#undef M
#undef SWAP4
#undef SWAP2
#undef SWAP

// ---- Conversions --------------------------------------------------------------------------------

// Towards zero, saturating, NaN to 0.
#if WASM_SIMD
VFN i32x4 to_i32(f32x4 v) { return (i32x4)wasm_i32x4_trunc_sat_f32x4((v128_t)v); }
#else
VFN i32x4 to_i32(f32x4 v) {
  i32x4 inside = abs_(v) < 0x1p31f;
  i32x4 whole = __builtin_convertvector(from_bits((i32x4)v & inside), i32x4);
  i32x4 bound = select(v > 0, splat(INT32_MAX), splat(INT32_MIN));
  return select(inside, whole, bound & ~isnan_(v));
}
#endif
VFN int32_t to_i32(double x) {
  if (!(x > -0x1p31)) return x != x ? 0 : INT32_MIN;
  return x < 0x1p31 ? (int32_t)x : INT32_MAX;
}
VFN int64_t to_i64(double x) {
  if (!(x >= -0x1p63)) return x != x ? 0 : INT64_MIN;
  return x < 0x1p63 ? (int64_t)x : INT64_MAX;
}
VFN i64x2 to_i64(f64x2 v) { return (i64x2){to_i64(v[0]), to_i64(v[1])}; }
VFN f32x4 to_f32(i32x4 v) { return __builtin_convertvector(v, f32x4); }
VFN f64x2 to_f64(i64x2 v) { return __builtin_convertvector(v, f64x2); }
// Integers of the same lanes as a real vector, and back.
VFN i32x4 to_integer(f32x4 v) { return to_i32(v); }
VFN i64x2 to_integer(f64x2 v) { return to_i64(v); }
VFN f32x4 to_real(i32x4 v) { return to_f32(v); }
VFN f64x2 to_real(i64x2 v) { return to_f64(v); }

// Lanes 0, 1 and lanes 2, 3 at double width; two halves narrowed to one vector (integers wrap).
VFN f64x2 widen_low(f32x4 v) {
  return __builtin_convertvector(__builtin_shufflevector(v, v, 0, 1), f64x2);
}
VFN f64x2 widen_high(f32x4 v) {
  return __builtin_convertvector(__builtin_shufflevector(v, v, 2, 3), f64x2);
}
VFN i64x2 widen_low(i32x4 v) {
  return __builtin_convertvector(__builtin_shufflevector(v, v, 0, 1), i64x2);
}
VFN i64x2 widen_high(i32x4 v) {
  return __builtin_convertvector(__builtin_shufflevector(v, v, 2, 3), i64x2);
}
VFN f32x4 narrow(f64x2 low, f64x2 high) {
  typedef float f32x2 __attribute__((vector_size(8)));
  f32x2 a = __builtin_convertvector(low, f32x2), b = __builtin_convertvector(high, f32x2);
  return __builtin_shufflevector(a, b, 0, 1, 2, 3);
}
VFN i32x4 narrow(i64x2 low, i64x2 high) {
  return __builtin_shufflevector((i32x4)low, (i32x4)high, 0, 2, 4, 6);
}

#include "simd_integer.h"

#endif
