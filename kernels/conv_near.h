// Input gradients of 3 x 3 taps at stride 2 in padding of 1 for three channels, as the first layers of
// networks for pictures have: too few channels for the rows of other tiles. Included once per dtype.
// out[2y + a, 2x + b] sums one tap for a = 0, two for a = 1 in each dimension, of g[y + 0..1, x + 0..1].

#if LANES == 4
#ifndef NEAR_V
// Channels and vectors of pixels of a tile.
#ifdef RELAXED
#define NEAR_C 3
#define NEAR_V TILE_V
#else
#define NEAR_C 1
#define NEAR_V 4
#endif
// Rows of g that are touched at once.
enum { AHEAD = 8 };
#endif

// Sums of `filters` filters, `step` apart, of one row of g or of two, of which the first one's taps
// follow the second one's: to[channel][b][pixel].
static NOINLINE void NAME(near_loop)(const S *g, int32_t next, size_t step, const S *weight,
                                     uint32_t filters, uint32_t rows, S *to) {
  V acc[NEAR_C][2][NEAR_V] = {0};
  for (; rows > 0; rows--, g += next, weight -= 6) {
    const S *at = g, *w = weight, *end = w + filters * 27;
    NO_UNROLL for (; w < end; at += step, w += 27) {
      V right[NEAR_V];
      UNROLL for (int j = 0; j < NEAR_V; j++) right[j] = load(at + j * LANES);
      UNROLL for (int r = 0; r < 2 * NEAR_C; r++) {
        const V left = splat(w[r / 2 * 9 + 1 + r % 2]);
        UNROLL for (int j = 0; j < NEAR_V; j++) {
          acc[r / 2][r % 2][j] = madd(left, right[j], acc[r / 2][r % 2][j]);
        }
      }
    }
    at = g + 1;
    NO_UNROLL for (w = weight; w < end; at += step, w += 27) {
      V right[NEAR_V];
      UNROLL for (int j = 0; j < NEAR_V; j++) right[j] = load(at + j * LANES);
      UNROLL for (int c = 0; c < NEAR_C; c++) {
        const V left = splat(w[c * 9]);
        UNROLL for (int j = 0; j < NEAR_V; j++) {
          acc[c][1][j] = madd(left, right[j], acc[c][1][j]);
        }
      }
    }
  }
  UNROLL for (int c = 0; c < NEAR_C; c++) {
    UNROLL for (int b = 0; b < 2; b++) {
      UNROLL for (int j = 0; j < NEAR_V; j++) {
        store(to + ((c * 2 + b) * NEAR_V + j) * LANES, acc[c][b][j]);
      }
    }
  }
}

static NOINLINE void NAME(put_near)(S *out, size_t plane, const S *tile) {
  UNROLL for (int c = 0; c < NEAR_C; c++, out += plane) {
    UNROLL for (int j = 0; j < NEAR_V; j++, tile += LANES) {
      const V even = load(tile), odd = load(tile + NEAR_V * LANES);
      store(out + j * 2 * LANES, __builtin_shufflevector(even, odd, 0, 4, 1, 5));
      store(out + j * 2 * LANES + LANES, __builtin_shufflevector(even, odd, 2, 6, 3, 7));
    }
    tile += NEAR_V * LANES;
  }
}

// A unit is `downs` rows of g of one image. Scratch of a range: two rows of g, each of which ends in
// zeros.
SMALL
static void NAME(near_units)(const convScatter_params *p, uint32_t begin, uint32_t end) {
  const uint32_t last = MIN(end * p->per_unit, p->units), size = NEAR_V * LANES;
  const uint32_t blocks = (p->out_h + p->downs - 1) / p->downs, across = p->out_w;
  const uint32_t pixels = p->out_h * across, filters = p->filters, width = 2 * across;
  const size_t plane = p->height * width;
  const int32_t apart = filters * p->pitch;
  S *pack = OUT(S, scratch) + (size_t)begin * p->slice, tile[2 * NEAR_C * NEAR_V * LANES];
  for (uint32_t unit = begin * p->per_unit; unit < last; unit++) {
    const uint32_t image = unit / blocks, first = unit % blocks * p->downs;
    const uint32_t after = MIN(first + p->downs, p->out_h);
    const S *g = IN(S, g) + (size_t)image * filters * pixels;
    const S *weight = IN(S, weight) + image % p->groups * filters * 27;
    S *out = OUT(S, out) + image * 3 * plane;
    for (uint32_t y = first, packed = first; y < after; y++) {
      // What is copied by rows is touched in order first, which is twice as fast from memory.
      const uint32_t some = (y - first) % AHEAD ? 0 : MIN(AHEAD, p->out_h - 1 - y) * across;
      for (uint32_t o = 0; o < filters; o++) {
        const S *from = g + o * pixels + (y + 1) * across;
        for (uint32_t i = 0; i < some; i += 16) (void)*(const volatile S *)(from + i);
      }
      for (; packed < MIN(y + 2, p->out_h); packed++) {
        S *to = pack + packed % 2 * apart;
        for (uint32_t o = 0; o < filters; o++, to += p->pitch) {
          NAME(copy_run)(to, g + o * pixels + packed * across, across);
          to[across] = 0;
        }
      }
      for (uint32_t x = 0; x < across; x += size) {
        const uint32_t at = MIN(x, across - size), rows = packed - y;
        const S *from = pack + y % 2 * apart + at;
        S *to = out + 2 * (y * width + at);
        for (const S *w = weight; w < weight + 27; w += 9 * NEAR_C, to += NEAR_C * plane) {
          NAME(near_loop)(from, 0, p->pitch, w + 3, filters, 1, tile);
          NAME(put_near)(to, plane, tile);
          if (2 * y + 1 >= p->height) continue;
          NAME(near_loop)(from, y % 2 ? -apart : apart, p->pitch, w + 6, filters, rows, tile);
          NAME(put_near)(to + width, plane, tile);
        }
      }
    }
  }
}
#endif
