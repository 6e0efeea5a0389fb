// Checks simd.h, natively under ASan and UBSan and as WebAssembly: every function against scalar C,
// on hard values and at the very end of allocations. check() counts failures; first_failure is a
// line here.
#include "simd_math.h"

int first_failure;
static int failures;
static void count(int line) {
  if (failures++ == 0) first_failure = line;
}

#ifdef __wasm__
// Four arrays of at most 16 bytes are alive at a time.
static _Alignas(16) unsigned char heap[4][16];
static int allocations;
static void *malloc(size_t size) { return (void)size, heap[allocations++ % 4]; }
static void free(void *p) { (void)p; }
#else
#include <stdio.h>
#include <stdlib.h>
#endif

#define CHECK(condition)                                                                           \
  if (!(condition)) count(__LINE__)

static const int32_t i32s[] = {0, 1, -1, 2, -2, 3, 7, -7, 31, 32, 33, 100, -100, 65536, INT32_MAX,
    INT32_MIN, INT32_MIN + 1, INT32_MAX - 1};
static const int64_t i64s[] = {0, 1, -1, 2, -2, 3, 7, -7, 63, 64, 65, 1ll << 32, -(1ll << 40),
    INT64_MAX, INT64_MIN, INT64_MIN + 1};
static const double reals[] = {0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3, 7, -7, 0.1, -0.1, 1e-40,
    1e30, -1e30, 0x1p31, -0x1p31, 0x1p63, -0x1p63, 16777217, INFINITY, -INFINITY, NAN, -0.0};
#define COUNT(a) (sizeof(a) / sizeof *(a))

static int same(double a, double b) {
  return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b));
}

// ---- Memory: exact allocations, so that ASan sees any step beyond -------------------------------

#define M(V, S, LANES)                                                                             \
  static void memory_##V(void) {                                                                   \
    for (uint32_t n = 1; n <= LANES; n++) {                                                        \
      S *from = malloc(n * sizeof(S)), *to = malloc(n * sizeof(S));                                \
      uint8_t *bools = malloc(n), *out = malloc(n);                                                \
      for (uint32_t i = 0; i < n; i++) from[i] = (S)(i + 1), bools[i] = i % 2 ? 3 : 0;             \
      V v = n < LANES ? load_tail(from, n, (S)9) : load(from);                                     \
      if (n < LANES) store_tail(to, v, n);                                                         \
      else store(to, v);                                                                           \
      for (uint32_t i = 0; i < LANES; i++) CHECK(v[i] == (i < n ? (S)(i + 1) : (S)9));             \
      CHECK(memcmp(from, to, n * sizeof(S)) == 0);                                                 \
      __typeof__(v == v) mask = load_mask_tail_as(v, bools, n);                                    \
      if (n == LANES) mask = load_mask_as(v, bools);                                               \
      if (n < LANES) store_mask_tail(out, mask, n);                                                \
      else store_mask(out, mask);                                                                  \
      for (uint32_t i = 0; i < n; i++) {                                                           \
        CHECK(mask[i] == -(int)(i % 2) && out[i] == i % 2);                                        \
      }                                                                                            \
      free(from), free(to), free(bools), free(out);                                                \
    }                                                                                              \
  }
M(f32x4, float, 4)
M(f64x2, double, 2)
M(i32x4, int32_t, 4)
M(i64x2, int64_t, 2)
#undef M

// ---- Integers -----------------------------------------------------------------------------------

