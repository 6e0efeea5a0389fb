// Unpacks the embedded modules: raw LZMA, and the streams that split.mjs makes of them. It is a module
// of its own, since JavaScript that runs once takes four times as long.
#include <stdint.h>

typedef uint8_t u8;

// ---- LZMA (lc = 1, lp = 0, pb = 0) ----

enum {
  LITERAL = 0x300,
  // Where the probabilities of each kind of decision begin.
  IS_MATCH = 0,
  IS_REPEAT = 12,
  IS_REPEAT_LATER = 24,
  IS_REPEAT_THIRD = 36,
  IS_REPEAT_FOURTH = 48,
  IS_REPEAT_LONG = 60,
  SLOTS = 72,
  LOW_DISTANCE = SLOTS + 4 * 64,
  ALIGN = LOW_DISTANCE + 128,
  MATCH_LENGTH = ALIGN + 16,
  REPEAT_LENGTH = MATCH_LENGTH + 274,
  LITERALS = REPEAT_LENGTH + 274,
  MODELS = LITERALS + 2 * LITERAL,
};

static uint16_t models[MODELS];
static const u8 *packed;
static uint32_t range, code;

static void refill(void) {
  if (range >> 24) return;
  range <<= 8;
  code = code << 8 | *packed++;
}

static uint32_t bit(uint32_t index) {
  uint32_t probability = models[index], bound = (range >> 11) * probability;
  uint32_t is_set = code >= bound;
  if (is_set) {
    range -= bound;
    code -= bound;
    models[index] = (uint16_t)(probability - (probability >> 5));
  } else {
    range = bound;
    models[index] = (uint16_t)(probability + ((2048 - probability) >> 5));
  }
  refill();
  return is_set;
}

// Bits without a model, the highest first.
static uint32_t direct(uint32_t count) {
  uint32_t value = 0;
  for (; count > 0; count--) {
    range >>= 1;
    uint32_t is_set = code >= range;
    if (is_set) code -= range;
    value = value * 2 + is_set;
    refill();
  }
  return value;
}

// Bits of a tree, the highest first.
static uint32_t tree(uint32_t base, uint32_t bits) {
  uint32_t node = 1;
  for (uint32_t i = 0; i < bits; i++) node = node * 2 + bit(base + node);
  return node - (1u << bits);
}

// Bits of a tree, the lowest first.
static uint32_t reverse(uint32_t base, uint32_t bits) {
  uint32_t value = 0;
  for (uint32_t i = 0, node = 1; i < bits; i++) {
    uint32_t is_set = bit(base + node);
    node = node * 2 + is_set;
    value |= is_set << i;
  }
  return value;
}

static uint32_t length_of(uint32_t base) {
  if (!bit(base)) return 2 + tree(base + 2, 3);
  if (!bit(base + 1)) return 10 + tree(base + 10, 3);
  return 18 + tree(base + 18, 8);
}

static uint32_t distance_of(uint32_t length) {
  uint32_t slot = tree(SLOTS + (length < 5 ? length - 2 : 3) * 64, 6);
  if (slot < 4) return slot;
  uint32_t bits = (slot >> 1) - 1, base = (2 | (slot & 1)) << bits;
  if (slot < 14) return base + reverse(LOW_DISTANCE + base - slot, bits);
  uint32_t high = direct(bits - 4) * 16;
  return base + high + reverse(ALIGN, 4);
}

// A byte after `before`; `matched`, if `offset` is 256, is what a match would have gone on with.
static u8 literal(uint32_t before, uint32_t matched, uint32_t offset) {
  uint32_t base = LITERALS + (before >> 7) * LITERAL, node = 1;
  while (node < 256) {
    matched <<= 1;
    uint32_t is_set = bit(base + offset + (matched & offset) + node);
    node = node * 2 + is_set;
    offset &= is_set ? matched : ~matched;
  }
  return (u8)node;
}

// The distance of a repeated match, which becomes the first of the last four.
static uint32_t repeated(uint32_t *back, uint32_t state) {
  uint32_t place = !bit(IS_REPEAT_THIRD + state) ? 1 : !bit(IS_REPEAT_FOURTH + state) ? 2 : 3;
  uint32_t distance = back[place];
  for (; place > 0; place--) back[place] = back[place - 1];
  return distance;
}

void unpack_lzma(const u8 *from, u8 *out, uint32_t size) {
  uint32_t back[4] = {1, 1, 1, 1}, state = 0;
  for (uint32_t i = 0; i < MODELS; i++) models[i] = 1024;
  packed = from + 1;
  range = 0xffffffff;
  for (uint32_t i = 0; i < 4; i++) code = code << 8 | *packed++;
  for (uint32_t at = 0; at < size;) {
    uint32_t was_literal = state < 7;
    if (!bit(IS_MATCH + state)) {
      uint32_t before = at > 0 ? out[at - 1] : 0;
      out[at] = was_literal ? literal(before, 0, 0) : literal(before, out[at - back[0]], 256);
      at++;
      state = state < 4 ? 0 : state - (state < 10 ? 3 : 6);
      continue;
    }
    uint32_t length = 1;
    if (!bit(IS_REPEAT + state)) {
      length = length_of(MATCH_LENGTH);
      for (uint32_t i = 3; i > 0; i--) back[i] = back[i - 1];
      back[0] = distance_of(length) + 1;
      state = was_literal ? 7 : 10;
    } else {
      uint32_t later = bit(IS_REPEAT_LATER + state), whole = later || bit(IS_REPEAT_LONG + state);
      if (later) back[0] = repeated(back, state);
      if (whole) length = length_of(REPEAT_LENGTH);
      state = was_literal ? (whole ? 8 : 9) : 11;
    }
    for (; length > 0; length--, at++) out[at] = out[at - back[0]];
  }
}

