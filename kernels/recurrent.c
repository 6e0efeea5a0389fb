// The pointwise parts of recurrent cells and their gradients: gi and gh are the products of input
// and hidden state with their weights, [batch, gates * size]. Units are rows of the batch.
#include "kernel.h"
#ifndef S
#define SOURCE "recurrent.c"
#include "each_real.h"
#else

#define GET(q) (left >= LANES ? load((q) + i) : load_tail((q) + i, left, 0))
#define PUT(q, v) (left >= LANES ? store((q) + i, v) : store_tail((q) + i, v, left))
#define EACH_VECTOR                                                                      \
  for (uint32_t i = 0, left = size; i < size; i += LANES, left = size - i)

// h = tanh(gi + gh), or relu.
KERNEL(rnnCell) {
  const S *gi = IN(S, gi), *gh = IN(S, gh);
  S *h = OUT(S, h);
  uint32_t size = p->size;
  for (uint32_t u = begin; u < end; u++) {
    size_t at = (size_t)u * size;
    EACH_VECTOR {
      V sum = GET(gi + at) + GET(gh + at);
      V value = p->relu ? max_(sum, splat((S)0)) : tanh_(sum);
      PUT(h + at, value);
    }
  }
}

// Gradient of gi, and of gh.
KERNEL(rnnCellBackward) {
  const S *g = IN(S, g), *h = IN(S, h);
  S *gx = OUT(S, gx);
  uint32_t size = p->size;
  for (uint32_t u = begin; u < end; u++) {
    size_t at = (size_t)u * size;
    EACH_VECTOR {
      V y = GET(h + at), v = GET(g + at);
      v = p->relu ? select(y > 0, v, splat((S)0)) : v * ((S)1 - y * y);
      PUT(gx + at, v);
    }
  }
}

// i, f, o = sigmoid, g = tanh of gi + gh (order i f g o); next = f c + i g; h = o tanh(next).
// `gates` keeps i f g o.
KERNEL(lstmCell) {
  const S *gi = IN(S, gi), *gh = IN(S, gh), *c = IN(S, c);
  S *h = OUT(S, h), *next = OUT(S, next), *gates = OUT(S, gates);
  uint32_t size = p->size;
  for (uint32_t u = begin; u < end; u++) {
    size_t at = (size_t)u * size, first = 4 * at;
    const S *a = gi + first, *b = gh + first;
    S *to = gates + first;
    EACH_VECTOR {
      V in = sigmoid_(GET(a) + GET(b));
      V forget = sigmoid_(GET(a + size) + GET(b + size));
      V cell = tanh_(GET(a + 2 * size) + GET(b + 2 * size));
      V out = sigmoid_(GET(a + 3 * size) + GET(b + 3 * size));
      V state = forget * GET(c + at) + in * cell;
      PUT(to, in);
      PUT(to + size, forget);
      PUT(to + 2 * size, cell);
      PUT(to + 3 * size, out);
      PUT(next + at, state);
      PUT(h + at, out * tanh_(state));
    }
  }
}

// Gradients of gi (and of gh, the same) and of c, from those of h and next, each of which may be
// absent.
KERNEL(lstmCellBackward) {
  const S *gates = IN(S, gates), *c = IN(S, c), *next = IN(S, next);
  const S *g_h = p->hasH ? IN(S, gh) : NULL, *g_next = p->hasNext ? IN(S, gnext) : NULL;
  S *gx = OUT(S, gx), *gc = OUT(S, gc);
  uint32_t size = p->size;
  V one = splat((S)1), zero = splat((S)0);
  for (uint32_t u = begin; u < end; u++) {
    size_t at = (size_t)u * size, first = 4 * at;
    const S *from = gates + first;
    S *to = gx + first;
    EACH_VECTOR {
      V in = GET(from), forget = GET(from + size);
      V cell = GET(from + 2 * size), out = GET(from + 3 * size);
      V squashed = tanh_(GET(next + at));
      V dh = g_h ? GET(g_h + at) : zero, dc = g_next ? GET(g_next + at) : zero;
      dc += dh * out * (one - squashed * squashed);
      PUT(to, dc * cell * in * (one - in));
      PUT(to + size, dc * GET(c + at) * forget * (one - forget));
      PUT(to + 2 * size, dc * in * (one - cell * cell));
      PUT(to + 3 * size, dh * squashed * out * (one - out));
      PUT(gc + at, dc * forget);
    }
  }
}

// r, z = sigmoid(gi + gh), n = tanh(gi + r gh) (order r z n); next = n + z (h - n). `gates` keeps r
// z n.
KERNEL(gruCell) {
  const S *gi = IN(S, gi), *gh = IN(S, gh), *h = IN(S, h);
  S *next = OUT(S, next), *gates = OUT(S, gates);
  uint32_t size = p->size;
  for (uint32_t u = begin; u < end; u++) {
    size_t at = (size_t)u * size, first = 3 * at;
    const S *a = gi + first, *b = gh + first;
    S *to = gates + first;
    EACH_VECTOR {
      V reset = sigmoid_(GET(a) + GET(b));
      V update = sigmoid_(GET(a + size) + GET(b + size));
      V fresh = tanh_(GET(a + 2 * size) + reset * GET(b + 2 * size));
      PUT(to, reset);
      PUT(to + size, update);
      PUT(to + 2 * size, fresh);
      PUT(next + at, fresh + update * (GET(h + at) - fresh));
    }
  }
}

// Gradients of gi, gh and h.
KERNEL(gruCellBackward) {
  const S *g = IN(S, g), *gates = IN(S, gates), *gh = IN(S, gh), *h = IN(S, h);
  S *ggi = OUT(S, ggi), *ggh = OUT(S, ggh), *g_h = OUT(S, gHidden);
  uint32_t size = p->size;
  V one = splat((S)1);
  for (uint32_t u = begin; u < end; u++) {
    size_t at = (size_t)u * size, first = 3 * at;
    const S *from = gates + first;
    S *a = ggi + first, *b = ggh + first;
    EACH_VECTOR {
      V reset = GET(from), update = GET(from + size), fresh = GET(from + 2 * size), v = GET(g + at);
      V dn = v * (one - update) * (one - fresh * fresh);
      V dz = v * (GET(h + at) - fresh) * update * (one - update);
      V dr = dn * GET(gh + first + 2 * size) * reset * (one - reset);
      PUT(a, dr);
      PUT(b, dr);
      PUT(a + size, dz);
      PUT(b + size, dz);
      PUT(a + 2 * size, dn);
      PUT(b + 2 * size, dn * reset);
      PUT(g_h + at, v * update);
    }
  }
}

#undef GET
#undef PUT
#undef EACH_VECTOR
#endif
