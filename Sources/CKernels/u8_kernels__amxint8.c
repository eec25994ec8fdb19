#include "u8_kernels.h"

#if defined(__x86_64__)
#define ISA amxint8
#define VECTOR_WIDTH 16
#define U8_AMX 1
#define U8_DOT(sum, a, w) ((vi)_mm512_dpbusd_epi32((__m512i)(sum), (__m512i)(a), (__m512i)(w)))
#include <immintrin.h>
#pragma clang attribute push(                                                                                          \
    __attribute__((target("amx-tile,amx-int8,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma"))),               \
    apply_to = function)
#include "templates/u8_all.h"
#pragma clang attribute pop
#endif
