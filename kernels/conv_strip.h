// Input gradients from strips of the output's gradient, included once per dtype.

#ifndef CONV_STRIP_H
#define CONV_STRIP_H
// Rows of the input that are summed at once.
enum { SUM_ROWS = 4 };
#endif

// Rows of the phases of the input: `count` from `first`, of `images` images side by side, from rows
// of g that lie in a strip, `row` apart, filters `pitch` apart; the strip begins at row `base`.
typedef struct {
  S *pack, *results, *line, *mask;
  int32_t *up, *place, *reach, *spot, *tap, base;
  uint32_t *ends, first, count, images, channels, phase, taps;
  size_t row;
  conv_run *run;
} NAME(strip);

// Fills the strip with `filters` filters. Where rows of g are side by side those that are not there
// are zero; else nobody reads them.
SMALL
static NOINLINE void NAME(fill_strip)(const convScatter_params *p, const NAME(strip) * t,
                                      const S *g, uint32_t filters) {
  const int32_t end = t->first + t->count;
  const int32_t low = MAX(t->base, 0), rows = MAX(0, MIN(end, (int32_t)p->out_h) - low);
  const uint32_t across = p->out_w, size = (end - t->base) * across;
  const bool beside = p->rows > 1;
  const uint32_t image = p->groups * p->filters * p->out_h * across;
  S *to = t->pack + (low - t->base) * t->row;
  for (uint32_t o = 0; o < filters && beside && rows * across < size; o++) {
    memset(t->pack + o * p->pitch, 0, size * sizeof(S));
  }
  for (uint32_t n = 0; n < t->images; n++) {
    t->run[n] = (conv_run){n * image, 0, n * across, beside ? rows * across : across};
  }
  g += low * (int32_t)across;
  for (int32_t y = 0; y < (beside ? 1 : rows); y++, to += t->row, g += across) {
    NAME(pack_pixels)(to, p->pitch, g, t->tap, filters, t->run, t->images);
  }
}

// Products of `filters` filters for the `count` rows from y; returns false if no tap reaches them.
SMALL
static bool NAME(strip_product)(const convScatter_params *p, const NAME(strip) * t, const S *weight,
                                uint32_t filters, uint32_t y, uint32_t count, bool add) {
  NAME(block) b = {.b_step = p->pitch, .out = t->results, .a_step = p->kernel_h * p->filters,
                   .row = p->pitch, .rows = t->channels * p->kernel_w,
                   .cols = t->images * count * p->out_w, .add = add, .room = true};
  uint32_t from = 0, to = t->taps;
  while (from < to && t->up[from] >= (int32_t)(y + count)) from++;
  while (from < to && t->up[to - 1] + (int32_t)p->out_h <= (int32_t)y) to--;
  // Rows that follow each other are one sum.
  const bool joined = p->rows == 1 && filters == p->filters &&
                      t->up[0] - t->up[t->taps - 1] == (int32_t)t->taps - 1;
  for (uint32_t k = from, taps; k < to; k += taps) {
    taps = joined ? to - from : 1;
    const uint32_t depth = taps * filters;
    const uint32_t part = (depth - 1) / ((depth - 1) / DEPTH_BLOCK + 1) + 1;
    b.a = weight + k * p->filters;
    b.b = t->pack + ((int32_t)y - t->up[k] - t->base) * t->row;
    for (uint32_t at = 0; at < depth; at += part, b.add = true) {
      b.depth = MIN(part, depth - at);
      NAME(block_product)(&b);
      b.a += b.depth;
      b.b += b.depth * b.b_step;
    }
  }
  return from < to;
}

// Of the tables: the pair of vectors of pixels at x.
#define SPOT(x) (((x) + 2 * LANES - 1) / (2 * LANES) * p->kernel_w)

// Places of the taps for every pair of a row or line, and which of its lanes they reach.
SMALL
static void NAME(mask_sums)(const convScatter_params *p, const NAME(strip) * t) {
  const bool plain = p->stride_w == 1;
  const uint32_t count = plain ? p->width : p->line;
  for (uint32_t k = 0; k < p->kernel_w; k++) {
    for (uint32_t x = 0; x < count; x += 2 * LANES) {
      if (count >= 2 * LANES) x = MIN(x, count - 2 * LANES);
      const int32_t at = (int32_t)x + (plain ? (int32_t)p->pad_w : 0), q = at - t->reach[k];
      const bool some = q > -2 * LANES && q < (int32_t)p->out_w;
      t->spot[SPOT(x) + k] = some ? t->place[k] + at : 0;
      for (int32_t l = 0; l < 2 * LANES; l += LANES) {
        const I lane = iota_as((I){0}) + q + l;
        store(t->mask + (SPOT(x) + k) * 2 * LANES + l,
              (V)((lane >= 0) & (lane < (int32_t)p->out_w)));
      }
    }
  }
}

