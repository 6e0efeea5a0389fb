// One optimiser step for all parameters of a group, in the order of operations of PyTorch's
// single-tensor code. `table` holds ENTRY words per parameter: param, grad, three states, count,
// and three doubles of its own (such as bias corrections). Units of work are blocks of OPTIM_BLOCK
// elements, counted through all parameters.
#include "kernel.h"
#ifndef S
#include <math.h>
#define ENTRY 12
#define OPTIM_BLOCK 4096
#define SOURCE "optim.c"
#include "each_real.h"
#else

#define INLINE static inline __attribute__((always_inline))

// What a step may read and write of LANES elements.
typedef struct {
  V param, grad, state[3];
} NAME(lanes);
typedef void (*NAME(step))(const void *options, double a, double b, double c,
                           NAME(lanes) * at);

INLINE double NAME(double_at)(const uint32_t *words) {
  f64w value = {words[0], words[1]};
  return F64(value);
}

INLINE void NAME(each)(const uint32_t *table, uint32_t words, uint32_t begin, uint32_t end,
                       int states, NAME(step) step, const void *options) {
  uint32_t unit = 0;
  for (const uint32_t *entry = table; entry < table + words; entry += ENTRY) {
    uint32_t count = entry[5], blocks = (count + OPTIM_BLOCK - 1) / OPTIM_BLOCK;
    uint32_t first = MAX(begin, unit), last = MIN(end, unit + blocks);
    if (first < last) {
      S *param = address(entry[0]), *state[3];
      const S *grad = address(entry[1]);
      for (int k = 0; k < 3; k++) state[k] = address(entry[2 + k]);
      double a = NAME(double_at)(entry + 6), b = NAME(double_at)(entry + 8);
      double c = NAME(double_at)(entry + 10);
      uint32_t i = (first - unit) * OPTIM_BLOCK, stop = MIN(count, (last - unit) * OPTIM_BLOCK);
      NAME(lanes) at;
      for (; i + LANES <= stop; i += LANES) {
        at.param = load(param + i);
        at.grad = load(grad + i);
        for (int k = 0; k < states; k++) at.state[k] = load(state[k] + i);
        step(options, a, b, c, &at);
        store(param + i, at.param);
        for (int k = 0; k < states; k++) store(state[k] + i, at.state[k]);
      }
      uint32_t left = stop - i;
      if (left) {
        at.param = load_tail(param + i, left, 0);
        at.grad = load_tail(grad + i, left, 0);
        for (int k = 0; k < states; k++) at.state[k] = load_tail(state[k] + i, left, 0);
        step(options, a, b, c, &at);
        store_tail(param + i, at.param, left);
        for (int k = 0; k < states; k++) store_tail(state[k] + i, at.state[k], left);
      }
    }
    unit += blocks;
  }
}

