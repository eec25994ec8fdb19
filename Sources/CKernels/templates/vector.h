// The vector type and operations that the templates are written in. Before including, define ISA (the suffix of every
// name), VECTOR_WIDTH (floats) and FUSED (1 where the target has fused multiply-add).
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define KERNEL(name) PASTE(name##__, ISA)
#define INLINE static inline __attribute__((always_inline))

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

// e^x for x in [-87, 87], clamped to there; relative error below 2e-7.
// x = n·ln 2 + r, |r| ≤ ln 2 / 2; e^r by its minimax polynomial of degree 6; 2^n added to the exponent's bits.
INLINE vf exponential(vf x) {
    const float round_to_integer = 0x1.8p23f;
    x = minimum(maximum(x, (vf)(-87.0f)), (vf)(87.0f));
    vf shifted = multiply_add(x, (vf)0x1.715476p+0f, (vf)round_to_integer);
    vf n = shifted - round_to_integer;
    vf r = multiply_add(n, (vf)-0x1.62e400p-1f, x);
    r = multiply_add(n, (vf)-0x1.7f7d1cp-20f, r);
    vf p = (vf)0x1.6a23cep-10f;
    p = multiply_add(p, r, (vf)0x1.123a20p-7f);
    p = multiply_add(p, r, (vf)0x1.5558f2p-5f);
    p = multiply_add(p, r, (vf)0x1.555492p-3f);
    p = multiply_add(p, r, (vf)0x1.fffffcp-2f);
    p = multiply_add(p, r, (vf)1.0f);
    p = multiply_add(p, r, (vf)1.0f);
    vi exponent = ((vi)shifted - 0x4b400000) << 23;
    return (vf)((vi)p + exponent);
}

INLINE vf sigmoid(vf x) {
    return (vf)1.0f / (1.0f + exponential(-x));
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
        return x / (1.0f + exponential(-x));
    case KERNEL_ACTIVATION_SIGMOID:
        return sigmoid(x);
    }
    return x;
}
