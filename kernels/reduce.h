// Sizes shared by the reductions; ts/ops/primitives/reduce.ts counts their units of work with the
// same numbers.
#ifndef ISOTORCH_REDUCE_H
#define ISOTORCH_REDUCE_H

#define REDUCE_COLUMNS 128
#define REDUCE_BLOCK 4096
#define REDUCE_VECTORS (REDUCE_COLUMNS / LANES + 1)
// Contiguous rows up to this length are reduced with rows in the lanes.
#define REDUCE_SHORT 16

#endif
