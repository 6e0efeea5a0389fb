#include "elementwise_move.h"
#include "elementwise_walk.h"

const void *side_by_side(
    void *copy, const void *x, uint32_t at, uint32_t n, size_t pitch, uint32_t size, Lines *lines) {
  const uint32_t width = lines->width, step = lines->step, turn = 128 / size;
  uint32_t column = at % width;
  const byte *row = (const byte *)x + at / width * pitch * size, *const from = row + column * step * size;
  lines->first = width - column;
  lines->skip = (ptrdiff_t)pitch - (ptrdiff_t)(width * step);
  if (step == 1 && n <= lines->first) return from;
  const bool whole = n % turn == 0 && lines->first % turn == 0 && width % turn == 0;
  if (whole && (step == 1 || step == 2)) return from;
  lines->step = 1;
  lines->first = n;
  byte *to = copy;
  for (uint32_t count, rows; n > 0; n -= rows * count, to += rows * count * size) {
    count = MIN(n, width - column);
    rows = count == width ? n / width : 1;
    move_rows(to, count, 1, row + column * step * size, pitch, step, rows, count, size);
    row += rows * pitch * size;
    column = 0;
  }
  return copy;
}

// What an operand passes through; one for all ways of walking, since the stack is small.
enum { TILE_BYTES = 16384 };
typedef byte Tile[TILE_BYTES + 16];
_Static_assert(TILE_BYTES >= TILE * 8, "tiles hold what passes through them");

#define PAD(type)                                                      \
  for (uint32_t lane = 0; lane < lanes; lane++) {                      \
    memcpy(to + lane * sizeof(type), from + MIN(lane, rest - 1) * sizeof(type), sizeof(type)); \
  }

// Copies `rest` elements and repeats the last of them up to `lanes`.
static void pad(byte *to, const byte *from, uint32_t rest, uint32_t lanes, uint32_t size) {
  if (size == 1) PAD(uint8_t)
  else if (size == 2) PAD(uint16_t)
  else if (size == 4) PAD(uint32_t)
  else PAD(uint64_t)
}

static uint32_t widest(const Operands *ops) {
  uint32_t most = 0;
  for (uint32_t k = 0; k <= ops->inputs; k++) most = MAX(most, ops->size[k]);
  return most;
}

static const Rows ONE_ROW = {.count = 1};

// Runs the body, which does whole vectors, on n elements: the last few in copies padded to a vector.
static void run_body(
    Body body, const Operands *ops, const void *const *in, byte *out, uint32_t n, const uint32_t *scalars) {
  if (n % 16 == 0) {
    body(in, out, n, scalars, &ONE_ROW);
    return;
  }
  const uint32_t last = ops->inputs, lanes = 16 / widest(ops), whole = n & ~(lanes - 1), rest = n - whole;
  if (whole > 0) body(in, out, whole, scalars, &ONE_ROW);
  if (rest == 0) return;
  _Alignas(16) byte padded[MAX_OPERANDS][16];
  const void *tail[MAX_OPERANDS];
  for (uint32_t k = 0; k < last; k++) {
    const uint32_t size = ops->size[k];
    pad(padded[k], (const byte *)in[k] + (size_t)whole * size, rest, lanes, size);
    tail[k] = padded[k];
  }
  body(tail, padded[last], lanes, scalars, &ONE_ROW);
  const uint32_t size = ops->size[last];
  pad(out + (size_t)whole * size, padded[last], rest, rest, size);
}

// Whether rows of some input lie column by column, so that blocks of rows are to be done at once.
static bool is_turned(const Walk *walk, uint32_t inputs) {
  const uint32_t d = walk->ndim - 1;
  if (d == 0 || row_stride(walk, inputs) != 1) return false;
  for (uint32_t k = 0; k < inputs; k++)
    if (walk->strides[k * walk->ndim + d - 1] == 1 && (uint32_t)ABS(row_stride(walk, k)) > 1) return true;
  return false;
}

