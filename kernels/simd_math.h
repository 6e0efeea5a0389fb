// Elementary functions of f32x4 and f64x2, overloaded; names end in an underscore.
#ifndef ISOTORCH_SIMD_MATH_H
#define ISOTORCH_SIMD_MATH_H

#include "simd.h"
#include "simd_libm.h"

#define M(name) \
  VFN f32x4 name(f32x4 x) { return narrow(name(widen_low(x)), name(widen_high(x))); }
M(exp_) M(exp2_) M(expm1_) M(log_) M(log2_) M(log10_) M(log1p_) M(sin_) M(cos_) M(tan_) M(asin_) M(acos_)
M(atan_) M(sinh_) M(cosh_) M(tanh_) M(asinh_) M(acosh_) M(atanh_) M(erf_) M(erfc_) M(erfinv_) M(lgamma_)
M(digamma_)
#undef M
#define M(name)                                                                          \
  VFN f32x4 name(f32x4 x, f32x4 y) {                                                     \
    return narrow(name(widen_low(x), widen_low(y)), name(widen_high(x), widen_high(y))); \
  }
M(pow_) M(atan2_) M(hypot_)
#undef M

// Of both types, from the functions above.
#define M(V, S, I)                                                                       \
  VFN V rsqrt_(V x) { return (S)1 / sqrt_(x); }                                          \
  VFN V sigmoid_(V x) { return (S)1 / ((S)1 + exp_(-x)); }                               \
  /* log(1 + exp(x)) without overflow: softplus; and log(sigmoid(x)) */                  \
  VFN V log1pexp_(V x) { return max_(x, splat((S)0)) + log1p_(exp_(-abs_(x))); }         \
  VFN V logsigmoid_(V x) { return min_(x, splat((S)0)) - log1p_(exp_(-abs_(x))); }       \
  /* log(exp(a) + exp(b)); equal infinities have no difference */                        \
  VFN V logaddexp_(V a, V b) {                                                           \
    V most = max_(a, b), gap = -abs_(a - b);                                             \
    return select(isinf_(a) & (a == b), a, most + log1p_(exp_(gap)));                    \
  }                                                                                      \
  VFN V logaddexp2_(V a, V b) {                                                          \
    V most = max_(a, b), gap = -abs_(a - b);                                             \
    const S log2_e = (S)1.44269504088896340736;                                          \
    return select(isinf_(a) & (a == b), a, most + log1p_(exp2_(gap)) * log2_e);          \
  }                                                                                      \
  /* x * log(y), 0 where x is 0 unless y is NaN */                                       \
  VFN V xlogy_(V x, V y) {                                                               \
    V product = select(x == 0, splat((S)0), x * log_(y));                                \
    return select(isnan_(y), y, product);                                                \
  }
REAL_TYPES(M)
#undef M

#endif
