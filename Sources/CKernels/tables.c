#include "CKernels.h"

extern const struct kernel_table kernel_table__portable;
#if defined(__x86_64__)
extern const struct kernel_table kernel_table__avx2;
extern const struct kernel_table kernel_table__avx512f;
#endif

size_t kernel_tables(const struct kernel_table** tables, size_t capacity) {
    size_t count = 0;
#if defined(__x86_64__)
    // These builtins ask the operating system too whether it saves the registers.
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512 && count < capacity) tables[count++] = &kernel_table__avx512f;
    if (avx2 && count < capacity) tables[count++] = &kernel_table__avx2;
#endif
    if (count < capacity) tables[count++] = &kernel_table__portable;
    return count;
}