// Sums of the taps [k, last) for `count` pixels of SUM_ROWS rows.
static NOINLINE void NAME(join_sums)(const convScatter_params *p, const NAME(strip) * t, uint32_t k,
                                     uint32_t last, S *const *out, uint32_t count,
                                     const S *const *from) {
  const S *row[SUM_ROWS];
  S few[SUM_ROWS * 2 * LANES], *to[SUM_ROWS];
  UNROLL for (int r = 0; r < SUM_ROWS; r++) {
    row[r] = from[r];
    to[r] = count < 2 * LANES ? few + r * 2 * LANES : out[r];
  }
  for (uint32_t x = 0; x < count; x += 2 * LANES) {
    if (count >= 2 * LANES) x = MIN(x, count - 2 * LANES);
    const int32_t *spot = t->spot + SPOT(x);
    const S *mask = t->mask + SPOT(x) * 2 * LANES;
    V sum[SUM_ROWS][2] = {0};
    NO_UNROLL for (uint32_t i = k; i < last; i++) {
      const I low = (I)load(mask + i * 2 * LANES), high = (I)load(mask + i * 2 * LANES + LANES);
      UNROLL for (int r = 0; r < SUM_ROWS; r++) {
        const S *at = row[r] + spot[i];
        sum[r][0] += (V)((I)load(at) & low);
        sum[r][1] += (V)((I)load(at + LANES) & high);
      }
    }
    UNROLL for (int r = 0; r < SUM_ROWS; r++) {
      store(to[r] + x, sum[r][0]);
      store(to[r] + x + LANES, sum[r][1]);
    }
  }
  for (uint32_t r = 0; count < 2 * LANES && r < SUM_ROWS; r++) {
    NAME(copy_run)(out[r], few + r * 2 * LANES, count);
  }
}

// `count` rows of the input from where their results begin; zero if there are none.
SMALL
static NOINLINE void NAME(put_rows)(const convScatter_params *p, const NAME(strip) * t, S **to,
                           const S **from, uint32_t count, bool some) {
  const uint32_t sw = p->stride_w;
  S *line[SUM_ROWS];
  for (uint32_t r = count; r < SUM_ROWS; r++) {
    to[r] = to[count - 1];
    from[r] = from[count - 1];
  }
  for (uint32_t f = 0, k = 0; f < sw; k = t->ends[f++]) {
    for (uint32_t r = 0; r < SUM_ROWS; r++) line[r] = t->line + (r * sw + f) * p->line;
    NAME(join_sums)(p, t, k, some ? t->ends[f] : k, sw == 1 ? to : line,
                    sw == 1 ? p->width : p->line, from);
  }
  for (uint32_t r = 0; r < count && sw > 1; r++) {
    NAME(join_row)(to[r], p->width, t->line + r * sw * p->line, p->line, sw, p->pad_w);
  }
}

// Rows of the input for the `count` rows from y.
SMALL
static void NAME(put_strip)(const convScatter_params *p, const NAME(strip) * t, S *out, uint32_t y,
                            uint32_t count, bool some) {
  const size_t plane = p->height * p->width, image = p->groups * p->channels * plane;
  const S *from[SUM_ROWS];
  S *to[SUM_ROWS];
  uint32_t rows = 0;
  // Either images or rows are side by side.
  for (uint32_t i = 0; i < MAX(count, t->images); i++) {
    const uint32_t n = count > 1 ? 0 : i;
    const int32_t at = (int32_t)((y + i - n) * p->stride_h + t->phase) - (int32_t)p->pad_h;
    if (at < 0 || at >= (int32_t)p->height) continue;
    for (uint32_t c = 0; c < t->channels; c++) {
      from[rows] = t->results + c * p->kernel_w * p->pitch + i * p->out_w;
      to[rows++] = out + n * image + c * plane + at * p->width;
      if (rows < SUM_ROWS) continue;
      NAME(put_rows)(p, t, to, from, rows, some);
      rows = 0;
    }
  }
  if (rows) NAME(put_rows)(p, t, to, from, rows, some);
}
