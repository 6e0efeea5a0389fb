// What the tiles of matrix products and of convolutions share; included once per dtype.

// 4 rows x 2 vectors is what the sixteen registers of plain 128-bit SIMD hold without spilling.
// wasm/build.mjs builds other shapes beside it.
#ifndef TILE_M
#define TILE_M 4
#define TILE_V 2
#endif
#define TILE_N (TILE_V * LANES)

#ifndef DEPTH_BLOCK
// Depth of one block: a panel of B stays in the first-level cache.
#define DEPTH_BLOCK 256
#define UNROLL _Pragma("clang loop unroll(full)")
#define NO_UNROLL _Pragma("clang loop unroll(disable)")
// A pointer that a loop moves by itself: clang would make several from one, by additions instead of
// offsets in the loads, of which V8 then knows no neighbours to pair.
#define OPAQUE(p) __asm__("" : "+r"(p))
#endif

static inline void NAME(put)(S *p, V v, bool add) { store(p, add ? load(p) + v : v); }

// Transposes LANES vectors in place.
static inline __attribute__((always_inline)) void NAME(transpose)(V *v) {
#if LANES == 4
  V ab_low = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5);
  V ab_high = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
  V cd_low = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5);
  V cd_high = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
  v[0] = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  v[1] = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  v[2] = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  v[3] = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
#else
  V low = __builtin_shufflevector(v[0], v[1], 0, 2);
  v[1] = __builtin_shufflevector(v[0], v[1], 1, 3);
  v[0] = low;
#endif
}
