// The index space of an elementwise kernel, walked in order of the output's elements.
#ifndef ISOTORCH_ELEMENTWISE_WALK_H
#define ISOTORCH_ELEMENTWISE_WALK_H

#include "elementwise.h"

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

static int32_t row_stride(const Walk *walk, uint32_t k) {
  return walk->strides[k * walk->ndim + walk->ndim - 1];
}

// Whether one element of an input serves the last two dimensions.
static bool is_still(const Walk *walk, uint32_t k) {
  return row_stride(walk, k) == 0 && walk->strides[(k + 1) * walk->ndim - 2] == 0;
}

// Whether the elements of an operand follow one another.
static bool is_flat(const Walk *walk, uint32_t k) {
  int64_t step = 1;
  for (uint32_t d = walk->ndim; d-- > 0; step *= walk->sizes[d])
    if (walk->strides[k * walk->ndim + d] != step) return false;
  return true;
}

#endif
