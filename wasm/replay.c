// Replays launches recorded by wasm/recording.ts with natively compiled kernels, under ASan and
// UBSan. The storages of a launch lie in an arena of poisoned memory, so that a step past an end is
// caught. Each launch runs twice, whole and in three pieces out of order; both must give the bits
// that WebAssembly gave.
#include <math.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void (*Kernel)(const void *p, uint32_t begin, uint32_t end);
typedef struct {
  const char *name;
  Kernel run;
  // Bits of the buffer words that hold scratch memory.
  uint32_t scratch, launches, rounded;
} KernelEntry;
extern KernelEntry kernel_table[];
extern const size_t kernel_count;

unsigned char *arena;

enum { MAGIC = 0x4c4f5349, ALIGNMENT = 64, GAP = 1024 };
static const uint32_t BLOCK = 0xffffffff;

typedef struct {
  uint32_t bytes, changed, offset;
  const unsigned char *before, *after;
} Region;

typedef struct {
  const char *name;
  uint32_t name_bytes, word_count, relocation_count, region_count, range;
  const uint32_t *words, *relocations;
  Region *regions;
} Record;

static size_t arena_bytes;
static const Record *current;

static uint32_t round_up(uint32_t value, uint32_t unit) { return (value + unit - 1) / unit * unit; }

static void *checked(void *memory) {
  if (memory == NULL) {
    fprintf(stderr, "replay: out of memory\n");
    exit(2);
  }
  return memory;
}

// Reads one record at `at`, returns the position after it.
static const unsigned char *parse(const unsigned char *at, Record *r) {
  const uint32_t *head = (const uint32_t *)at;
  if (head[0] != MAGIC) {
    fprintf(stderr, "replay: damaged recording\n");
    exit(2);
  }
  r->name_bytes = head[1], r->word_count = head[2], r->relocation_count = head[3];
  r->region_count = head[4], r->range = head[5];
  at += 24;
  r->name = (const char *)at;
  at += round_up(r->name_bytes, 4);
  r->words = (const uint32_t *)at;
  at += 4 * r->word_count;
  r->relocations = (const uint32_t *)at;
  at += 12 * r->relocation_count;
  const uint32_t *sizes = (const uint32_t *)at;
  at += 8 * r->region_count;
  r->regions = checked(calloc(r->region_count + 1, sizeof(Region)));
  for (uint32_t i = 0; i < r->region_count; i++) {
    Region *region = &r->regions[i];
    region->bytes = sizes[2 * i], region->changed = sizes[2 * i + 1];
    region->before = region->after = at;
    at += round_up(region->bytes, 4);
    if (!region->changed) continue;
    region->after = at;
    at += round_up(region->bytes, 4);
  }
  return at;
}

// Gives every region its place; returns the offset of the parameter block.
static uint32_t place(Record *r) {
  uint32_t end = GAP;
  for (uint32_t i = 0; i < r->region_count; i++) {
    r->regions[i].offset = end;
    end = round_up(end + r->regions[i].bytes, ALIGNMENT) + GAP;
  }
  const uint32_t block = end;
  const size_t bytes = (size_t)round_up(end + 4 * r->word_count, ALIGNMENT) + GAP;
  if (bytes > arena_bytes) {
    free(arena);
    arena_bytes = bytes * 2;
    arena = checked(aligned_alloc(ALIGNMENT, round_up(arena_bytes, ALIGNMENT)));
  }
  ASAN_POISON_MEMORY_REGION(arena, arena_bytes);
  return block;
}

// Puts the bytes before the launch, and the block with its addresses, into the arena.
static void fill(const Record *r, uint32_t block) {
  for (uint32_t i = 0; i < r->region_count; i++) {
    const Region *region = &r->regions[i];
    ASAN_UNPOISON_MEMORY_REGION(arena + region->offset, region->bytes);
    memcpy(arena + region->offset, region->before, region->bytes);
  }
  ASAN_UNPOISON_MEMORY_REGION(arena + block, 4 * r->word_count);
  memcpy(arena + block, r->words, 4 * r->word_count);
  for (uint32_t i = 0; i < r->relocation_count; i++) {
    const uint32_t *entry = r->relocations + 3 * i;
    const uint32_t base = entry[1] == BLOCK ? block : r->regions[entry[1]].offset;
    const uint32_t address = base + entry[2];
    memcpy(arena + block + 4 * entry[0], &address, 4);
  }
}

