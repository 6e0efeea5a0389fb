#include "elementwise.h"

typedef unsigned char byte;

#define MOVE(type)                                                                    \
  {                                                                                   \
    type *t = (type *)to;                                                             \
    const type *f = (const type *)from;                                               \
    if (to_stride == 1)                                                               \
      for (uint32_t i = 0; i < n; i++, f += from_stride) t[i] = *f;                   \
    else                                                                              \
      for (uint32_t i = 0; i < n; i++, t += to_stride, f += from_stride) *t = *f;     \
  }

void move_strided(
    byte *to, int32_t to_stride, const byte *from, int32_t from_stride, uint32_t n, uint32_t size) {
  uint32_t i = 0;
  if (to_stride == 1 && from_stride == 1) {
    memcpy(to, from, (size_t)n * size);
    return;
  }
  if (to_stride == 1 && from_stride == 0) {
    _Alignas(16) byte repeated[16];
    for (uint32_t k = 0; k < 16; k += size) memcpy(repeated + k, from, size);
    const i32x4 value = load((const int32_t *)repeated);
    const uint32_t lanes = 16 / size;
#pragma clang loop unroll_count(4)
    for (; i + lanes <= n; i += lanes) memcpy(to + i * size, &value, 16);
    to += i * size;
    n -= i;
  }
  if (to_stride == 1 && from_stride == 2 && size == 4) {
    for (; i + 4 < n; i += 4, from += 32, to += 16) {
      i32x4 low = load((const int32_t *)from), high = load((const int32_t *)from + 4);
      store((int32_t *)to, __builtin_shufflevector(low, high, 0, 2, 4, 6));
    }
    n -= i;
  }
  switch (size) {
    case 1: MOVE(uint8_t) break;
    case 2: MOVE(uint16_t) break;
    case 4: MOVE(uint32_t) break;
    default: MOVE(uint64_t) break;
  }
}

#define TURN(type)                                                                    \
  for (uint32_t c = first_column; c < columns; c++)                                   \
    for (uint32_t r = c < whole_columns ? whole_rows : 0; r < rows; r++)              \
      ((type *)to)[r * to_row + c] = ((const type *)from)[c * from_column + r];

#define MIX(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)

// Elements of four bytes move in 4 x 4 squares of vector shuffles, down the columns, so that a line of the cache is done
// with when it has been read once. A constant distance of rows saves instructions.
static inline __attribute__((always_inline)) void turn_squares(
    int32_t *to, ptrdiff_t to_row, const int32_t *from, ptrdiff_t from_column, uint32_t rows, uint32_t columns) {
  for (uint32_t c = 0; c < columns; c += 4, from += 4 * from_column, to += 4) {
    const int32_t *second = from + from_column, *third = second + from_column, *fourth = third + from_column;
#pragma clang loop unroll_count(4)
    for (uint32_t r = 0; r < rows; r += 4) {
      int32_t *out = to + r * to_row;
      i32x4 a = load(from + r), b = load(second + r), d = load(third + r), e = load(fourth + r);
      i32x4 ab_low = MIX(a, b, 0, 4, 1, 5), ab_high = MIX(a, b, 2, 6, 3, 7);
      i32x4 de_low = MIX(d, e, 0, 4, 1, 5), de_high = MIX(d, e, 2, 6, 3, 7);
      store(out, MIX(ab_low, de_low, 0, 1, 4, 5));
      store(out + to_row, MIX(ab_low, de_low, 2, 3, 6, 7));
      store(out + 2 * to_row, MIX(ab_high, de_high, 0, 1, 4, 5));
      store(out + 3 * to_row, MIX(ab_high, de_high, 2, 3, 6, 7));
    }
  }
}

// Triples to three rows (of images, channels last), four at a time; and back. Return how many they did.
static uint32_t split_triples(int32_t *to, ptrdiff_t to_row, const int32_t *from, uint32_t columns) {
  uint32_t c = 0;
  for (; c + 4 <= columns; c += 4, from += 12, to += 4) {
    i32x4 a = load(from), b = load(from + 4), d = load(from + 8);
    store(to, MIX(MIX(a, b, 0, 3, 6, 6), d, 0, 1, 2, 5));
    store(to + to_row, MIX(MIX(a, b, 1, 4, 7, 7), d, 0, 1, 2, 6));
    store(to + 2 * to_row, MIX(MIX(a, b, 2, 5, 5, 5), d, 0, 1, 4, 7));
  }
  return c;
}

static uint32_t join_triples(int32_t *to, const int32_t *from, ptrdiff_t from_column, uint32_t rows) {
  uint32_t r = 0;
  for (; r + 4 <= rows; r += 4, from += 4, to += 12) {
    i32x4 a = load(from), b = load(from + from_column), d = load(from + 2 * from_column);
    i32x4 ab = MIX(a, b, 0, 4, 1, 5), high = MIX(b, d, 2, 6, 3, 7);
    store(to, MIX(ab, d, 0, 1, 4, 2));
    store(to + 4, MIX(MIX(ab, d, 3, 5, 5, 5), MIX(a, high, 2, 4, 4, 4), 0, 1, 4, 5));
    store(to + 8, MIX(a, high, 5, 3, 6, 7));
  }
  return r;
}

