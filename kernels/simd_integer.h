// Division, shifts and powers, defined for every input, on integers and on reals; part of simd.h.
// Integers: a zero divisor gives 0, the least value divided by -1 wraps. Nothing traps.
#ifndef ISOTORCH_SIMD_INTEGER_H
#define ISOTORCH_SIMD_INTEGER_H

// One lane. Unsigned negation gives INT_MIN / -1 = INT_MIN without overflow.
#define M(S, U, V)                                                                                 \
  VFN S trunc_div_(S a, S b) { return b == 0 ? 0 : b == -1 ? (S)(0 - (U)a) : a / b; }              \
  VFN S rem_(S a, S b) { return b == 0 || b == -1 ? 0 : a % b; }                                   \
  VFN S floor_div_(S a, S b) {                                                                     \
    return trunc_div_(a, b) - (rem_(a, b) != 0 && (a < 0) != (b < 0));                             \
  }                                                                                                \
  /* the remainder with the sign of the divisor, as Python's % */                                  \
  VFN S mod_(S a, S b) {                                                                           \
    S r = rem_(a, b);                                                                              \
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;                                               \
  }
M(int32_t, uint32_t, i32x4)
M(int64_t, uint64_t, i64x2)
LANE_TYPE(M)
#undef M

// f lane by lane.
#define EACH4(T, f) (T){f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])}
#define EACH2(T, f) (T){f(a[0], b[0]), f(a[1], b[1])}
VFN i32x4 trunc_div_(i32x4 a, i32x4 b) { return EACH4(i32x4, trunc_div_); }
VFN i64x2 trunc_div_(i64x2 a, i64x2 b) { return EACH2(i64x2, trunc_div_); }
VFN i32x4 floor_div_(i32x4 a, i32x4 b) { return EACH4(i32x4, floor_div_); }
VFN i64x2 floor_div_(i64x2 a, i64x2 b) { return EACH2(i64x2, floor_div_); }
VFN i32x4 rem_(i32x4 a, i32x4 b) { return EACH4(i32x4, rem_); }
VFN i64x2 rem_(i64x2 a, i64x2 b) { return EACH2(i64x2, rem_); }
VFN i32x4 mod_(i32x4 a, i32x4 b) { return EACH4(i32x4, mod_); }
VFN i64x2 mod_(i64x2 a, i64x2 b) { return EACH2(i64x2, mod_); }

// Counts outside the width (also negative): left gives 0, right gives the sign, as PyTorch.
#define M(V, S, U, WIDTH)                                                                          \
  VFN V shl_(V v, V count) {                                                                       \
    V inside = (count >= 0) & (count < WIDTH);                                                     \
    return (V)((U)v << (U)(count & (WIDTH - 1))) & inside;                                         \
  }                                                                                                \
  VFN V shr_(V v, V count) {                                                                       \
    V inside = (count >= 0) & (count < WIDTH);                                                     \
    return v >> (select(inside, count, splat((S)(WIDTH - 1))) & (WIDTH - 1));                      \
  }
M(i32x4, int32_t, u32x4, 32)
M(i64x2, int64_t, u64x2, 64)
#undef M

// base to an integer power, wrapping. A negative power gives 0, but for bases 1 and -1, as PyTorch.
#define M(V, S, U, I)                                                                              \
  VFN V pow_(V base, V power) {                                                                    \
    V one = splat((S)1), odd = -(power & 1);                                                       \
    V inverse = select(base == 1, one, select(base == -1, one + (odd & -2), splat((S)0)));         \
    V result = one, square = base;                                                                 \
    V left = power & ~(power < 0);                                                                 \
    while (any_((V)(left != 0))) {                                                                 \
      result = select((left & 1) != 0, result * square, result);                                   \
      square = square * square;                                                                    \
      left = left >> 1;                                                                            \
    }                                                                                              \
    return select(power < 0, inverse, result);                                                     \
  }
M(i32x4, int32_t, u32x4, i32x4)
M(i64x2, int64_t, u64x2, i64x2)
#undef M
VFN i32x4 ipow_(i32x4 base, i32x4 power) { return pow_(base, power); }
VFN i64x2 ipow_(i64x2 base, i64x2 power) { return pow_(base, power); }

// ---- Reals: C's fmod, Python's % and //, exact --------------------------------------------------

// Floats with a quotient below 2^29: it lies 2^-24 or more below the next whole number, so the
// division in double cannot round up to that, and the product with b is exact. Else the library's
// loop.
VFN f64x2 quick_fmod(f64x2 a, f64x2 b, i64x2 *quick) {
  f64x2 q = trunc_(a / b);
  *quick = (abs_(q) < 0x1p29) & isfinite_(b);
  return copysign_(a - q * b, a);
}
VFN f32x4 fmod_(f32x4 a, f32x4 b) {
  i64x2 quick_low, quick_high;
  f64x2 low = quick_fmod(widen_low(a), widen_low(b), &quick_low);
  f64x2 high = quick_fmod(widen_high(a), widen_high(b), &quick_high);
  if (all_((i64x2)(quick_low & quick_high))) return narrow(low, high);
  return EACH4(f32x4, fmodf);
}
VFN f64x2 fmod_(f64x2 a, f64x2 b) { return EACH2(f64x2, fmod); }

#define M(V, S, I)                                                                                 \
  /* has the sign of the divisor */                                                                \
  VFN V remainder_(V a, V b) {                                                                     \
    V r = fmod_(a, b);                                                                             \
    I off = (r != 0) & ((b < 0) ^ (r < 0));                                                        \
    return select(off, r + b, r);                                                                  \
  }                                                                                                \
  VFN V trunc_div_(V a, V b) { return trunc_(a / b); }                                             \
  /* PyTorch's div(roundingMode floor): from the exact remainder, hence consistent with it */      \
  VFN V floor_div_(V a, V b) {                                                                     \
    V r = fmod_(a, b), ratio = a / b, one = splat((S)1);                                           \
    V quotient = (a - r) / b;                                                                      \
    I off = (r != 0) & ((b < 0) ^ (r < 0));                                                        \
    quotient = select(off, quotient - one, quotient);                                              \
    V whole = floor_(quotient);                                                                    \
    whole = select(quotient - whole > (S)0.5, whole + one, whole);                                 \
    whole = select(quotient == 0, copysign_(splat((S)0), ratio), whole);                           \
    return select(b == 0, ratio, whole);                                                           \
  }                                                                                                \
  VFN V mod_(V a, V b) { return remainder_(a, b); }                                                \
  VFN V rem_(V a, V b) { return fmod_(a, b); }
REAL_TYPES(M)
#undef M
#define M(V, S, I)                                                                                 \
  VFN V fmod_(V a, V b) { return rem_(a, b); }                                                     \
  VFN V remainder_(V a, V b) { return mod_(a, b); }
INTEGER_TYPES(M)
#undef M
#undef EACH4
#undef EACH2

#endif