// Options are copied so that stores to parameters cannot be taken for changes of them.
#define EACH(name, states)                                                               \
  {                                                                                      \
    name##_params options = *p;                                                          \
    NAME(each)(p->table, p->table_count, begin, end, states, NAME(name##_step), &options); \
  }
#define STEP(name)                                                                       \
  INLINE void NAME(name##_step)(const void *options, double a, double b, double c, NAME(lanes) * at)
#define OPTIONS(name)                                                                    \
  const name##_params *p = options;                                                      \
  (void)a, (void)b, (void)c
#define REAL_(x) splat((S)(x))
#define VALUE(field) REAL_(F64(p->field))

INLINE V NAME(decayed)(V grad, V param, uint32_t maximize, double decay) {
  if (maximize) grad = -grad;
  return decay != 0 ? grad + REAL_(decay) * param : grad;
}
#define GRAD NAME(decayed)(at->grad, at->param, p->maximize, F64(p->weightDecay))

// a: 1 on the first step of the parameter, whose buffer starts as the gradient.
STEP(sgdStep) {
  OPTIONS(sgdStep);
  V d = GRAD;
  if (F64(p->momentum) != 0) {
    V buffer = at->state[0] * VALUE(momentum) + REAL_(1 - F64(p->dampening)) * d;
    at->state[0] = buffer = a != 0 ? d : buffer;
    d = p->nesterov ? d + VALUE(momentum) * buffer : buffer;
  }
  at->param += REAL_(-F64(p->lr)) * d;
}
KERNEL(sgdStep) {
  if (F64(p->momentum) != 0) EACH(sgdStep, 1)
  else EACH(sgdStep, 0)
}

// a: lr / (1 - beta1^t), b: sqrt(1 - beta2^t). `decoupled` is AdamW.
STEP(adamStep) {
  OPTIONS(adamStep);
  if (p->decoupled) at->param *= REAL_(1 - F64(p->lr) * F64(p->weightDecay));
  V g = NAME(decayed)(at->grad, at->param, p->maximize, p->decoupled ? 0 : F64(p->weightDecay));
  V m = at->state[0] * VALUE(beta1) + REAL_(1 - F64(p->beta1)) * g;
  V v = at->state[1] * VALUE(beta2) + REAL_(1 - F64(p->beta2)) * g * g;
  at->state[0] = m;
  at->state[1] = v;
  if (p->amsgrad) at->state[2] = v = max_(at->state[2], v);
  V denominator = sqrt_(v) / REAL_(b) + VALUE(eps);
  at->param += REAL_(-a) * m / denominator;
}
KERNEL(adamStep) {
  if (p->amsgrad) EACH(adamStep, 3)
  else EACH(adamStep, 2)
}

// States: square average, gradient average (centered), momentum buffer.
STEP(rmspropStep) {
  OPTIONS(rmspropStep);
  V g = GRAD;
  V mean = at->state[0] * VALUE(alpha) + REAL_(1 - F64(p->alpha)) * g * g;
  at->state[0] = mean;
  if (p->centered) {
    V average = at->state[1] * VALUE(alpha) + REAL_(1 - F64(p->alpha)) * g;
    at->state[1] = average;
    mean = mean - average * average;
  }
  V root = sqrt_(mean) + VALUE(eps);
  if (F64(p->momentum) > 0) {
    at->state[2] = at->state[2] * VALUE(momentum) + g / root;
    at->param += REAL_(-F64(p->lr)) * at->state[2];
  } else {
    at->param += REAL_(-F64(p->lr)) * g / root;
  }
}
KERNEL(rmspropStep) {
  if (F64(p->momentum) > 0) EACH(rmspropStep, 3)
  else if (p->centered) EACH(rmspropStep, 2)
  else EACH(rmspropStep, 1)
}

// a: lr / (1 + (t - 1) lrDecay).
STEP(adagradStep) {
  OPTIONS(adagradStep);
  V g = GRAD;
  at->state[0] += g * g;
  at->param += REAL_(-a) * g / (sqrt_(at->state[0]) + VALUE(eps));
}
KERNEL(adagradStep) EACH(adagradStep, 1)

STEP(adadeltaStep) {
  OPTIONS(adadeltaStep);
  V g = GRAD, rest = REAL_(1 - F64(p->rho));
  at->state[0] = at->state[0] * VALUE(rho) + rest * g * g;
  V delta = sqrt_(at->state[1] + VALUE(eps)) / sqrt_(at->state[0] + VALUE(eps)) * g;
  at->state[1] = at->state[1] * VALUE(rho) + rest * delta * delta;
  at->param += REAL_(-F64(p->lr)) * delta;
}
KERNEL(adadeltaStep) EACH(adadeltaStep, 2)

// a: lr / (1 - beta1^t).
STEP(adamaxStep) {
  OPTIONS(adamaxStep);
  V g = GRAD;
  at->state[0] = at->state[0] * VALUE(beta1) + REAL_(1 - F64(p->beta1)) * g;
  at->state[1] = max_(at->state[1] * VALUE(beta2), abs_(g) + VALUE(eps));
  at->param += REAL_(-a) * at->state[0] / at->state[1];
}
KERNEL(adamaxStep) EACH(adamaxStep, 2)

// a: lr (1 - mu_t) / (1 - prod mu), b: lr mu_{t+1} / (1 - prod mu mu_{t+1}); c: 1 - beta2^t.
STEP(nadamStep) {
  OPTIONS(nadamStep);
  V g = GRAD;
  at->state[0] = at->state[0] * VALUE(beta1) + REAL_(1 - F64(p->beta1)) * g;
  at->state[1] = at->state[1] * VALUE(beta2) + REAL_(1 - F64(p->beta2)) * g * g;
  V denominator = sqrt_(at->state[1] / REAL_(c)) + VALUE(eps);
  at->param += REAL_(-a) * g / denominator;
  at->param += REAL_(-b) * at->state[0] / denominator;
}
KERNEL(nadamStep) EACH(nadamStep, 2)

// a: 1 - beta1^t, b: the rectification times sqrt(1 - beta2^t), or 0 while the variance is not
// tractable.
STEP(radamStep) {
  OPTIONS(radamStep);
  V g = GRAD;
  at->state[0] = at->state[0] * VALUE(beta1) + REAL_(1 - F64(p->beta1)) * g;
  at->state[1] = at->state[1] * VALUE(beta2) + REAL_(1 - F64(p->beta2)) * g * g;
  V step = at->state[0] / REAL_(a) * VALUE(lr);
  if (b != 0) step = step * (REAL_(b) / (sqrt_(at->state[1]) + VALUE(eps)));
  at->param -= step;
}
KERNEL(radamStep) EACH(radamStep, 2)

// States: previous gradient, step sizes.
STEP(rpropStep) {
  OPTIONS(rpropStep);
  V g = p->maximize ? -at->grad : at->grad, turn = g * at->state[0];
  V factor = select(turn > 0, VALUE(etaPlus), select(turn < 0, VALUE(etaMinus), splat((S)1)));
  V size = at->state[1] * factor;
  at->state[1] = size = min_(max_(size, VALUE(least)), VALUE(most));
  at->state[0] = g = select(turn < 0, splat((S)0), g);
  at->param -= sign_(g) * size;
}
KERNEL(rpropStep) EACH(rpropStep, 2)

// a: eta, b: mu. The state is the average of the parameter.
STEP(asgdStep) {
  OPTIONS(asgdStep);
  V g = GRAD;
  at->param *= REAL_(1 - F64(p->lambd) * a);
  at->param += REAL_(-a) * g;
  V average = at->state[0] + (at->param - at->state[0]) * REAL_(b);
  at->state[0] = b == 1 ? at->param : average;
}
KERNEL(asgdStep) EACH(asgdStep, 1)

#undef INLINE
#undef EACH
#undef STEP
#undef OPTIONS
#undef REAL_
#undef VALUE
#undef GRAD
#endif
