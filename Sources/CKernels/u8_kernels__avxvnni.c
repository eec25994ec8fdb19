#include "u8_kernels.h"

#if defined(__x86_64__)
#define ISA avxvnni
#define VECTOR_WIDTH 8
#define U8_GEMM_ROWS_1 8
#define U8_GEMM_ROWS_2 4
#define U8_GEMM_ROWS_3 4
#define U8_DOT(sum, a, w) ((vi)_mm256_dpbusd_avx_epi32((__m256i)(sum), (__m256i)(a), (__m256i)(w)))
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,avxvnni"))), apply_to = function)
#include "templates/u8_all.h"
#pragma clang attribute pop
#endif