// Copies a block of rows x columns elements to rows `pitch` apart. Up to 15 bytes behind each are written too.
static void fill_block(
    byte *to, uint32_t pitch, const byte *from, ptrdiff_t down, int32_t across, uint32_t rows, uint32_t columns,
    uint32_t size) {
  if (down == 1 && across > 1) {
    turn(to, pitch, from, across, rows, columns, size);
    return;
  }
  if (down == 0) {
    const uint32_t all = rows * pitch * size;
    move_rows(to, 0, 1, from, 0, across, 1, columns, size);
    for (uint32_t have = pitch * size; have < all; have *= 2)
      if (have > 256) memcpy(to + have, to, MIN(have, all - have));
      else
        for (uint32_t i = 0; i < MIN(have, all - have); i += 16) memmove(to + have + i, to + i, 16);
  } else if (across == 0 && size == 4) {
    // The last columns first: what is written behind a row is the beginning of the next.
    for (uint32_t c = (columns + 3) & ~3u; c > 0; c -= 4) {
      int32_t *t = (int32_t *)to + c - 4;
      const int32_t *f = (const int32_t *)from;
#pragma clang loop unroll_count(2)
      for (uint32_t r = 0; r < rows; r++, t += pitch, f += down) store(t, splat(*f));
    }
  } else move_rows(to, pitch, 1, from, down, across, rows, columns, size);
}

// How many rows at once are turned in registers, if the last input alone lies column by column and the kernel is one of
// those. Where columns lie so far apart that they fall on a few places of the cache, copies turn fewer, and others turn
// none: there tiles are quicker.
enum { ROWS_TURNED = 256, ROWS_COPIED = 64, COPY_PITCH = 80 };
static uint32_t rows_turned(const Walk *walk, const Operands *ops) {
  const uint32_t last = ops->inputs - 1, d = walk->ndim - 1;
  if (ops->rows < TURNED_ADD || ops->rows > TURNED_COPY || d == 0) return 0;
  if (row_stride(walk, last) <= 1 || row_stride(walk, last + 1) != 1) return 0;
  const int32_t *down = walk->strides + d - 1, row = down[(last + 1) * walk->ndim];
  if (down[last * walk->ndim] != 1 || (last > 0 && (row_stride(walk, 0) != 1 || down[0] != row))) return 0;
  if (row_stride(walk, last) % 128 != 0) return ROWS_TURNED;
  return last > 0 ? 0 : ROWS_COPIED;
}

// Does some of these rows' columns from c on, a multiple of 8, and returns how many.
static uint32_t run_squares(
    const Walk *walk, byte *const *base, uint32_t c, uint32_t rows, const Operands *ops, bool copies, float *copy) {
  const uint32_t inputs = ops->inputs, d = walk->ndim - 1, columns = walk->sizes[d] - c;
  const uint32_t n = (copies ? MIN(columns, COLUMNS_TURNED) : columns) & ~7u;
  ptrdiff_t across = row_stride(walk, inputs - 1);
  const float *x = (const float *)base[0] + walk->offset[0] + c;
  const float *y = (const float *)base[inputs - 1] + walk->offset[inputs - 1] + c * across;
  float *out = (float *)base[inputs] + walk->offset[inputs] + c;
  if (copies) {
    float *to = copy;
    for (uint32_t column = 0; column < n; column++, y += across, to += COPY_PITCH)
#pragma clang loop unroll_count(4)
      for (uint32_t r = 0; r < rows; r += 4) store(to + r, load(y + r));
    y = copy;
    across = COPY_PITCH;
  }
#define TURNED(kind) \
  case kind: turned_rows(kind, x, y, across, out, n, rows, walk->strides[inputs * walk->ndim + d - 1]); break;
  switch (ops->rows) {
    TURNED(TURNED_ADD)
    TURNED(TURNED_SUB)
    TURNED(TURNED_MUL)
    TURNED(TURNED_DIV)
    TURNED(TURNED_COPY)
  }
  return n;
}

// Rows of a block, of n elements at most: four lines of the cache where one operand passes through tiles, two of two.
static uint32_t block_rows(const Walk *walk, const Operands *ops, uint32_t n, uint32_t turns) {
  const uint32_t d = walk->ndim - 1, rest = MIN(walk->sizes[d - 1] - walk->index[d - 1], n / walk->sizes[d]);
  uint32_t tiles = 0;
  for (uint32_t k = 0; k < ops->inputs; k++) tiles += row_stride(walk, k) != 1;
  const uint32_t rows = MIN(turns ? turns : tiles > 2 ? 16 : tiles > 1 ? 32 : 64, rest);
  return turns && rows > 4 ? rows & ~3u : rows;
}

