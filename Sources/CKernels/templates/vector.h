// The vector type and operations that the templates are written in. Before including, define ISA (the suffix of every
// name), VECTOR_WIDTH (floats) and FUSED (1 where the target has fused multiply-add).
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define KERNEL(name) PASTE(name##__, ISA)
#define INLINE static inline __attribute__((always_inline))

// Fetches the cache line at an address, which need not be memory of ours, into the second-level cache.
#define CACHE_LINE 64
#define FETCH(address) __builtin_prefetch((const void*)(address), 0, 2)

// What a product fetches meanwhile: from which address on, and how far on each time.
struct ahead {
    uintptr_t at;
    size_t step;
};
// From `next` on, `size` bytes each time, which `tiles` tiles share out; where nothing is wanted a line that is at
// hand.
INLINE struct ahead ahead_of(const void* b, const void* next, int wanted, size_t size, size_t tiles) {
    if (!wanted || !next || tiles == 0) return (struct ahead){(uintptr_t)b, 0};
    return (struct ahead){(uintptr_t)next, (size + tiles - 1) / tiles};
}

// Hides where a value comes from, so that the compiler keeps it in a register and computes nothing ahead from it.
#define OPAQUE(x) __asm__ volatile("" : "+r"(x))

typedef float vf __attribute__((ext_vector_type(VECTOR_WIDTH)));
typedef int32_t vi __attribute__((ext_vector_type(VECTOR_WIDTH)));
typedef float vf_unaligned __attribute__((ext_vector_type(VECTOR_WIDTH), aligned(4), may_alias));

INLINE vf load(const float* p) {
    return *(const vf_unaligned*)p;
}
INLINE void store(float* p, vf x) {
    *(vf_unaligned*)p = x;
}
INLINE vf minimum(vf x, vf limit) {
    return x < limit ? x : limit;
}
INLINE vf maximum(vf x, vf limit) {
    return x > limit ? x : limit;
}

INLINE vf multiply_add(vf a, vf b, vf c) {
#if FUSED
    return __builtin_elementwise_fma(a, b, c);
#else
    return a * b + c;
#endif
}

// result[i] = e^-x[i] for x in [-87, 87], clamped to there; relative error below 5e-7, and 3e-7 for |x| ≤ 20.
// x = r - n·ln 2, |r| ≤ ln 2 / 2; e^-r by its minimax polynomial of degree 5; 2^n added to the exponent's bits, of
// which the shift leaves nothing but n.
//
// Step by step over all vectors, which depend on nothing but themselves: one after the other, more operations would
// wait for their turn than a core's schedulers hold. `count` is constant once inlined, and 8 at the most.
INLINE void exponentials_of_negatives(const size_t count, const vf* x, vf* result) {
#define EACH _Pragma("clang loop unroll(full)") for (size_t i = 0; i < count; i++)
    const vf round_to_integer = (vf)0x1.8p23f;
    vf r[8], shifted[8];
    EACH r[i] = minimum(maximum(x[i], (vf)(-87.0f)), (vf)(87.0f));
    EACH shifted[i] = multiply_add(r[i], (vf)-0x1.715476p+0f, round_to_integer);
#if FUSED
    EACH r[i] = multiply_add(shifted[i] - round_to_integer, (vf)0x1.62e430p-1f, r[i]);
#else
    // ln 2 in two parts, the first so short that its product is exact.
    EACH r[i] =
        (shifted[i] - round_to_integer) * 0x1.7f7d1cp-20f + ((shifted[i] - round_to_integer) * 0x1.62e400p-1f + r[i]);
#endif
    EACH result[i] = multiply_add((vf)-0x1.0fa80ep-7f, r[i], (vf)0x1.573a86p-5f);
    EACH result[i] = multiply_add(result[i], r[i], (vf)-0x1.555a6cp-3f);
    EACH result[i] = multiply_add(result[i], r[i], (vf)0x1.fffdc4p-2f);
    EACH result[i] = multiply_add(result[i], r[i], (vf)-0x1.fffff6p-1f);
    EACH result[i] = multiply_add(result[i], r[i], (vf)1.0f);
    EACH result[i] = (vf)((vi)result[i] + ((vi)shifted[i] << 23));
#undef EACH
}

// x[i] becomes x[i] / (1 + e^-x[i]); `count` as above.
INLINE void silu(const size_t count, vf* x) {
    vf e[8];
    exponentials_of_negatives(count, x, e);
#pragma clang loop unroll(full)
    for (size_t i = 0; i < count; i++)
        x[i] /= 1.0f + e[i];
}
INLINE vf sigmoid(vf x) {
    vf e;
    exponentials_of_negatives(1, &x, &e);
    return (vf)1.0f / (1.0f + e);
}
INLINE vf relu6(vf x) {
    return minimum(maximum(x, (vf)0.0f), (vf)6.0f);
}

INLINE vf activate(vf x, enum kernel_activation activation) {
    switch (activation) {
    case KERNEL_ACTIVATION_NONE:
        return x;
    case KERNEL_ACTIVATION_RELU6:
        return relu6(x);
    case KERNEL_ACTIVATION_SILU:
        silu(1, &x);
        return x;
    case KERNEL_ACTIVATION_SIGMOID:
        return sigmoid(x);
    }
    return x;
}

// As above for several vectors; `count` is constant once inlined, and 8 at the most.
INLINE void activate_all(const size_t count, vf* x, enum kernel_activation activation) {
    if (activation == KERNEL_ACTIVATION_SILU) {
        silu(count, x);
        return;
    }
#pragma clang loop unroll(full)
    for (size_t i = 0; i < count; i++)
        x[i] = activate(x[i], activation);
}
