// The vector type and operations that the templates are written in. Before including, define ISA (the suffix of every
// name), VECTOR_WIDTH (floats) and FUSED (1 where the target has fused multiply-add).
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define KERNEL(name) PASTE(name##__, ISA)
#define INLINE static inline __attribute__((always_inline))

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

// e^-x for x in [-87, 87], clamped to there; relative error below 2e-7.
// x = r - n·ln 2, |r| ≤ ln 2 / 2; e^-r by its minimax polynomial of degree 5; 2^n added to the exponent's bits, of
// which the shift leaves nothing but n.
INLINE vf exponential_of_negative(vf x) {
    const float round_to_integer = 0x1.8p23f;
    x = minimum(maximum(x, (vf)(-87.0f)), (vf)(87.0f));
    const vf shifted = multiply_add(x, (vf)-0x1.715476p+0f, (vf)round_to_integer);
    const vf n = shifted - round_to_integer;
    vf r = multiply_add(n, (vf)0x1.62e400p-1f, x);
    r = multiply_add(n, (vf)0x1.7f7d1cp-20f, r);
    vf p = (vf)-0x1.0fa80ep-7f;
    p = multiply_add(p, r, (vf)0x1.573a86p-5f);
    p = multiply_add(p, r, (vf)-0x1.555a6cp-3f);
    p = multiply_add(p, r, (vf)0x1.fffdc4p-2f);
    p = multiply_add(p, r, (vf)-0x1.fffff6p-1f);
    p = multiply_add(p, r, (vf)1.0f);
    return (vf)((vi)p + ((vi)shifted << 23));
}

INLINE vf silu(vf x) {
    return x / (1.0f + exponential_of_negative(x));
}
INLINE vf sigmoid(vf x) {
    return (vf)1.0f / (1.0f + exponential_of_negative(x));
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
        return silu(x);
    case KERNEL_ACTIVATION_SIGMOID:
        return sigmoid(x);
    }
    return x;
}
