#include "u8_kernels.h"

#if defined(__x86_64__)
#define ISA avx2
#define VECTOR_WIDTH 8
#define U8_GEMM_ROWS_1 8
#define U8_GEMM_ROWS_2 4
#define U8_GEMM_ROWS_3 4
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "templates/u8_all.h"
#pragma clang attribute pop
#endif