#define M(V, S, WIDE, values, WIDTH, LEAST)                                                        \
  static void integers_##V(void) {                                                                 \
    for (size_t i = 0; i < COUNT(values); i++) {                                                   \
      for (size_t j = 0; j < COUNT(values); j++) {                                                 \
        S a = values[i], b = values[j];                                                            \
        V x = splat(a), y = splat(b);                                                              \
        WIDE quotient = b == 0 ? 0 : (WIDE)a / b, rest = b == 0 ? 0 : (WIDE)a % b;                 \
        int off = rest != 0 && (rest < 0) != (b < 0);                                              \
        CHECK(trunc_div_(x, y)[0] == (S)quotient);                                                 \
        CHECK(rem_(x, y)[0] == (S)rest && fmod_(x, y)[0] == (S)rest);                              \
        CHECK(floor_div_(x, y)[0] == (S)(quotient - off));                                         \
        CHECK(mod_(x, y)[0] == (S)(off ? rest + b : rest));                                        \
        CHECK(remainder_(x, y)[0] == mod_(x, y)[0]);                                               \
        int inside = b >= 0 && b < WIDTH;                                                          \
        CHECK(shl_(x, y)[0] == (inside ? (S)((WIDE)a * ((WIDE)1 << b)) : 0));                      \
        CHECK(shr_(x, y)[0] == (inside ? a >> b : a < 0 ? -1 : 0));                                \
        S power = 1;                                                                               \
        for (S k = 0; b < 200 && k < b; k++) power = (S)((WIDE)power * a);                         \
        if (b < 0) power = a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;                            \
        if (b < 200) CHECK(ipow_(x, y)[0] == power);                                               \
        CHECK(min_(x, y)[1] == (a < b ? a : b) && max_(x, y)[1] == (a < b ? b : a));               \
        CHECK((x + y)[0] == (S)((WIDE)a + b) && (x - y)[0] == (S)((WIDE)a - b));                   \
        CHECK((x * y)[0] == (S)((WIDE)a * b));                                                     \
      }                                                                                            \
      S a = values[i];                                                                             \
      V x = splat(a);                                                                              \
      CHECK(abs_(x)[0] == (a == LEAST ? LEAST : a < 0 ? -a : a));                                  \
      CHECK(neg_(x)[0] == (a == LEAST ? LEAST : -a));                                              \
      CHECK(sign_(x)[0] == (a > 0) - (a < 0));                                                     \
    }                                                                                              \
  }
M(i32x4, int32_t, int64_t, i32s, 32, INT32_MIN)
M(i64x2, int64_t, __int128, i64s, 64, INT64_MIN)
#undef M

// ---- Reals --------------------------------------------------------------------------------------

