#include "CKernels.h"

extern const struct kernel_table kernel_table__portable;
extern const struct u8_kernel_table u8_kernel_table__portable;
#if defined(__x86_64__)
extern const struct kernel_table kernel_table__avx2, kernel_table__avx512f;
extern const struct u8_kernel_table u8_kernel_table__avx2, u8_kernel_table__avxvnni, u8_kernel_table__avx512bw,
    u8_kernel_table__avx512vnni, u8_kernel_table__amxint8;

#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

// These builtins ask the operating system too whether it saves the registers.
#define HAS(feature) __builtin_cpu_supports(feature)

// CPUID leaf 7, EDX: bit 24 for tiles, bit 25 for products of bytes. Linux saves the tiles of processes that have asked
// for it, and refuses where a thread's stack for signals is too small for them.
static int has_amx(void) {
#if defined(__linux__) && defined(SYS_arch_prctl)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18 };
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 24 & 3) == 3 &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) == 0;
#else
    return 0;
#endif
}

// CPUID leaf 7, subleaf 1, EAX bit 4. Its registers are AVX2's.
static int has_avxvnni(void) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}
#endif

size_t instruction_sets(struct instruction_set* sets, size_t capacity) {
    size_t count = 0;
#define OFFER(condition, ...)                                                                                          \
    if ((condition) && count < capacity) sets[count++] = (struct instruction_set)__VA_ARGS__
#if defined(__x86_64__)
    const int avx2 = HAS("avx2") && HAS("fma");
    const int avx512 = avx2 && HAS("avx512f") && HAS("avx512bw") && HAS("avx512dq") && HAS("avx512vl");
    const int vnni = avx512 && HAS("avx512vnni");
    OFFER(vnni && has_amx(), {"amxint8", &kernel_table__avx512f, &u8_kernel_table__amxint8});
    OFFER(vnni, {"avx512vnni", &kernel_table__avx512f, &u8_kernel_table__avx512vnni});
    OFFER(avx512, {"avx512f", &kernel_table__avx512f, &u8_kernel_table__avx512bw});
    OFFER(avx2 && has_avxvnni(), {"avxvnni", &kernel_table__avx2, &u8_kernel_table__avxvnni});
    OFFER(avx2, {"avx2", &kernel_table__avx2, &u8_kernel_table__avx2});
#endif
    OFFER(1, {"portable", &kernel_table__portable, &u8_kernel_table__portable});
    return count;
}

int kernel_fetches_ahead(void) {
#if defined(__x86_64__)
    return __builtin_cpu_is("intel");
#else
    return 0;
#endif
}
