#include "resample.h"

#include <string.h>

#define ROUNDING (1 << (CIC_RESAMPLE_BITS - 1))

#define ISA portable
#define LANES 4
#include "resample_kernels.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define ISA avx2
#define LANES 8
#include "resample_kernels.h"
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))), apply_to = function)
#define ISA avx512
#define LANES 16
#include "resample_kernels.h"
#pragma clang attribute pop
#endif

bool cic_resample_kernels_for(cic_isa isa, cic_resample_kernels* kernels) {
    switch (isa) {
    case CIC_ISA_PORTABLE:
        *kernels = (cic_resample_kernels){1, u8_resample_horizontal__portable, u8_resample_vertical__portable};
        return true;
#if defined(__x86_64__)
    case CIC_ISA_AVX2:
        if (!__builtin_cpu_supports("avx2")) return false;
        *kernels = (cic_resample_kernels){2, u8_resample_horizontal__avx2, u8_resample_vertical__avx2};
        return true;
    case CIC_ISA_AVX512:
        if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
            !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
            return false;
        *kernels = (cic_resample_kernels){4, u8_resample_horizontal__avx512, u8_resample_vertical__avx512};
        return true;
#endif
    default:
        return false;
    }
}
