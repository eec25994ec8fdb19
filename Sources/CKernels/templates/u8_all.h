// All byte kernels of one instruction set.
#pragma clang fp contract(off)
#define FUSED 0
#include "vector.h"

#include "u8_vector.h"

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

#include "u8_gemm.h"

#include "u8_depthwise.h"

#include "u8_elementwise.h"
