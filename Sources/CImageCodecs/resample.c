#include "resample.h"

#include <string.h>

#define ROUNDING (1 << (CIC_RESAMPLE_BITS - 1))

// Each weight four times, for the four channels.
static void i32_pack_horizontal(int32_t* packed, const int32_t* weights, int32_t tap_count, int32_t count) {
    for (size_t index = 0; index < (size_t)count * (size_t)tap_count; index++)
        for (int channel = 0; channel < 4; channel++)
            *packed++ = weights[index];
}

static void i32_pack_vertical(int32_t* packed, const int32_t* weights, int32_t tap_count, int32_t count) {
    memcpy(packed, weights, sizeof *weights * (size_t)count * (size_t)tap_count);
}

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

#include "resample_vnni.h"

static bool has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
#endif

#define KERNELS(isa, taps)                                                                                             \
    (cic_resample_kernels) {                                                                                           \
        taps, i32_pack_horizontal, i32_pack_vertical, u8_resample_horizontal__##isa, u8_resample_vertical__##isa       \
    }

bool cic_resample_kernels_for(cic_isa isa, cic_resample_kernels* kernels) {
    switch (isa) {
    case CIC_ISA_PORTABLE:
        *kernels = KERNELS(portable, 1);
        return true;
#if defined(__x86_64__)
    case CIC_ISA_AVX2:
        if (!__builtin_cpu_supports("avx2")) return false;
        *kernels = KERNELS(avx2, 2);
        return true;
    case CIC_ISA_AVX512:
        if (!has_avx512()) return false;
        *kernels = KERNELS(avx512, 4);
        return true;
    case CIC_ISA_AVX512VNNI:
        if (!has_avx512() || !__builtin_cpu_supports("avx512vnni")) return false;
        *kernels = (cic_resample_kernels){4, u8_pack_horizontal__vnni, u8_pack_vertical__vnni,
                                          u8_resample_horizontal__vnni, u8_resample_vertical__vnni};
        return true;
#endif
    default:
        return false;
    }
}