// Whole rows from where the walk stands, in blocks of columns.
static void run_turned(
    Walk *walk, byte *const *base, uint32_t rows, const Operands *ops, const uint32_t *scalars, Body body,
    Tile *tile, uint32_t turns) {
  const uint32_t inputs = ops->inputs, d = walk->ndim - 1, columns = walk->sizes[d], wide = MAX(4, widest(ops));
  // An odd number of cache lines, so that rows of a tile fall on all places of the cache.
  const uint32_t pitch = ((rows > 32 ? 4 : rows > 16 ? 2 : 1) * TILE_BYTES / wide / rows & ~31u) - 16;
  for (uint32_t c = 0, count; c < columns; c += count) {
    if (turns && rows % 4 == 0) {
      // The last columns, also some that are done already, unless these are what was read.
      if (columns - c < 8 && c > 0 && base[0] != base[inputs]) c = columns - 8;
      count = columns - c;
      if (count >= 8) {
        count = run_squares(walk, base, c, rows, ops, turns == ROWS_COPIED, (float *)tile);
        continue;
      }
    }
    count = MIN(pitch, columns - c);
    if (count > 4) count &= ~3u;
    const byte *in[MAX_OPERANDS];
    Rows block = {.count = rows};
    byte *free = tile[0];
    for (uint32_t k = 0; k <= inputs; k++) {
      const uint32_t size = ops->size[k];
      const int32_t across = row_stride(walk, k);
      const ptrdiff_t down = walk->strides[k * walk->ndim + d - 1];
      in[k] = base[k] + (walk->offset[k] + (ptrdiff_t)c * across) * size;
      block.step[k] = down * size;
      if (across == 1) continue;
      fill_block(free, pitch, in[k], down, across, rows, count, size);
      block.step[k] = pitch * size;
      in[k] = free;
      free += rows * pitch * size;
    }
    if (ops->rows && count * widest(ops) % 16 == 0) {
      body((const void *const *)in, (byte *)in[inputs], count, scalars, &block);
      continue;
    }
    for (uint32_t r = 0; r < rows; r++) {
      run_body(body, ops, (const void *const *)in, (byte *)in[inputs], count, scalars);
      for (uint32_t k = 0; k <= inputs; k++) in[k] += block.step[k];
    }
  }
  walk_advance(walk, d - 1, rows);
}

// Whether rows are used in place: their elements lie side by side.
static bool is_beside(const Walk *walk, const Operands *ops) {
  bool beside = true;
  for (uint32_t k = 0; k <= ops->inputs; k++) beside &= row_stride(walk, k) == 1;
  return beside;
}

// Whether the body does several whole rows: in place, or those of one element from a tile.
static bool is_direct(const Walk *walk, const Operands *ops) {
  if (!ops->rows || walk->ndim < 2) return false;
  const uint32_t columns = walk->sizes[walk->ndim - 1];
  bool direct = columns * widest(ops) % 16 == 0;
  for (uint32_t k = 0; k <= ops->inputs; k++)
    direct &= row_stride(walk, k) == 1 || (k < ops->inputs && columns <= TILE && is_still(walk, k));
  return direct;
}

static bool is_copy(const Operands *ops) { return ops->rows == TURNED_COPY || ops->rows == PLAIN_COPY; }

// How elements of a row are done: at most so many at once; each operand's bytes to the next element, row and part.
typedef struct {
  uint32_t most, part;
  bool steps, parts;
  ptrdiff_t across[MAX_OPERANDS], down[MAX_OPERANDS];
  Rows block;
} Blocks;

static Blocks blocks_of(const Walk *walk, const Operands *ops, uint32_t n) {
  const uint32_t inputs = ops->inputs, d = walk->ndim - 1;
  const bool flat = row_stride(walk, inputs) == 1;
  // What is read from many lines goes in blocks that let the processor read the next one meanwhile.
  Blocks blocks = {.most = flat ? n : PART, .steps = ops->steps};
  bool still = false;
  for (uint32_t k = 0; k < inputs; k++) {
    const int32_t stride = row_stride(walk, k);
    blocks.steps &= stride == (ops->size[k] == 4 ? 2 : 1);
    still |= stride == 0;
    if (stride > 1 || stride < 0) blocks.most = MIN(blocks.most, ABS(stride) > 2 ? TILE / 2 : TILE);
  }
  if (blocks.steps && flat) blocks.most = n;
  // Where one element of an input serves the row, parts of it are short rows, beside one short tile.
  blocks.parts = still && ops->rows && blocks.most >= 2 * SHORT;
  if (still && !blocks.parts) blocks.most = MIN(blocks.most, TILE);
  blocks.part = blocks.parts ? SHORT : blocks.most;
  for (uint32_t k = 0; k <= inputs; k++) {
    blocks.across[k] = row_stride(walk, k) * (ptrdiff_t)ops->size[k];
    blocks.down[k] = d > 0 ? walk->strides[k * walk->ndim + d - 1] * (ptrdiff_t)ops->size[k] : 0;
    blocks.block.step[k] = blocks.across[k] == 0 ? 0 : blocks.part * ops->size[k];
  }
  return blocks;
}

