// Copies of pixels side by side, included once per dtype.

// The end is copied as one vector, which may reach back over what is there already.
static inline __attribute__((always_inline)) void NAME(copy_run)(S *to, const S *from,
                                                                 uint32_t count) {
  uint32_t q = 0;
  if (count < LANES) {
    for (; q < count; q++) to[q] = from[q];
    return;
  }
  NO_UNROLL for (; q + 4 * LANES <= count; q += 4 * LANES) {
    V v[4];
    UNROLL for (int i = 0; i < 4; i++) v[i] = load(from + q + i * LANES);
    UNROLL for (int i = 0; i < 4; i++) store(to + q + i * LANES, v[i]);
  }
  NO_UNROLL for (; q + LANES <= count; q += LANES) store(to + q, load(from + q));
  if (q < count) store(to + count - LANES, load(from + count - LANES));
}

// out[x] from lines for each remainder of x + first by the step, `size` apart.
static inline __attribute__((always_inline)) void NAME(join_row)(S *out, uint32_t count,
                                                                 const S *line, size_t size,
                                                                 uint32_t step, uint32_t first) {
  uint32_t x = 0;
  if (step == 1) {
    NAME(copy_run)(out, line + first, count);
    return;
  }
#if LANES == 4
  if (step == 2) {
    const S *even = line + first % 2 * size + first / 2;
    const S *odd = line + (first + 1) % 2 * size + (first + 1) / 2;
    for (; count >= 2 * LANES && x + 1 < count; x += 2 * LANES) {
      x = MIN(x, (count - 2 * LANES) & ~1u);
      const V a = load(even + x / 2), c = load(odd + x / 2);
      store(out + x, __builtin_shufflevector(a, c, 0, 4, 1, 5));
      store(out + x + LANES, __builtin_shufflevector(a, c, 2, 6, 3, 7));
    }
  }
#endif
  for (; x < count; x++) out[x] = line[(x + first) % step * size + (x + first) / step];
}
