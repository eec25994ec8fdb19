// All byte kernels of one instruction set. Before including, define what u8_vector.h and u8_gemm.h ask for, or U8_AMX
// as 1 where products are made by AMX.
#pragma clang fp contract(off)
#define FUSED 0
#include "vector.h"

#include "u8_vector.h"

// Columns in a block of what a depthwise convolution writes: AMX loads a pixel's channels as they lie side by side.
#if U8_AMX
#define BLOCK_COLUMNS 1
#else
#define BLOCK_COLUMNS 4
#endif

// x · sigmoid(x), within 7e-4: the eighth power of a polynomial is sigmoid(-|x|). Every operation is rounded by itself.
INLINE vf u8_silu(vf x) {
    const vf magnitude = __builtin_elementwise_abs(x);
    vf q = magnitude * -0.00015203896f + 0.0027475618f;
    q = magnitude * q + -0.013730705f;
    q = magnitude * q + -0.057421733f;
    q = magnitude * q + 0.91700404f;
    q = maximum(q, (vf)0.0f);
    q = q * q;
    q = q * q;
    return maximum(x, (vf)0.0f) - magnitude * (q * q);
}

// Of a panel, in vectors.
INLINE size_t panel_size(const struct u8_product* p, size_t panel) {
    return panel * (U8_PANEL_HEADER + p->taps * p->groups);
}

#if U8_AMX
extern const struct u8_kernel_table u8_kernel_table__avx512vnni;
#include "u8_amx.h"
#else
#include "u8_gemm.h"
#endif

#include "u8_depthwise.h"

#include "u8_elementwise.h"