// n elements of each of some rows. What passes through tiles does so in blocks.
static void run_blocks(
    const Walk *walk, byte *const *base, uint32_t rows, uint32_t n, const Operands *ops, const uint32_t *scalars, Body body,
    byte *tiles) {
  // Tiles that lie a multiple of 4 KiB apart would look like one to the processor's buffers of stores.
  const uint32_t inputs = ops->inputs, apart = TILE * widest(ops) + 64;
  const int32_t out_stride = row_stride(walk, inputs);
  Blocks blocks = blocks_of(walk, ops, n);
  const ptrdiff_t *across = blocks.across;
  byte *row[MAX_OPERANDS];
  for (uint32_t k = 0; k <= inputs; k++) row[k] = base[k] + walk->offset[k] * ops->size[k];
  for (; rows > 0; rows--) {
    byte *at[MAX_OPERANDS];
    const void *in[MAX_OPERANDS];
    for (uint32_t k = 0; k <= inputs; k++) {
      at[k] = row[k];
      row[k] += blocks.down[k];
      if (across[k] != 0) continue;
      const i32x4 value = repeated(at[k], ops->size[k]);
      byte *tile = tiles + k * apart, *const end = tile + MIN(blocks.part, n) * ops->size[k];
      for (in[k] = tile; tile < end; tile += 16) memcpy(tile, &value, 16);
    }
    for (uint32_t left = n, count; left > 0; left -= count) {
      const bool even = blocks.steps && left > 4, several = blocks.parts && left >= SHORT;
      count = MIN(blocks.most, even ? (left - 1) & ~3u : left);
      if (several) count &= ~(SHORT - 1u);
      for (uint32_t k = 0; k < inputs; k++) {
        if (across[k] == 0) continue;
        const uint32_t size = ops->size[k];
        in[k] = at[k];
        if (across[k] != (ptrdiff_t)size && !even) {
          in[k] = tiles + k * apart;
          move_strided(tiles + k * apart, 1, at[k], row_stride(walk, k), count, size);
        }
        at[k] += across[k] * (ptrdiff_t)count;
      }
      byte *out = out_stride == 1 ? at[inputs] : tiles + inputs * apart;
      blocks.block.every_second = even;
      blocks.block.count = several ? count / SHORT : 1;
      if (even || several) body(in, out, several ? SHORT : count, scalars, &blocks.block);
      else run_body(body, ops, in, out, count, scalars);
      if (out_stride != 1) move_strided(at[inputs], out_stride, out, 1, count, ops->size[inputs]);
      at[inputs] += across[inputs] * (ptrdiff_t)count;
    }
  }
}

// Long rows: operands with stride 1 are used in place, the others pass through a tile. Copies need none.
static void run_rows(
    Walk *walk, byte *const *base, uint32_t n, const Operands *ops, const uint32_t *scalars, Body body, Tile *tile) {
  const uint32_t inputs = ops->inputs, turns = rows_turned(walk, ops);
  const bool turned = is_turned(walk, inputs), direct = is_direct(walk, ops), beside = is_beside(walk, ops);
  const bool copies = is_copy(ops);
  while (n > 0) {
    uint32_t d = walk->ndim - 1;
    uint32_t count = MIN(walk->sizes[d] - walk->index[d], n);
    const bool whole = count == walk->sizes[d];
    if (turned && whole) {
      const uint32_t rows = block_rows(walk, ops, n, turns);
      run_turned(walk, base, rows, ops, scalars, body, tile, turns);
      n -= rows * walk->sizes[d];
      continue;
    }
    const void *in[MAX_OPERANDS];
    byte *out = base[inputs] + walk->offset[inputs] * ops->size[inputs];
    const int32_t out_stride = row_stride(walk, inputs);
    for (uint32_t k = 0; k < inputs; k++) in[k] = base[k] + walk->offset[k] * ops->size[k];
    if (direct && whole) {
      Rows block = {.count = MIN(walk->sizes[d - 1] - walk->index[d - 1], n / count)};
      for (uint32_t k = 0; k <= inputs; k++) {
        block.step[k] = walk->strides[k * walk->ndim + d - 1] * (ptrdiff_t)ops->size[k];
        if (row_stride(walk, k) == 1) continue;
        move_strided(tile[k], 1, in[k], 0, count, ops->size[k]);
        in[k] = tile[k];
      }
      body(in, out, count, scalars, &block);
      n -= block.count * count;
      walk_advance(walk, d - 1, block.count);
      continue;
    }
    if (!copies && !beside) {
      const bool several = whole && d > 0;
      const uint32_t rows = several ? MIN(walk->sizes[d - 1] - walk->index[d - 1], n / count) : 1;
      run_blocks(walk, base, rows, count, ops, scalars, body, tile[0]);
      walk_advance(walk, several ? d - 1 : d, several ? rows : count);
      n -= rows * count;
      continue;
    }
    if (copies) move_strided(out, out_stride, in[0], row_stride(walk, 0), count, ops->size[0]);
    else run_body(body, ops, in, out, count, scalars);
    walk_advance(walk, d, count);
    n -= count;
  }
}

