#include "CKernels.h"

#if defined(__x86_64__)
#define ISA avx512f
#define VECTOR_WIDTH 16
#define FUSED 1
#define DEPTHWISE_ROWS 2
#define GEMM_HALVES 1
#define GEMM_ROWS_1 14
#define GEMM_ROWS_2 14
#define GEMM_ROWS_3 9
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))),                   \
                             apply_to = function)
#include "templates/vector.h"

#include "templates/f32_gemm.h"

#include "templates/f32_depthwise.h"

#include "templates/f32_winograd.h"

#include "templates/f32_elementwise.h"

#include "templates/table.h"

#pragma clang attribute pop
#endif
