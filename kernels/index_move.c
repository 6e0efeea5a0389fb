// Indexing that only moves elements, by their size: gather, scatter, selection of rows, flat take
// and put, triangles. x is [outer, n, inner] and indices count along n.
#ifndef S
#include "index.h"

// Copies rows of at least 16 bytes until an index is not plainly of one; returns how many. What a row has beyond whole
// vectors is in one that ends with it.
static NOINLINE uint32_t pick_rows(
    uint8_t *out, const uint8_t *x, const int32_t *index, uint32_t count, uint32_t bytes, uint32_t n) {
  uint32_t i = 0;
  for (; i + 4 <= count && all_below(index + i, n); i += 4)
    for (uint32_t k = 0; k < 4; k++, out += bytes) {
      const uint8_t *from = x + (size_t)(uint32_t)index[i + k] * bytes;
      uint8_t *to = out, *const end = out + bytes;
      for (; end - to >= 64; to += 64, from += 64) UNROLL for (int b = 0; b < 64; b += 16) memcpy(to + b, from + b, 16);
      for (; end - to >= 16; to += 16, from += 16) memcpy(to, from, 16);
      if (end != to) memcpy(end - 16, from + (end - to) - 16, 16);
    }
  return i;
}

#define SOURCE "index_move.c"
#include "each_width.h"
#else

// out[c] = x[index[c] * pitch + c] for `count` places c; with a pitch of 1 x[index[c]].
static NOINLINE void NAME(pick)(const S *x, const int32_t *index, S *out, uint32_t count, uint32_t n, uint32_t wrap,
                                uint32_t pitch, uint32_t place, uint32_t *status) {
  for (uint32_t c = 0, row; c < count;) {
    if (pitch > 1)
      for (; c + 4 <= count && all_below(index + c, n); c += 4)
        UNROLL for (uint32_t k = 0; k < 4; k++) out[c + k] = x[(size_t)(uint32_t)index[c + k] * pitch + c + k];
    else
      for (; c + 8 <= count && all_below(index + c, n) && all_below(index + c + 4, n); c += 8)
        UNROLL for (uint32_t k = 0; k < 8; k++) out[c + k] = x[index[c + k]];
    for (uint32_t last = MIN(count, c + 8); c < last; c++)
      if (resolve(index[c], n, wrap, place + c, status, &row)) out[c] = x[(size_t)row * pitch + (pitch > 1 ? c : 0)];
  }
}

// out[o, i, c] = x[o, index[o, i, c], c]. Units are the rows (o, i).
KERNEL(gather) {
  const S *x = IN(S, x);
  const void *index = IN(void, index);
  S *out = OUT(S, out);
  uint32_t *status = OUT(uint32_t, status), n = p->n, inner = p->inner, count = p->count, wrap = p->wrap;
  int32_t tile[INDEX_TILE];
  for (uint32_t u = begin, more; u < end; u += more) {
    // A row, or with inner = 1 the rest of the rows of one o.
    const uint32_t o = u / count;
    more = inner == 1 ? MIN(end, (o + 1) * count) - u : 1;
    const size_t at = (size_t)u * inner;
    for (uint32_t c = 0, some; c < more * inner; c += some) {
      some = p->wide ? MIN(INDEX_TILE, more * inner - c) : more * inner;
      const S *from = x + (size_t)o * n * inner + (inner == 1 ? 0 : c);
      const int32_t *places = positions_at(tile, index, p->wide, at + c, some);
      NAME(pick)(from, places, out + at + c, some, n, wrap, inner, at + c, status);
    }
  }
}

// As pick, the other way: to[index[c] * pitch + c] = src[c], with a pitch of 1 to[index[c]].
static NOINLINE void NAME(place)(const S *src, const int32_t *index, S *to, uint32_t count, uint32_t n, uint32_t wrap,
                                 uint32_t pitch, uint32_t first, uint32_t *status) {
  const uint32_t step = pitch > 1;
  for (uint32_t c = 0, row; c < count;) {
    for (; c + 4 <= count && all_below(index + c, n); c += 4)
      UNROLL for (uint32_t k = 0; k < 4; k++)
        to[(size_t)(uint32_t)index[c + k] * pitch + (c + k) * step] = src[c + k];
    for (uint32_t last = MIN(count, c + 4); c < last; c++)
      if (resolve(index[c], n, wrap, first + c, status, &row)) to[(size_t)row * pitch + c * step] = src[c];
  }
}

// out = x, then out[o, index[o, i, c], c] = src[o, i, c]; the last i wins. A unit owns a chunk of
// columns of one o.
KERNEL(scatter) {
  const S *x = IN(S, x), *src = IN(S, src);
  const void *index = IN(void, index);
  int32_t tile[INDEX_TILE];
  S *out = OUT(S, out);
  uint32_t *status = OUT(uint32_t, status), n = p->n, inner = p->inner, count = p->count;
  Piece piece;
  for (uint32_t u = begin; u < end;) {
    u += piece_at(&piece, u, end, n, inner);
    start_piece(out, x, &piece, n, inner, sizeof(S));
    for (uint32_t o = piece.outer; o < piece.last; o++) {
      S *to = out + (size_t)o * n * inner + piece.first;
      // With inner = 1 all rows are one.
      const uint32_t more = inner == 1 ? count : 1;
      for (uint32_t i = 0; i < count; i += more) {
        const size_t at = ((size_t)o * count + i) * inner + piece.first;
        const uint32_t all = more * piece.columns;
        for (uint32_t c = 0, some; c < all; c += some) {
          some = p->wide ? MIN(INDEX_TILE, all - c) : all;
          const int32_t *places = positions_at(tile, index, p->wide, at + c, some);
          NAME(place)(src + at + c, places, to + (inner == 1 ? 0 : c), some, n, p->wrap, inner, at + c, status);
        }
      }
    }
  }
}