// ---- modules of streams ----

enum {
  // The streams by number; those of operands follow.
  TABLE,
  INSTRUCTIONS,
  LOCALS,
  NEW_LOCALS,
  DECLARED,
  COUNTS,
  TYPES,
  REST,
  // Sizes of operands that are numbers in LEB128, and of those that begin with their size.
  NUMBER = 0,
  WITH_LENGTH = 255,
  // Instructions with a place from here on take two bytes.
  ESCAPE = 255,
  // Of the instructions the first is the end of a function.
  END = 0,
  EXPORT_SECTION = 7,
  CODE_SECTION = 10,
};

// Where each stream is read next, and where the next byte of the module goes.
static const u8 *next[256];
static u8 *out;
// The name of each instruction and its operands, behind their lengths.
static const u8 *names[512], *operands[512];

static uint32_t number(uint32_t stream) {
  uint32_t value = 0, shift = 0, byte;
  do {
    byte = *next[stream]++;
    value |= (byte & 127) << shift;
    shift += 7;
  } while (byte > 127);
  return value;
}

static void put(uint32_t value) {
  for (; value > 127; value >>= 7) *out++ = (u8)(value | 128);
  *out++ = (u8)value;
}

// Copies a count, and returns it.
static uint32_t count_of(uint32_t stream) {
  uint32_t count = number(stream);
  put(count);
  return count;
}

static void copy(uint32_t stream, uint32_t size) {
  if (size == NUMBER) {
    do {
      *out++ = *next[stream];
    } while (*next[stream]++ > 127);
    return;
  }
  if (size == WITH_LENGTH) size = number(stream);
  for (; size > 0; size--) *out++ = *next[stream]++;
}

// Moves what was put since `start` behind its length.
static void measure(u8 *start) {
  uint32_t size = (uint32_t)(out - start), bytes = 1;
  for (uint32_t rest = size; rest > 127; rest >>= 7) bytes++;
  __builtin_memmove(start + bytes, start, size);
  out = start;
  put(size);
  out += size;
}

static void body(void) {
  // Locals, the last used first; how many; the one behind the last that was new.
  static uint16_t recent[1 << 16];
  uint32_t used = 0, fresh = 0, place;
  u8 *start = out;
  for (uint32_t groups = count_of(DECLARED); groups > 0; groups--) {
    count_of(COUNTS);
    copy(TYPES, 1);
  }
  do {
    place = *next[INSTRUCTIONS]++;
    if (place == ESCAPE) place += *next[INSTRUCTIONS]++;
    const u8 *name = names[place], *operand = operands[place];
    for (uint32_t i = 1; i <= name[0]; i++) *out++ = name[i];
    for (uint32_t i = 1; i < operand[0]; i += 2) {
      if (operand[i] != LOCALS) {
        copy(operand[i], operand[i + 1]);
        continue;
      }
      // By its place among the last used, or by its distance from the last new one.
      uint32_t since = number(LOCALS), index = since > 0 ? recent[since - 1] : fresh;
      if (since == 0) {
        uint32_t distance = number(NEW_LOCALS);
        index += distance & 1 ? ~(distance >> 1) : distance >> 1;
        fresh = index + 1;
        since = ++used;
      }
      for (; since > 1; since--) recent[since - 1] = recent[since - 2];
      recent[0] = (uint16_t)index;
      put(index);
    }
  } while (place != END);
  measure(start);
}

// Begins with what `split` made.
void join_begin(const u8 *streams) {
  next[TABLE] = streams;
  uint32_t count = *next[TABLE]++, lengths[256];
  for (uint32_t i = 0; i < count; i++) lengths[i] = number(TABLE);
  const u8 *start = next[TABLE];
  for (uint32_t i = 0; i < count; start += lengths[i++]) next[i] = start;
  count = number(TABLE);
  for (uint32_t i = 0; i < 2 * count; i++) {
    (i % 2 ? operands : names)[i / 2] = next[TABLE];
    next[TABLE] += 1 + *next[TABLE];
  }
}

// The next module.
void join_next(u8 *to) {
  out = to;
  copy(REST, WITH_LENGTH);
  put(EXPORT_SECTION);
  u8 *start = out;
  for (uint32_t exports = count_of(REST), index = 0; exports > 0; exports--) {
    uint32_t length = number(REST);
    put(length - 1);
    copy(REST, length);
    put(index += number(REST));
  }
  measure(start);
  copy(REST, WITH_LENGTH);
  put(CODE_SECTION);
  start = out;
  for (uint32_t functions = count_of(REST); functions > 0; functions--) body();
  measure(start);
  copy(REST, WITH_LENGTH);
}