static uint32_t sanitizer_reports;

// Called by the undefined behaviour sanitizer, which goes on after a report.
void __ubsan_on_report(void);
void __ubsan_on_report(void) { sanitizer_reports++; }

static bool ends_with(const Record *r, const char *suffix) {
  const size_t n = strlen(suffix);
  return r->name_bytes >= n && memcmp(r->name + r->name_bytes - n, suffix, n) == 0;
}

static bool near(double got, double wanted, double tolerance) {
  return fabs(got - wanted) <= tolerance * fmax(1, fmax(fabs(got), fabs(wanted)));
}

enum Verdict { SAME, ROUNDED, DIFFERENT };

// NaNs are one value here: engines choose their bits freely. The C libraries of both sides round
// float64 functions differently in the last place, so float64 may differ by a few of them.
static enum Verdict compare_f64(const Region *region) {
  const unsigned char *got = arena + region->offset, *wanted = region->after;
  const uint32_t bytes = region->bytes;
  enum Verdict verdict = SAME;
  for (uint32_t i = 0; i + 8 <= bytes; i += 8) {
    double a, b;
    memcpy(&a, got + i, 8), memcpy(&b, wanted + i, 8);
    if (memcmp(&a, &b, 8) == 0 || (isnan(a) && isnan(b))) continue;
    if (!near(a, b, 1e-12)) return DIFFERENT;
    verdict = ROUNDED;
  }
  return verdict;
}

static enum Verdict compare_f32(const Region *region) {
  const unsigned char *got = arena + region->offset, *wanted = region->after;
  const uint32_t bytes = region->bytes;
  for (uint32_t i = 0; i + 4 <= bytes; i += 4) {
    float a, b;
    memcpy(&a, got + i, 4), memcpy(&b, wanted + i, 4);
    if (memcmp(&a, &b, 4) != 0 && !(isnan(a) && isnan(b))) return DIFFERENT;
  }
  return SAME;
}

static bool is_nan_f16(uint16_t half) { return (half & 0x7fff) > 0x7c00; }

static enum Verdict compare_f16(const Region *region) {
  const unsigned char *got = arena + region->offset, *wanted = region->after;
  for (uint32_t i = 0; i + 2 <= region->bytes; i += 2) {
    uint16_t a, b;
    memcpy(&a, got + i, 2), memcpy(&b, wanted + i, 2);
    if (a != b && !(is_nan_f16(a) && is_nan_f16(b))) return DIFFERENT;
  }
  return SAME;
}

// Whether an elementwise kernel casts rows of float16: what it has for a number of dimensions says so.
static bool casts_halves(const Record *r) {
  for (uint32_t i = 0; i < r->word_count; i++)
    if (r->words[i] == 1 + 256 * 2) return true;
  return false;
}

// Whether only scratch words point into a region.
static bool is_scratch(const Record *r, uint32_t region, uint32_t scratch) {
  for (uint32_t i = 0; i < r->relocation_count; i++) {
    const uint32_t word = r->relocations[3 * i];
    const bool marked = word < 32 && ((scratch >> word) & 1);
    if (r->relocations[3 * i + 1] == region && !marked) return false;
  }
  return true;
}

// Compares all regions but those that only words in `scratch` point to.
static enum Verdict compare(const Record *r, uint32_t scratch) {
  enum Verdict verdict = SAME;
  for (uint32_t i = 0; i < r->region_count; i++) {
    const Region *region = &r->regions[i];
    if (scratch != 0 && is_scratch(r, i, scratch)) continue;
    if (memcmp(arena + region->offset, region->after, region->bytes) == 0) continue;
    enum Verdict one = DIFFERENT;
    if (ends_with(r, "_f64")) one = compare_f64(region);
    if (ends_with(r, "_f32")) one = casts_halves(r) ? compare_f16(region) : compare_f32(region);
    if (one > verdict) verdict = one;
  }
  return verdict;
}

