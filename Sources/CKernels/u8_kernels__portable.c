#include "u8_kernels.h"

// Vectors of 16 bytes, which every target has: SSE2, NEON.
#define ISA portable
#define VECTOR_WIDTH 4
#define U8_GEMM_ROWS_1 8
#define U8_GEMM_ROWS_2 4
#define U8_GEMM_ROWS_3 4
#include "templates/u8_all.h"
