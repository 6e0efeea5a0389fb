// Convolution of images [N, C, H, W] with weights [O, C / groups, kh, kw], and its gradients.
//   convProduct: products of weights and pixels: a convolution, or one phase of its input gradient
//   convScatter: products of weights and the output's gradient, each added where its column of the
//     kernel reaches: the input gradient where few channels, or padding, make `convProduct` dear;
//     of three channels at stride 2, tiles of all phases (conv_near.h)
//   convTurned: products of the output's gradient and weights: the same where the output is small
//   convWeights: products of the output's gradient and pixels: the gradient of the weights
// These are matrix products, whose B - a row for each tap and a column for each pixel, or the
// transpose - is only ever made a block at a time, by the thread that needs it.
// A unit is a block of B by some rows of A: never a part of one sum. The range counts shares of
// `per_unit` of these units, so that blocks, one per share, stay few.
#include "kernel.h"
#ifndef S
#define SOURCE "conv.c"
#include "each_real.h"
#else
#include "gemm_tile.h"

#include "conv_copy.h"
#include "conv_pad.h"
#include "conv_tile.h"

#include "conv_places.h"
#include "conv_block.h"
#include "conv_planes.h"
#include "conv_strip.h"
#include "conv_near.h"
#include "conv_direct.h"

// From the block of results, rows of which are `pitch` apart, to where its pixels belong, each the
// first of `apart` rows of out_step pixels, the others of which are zero; or by itself.
static NOINLINE void NAME(put_runs)(const convProduct_params *p, S *out, const S *block,
                                    uint32_t pitch, uint32_t rows, const conv_run *run,
                                    uint32_t runs) {
  const uint32_t step = p->out_step, apart = p->apart;
  const size_t width = apart ? p->out_row / apart : 0;
  for (uint32_t i = 0; i < rows; i++, out += p->out_plane, block += pitch) {
    for (uint32_t r = 0; r < runs; r++) {
      S *to = out + run[r].out, *line = to;
      const S *from = block + run[r].at;
      const uint32_t count = run[r].count, span = count * step;
      // Whole vectors of pairs bring the zeros of their row along.
      const bool pairs = LANES == 4 && step == 2 && count % LANES == 0;
      for (uint32_t y = 0; y < apart; y++, line += width) {
        if (y == 0 && pairs) continue;
        for (uint32_t x = 0; x < span; x += span < LANES ? 1 : LANES) {
          if (span < LANES) line[x] = 0;
          else store(line + MIN(x, span - LANES), (V){0});
        }
      }
      uint32_t q = 0;
#if LANES == 4
      for (; apart && step == 2 && q + LANES <= count; q += LANES) {
        const V v = load(from + q);
        store(to + q * 2, __builtin_shufflevector(v, (V){0}, 0, 4, 1, 5));
        store(to + q * 2 + LANES, __builtin_shufflevector(v, (V){0}, 2, 6, 3, 7));
      }
#endif
      for (; q < count; q++) to[q * step] = from[q];
    }
  }
}

