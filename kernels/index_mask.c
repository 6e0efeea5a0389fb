// Positions of true elements: counts per block, their running sum, then each block writes from its
// own place.
#ifndef S
#include "index.h"
#define MASK_BLOCK 4096

EXPORTED void runningSum_i32(const runningSum_params *p, uint32_t begin, uint32_t end) {
  if (begin != 0 || end == 0) return;
  int32_t *counts = OUT(int32_t, counts), total = 0;
  for (uint32_t b = 0; b <= p->blocks; b++) {
    int32_t count = b < p->blocks ? counts[b] : 0;
    counts[b] = total;
    total += count;
  }
}

#define SOURCE "index_mask.c"
#include "each_width.h"
#else

// An element is true if it has bits under `mask`, which leaves out the sign of floats.
#define MASK(p) ((S)((uint64_t)(p)->maskHigh << 32 | (p)->maskLow))

// counts[b] = true elements of block b. Units are blocks.
KERNEL(nonzeroCount) {
  const S *x = IN(S, x);
  int32_t *counts = OUT(int32_t, counts);
  S mask = MASK(p);
  for (uint32_t b = begin; b < end; b++) {
    uint32_t last = MIN(p->n, (b + 1) * MASK_BLOCK);
    int32_t count = 0;
    for (uint32_t i = b * MASK_BLOCK; i < last; i++) count += (x[i] & mask) != 0;
    counts[b] = count;
  }
}

// out[k, d] = coordinate d of the k-th true element of x.
KERNEL(nonzeroFill) {
  const S *x = IN(S, x);
  const int32_t *starts = IN(int32_t, starts);
  S mask = MASK(p);
  uint32_t dims = p->shape_count;
  for (uint32_t b = begin; b < end; b++) {
    uint32_t last = MIN(p->n, (b + 1) * MASK_BLOCK);
    int32_t *to = OUT(int32_t, out) + (size_t)starts[b] * dims;
    for (uint32_t i = b * MASK_BLOCK; i < last; i++) {
      if (!(x[i] & mask)) continue;
      uint32_t rest = i;
      for (uint32_t d = dims; d-- > 0;) {
        to[d] = (int32_t)(rest % p->shape[d]);
        rest /= p->shape[d];
      }
      to += dims;
    }
  }
}

// The elements of x where mask is true, in order.
KERNEL(maskedSelect) {
  const S *x = IN(S, x);
  const uint8_t *mask = IN(uint8_t, mask);
  const int32_t *starts = IN(int32_t, starts);
  for (uint32_t b = begin; b < end; b++) {
    uint32_t last = MIN(p->n, (b + 1) * MASK_BLOCK);
    S *to = OUT(S, out) + starts[b];
    for (uint32_t i = b * MASK_BLOCK; i < last; i++)
      if (mask[i]) *to++ = x[i];
  }
}

// out = x, with the elements where mask is true replaced by those of source, in order.
KERNEL(maskedScatter) {
  const S *x = IN(S, x);
  const uint8_t *mask = IN(uint8_t, mask);
  const int32_t *starts = IN(int32_t, starts);
  S *out = OUT(S, out);
  for (uint32_t b = begin; b < end; b++) {
    uint32_t last = MIN(p->n, (b + 1) * MASK_BLOCK);
    const S *from = IN(S, source) + starts[b];
    for (uint32_t i = b * MASK_BLOCK; i < last; i++) out[i] = mask[i] ? *from++ : x[i];
  }
}

#undef MASK
#endif
