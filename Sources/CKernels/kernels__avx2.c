#include "CKernels.h"

#if defined(__x86_64__)
#define ISA avx2
#define VECTOR_WIDTH 8
#define FUSED 1
#define DEPTHWISE_ROWS 1
#define GEMM_HALVES 0
#define GEMM_ROWS_1 12
#define GEMM_ROWS_2 6
#define GEMM_ROWS_3 3
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "templates/vector.h"

#include "templates/f32_gemm.h"

#include "templates/f32_depthwise.h"

#include "templates/f32_winograd.h"

#include "templates/f32_elementwise.h"

#include "templates/table.h"

#pragma clang attribute pop
#endif