// A unit is `col_block` pixels by `row_block` filters of one group. `together` images are one
// line of pixels; where single taps find all of a line side by side (PLANAR), it is not copied.
// Scratch of a range: a block of pixels, the results, the places of taps, the runs.
SMALL KERNEL(convProduct) {
#if LANES == 4
  if (p->direct && p->direct < PLANAR) {
    NAME(direct_units)(p, begin, end);
    return;
  }
#endif
  const uint32_t first = begin * p->per_unit, last = MIN(end * p->per_unit, p->units);
  const uint32_t depth = p->channels * p->taps_h * p->taps_w, deep = MIN(depth, DEPTH_BLOCK);
  const uint32_t parts = (p->filters + p->row_block - 1) / p->row_block;
  const uint32_t pixels = p->together * p->grid_h * p->grid_w;
  const uint32_t blocks = (pixels + p->col_block - 1) / p->col_block;
  const size_t source_size = (size_t)p->channels * p->plane;
  const size_t size = p->filters * (size_t)p->out_plane;
  S *pack = OUT(S, scratch) + (size_t)begin * p->slice, *results = pack + deep * BLOCK_STEP;
  const uint32_t pitch = p->direct ? p->col_block : BLOCK_COLS;
  conv_run *run = (conv_run *)(results + (p->staged ? pitch * p->row_block : 0));
  int32_t *tap = (int32_t *)(run + BLOCK_COLS);
  const conv_window window = WINDOW(p);
  conv_taps(tap, &window, 0, depth);
  const conv_grid grid = {
      p->grid_h, p->grid_w, p->groups * source_size, p->source_row, 1, p->groups * size,
      p->out_row, p->out_step};
#if LANES == 4
  NAME(stream) ahead = {0};
#endif
  for (uint32_t unit = first; unit < last;) {
    // Units of the same pixels follow each other: they run as one.
    const uint32_t part = unit % parts, count = MIN(parts - part, p->staged ? 1 : last - unit);
    const uint32_t at = unit / parts % blocks * p->col_block, span = unit / parts / blocks;
    const uint32_t group = span % p->groups, image = span / p->groups * p->together;
    const uint32_t filter = part * p->row_block, cols = MIN(p->col_block, pixels - at);
    const uint32_t rows = MIN(count * p->row_block, p->filters - filter);
    const uint32_t runs = conv_runs(run, &grid, at, at + cols);
    const S *source =
        IN(S, source) + ((size_t)image * p->groups + group) * source_size + p->source_at;
    S *out = OUT(S, out) + ((size_t)image * p->groups + group) * size +
             filter * (size_t)p->out_plane + p->out_at;
    NAME(block) t = {
        .a = IN(S, weight) + p->weight_at + group * (size_t)p->weight_group + filter * depth,
        .b = pack,
        .b_step = BLOCK_STEP,
        .out = p->staged ? results : out + run->out,
        .a_step = depth,
        .row = p->staged ? pitch : p->out_plane,
        .rows = rows,
        .cols = cols,
        .add = p->biased,
    };
    unit += count;
#if LANES == 4
    if (p->direct) {
      t.b = source + at;
      t.b_step = p->plane;
      t.depth = depth;
      const uint32_t place = unit % blocks * p->col_block;
      const S *next = unit < last ? IN(S, source) + unit / blocks * source_size + place : NULL;
      NAME(planar_product)(&t, p->biased ? IN(S, bias) + group * p->filters : NULL, &ahead, next,
                           MIN(p->col_block, pixels - place),
                           p->units * p->col_block * depth < PLANAR_KEPT);
      if (p->staged) NAME(put_runs)(p, out, results, pitch, rows, run, runs);
      continue;
    }
#endif
    for (uint32_t i = 0; i < rows && p->biased; i++) {
      const S bias = IN(S, bias)[group * p->filters + filter + i];
      for (uint32_t j = 0; j < cols; j++) t.out[i * t.row + j] = bias;
    }
    uint32_t k = 0;
    do {
      t.depth = MIN(DEPTH_BLOCK, depth - k);
      // What a part before this one packed is still there, unless it took several blocks.
      if (depth > DEPTH_BLOCK || part == 0 || unit - count == first) {
        NAME(pack_pixels)(pack, BLOCK_STEP, source, tap + k, t.depth, run, runs);
      }
      NAME(block_product)(&t);
      t.a += t.depth;
      t.add = true;
      k += t.depth;
    } while (k < depth);
    if (p->staged) NAME(put_runs)(p, out, results, pitch, rows, run, runs);
  }
}