// Short rows: many are done at once. What is not flat passes through tiles, in blocks of rows.
static void run_tiles(
    Walk *walk, byte *const *base, uint32_t n, const Operands *ops, const uint32_t *scalars, Body body, Tile *tile) {
  const uint32_t inputs = ops->inputs, last = walk->ndim - 1, columns = walk->sizes[last];
  const uint32_t most = TILE_BYTES / 2 / MAX(4, widest(ops));
  bool flat[MAX_OPERANDS];
  for (uint32_t k = 0; k <= inputs; k++) flat[k] = is_flat(walk, k);
  for (uint32_t count; n > 0; n -= count) {
    count = MIN(n, most);
    const Walk start = *walk;
    for (uint32_t done = 0, run, rows; done < count; done += rows * run) {
      run = MIN(columns - walk->index[last], count - done);
      const bool whole = last > 0 && run == columns;
      rows = whole ? MIN(walk->sizes[last - 1] - walk->index[last - 1], (count - done) / columns) : 1;
      if (rows > 4) rows &= ~3u;
      for (uint32_t k = 0; k < inputs; k++)
        if (!flat[k])
          fill_block(
              tile[k] + done * ops->size[k], run, base[k] + walk->offset[k] * ops->size[k],
              whole ? walk->strides[k * walk->ndim + last - 1] : 0, row_stride(walk, k), rows, run, ops->size[k]);
      walk_advance(walk, whole ? last - 1 : last, whole ? rows : run);
    }
    const void *in[MAX_OPERANDS];
    for (uint32_t k = 0; k < inputs; k++)
      in[k] = flat[k] ? base[k] + start.offset[k] * ops->size[k] : tile[k];
    const uint32_t size = ops->size[inputs];
    run_body(body, ops, in, flat[inputs] ? base[inputs] + start.offset[inputs] * size : tile[inputs], count, scalars);
    if (flat[inputs]) continue;
    Walk to = start;
    for (uint32_t done = 0, run, rows; done < count; done += rows * run) {
      run = MIN(columns - to.index[last], count - done);
      const bool whole = last > 0 && run == columns;
      rows = whole ? MIN(to.sizes[last - 1] - to.index[last - 1], (count - done) / columns) : 1;
      move_rows(
          base[inputs] + to.offset[inputs] * size, whole ? to.strides[inputs * to.ndim + last - 1] : 0,
          row_stride(&to, inputs), tile[inputs] + done * size, run, 1, rows, run, size);
      walk_advance(&to, whole ? last - 1 : last, whole ? rows : run);
    }
  }
}

// Brings the dimension along which an input lies in order next to that along which the output does: any order of
// dimensions is a walk.
static void bring_together(uint32_t *sizes, int32_t *strides, uint32_t ndim, uint32_t inputs) {
  if (ndim < 3 || strides[inputs * ndim + ndim - 1] != 1) return;
  const uint32_t next = ndim - 2;
  for (uint32_t k = 0; k < inputs; k++) {
    int32_t *own = strides + k * ndim;
    if (own[next + 1] <= 1) continue;
    for (uint32_t d = 0; d < next; d++) {
      if (own[d] != 1 || own[next] == 1 || sizes[d] < 4) continue;
      for (uint32_t j = 0; j <= inputs; j++) {
        int32_t *row = strides + j * ndim, other = row[d];
        row[d] = row[next];
        row[next] = other;
      }
      const uint32_t size = sizes[d];
      sizes[d] = sizes[next];
      sizes[next] = size;
      return;
    }
  }
}