// PyTorch's floor division, as written in its sources.
#define M(V, S, FMOD, FLOOR)                                                                       \
  static S floor_div_##V(S a, S b) {                                                               \
    if (b == 0) return a / b;                                                                      \
    S mod = FMOD(a, b), div = (a - mod) / b;                                                       \
    if (mod != 0 && (b < 0) != (mod < 0)) div -= 1;                                                \
    if (div == 0) return (S)copysign(0, a / b);                                                    \
    S floored = FLOOR(div);                                                                        \
    return div - floored > (S)0.5 ? floored + 1 : floored;                                         \
  }                                                                                                \
  static void reals_##V(void) {                                                                    \
    for (size_t i = 0; i < COUNT(reals); i++) {                                                    \
      for (size_t j = 0; j < COUNT(reals); j++) {                                                  \
        S a = (S)reals[i], b = (S)reals[j], rest = FMOD(a, b);                                     \
        V x = splat(a), y = splat(b);                                                              \
        S least = isnan(a) || isnan(b) ? (S)NAN : a < b || (a == b && signbit(a)) ? a : b;         \
        S most = isnan(a) || isnan(b) ? (S)NAN : a > b || (a == b && !signbit(a)) ? a : b;         \
        CHECK(same(min_(x, y)[0], least) && same(max_(x, y)[1], most));                            \
        CHECK(isnan(min_(a, b)) == isnan(least));                                                  \
        CHECK(same(fmin_(x, y)[0], isnan(a) ? b : isnan(b) ? a : least));                          \
        CHECK(same(fmax_(x, y)[0], isnan(a) ? b : isnan(b) ? a : most));                           \
        CHECK(same(pmin_(x, y)[0], b < a ? b : a));                                                \
        CHECK(same(pmax_(x, y)[0], a < b ? b : a));                                                \
        CHECK(same(copysign_(x, y)[0], copysign(a, b)));                                           \
        CHECK(same(fmod_(x, y)[0], rest));                                                         \
        S modulo = rest != 0 && (b < 0) != (rest < 0) ? rest + b : rest;                           \
        CHECK(same(remainder_(x, y)[0], modulo));                                                  \
        CHECK(same(floor_div_(x, y)[0], floor_div_##V(a, b)));                                     \
        CHECK(same(select(x < y, x, y)[0], a < b ? a : b));                                        \
        CHECK(same(madd(x, y, x)[0], a * b + a));                                                  \
      }                                                                                            \
      S a = (S)reals[i];                                                                           \
      V x = splat(a);                                                                              \
      CHECK(same(floor_(x)[0], floor(a)) && same(ceil_(x)[0], ceil(a)));                           \
      CHECK(same(trunc_(x)[0], trunc(a)) && same(round_(x)[0], rint(a)));                          \
      CHECK(same(abs_(x)[0], fabs(a)) && same(neg_(x)[0], -a));                                    \
      CHECK(sign_(x)[0] == (a > 0) - (a < 0));                                                     \
      CHECK(isnan_(x)[0] == -isnan(a) && isinf_(x)[0] == -(fabs(a) == INFINITY));                  \
      CHECK(isfinite_(x)[0] == -isfinite(a) && signbit_(x)[0] == -!!signbit(a));                   \
    }                                                                                              \
  }
M(f32x4, float, fmodf, floorf)
M(f64x2, double, fmod, floor)
#undef M

// ---- Lanes and conversions ----------------------------------------------------------------------

static void lanes(void) {
  f32x4 v = {1, 2, 3, 4}, w = {0x1p24f, 1, -0x1p24f, 1};
  i32x4 n = {1, -2, INT32_MAX, 4};
  CHECK(sum_lanes(v) == 10 && prod_lanes(v) == 24);
  CHECK(sum_lanes(w) == 2);
  CHECK(max_lanes(v) == 4 && min_lanes(v) == 1 && isnan(max_lanes(v + (f32x4){0, NAN, 0, 0})));
  CHECK(sum_lanes(n) == INT32_MIN + 2 && max_lanes(n) == INT32_MAX && min_lanes(n) == -2);
  CHECK(sum_lanes((f64x2){1, 2}) == 3 && prod_lanes((i64x2){5, -7}) == -35);
  CHECK(all_(v == v) && !any_(v != v) && any_(v == 2.0f) && !all_(v == 2.0f));
  CHECK(all_(iota_as(v) == v - 1.0f) && iota_as((i64x2){0})[1] == 1);
  float floats[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  CHECK(load_strided(floats, 3)[3] == 9 && load_strided(floats, 0)[3] == 0);

  CHECK(all_(narrow(widen_low(v), widen_high(v)) == v));
  CHECK(all_(narrow(widen_low(n), widen_high(n)) == n));
  CHECK(narrow((i64x2){1ll << 32 | 5, 0}, (i64x2){0})[0] == 5);
  for (size_t i = 0; i < COUNT(reals); i++) {
    double a = (float)reals[i];
    int32_t bound32 = a < 0 ? INT32_MIN : INT32_MAX;
    int64_t bound64 = a < 0 ? INT64_MIN : INT64_MAX;
    if (fabs(a) < 0x1p31) bound32 = (int32_t)a;
    if (fabs(a) < 0x1p63) bound64 = (int64_t)a;
    if (isnan(a)) bound32 = bound64 = 0;
    CHECK(to_i32(splat((float)a))[2] == bound32 && to_i32(a) == bound32);
    CHECK(to_i64(splat(a))[1] == bound64 && to_i64(a) == bound64);
  }
  CHECK(to_f32(n)[2] == 0x1p31f && to_f64((i64x2){INT64_MAX, -3})[0] == 0x1p63);
}

// The functions of double that no C library has; PyTorch's values.
static void special(void) {
  static const double at[][2] = {{1, -0.57721566490153286}, {0.5, -1.9635100260214235},
      {-0.5, 0.036489973978576520}, {10, 2.2517525890667211}, {1e20, 46.051701859880914},
      {1e-3, -1000.5755719318103}, {-7.25, 5.1899772149562879}, {0.0, -INFINITY}, {-0.0, INFINITY},
      {-3, NAN}, {INFINITY, INFINITY}, {-INFINITY, NAN}, {NAN, NAN}};
  for (size_t i = 0; i < COUNT(at); i++) {
    double got = digamma_(splat(at[i][0]))[1], want = at[i][1];
    CHECK(same(got, want) || fabs(got - want) <= 4e-16 * fmax(1, fabs(want)) * 4);
  }
  for (double y = -0.99; y < 1; y += 0.01) CHECK(fabs(erf(erfinv_(splat(y))[0]) - y) < 3e-16);
  CHECK(same(erfinv_(splat(-0.0))[0], -0.0) && same(erfinv_(splat(1.0))[0], INFINITY));
  CHECK(isnan(erfinv_(splat(1.5))[0]) && isnan(erfinv_(splat((double)NAN))[0]));
}

int check(void) {
  memory_f32x4(), memory_f64x2(), memory_i32x4(), memory_i64x2();
  integers_i32x4(), integers_i64x2();
  reals_f32x4(), reals_f64x2();
  lanes();
  special();
  return failures;
}

#ifndef __wasm__
int main(void) {
  if (check()) printf("simd.c:%d and %d more\n", first_failure, failures - 1);
  return failures > 0;
}
#endif