static KernelEntry *find(const Record *r) {
  for (size_t i = 0; i < kernel_count; i++) {
    const char *name = kernel_table[i].name;
    if (strlen(name) == r->name_bytes && memcmp(name, r->name, r->name_bytes) == 0) {
      return &kernel_table[i];
    }
  }
  return NULL;
}

// Shows where the results part, in the words of the first region that differs.
static void explain(const Record *r, const char *how) {
  const int name_bytes = (int)r->name_bytes;
  fprintf(stderr, "%.*s: other bits than WebAssembly, %s\n", name_bytes, r->name, how);
  fprintf(stderr, "  range %u, words", r->range);
  for (uint32_t i = 0; i < r->word_count && i < 24; i++) fprintf(stderr, " %u", r->words[i]);
  fprintf(stderr, "\n");
  for (uint32_t i = 0; i < r->region_count; i++) {
    const Region *region = &r->regions[i];
    for (uint32_t at = 0; at < region->bytes; at++) {
      if (arena[region->offset + at] == region->after[at]) continue;
      fprintf(stderr, "  storage %u of %u bytes, first at byte %u\n", i, region->bytes, at);
      break;
    }
  }
}

// A sanitizer's report ends with the launch it happened in.
static void name_current(void) {
  if (current == NULL) return;
  fprintf(stderr, "in a launch of %.*s, ", (int)current->name_bytes, current->name);
  fprintf(stderr, "range %u\n", current->range);
}

// Runs one launch whole and in pieces. Returns whether both agree with the recording.
static bool replay(Record *r) {
  KernelEntry *kernel = find(r);
  if (kernel == NULL) {
    fprintf(stderr, "%.*s: no such kernel in the native build\n", (int)r->name_bytes, r->name);
    return false;
  }
  kernel->launches++;
  current = r;
  const uint32_t block = place(r), low = r->range / 3, high = r->range / 2 + r->range % 2;
  const uint32_t pieces[2][4][2] = {{{0, r->range}}, {{high, r->range}, {0, low}, {low, high}}};
  for (int pass = 0; pass < 2; pass++) {
    fill(r, block);
    for (int piece = 0; piece < 3; piece++) {
      const uint32_t *range = pieces[pass][piece];
      if (range[0] < range[1]) kernel->run(arena + block, range[0], range[1]);
    }
    const enum Verdict verdict = compare(r, pass == 0 ? 0 : kernel->scratch);
    if (verdict == DIFFERENT) {
      explain(r, pass == 0 ? "in one piece" : "in three pieces");
      return false;
    }
    if (verdict == ROUNDED && pass == 0) kernel->rounded++;
  }
  return true;
}

static unsigned char *read_file(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(2);
  }
  fseek(file, 0, SEEK_END);
  *bytes = (size_t)ftell(file);
  rewind(file);
  unsigned char *data = checked(malloc(*bytes + 1));
  if (fread(data, 1, *bytes, file) != *bytes) exit(2);
  fclose(file);
  return data;
}

static void report(uint32_t passed, uint32_t failed) {
  uint32_t idle = 0, rounded = 0;
  for (size_t i = 0; i < kernel_count; i++) {
    if (kernel_table[i].rounded > 0) rounded++;
    if (kernel_table[i].launches > 0) continue;
    if (idle++ == 0) printf("no launch recorded of:");
    printf(" %s", kernel_table[i].name);
  }
  if (idle > 0) printf("\n");
  printf("%u kernels round float64 as the native C library does\n", rounded);
  printf("%zu of %zu kernels replayed: ", kernel_count - idle, kernel_count);
  printf("%u launches passed, %u failed, ", passed, failed);
  printf("%u places of undefined behaviour\n", sanitizer_reports);
}

int main(int count, char **paths) {
  uint32_t passed = 0, failed = 0;
  __sanitizer_set_death_callback(name_current);
  for (int i = 1; i < count; i++) {
    size_t bytes;
    unsigned char *data = read_file(paths[i], &bytes);
    for (const unsigned char *at = data; at < data + bytes;) {
      Record record;
      at = parse(at, &record);
      if (replay(&record)) passed++;
      else failed++;
      free(record.regions);
    }
    free(data);
  }
  report(passed, failed);
  return failed > 0 || passed == 0 || sanitizer_reports > 0;
}
