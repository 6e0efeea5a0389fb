#pragma once
#include <math.h>
#include <stddef.h>
#include <wasm_simd128.h>

void gemm_packed(int m, int n, int k, const float *a, const float *b, float *c, int c_row,
                 float *scratch);