// out[o, i, :] = x[o, index[i], :]. Units are the rows (o, i).
KERNEL(indexSelect) {
  const S *x = IN(S, x);
  const int32_t *index = IN(int32_t, index);
  S *out = OUT(S, out);
  uint32_t *status = OUT(uint32_t, status), n = p->n, inner = p->inner, row;
  const uint32_t count = p->count, wrap = p->wrap;
  uint32_t i = begin % count;
  const S *from = x + (size_t)(begin / count) * n * inner;
  const size_t bytes = inner * sizeof(S);
  for (uint32_t u = begin, more; u < end; u += more) {
    more = MIN(end - u, count - i);
    if (inner == 1) {
      NAME(pick)(from, index + i, out + u, more, n, wrap, 1, i, status);
    } else {
      uint8_t *to = (uint8_t *)(out + (size_t)u * inner);
      if (bytes >= 16 && bytes <= 1024) more = pick_rows(to, (const uint8_t *)from, index + i, more, bytes, n);
      else more = 0;
      if (more == 0) {
        more = 1;
        if (resolve(index[i], n, wrap, i, status, &row)) move_bytes(to, from + (size_t)row * inner, bytes);
      }
    }
    i += more;
    if (i == count) i = 0, from += (size_t)n * inner;
  }
}

// out = x, then out[o, index[i], :] = src[o, i, :], or the value of `low` and `high` if `fill`.
KERNEL(indexCopy) {
  const S *x = IN(S, x), *src = IN(S, src);
  const int32_t *index = IN(int32_t, index);
  S *out = OUT(S, out), value = (S)((uint64_t)p->high << 32 | p->low);
  uint32_t *status = OUT(uint32_t, status), n = p->n, inner = p->inner, row;
  Piece piece;
  for (uint32_t u = begin; u < end;) {
    u += piece_at(&piece, u, end, n, inner);
    start_piece(out, x, &piece, n, inner, sizeof(S));
    const uint32_t columns = piece.columns;
    for (uint32_t o = piece.outer; o < piece.last; o++)
      for (uint32_t i = 0; i < p->count; i++) {
        if (!resolve(index[i], n, p->wrap, i, status, &row)) continue;
        S *target = out + ((size_t)o * n + row) * inner + piece.first;
        if (p->fill)
          for (uint32_t c = 0; c < columns; c++) target[c] = value;
        else
          move_bytes(target, src + ((size_t)o * p->count + i) * inner + piece.first, columns * sizeof(S));
      }
  }
}

// out[i] = x[index[i]] in the flat x. Units are the indices.
KERNEL(take) {
  const S *x = IN(S, x);
  const int32_t *index = IN(int32_t, index);
  S *out = OUT(S, out);
  uint32_t *status = OUT(uint32_t, status), row;
  for (uint32_t u = begin; u < end; u++)
    if (resolve(index[u], p->n, 1, u, status, &row)) out[u] = x[row];
}

// out = x, then out[index[i]] = src[i]; the last i wins. A unit owns INDEX_BLOCK elements of out
// and reads every index.
KERNEL(put) {
  const S *x = IN(S, x), *src = IN(S, src);
  const int32_t *index = IN(int32_t, index);
  S *out = OUT(S, out);
  uint32_t *status = OUT(uint32_t, status), row;
  uint32_t first = begin * INDEX_BLOCK, last = MIN(end * INDEX_BLOCK, p->n);
  if (last > first) memcpy(out + first, x + first, (last - first) * sizeof(S));
  for (uint32_t i = 0; i < p->count; i++)
    if (resolve(index[i], p->n, 1, i, status, &row) && row >= first && row < last)
      out[row] = src[i];
}

// The upper triangle (column - row >= diagonal) or the lower one (<=) of matrices; zeros elsewhere.
// Units are rows.
KERNEL(triangle) {
  const S *x = IN(S, x);
  S *out = OUT(S, out);
  int64_t columns = p->columns;
  for (uint32_t u = begin; u < end; u++) {
    int64_t edge = (int64_t)(u % p->rows) + p->diagonal + (p->upper ? 0 : 1);
    size_t split = (size_t)MAX(0, MIN(edge, columns)), rest = (size_t)columns - split;
    const S *from = x + (size_t)u * columns;
    S *to = out + (size_t)u * columns;
    if (p->upper) {
      memset(to, 0, split * sizeof(S));
      memcpy(to + split, from + split, rest * sizeof(S));
    } else {
      memcpy(to, from, split * sizeof(S));
      memset(to + split, 0, rest * sizeof(S));
    }
  }
}

#endif