// A unit is `together` channels by `downs` rows of each phase of `images` images of one group. Its
// products have a row for each channel and column of the kernel, a column for each pixel of a row
// of g - of these images, or of `rows` rows - and sum over rows of the kernel and filters, `part`
// of them at a time; what belongs to a pixel of the input is added when it is stored. Scratch of a
// range: a strip of g, results, a line for each phase, places of taps.
SMALL KERNEL(convScatter) {
#if LANES == 4
  if (p->images == 0) {
    NAME(near_units)(p, begin, end);
    return;
  }
#endif
  const uint32_t last = MIN(end * p->per_unit, p->units);
  const uint32_t filters = p->filters, kh = p->kernel_h, kw = p->kernel_w, sh = p->stride_h;
  const uint32_t parts = (p->channels + p->together - 1) / p->together, begins = p->pad_h / sh;
  const uint32_t places = (p->height - 1 + p->pad_h) / sh + 1 - begins;
  const uint32_t blocks = (places + p->downs - 1) / p->downs, pixels = p->out_h * p->out_w;
  const size_t weights = (size_t)p->channels * kw * kh * filters;
  NAME(strip) t = {.pack = OUT(S, scratch) + (size_t)begin * p->slice};
  t.results = t.pack + p->strip;
  t.line = t.results + p->space;
  t.mask = t.line + SUM_ROWS * p->stride_w * p->line;
  t.up = (int32_t *)(t.mask + p->spots * 2 * LANES);
  t.place = t.up + kh;
  t.reach = t.place + kw;
  t.ends = (uint32_t *)(t.reach + kw);
  t.spot = (int32_t *)(t.ends + p->stride_w);
  t.run = (conv_run *)(t.spot + p->spots);
  t.tap = (int32_t *)(t.run + p->images);
  for (uint32_t o = 0; o < filters; o++) t.tap[o] = o * pixels;
  t.row = p->rows > 1 ? p->out_w : (size_t)p->part * p->pitch;
  for (uint32_t f = 0, n = 0; f < p->stride_w; f++) {
    for (uint32_t k = 0; k < kw; k++) {
      if (k * p->dilation_w % p->stride_w != f) continue;
      t.reach[n] = k * p->dilation_w / p->stride_w;
      t.place[n] = (int32_t)(k * p->pitch) - t.reach[n];
      n++;
    }
    t.ends[f] = n;
  }
  NAME(mask_sums)(p, &t);
  for (uint32_t unit = begin * p->per_unit; unit < last; unit++) {
    const uint32_t c = unit % parts * p->together, at = unit / parts;
    const uint32_t group = at / blocks % p->groups, image = at / blocks / p->groups * p->images;
    t.first = begins + at % blocks * p->downs;
    t.count = MIN(p->downs, begins + places - t.first);
    t.images = MIN(p->images, p->batch - image);
    t.channels = MIN(p->together, p->channels - c);
    t.base = (int32_t)t.first - (int32_t)((kh - 1) * p->dilation_h / sh);
    const size_t span = (size_t)image * p->groups + group;
    const S *g = IN(S, g) + span * filters * pixels;
    const S *weight = IN(S, weight) + group * weights + (size_t)c * kw * kh * filters;
    S *out = OUT(S, out) + (span * p->channels + c) * p->height * p->width;
    // Phases share a strip if it holds all filters.
    const bool shared = p->part == filters;
    for (t.phase = 0; t.phase < sh; t.phase++) {
      // Rows of the kernel lie in the order of their phases, the last first.
      uint32_t taps = 0;
      for (uint32_t k = kh; k-- > 0;) {
        if (k * p->dilation_h % sh == t.phase) t.up[taps++] = k * p->dilation_h / sh;
      }
      t.taps = taps;
      for (uint32_t o = 0, part; o < filters; o += part) {
        part = MIN(p->part, filters - o);
        if (taps && !(shared && t.phase)) NAME(fill_strip)(p, &t, g + (size_t)o * pixels, part);
        for (uint32_t y = t.first, count; y < t.first + t.count; y += count) {
          count = MIN(p->rows, t.first + t.count - y);
          const bool some = taps && NAME(strip_product)(p, &t, weight + o, part, y, count, o > 0);
          if (o + part == filters) NAME(put_strip)(p, &t, out, y, count, some);
        }
      }
      weight += taps * filters;
    }
  }
}

// Adds results of a row for each pixel of g and a column for each tap of `channels` channels.
SMALL
static void NAME(put_taps)(const convTurned_params *p, S *out, const S *results,
                           uint32_t channels) {
  const uint32_t size = p->kernel_h * p->kernel_w, plane = p->height * p->width;
  for (uint32_t n = 0; n < p->batch; n++, out += p->groups * p->channels * plane) {
    memset(out, 0, channels * plane * sizeof(S));
    for (uint32_t row = 0; row < p->out_h; row++, results += p->out_w * p->pitch) {
      for (uint32_t k = 0; k < channels * size; k++) {
        const uint32_t y = row * p->stride_h + k / p->kernel_w % p->kernel_h * p->dilation_h;
        if (y - p->pad_h >= p->height) continue;
        S *to = out + k / size * plane + (y - p->pad_h) * p->width;
        uint32_t at = k % p->kernel_w * p->dilation_w - p->pad_w;
        for (uint32_t x = 0; x < p->out_w; x++, at += p->stride_w) {
          if (at < p->width) to[at] += results[x * p->pitch + k];
        }
      }
    }
  }
}

// The input gradient where g has few pixels: weights are read as they lie. A unit is `together`
// channels of one group; its products have a row for each pixel of g, a column for each of their
// taps. Scratch of a range: g turned, a block of weights, results, places of filters, runs.
SMALL KERNEL(convTurned) {
  const uint32_t last = MIN(end * p->per_unit, p->units), filters = p->filters;
  const uint32_t size = p->kernel_h * p->kernel_w, pixels = p->out_h * p->out_w;
  const uint32_t parts = (p->channels + p->together - 1) / p->together;
  const uint32_t depth = p->channels * size, rows = p->batch * pixels;
  S *turned = OUT(S, scratch) + (size_t)begin * p->slice, *pack = turned + rows * p->step;
  S *results = pack + MIN(filters, DEPTH_BLOCK) * p->pitch;
  int32_t *tap = (int32_t *)(results + (rows + TILE_M) * p->pitch);
  conv_run *run = (conv_run *)(tap + filters);
  for (uint32_t o = 0; o < filters; o++) tap[o] = o * pixels;
  for (uint32_t n = 0; n < p->batch; n++) {
    run[n] = (conv_run){n * p->groups * filters * pixels, 0, n * pixels, pixels};
  }
  for (uint32_t unit = begin * p->per_unit; unit < last; unit++) {
    const uint32_t group = unit / parts, c = unit % parts * p->together;
    const uint32_t channels = MIN(p->together, p->channels - c);
    if (unit == begin * p->per_unit || c == 0) {
      NAME(pack_taps)(turned, p->step, IN(S, g) + (size_t)group * filters * pixels, tap, filters,
                      run, p->batch);
    }
    NAME(block) b = {.a = turned, .b = pack, .b_step = p->pitch, .out = results,
                     .a_step = p->step, .row = p->pitch, .rows = rows,
                     .cols = channels * size, .room = true};
    const S *weight = IN(S, weight) + (size_t)group * filters * depth + c * size;
    for (uint32_t k = 0; k < filters; k += b.depth, b.add = true) {
      b.depth = MIN(DEPTH_BLOCK, filters - k);
      for (uint32_t o = 0; o < b.depth; o++, weight += depth) {
        NAME(copy_run)(pack + o * p->pitch, weight, b.cols);
      }
      NAME(block_product)(&b);
      b.a += b.depth;
    }
    NAME(put_taps)(p, OUT(S, out) + ((size_t)group * p->channels + c) * p->height * p->width,
                   results, channels);
  }
}

