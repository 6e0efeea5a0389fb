// Sizes shared by the normalisations; ts/ops/primitives/norm.ts counts its units of work with the
// same numbers.
#ifndef ISOTORCH_NORM_H
#define ISOTORCH_NORM_H

#include <math.h>

// Values added up in vectors before they join a total in double precision.
#define NORM_BLOCK 4096
// Rows and columns of one unit where results belong to columns.
#define NORM_ROWS 64
#define NORM_COLUMNS 256

#endif