// Copies rows x columns elements that lie column by column, to rows.
static void turn(
    byte *to, ptrdiff_t to_row, const byte *from, ptrdiff_t from_column, uint32_t rows, uint32_t columns,
    uint32_t size) {
  int32_t *t = (int32_t *)to;
  const int32_t *f = (const int32_t *)from;
  // What vectors have done: the first columns of the first rows.
  uint32_t whole_rows = 0, whole_columns = columns, first_column = 0;
  if (size == 4) {
    if (rows == 3 && from_column == 3) first_column = split_triples(t, to_row, f, columns);
    else if (columns == 3 && to_row == 3) whole_rows = join_triples(t, f, from_column, rows);
    else {
      whole_rows = rows & ~3u;
      whole_columns = columns & ~3u;
      if (to_row == 256) turn_squares(t, 256, f, from_column, whole_rows, whole_columns);
      else turn_squares(t, to_row, f, from_column, whole_rows, whole_columns);
    }
  }
  if (size == 1) TURN(uint8_t)
  else if (size == 2) TURN(uint16_t)
  else if (size == 4) TURN(uint32_t)
  else TURN(uint64_t)
}

// Where a walk over the index space stands, with the element offset of each operand.
typedef struct {
  uint32_t ndim, count;
  const uint32_t *sizes;
  const int32_t *strides;  // [count][ndim]
  uint32_t index[MAX_NDIM];
  ptrdiff_t offset[MAX_OPERANDS];
} Walk;

static void walk_start(Walk *walk, uint32_t linear) {
  for (uint32_t k = 0; k < walk->count; k++) walk->offset[k] = 0;
  for (uint32_t d = walk->ndim; d-- > 0;) {
    walk->index[d] = linear % walk->sizes[d];
    linear /= walk->sizes[d];
    for (uint32_t k = 0; k < walk->count; k++)
      walk->offset[k] += (ptrdiff_t)walk->index[d] * walk->strides[k * walk->ndim + d];
  }
}

// Moves on by n places of dimension d, not past its end.
static void walk_advance(Walk *walk, uint32_t d, uint32_t n) {
  walk->index[d] += n;
  for (uint32_t k = 0; k < walk->count; k++)
    walk->offset[k] += (ptrdiff_t)n * walk->strides[k * walk->ndim + d];
  while (walk->index[d] == walk->sizes[d] && d > 0) {
    walk->index[d] = 0;
    for (uint32_t k = 0; k < walk->count; k++)
      walk->offset[k] += walk->strides[k * walk->ndim + d - 1] -
                         (ptrdiff_t)walk->sizes[d] * walk->strides[k * walk->ndim + d];
    walk->index[--d]++;
  }
}

// What an operand passes through; one for all ways of walking, since the stack is small.
enum { TILE_BYTES = 16384 };
typedef byte Tile[TILE_BYTES + 16];
_Static_assert(TILE_BYTES >= TILE * 8, "tiles hold what passes through them");

static int32_t row_stride(const Walk *walk, uint32_t k) {
  return walk->strides[k * walk->ndim + walk->ndim - 1];
}

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

static const Rows ONE_ROW = {1, {0}};

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

// Copies a block of rows x columns elements to rows `pitch` apart. Up to three elements behind each are written too.
static void fill_block(
    byte *to, uint32_t pitch, const byte *from, ptrdiff_t down, int32_t across, uint32_t rows, uint32_t columns,
    uint32_t size) {
  if (down == 1 && across > 1) {
    turn(to, pitch, from, across, rows, columns, size);
    return;
  }
  if (down == 0) {
    const uint32_t all = rows * pitch;
    move_strided(to, 1, from, across, columns, size);
    for (uint32_t have = pitch; have < all; have *= 2)
      memcpy(to + have * size, to, (size_t)MIN(have, all - have) * size);
    return;
  }
  for (; rows > 0; rows--, from += down * (ptrdiff_t)size, to += pitch * size)
    move_strided(to, 1, from, across, columns, size);
}

// Rows of a block, if `tiles` operands pass through tiles: two lines of the cache where there is room.
static uint32_t block_rows(const Walk *walk, uint32_t inputs) {
  uint32_t tiles = 0;
  for (uint32_t k = 0; k < inputs; k++) tiles += row_stride(walk, k) != 1;
  return MIN(tiles > 2 ? 16 : 32, walk->sizes[walk->ndim - 2]);
}