// Operands that are not all contiguous. Apart, because its tiles are much of a stack.
static __attribute__((noinline)) void run_walk(
    const uint32_t *shape, byte *const *base, uint32_t begin, uint32_t end, const Operands *ops,
    const uint32_t *scalars, Body body) {
  const uint32_t ndim = shape[0], inputs = ops->inputs;
  uint32_t sizes[MAX_NDIM];
  int32_t strides[MAX_OPERANDS * MAX_NDIM];
  memcpy(sizes, shape + 1, ndim * 4);
  memcpy(strides, shape + 1 + ndim, (inputs + 1) * ndim * 4);
  bring_together(sizes, strides, ndim, inputs);
  Walk walk = {.ndim = ndim, .count = inputs + 1, .sizes = sizes, .strides = strides};
  walk_start(&walk, begin);
  _Alignas(64) Tile tile[MAX_OPERANDS];
  const uint32_t row = is_flat(&walk, inputs) ? FLAT_ROW : LONG_ROW;
  const bool direct = is_direct(&walk, ops), quick = direct || rows_turned(&walk, ops) == ROWS_TURNED;
  const uint32_t least = quick ? 16 : is_beside(&walk, ops) ? LONG_ROW : row;
  const bool copied = direct && is_copy(ops) && sizes[ndim - 2] >= 16;
  if (copied || sizes[ndim - 1] >= least) run_rows(&walk, base, end - begin, ops, scalars, body, tile);
  else run_tiles(&walk, base, end - begin, ops, scalars, body, tile);
}

// Rows and single numbers, a few at a time: those stored in another dtype than the body's are cast on the way.
static __attribute__((noinline)) void run_parts(
    const uint32_t *shape, byte *const *base, uint32_t begin, uint32_t end, const Operands *ops,
    const uint32_t *scalars, Body body) {
  const uint32_t inputs = ops->inputs, stored = shape[0] >> 8, computed = stored < INT64 ? FLOAT32 : INT32;
  const uint32_t *strides = shape + 2;
  _Alignas(16) byte tile[MAX_OPERANDS][CAST * 8 + 64];
  const void *in[MAX_OPERANDS];
  uint32_t size[MAX_OPERANDS];
  bool casts[MAX_OPERANDS];
  for (uint32_t k = 0; k <= inputs; k++) {
    // Masks and bool results, of a byte, are what they are.
    casts[k] = stored > 0 && ops->size[k] == 4;
    size[k] = casts[k] ? SIZE[stored] : ops->size[k];
    if (strides[k] == 0) move_strided(tile[k], 1, base[k], 0, MIN(CAST, end - begin), ops->size[k]);
  }
  for (uint32_t n; begin < end; begin += n) {
    n = MIN(CAST, end - begin);
    for (uint32_t k = 0; k < inputs; k++) {
      const byte *from = base[k] + (size_t)begin * size[k];
      in[k] = strides[k] == 0 || casts[k] ? tile[k] : from;
      if (strides[k] != 0 && casts[k]) cast_some(tile[k], from, n, stored, computed);
    }
    byte *to = base[inputs] + (size_t)begin * size[inputs], *out = casts[inputs] ? tile[inputs] : to;
    run_body(body, ops, in, out, n, scalars);
    if (out != to) cast_some(to, out, n, computed, stored);
  }
}

// Whether run_parts does it, and at once: one dimension, in which operands lie side by side or are single numbers.
static bool is_part(const uint32_t *shape, uint32_t inputs, uint32_t n) {
  if (shape[0] > 255) return true;
  if (shape[0] > 1 || n > CAST || shape[2 + inputs] != 1) return false;
  for (uint32_t k = 0; k < inputs; k++)
    if (shape[2 + k] > 1) return false;
  return true;
}

void elementwise(const uint32_t *words, uint32_t begin, uint32_t end, const Operands *ops, Body body) {
  uint32_t count = ops->inputs + 1u;
  const uint32_t *scalars = words + count, *shape = scalars + 2 * ops->scalars;
  byte *base[MAX_OPERANDS];
  for (uint32_t k = 0; k < count; k++) base[k] = address(words[k]);
  if (shape[0] > 0) {
    (is_part(shape, ops->inputs, end - begin) ? run_parts : run_walk)(shape, base, begin, end, ops, scalars, body);
    return;
  }
  const void *in[MAX_OPERANDS];
  for (uint32_t k = 0; k < count - 1; k++) in[k] = base[k] + (size_t)begin * ops->size[k];
  byte *out = base[count - 1] + (size_t)begin * ops->size[count - 1];
  run_body(body, ops, in, out, end - begin, scalars);
}
