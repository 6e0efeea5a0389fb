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
// V8 optimises a function when it is next entered: the loop over a tile must be a call of its own.
#define NOINLINE __attribute__((noinline))
#define UNROLL _Pragma("clang loop unroll(full)")
#define NO_UNROLL _Pragma("clang loop unroll(disable)")
#endif

static inline void NAME(put)(S *p, V v, bool add) { store(p, add ? load(p) + v : v); }