// Whole rows from where the walk stands, at most block_rows(), in blocks of columns.
static void run_turned(
    Walk *walk, byte *const *base, uint32_t rows, const Operands *ops, const uint32_t *scalars, Body body,
    Tile *tile) {
  const uint32_t inputs = ops->inputs, d = walk->ndim - 1, columns = walk->sizes[d];
  const uint32_t most = block_rows(walk, inputs), wide = MAX(4, widest(ops));
  const uint32_t pitch = (most > 16 ? 2 : 1) * TILE_BYTES / wide / most & ~15u;
  for (uint32_t c = 0, count; c < columns; c += count) {
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
      in[k] = free;
      block.step[k] = pitch * size;
      free += most * pitch * size;
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

// Long rows: operands with stride 1 are used in place, the others pass through a tile.
static void run_rows(
    Walk *walk, byte *const *base, uint32_t n, const Operands *ops, const uint32_t *scalars, Body body, Tile *tile) {
  const byte *splatted[MAX_OPERANDS] = {0};
  uint32_t inputs = ops->inputs, direct = 1;
  for (uint32_t k = 0; k <= inputs; k++) direct &= row_stride(walk, k) == 1;
  const bool turned = is_turned(walk, inputs);
  while (n > 0) {
    uint32_t d = walk->ndim - 1;
    uint32_t count = MIN(walk->sizes[d] - walk->index[d], n);
    if (turned && walk->index[d] == 0 && n >= walk->sizes[d]) {
      const uint32_t rest = walk->sizes[d - 1] - walk->index[d - 1];
      const uint32_t rows = MIN(MIN(block_rows(walk, inputs), rest), n / walk->sizes[d]);
      run_turned(walk, base, rows, ops, scalars, body, tile);
      n -= rows * walk->sizes[d];
      continue;
    }
    if (!direct) count = MIN(count, TILE);
    const void *in[MAX_OPERANDS];
    for (uint32_t k = 0; k < inputs; k++) {
      const byte *from = base[k] + walk->offset[k] * ops->size[k];
      int32_t stride = row_stride(walk, k);
      in[k] = from;
      if (stride == 1) continue;
      in[k] = tile[k];
      if (stride == 0 && splatted[k] == from) continue;
      move_strided(tile[k], 1, from, stride, stride == 0 ? MIN(TILE, walk->sizes[d]) : count, ops->size[k]);
      splatted[k] = stride == 0 ? from : 0;
    }
    byte *out = base[inputs] + walk->offset[inputs] * ops->size[inputs];
    int32_t stride = row_stride(walk, inputs);
    if (stride == 1) run_body(body, ops, in, out, count, scalars);
    else {
      run_body(body, ops, in, tile[inputs], count, scalars);
      move_strided(out, stride, tile[inputs], 1, count, ops->size[inputs]);
    }
    walk_advance(walk, d, count);
    n -= count;
  }
}

// Whether the elements of an operand follow one another.
static bool is_flat(const Walk *walk, uint32_t k) {
  int64_t step = 1;
  for (uint32_t d = walk->ndim; d-- > 0; step *= walk->sizes[d])
    if (walk->strides[k * walk->ndim + d] != step) return false;
  return true;
}

// Short rows: many are done at once. What is not flat passes through tiles, in blocks of rows.
static void run_tiles(
    Walk *walk, byte *const *base, uint32_t n, const Operands *ops, const uint32_t *scalars, Body body, Tile *tile) {
  const uint32_t inputs = ops->inputs, last = walk->ndim - 1, columns = walk->sizes[last];
  const uint32_t most = TILE_BYTES / MAX(4, widest(ops));
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
    for (uint32_t done = 0; done < count;) {
      uint32_t run = MIN(columns - to.index[last], count - done);
      move_strided(
          base[inputs] + to.offset[inputs] * size, row_stride(&to, inputs), tile[inputs] + done * size, 1, run, size);
      walk_advance(&to, last, run);
      done += run;
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
  _Alignas(16) Tile tile[MAX_OPERANDS];
  const uint32_t row = is_flat(&walk, inputs) ? FLAT_ROW : LONG_ROW;
  if (sizes[ndim - 1] >= row) run_rows(&walk, base, end - begin, ops, scalars, body, tile);
  else run_tiles(&walk, base, end - begin, ops, scalars, body, tile);
}

void elementwise(const uint32_t *words, uint32_t begin, uint32_t end, const Operands *ops, Body body) {
  uint32_t count = ops->inputs + 1u;
  const uint32_t *scalars = words + count, *shape = scalars + 2 * ops->scalars;
  byte *base[MAX_OPERANDS];
  for (uint32_t k = 0; k < count; k++) base[k] = address(words[k]);
  if (shape[0] > 0) {
    run_walk(shape, base, begin, end, ops, scalars, body);
    return;
  }
  const void *in[MAX_OPERANDS];
  for (uint32_t k = 0; k < count - 1; k++) in[k] = base[k] + (size_t)begin * ops->size[k];
  byte *out = base[count - 1] + (size_t)begin * ops->size[count - 1];
  run_body(body, ops, in, out, end - begin, scalars);
}
