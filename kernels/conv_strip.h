// Input gradients from strips of the output's gradient, included once per dtype.

// Rows of one phase of the input: `count` from `first`, of `images` images side by side, from rows
// of g that lie in a strip, `row` apart, filters `pitch` apart; the strip begins at row `base`.
typedef struct {
  S *pack, *results, *line, *mask;
  int32_t *up, *place, *reach, *spot, base;
  uint32_t *ends, first, count, images, channels, phase, taps;
  size_t row;
} NAME(strip);

// Fills the strip with `filters` filters. Where rows of g are side by side those that are not there
// are zero; else nobody reads them.
static NOINLINE void NAME(fill_strip)(const convScatter_params *p, const NAME(strip) * t,
                                      const S *g, uint32_t filters) {
  const int32_t end = (int32_t)(t->first + t->count) - t->up[t->taps - 1];
  const int32_t low = MAX(t->base, 0), rows = MAX(0, MIN(end, (int32_t)p->out_h) - low);
  const uint32_t across = p->out_w, size = (end - t->base) * across;
  const bool beside = p->rows > 1;
  const size_t image = (size_t)p->groups * p->filters * p->out_h * across;
  S *to = t->pack + (low - t->base) * t->row;
  for (uint32_t o = 0; o < filters; o++, to += p->pitch, g += p->out_h * across) {
    if (beside && rows * across < size) memset(t->pack + o * p->pitch, 0, size * sizeof(S));
    for (uint32_t n = 0; n < t->images && rows; n++) {
      const S *from = g + n * image + low * across;
      for (uint32_t y = 0; y < (beside ? 1 : (uint32_t)rows); y++, from += across) {
        NAME(copy_run)(to + y * t->row + n * across, from, beside ? rows * across : across);
      }
    }
  }
}

// Products of `filters` filters for the `count` rows from y; returns false if no tap reaches them.
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

// A vector of pixels at `at` lacks what lies outside of rows of g, unless it is from `low` to `high`.
#define SPOT(x) (((x) + LANES - 1) / LANES * p->kernel_w)

// Places and masks of the taps [k, last) of vectors of pixels that lack some.
static void NAME(mask_sums)(const convScatter_params *p, const NAME(strip) * t, uint32_t k,
                            uint32_t last, uint32_t count, int32_t first) {
  const int32_t across = p->out_w;
  for (; k < last; k++) {
    for (uint32_t x = 0; x < count; x += LANES) {
      if (count >= LANES) x = MIN(x, count - LANES);
      const int32_t q = first + (int32_t)x - t->reach[k];
      const I lane = iota_as((I){0}) + q;
      const bool some = q > -LANES && q < across;
      t->spot[SPOT(x) + k] = some ? t->place[k] + first + (int32_t)x : 0;
      store(t->mask + (SPOT(x) + k) * LANES, (V)((lane >= 0) & (lane < across)));
    }
  }
}

// out[x] = sum over taps [k, last) of from[place + first + x].
static NOINLINE void NAME(join_sums)(const convScatter_params *p, const NAME(strip) * t, uint32_t k,
                                    uint32_t last, S *out, uint32_t count, const S *from,
                                    int32_t first) {
  S few[LANES], *to = count < LANES ? few : out;
  const int32_t low = k < last ? t->reach[last - 1] : 0;
  const int32_t high = (int32_t)p->out_w - LANES + (k < last ? t->reach[k] : 0);
  for (uint32_t x = 0; x < count; x += LANES) {
    if (count >= LANES) x = MIN(x, count - LANES);
    const int32_t at = first + (int32_t)x;
    if (at >= low && at + 3 * LANES <= high && x + 4 * LANES <= count) {
      V sum[4] = {0};
      for (uint32_t i = k; i < last; i++) {
        UNROLL for (int v = 0; v < 4; v++) sum[v] += load(from + t->place[i] + at + v * LANES);
      }
      UNROLL for (int v = 0; v < 4; v++) store(to + x + v * LANES, sum[v]);
      x += 3 * LANES;
      continue;
    }
    V sum = {0};
    const int32_t *spot = t->spot + SPOT(x);
    const S *mask = t->mask + SPOT(x) * LANES;
    for (uint32_t i = k; i < last; i++) {
      sum += (V)((I)load(from + spot[i]) & (I)load(mask + i * LANES));
    }
    store(to + x, sum);
  }
  for (uint32_t x = 0; x < count && count < LANES; x++) out[x] = few[x];
}

// Rows of the input from the results for the `count` rows from y; zero if there are none.
static void NAME(put_strip)(const convScatter_params *p, const NAME(strip) * t, S *out, uint32_t y,
                            uint32_t count, bool some) {
  const uint32_t sw = p->stride_w;
  const size_t plane = p->height * p->width, image = p->groups * p->channels * plane;
  for (uint32_t i = 0; i < count * t->images; i++) {
    // Either images or rows are side by side.
    const int32_t at = (int32_t)((y + i % count) * p->stride_h + t->phase) - (int32_t)p->pad_h;
    if (at < 0 || at >= (int32_t)p->height) continue;
    const S *from = t->results + i * p->out_w;
    S *to = out + i / count * image + at * p->width;
    for (uint32_t c = 0; c < t->channels; c++, to += plane, from += p->kernel_w * p->pitch) {
      for (uint32_t f = 0, k = 0; f < sw; k = t->ends[f++]) {
        const uint32_t last = some ? t->ends[f] : k;
        if (sw == 1) NAME(join_sums)(p, t, k, last, to, p->width, from, p->pad_w);
        else NAME(join_sums)(p, t, k, last, t->line + f * p->line, p->line, from, 0);
      }
      if (sw > 1) NAME(join_row)(to, p->width, t->line, p->line, sw, p->pad_w);
    }
  }
}
