// Indexing that combines what meets at one place: scatter-reduce, adding rows, flat accumulation.
// Deterministic: a unit owns its part of the destination, and takes the sources in order.
#ifndef S
#include "index.h"
#define SOURCE "index_fold.c"
#include "each_number.h"
#else

// Integers wrap, as vectors do.
static inline S NAME(plus)(S a, S b) {
  return REAL ? a + b : (splat(a) + splat(b))[0];
}
static inline S NAME(meet)(S a, S b, uint32_t mode) {
  if (mode == 0) return NAME(plus)(a, b);
  if (mode == 1) return REAL ? a * b : (splat(a) * splat(b))[0];
  return mode == 2 ? max_(a, b) : min_(a, b);
}

// out = x (zeros if not `based`), then out[o, index[o, i, c], c] meets src[o, i, c]: mode 0 add, 1
// multiply, 2 amax, 3 amin.
KERNEL(scatterReduce) {
  const S *x = IN(S, x), *src = IN(S, src);
  const int32_t *index = IN(int32_t, index);
  S *out = OUT(S, out);
  uint32_t *status = OUT(uint32_t, status), n = p->n, inner = p->inner, mode = p->mode, row;
  Piece piece;
  for (uint32_t u = begin; u < end;) {
    u += piece_at(&piece, u, end, n, inner);
    start_piece(out, p->based ? x : NULL, &piece, n, inner, sizeof(S));
    for (uint32_t o = piece.outer; o < piece.last; o++) {
      S *to = out + (size_t)o * n * inner + piece.first;
      uint32_t i = 0;
      if (inner == 1 && mode == 0) {
        const int32_t *places = index + (size_t)o * p->count;
        const S *from = src + (size_t)o * p->count;
        for (; i + 4 <= p->count && all_below(places + i, n); i += 4)
          UNROLL for (int k = 0; k < 4; k++)
            to[places[i + k]] = NAME(plus)(to[places[i + k]], from[i + k]);
      }
      for (; i < p->count; i++) {
        size_t at = ((size_t)o * p->count + i) * inner + piece.first;
        uint32_t c = 0;
        for (; mode == 0 && c + 4 <= piece.columns && all_below(index + at, n); c += 4, at += 4)
          UNROLL for (int k = 0; k < 4; k++) {
            S *target = to + (size_t)(uint32_t)index[at + k] * inner + c + k;
            *target = NAME(plus)(*target, src[at + k]);
          }
        for (; c < piece.columns; c++, at++) {
          if (!resolve(index[at], n, p->wrap, at, status, &row)) continue;
          S *target = to + (size_t)row * inner + c;
          *target = NAME(meet)(*target, src[at], mode);
        }
      }
    }
  }
}

// out = x (zeros if not `based`), then out[o, index[i], :] += alpha * src[o, i, :], leaving out
// indices equal to `skip`.
KERNEL(indexAdd) {
  const S *x = IN(S, x), *src = IN(S, src);
  const int32_t *index = IN(int32_t, index);
  S *out = OUT(S, out), alpha = (S)F64(p->alpha);
  uint32_t *status = OUT(uint32_t, status), n = p->n, inner = p->inner, row;
  V factor = splat(alpha);
  Piece piece;
  for (uint32_t u = begin; u < end;) {
    u += piece_at(&piece, u, end, n, inner);
    start_piece(out, p->based ? x : NULL, &piece, n, inner, sizeof(S));
    const uint32_t columns = piece.columns;
    for (uint32_t o = piece.outer; o < piece.last; o++) {
      S *to = out + (size_t)o * n * inner + piece.first;
      const S *from = src + (size_t)o * p->count * inner + piece.first;
      uint32_t i = 0;
      if (inner == 1)
        for (; i + 4 <= p->count && all_below(index + i, n); i += 4, from += 4)
          UNROLL for (int k = 0; k < 4; k++) {
            const S more = (factor * splat(from[k]))[0];
            if (index[i + k] != p->skip) to[index[i + k]] = NAME(plus)(to[index[i + k]], more);
          }
      for (; i < p->count; i++, from += inner) {
        if (!resolve(index[i], n, p->wrap, i, status, &row) || index[i] == p->skip) continue;
        S *target = to + (size_t)row * inner;
        uint32_t c = 0;
        for (; c + LANES <= columns; c += LANES)
          store(target + c, load(target + c) + factor * load(from + c));
        if (c < columns) {
          V v = load_tail(target + c, columns - c, 0);
          store_tail(target + c, v + factor * load_tail(from + c, columns - c, 0), columns - c);
        }
      }
    }
  }
}

// out = x, then out[index[i]] += src[i] in the flat out. A unit owns INDEX_BLOCK elements of out
// and reads every index.
KERNEL(putAdd) {
  const S *x = IN(S, x), *src = IN(S, src);
  const int32_t *index = IN(int32_t, index);
  S *out = OUT(S, out);
  uint32_t *status = OUT(uint32_t, status), row;
  uint32_t first = begin * INDEX_BLOCK, last = MIN(end * INDEX_BLOCK, p->n);
  if (last > first && p->based) memcpy(out + first, x + first, (last - first) * sizeof(S));
  if (last > first && !p->based) memset(out + first, 0, (last - first) * sizeof(S));
  for (uint32_t i = 0; i < p->count; i++) {
    bool valid = resolve(index[i], p->n, 1, i, status, &row);
    if (valid && row >= first && row < last) out[row] = NAME(plus)(out[row], src[i]);
  }
}

#endif
