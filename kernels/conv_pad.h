// Rows in padding, included once per dtype.

#ifndef CONV_PAD_H
#define CONV_PAD_H
static inline int32_t floor_div(int32_t a, int32_t b) {
  return a >= 0 ? a / b : -((b - 1 - a) / b);
}

// Planes, and the padded rows that are made of them: of `phases` columns of equal remainder, `kept`.
typedef struct {
  int32_t height, width, cols, phases, kept, row_step, left;
} conv_padding;
#endif

// Copies out[q] = row[q * phases], q in [q, last).
static inline __attribute__((always_inline)) void NAME(pad_row)(S *out, const S *row, int32_t q,
                                                                int32_t last, int32_t phases) {
  if (phases == 1) {
    NAME(copy_run)(out + q, row + q, MAX(0, last - q));
    return;
  }
#if LANES == 4
  if (phases == 2) {
    for (; q + LANES <= last; q += LANES) {
      const S *p = row + q * 2;
      store(out + q, __builtin_shufflevector(load(p), load(p + 3), 0, 2, 5, 7));
    }
  }
#endif
  for (; q < last; q++) out[q] = row[q * phases];
}

// Columns [first, last) of a padded row that come from x, every `phases`-th from `from` on.
typedef struct {
  int32_t first, last, from;
} NAME(pad_span);

static NAME(pad_span) NAME(pad_span_of)(int32_t width, int32_t cols, int32_t phase, int32_t phases,
                                        int32_t left) {
  const int32_t low = floor_div(left - phase + phases - 1, phases);
  const int32_t high = floor_div(width - 1 + left - phase, phases) + 1;
  const int32_t first = MIN(MAX(low, 0), cols), last = MAX(MIN(high, cols), first);
  return (NAME(pad_span)){first, last, phase - left};
}

// A padded row, of zeros if there is no x. Zeros come first, in vectors.
static inline __attribute__((always_inline)) void NAME(pad_line)(S *out, const S *x, int32_t cols,
                                                                 int32_t phases,
                                                                 NAME(pad_span) span) {
  const int32_t first = x ? span.first : cols, last = x ? span.last : cols;
  if (cols < LANES) {
    for (int32_t q = 0; q < cols; q++) {
      out[q] = q < first || q >= last ? 0 : x[span.from + q * phases];
    }
    return;
  }
  NO_UNROLL for (int32_t q = 0; q < first; q += LANES) store(out + MIN(q, cols - LANES), (V){0});
  NO_UNROLL for (int32_t q = last; q < cols; q += LANES) store(out + MIN(q, cols - LANES), (V){0});
  if (x) NAME(pad_row)(out, x + span.from, first, last, phases);
}

// out[y][phase][q] = x[from + y * row_step][q * phases + phase - left], zero outside.
SMALL
__attribute__((unused)) static void NAME(pad_rows)(S *out, const S *x, const conv_padding *t,
                                                   int32_t from, uint32_t rows) {
  for (; rows > 0; rows--, from += t->row_step) {
    const bool inside = from >= 0 && from < t->height;
    for (int32_t phase = 0; phase < t->kept; phase++, out += t->cols) {
      const NAME(pad_span) span =
          NAME(pad_span_of)(t->width, t->cols, phase, t->phases, t->left);
      NAME(pad_line)(out, inside ? x + (size_t)from * t->width : NULL, t->cols, t->phases, span);
    }
  }
}
