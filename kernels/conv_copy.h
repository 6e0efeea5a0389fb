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
