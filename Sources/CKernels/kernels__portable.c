#include "CKernels.h"

// Vectors of 16 bytes, which every target has: SSE2, NEON. Fused where the target fuses without being asked.
#if defined(__FMA__) || defined(__aarch64__)
#define PORTABLE_FUSED 1
#else
#define PORTABLE_FUSED 0
#endif
#define ISA portable
#define VECTOR_WIDTH 4
#define FUSED PORTABLE_FUSED
#define DEPTHWISE_ROWS 1
#define GEMM_HALVES 0
#define GEMM_ROWS_1 12
#define GEMM_ROWS_2 6
#define GEMM_ROWS_3 3

#include "templates/vector.h"

#include "templates/f32_gemm.h"

#include "templates/f32_depthwise.h"

#include "templates/f32_winograd.h"

#include "templates/f32_elementwise.h"

#include "templates/table.h"