// A unit is `col_block` taps by `row_block` filters of one group. Where planes have few pixels,
// those of `together` images are one sum: a row of g holds them all.
SMALL KERNEL(convWeights) {
#if LANES == 4
  if (p->direct) {
    (p->direct < PLANAR ? NAME(direct_weights) : NAME(planes_weights))(p, begin, end);
    return;
  }
#endif
  const uint32_t first = begin * p->per_unit, last = MIN(end * p->per_unit, p->units);
  const uint32_t taps = p->channels * p->taps_h * p->taps_w;
  const uint32_t parts = (p->filters + p->row_block - 1) / p->row_block;
  const uint32_t blocks = (taps + p->col_block - 1) / p->col_block;
  const uint32_t pixels = p->together * p->grid_h * p->grid_w;
  const size_t source_size = (size_t)p->channels * p->plane, g_size = (size_t)p->filters * pixels;
  S *pack = OUT(S, scratch) + (size_t)begin * p->slice;
  conv_run *run = (conv_run *)(pack + MIN(pixels, DEPTH_BLOCK) * BLOCK_STEP);
  int32_t *tap = (int32_t *)(run + MIN(pixels, DEPTH_BLOCK));
  const conv_window window = WINDOW(p);
  const conv_grid grid = {.rows = p->grid_h, .cols = p->grid_w, .source_row = p->source_row,
                          .source_image = p->groups * source_size, .source_step = 1};
  // Few filters of large planes, so that the cache keeps these; where results are few, planes are
  // read once for all units.
  const bool large = p->filters * pixels > MOST_FETCHED;
  const bool once = (last - first) * p->row_block * p->col_block <= MOST_SUMS;
  for (uint32_t begun = first, stop; begun < last; begun = stop) {
    stop = once ? last : begun + (large ? 1 : MIN(parts - begun % parts, last - begun));
    for (uint32_t image = 0; image < p->batch; image++) {
      for (uint32_t k = 0; k < pixels; k += DEPTH_BLOCK) {
        const uint32_t depth = MIN(DEPTH_BLOCK, pixels - k);
        const uint32_t runs = conv_runs(run, &grid, k, k + depth);
        for (uint32_t unit = begun, count; unit < stop; unit += count) {
          const uint32_t part = unit % parts, filter = part * p->row_block;
          const uint32_t at = unit / parts % blocks * p->col_block, group = unit / parts / blocks;
          count = MIN(parts - part, stop - unit);
          NAME(block) t = {
              .b = pack,
              .b_step = BLOCK_STEP,
              .out = OUT(S, out) + ((size_t)group * p->filters + filter) * taps + at,
              .a_step = pixels,
              .row = taps,
              .rows = MIN(count * p->row_block, p->filters - filter),
              .cols = MIN(p->col_block, taps - at),
              .depth = depth,
              .add = image + k > 0,
          };
          const size_t place = (size_t)image * p->groups + group;
          t.a = IN(S, g) + place * g_size + filter * (size_t)pixels + k;
          const S *source = IN(S, source) + place * source_size;
          if (k == 0 && p->taps_h * p->taps_w == 1 &&
              source_size + t.rows * pixels < MOST_FETCHED) {
            NAME(fetch)(source, source_size);
            NAME(fetch)(t.a, t.rows * pixels);
          }
          conv_taps(tap, &window, at, at + t.cols);
          NAME(pack_taps)(pack, BLOCK_STEP, source, tap, t.cols, run, runs);
          NAME(block_product)(&t);
        }
      }
    }
  }
}

#endif
