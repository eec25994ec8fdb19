// Bytes, integers and floats in vectors of VECTOR_WIDTH lanes of 32 bits. Before including, define ISA, VECTOR_WIDTH
// and, where the target has vpdpbusd, U8_DOT(sum, a, w).
#pragma clang fp contract(off)

#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef uint8_t vb __attribute__((ext_vector_type(4 * VECTOR_WIDTH)));
typedef int8_t vsb __attribute__((ext_vector_type(4 * VECTOR_WIDTH)));
typedef uint8_t vb_lanes __attribute__((ext_vector_type(VECTOR_WIDTH)));
typedef uint32_t vu __attribute__((ext_vector_type(VECTOR_WIDTH)));
typedef int32_t vi_unaligned __attribute__((ext_vector_type(VECTOR_WIDTH), aligned(1), may_alias));
typedef uint8_t vb_lanes_unaligned __attribute__((ext_vector_type(VECTOR_WIDTH), aligned(1), may_alias));
typedef int32_t dword_unaligned __attribute__((aligned(1), may_alias));

INLINE vi load_dwords(const void* p) {
    return *(const vi_unaligned*)p;
}
INLINE void store_dwords(void* p, vi x) {
    *(vi_unaligned*)p = x;
}
// The same 4 bytes in every lane.
INLINE vi broadcast_group(const uint8_t* p) {
    return (vi)(*(const dword_unaligned*)p);
}
// VECTOR_WIDTH bytes, one a lane.
INLINE vi load_lane_bytes(const uint8_t* p) {
    return __builtin_convertvector(*(const vb_lanes_unaligned*)p, vi);
}

// sum[l] + Σ_j a[l][j] · w[l][j], bytes of `a` unsigned, of `w` signed.
INLINE vi dot(vi sum, vi a, vi w) {
#if defined(U8_DOT)
    return U8_DOT(sum, a, w);
#elif VECTOR_WIDTH == 16
    return sum + (vi)_mm512_madd_epi16(_mm512_maddubs_epi16((__m512i)a, (__m512i)w), _mm512_set1_epi16(1));
#elif VECTOR_WIDTH == 8
    return sum + (vi)_mm256_madd_epi16(_mm256_maddubs_epi16((__m256i)a, (__m256i)w), _mm256_set1_epi16(1));
#elif defined(__SSE2__)
    const __m128i low = _mm_set1_epi16(0xff);
    const __m128i even =
        _mm_madd_epi16(_mm_and_si128((__m128i)a, low), _mm_srai_epi16(_mm_slli_epi16((__m128i)w, 8), 8));
    const __m128i odd = _mm_madd_epi16(_mm_srli_epi16((__m128i)a, 8), _mm_srai_epi16((__m128i)w, 8));
    return sum + (vi)even + (vi)odd;
#else
    for (int j = 0; j < 4; j++)
        sum += (vi)(((vu)a >> (8 * j)) & 255) * ((w << (24 - 8 * j)) >> 24);
    return sum;
#endif
}

// To the nearest integer, of halves to the even one; |x| is below 2³⁰.
INLINE vi round_to_int(vf x) {
#if VECTOR_WIDTH == 16
    return (vi)_mm512_cvtps_epi32((__m512)x);
#elif VECTOR_WIDTH == 8
    return (vi)_mm256_cvtps_epi32((__m256)x);
#elif defined(__SSE2__)
    return (vi)_mm_cvtps_epi32((__m128)x);
#else
    // What is clamped here is cut off at a byte's range anyway.
    x = minimum(maximum(x, (vf)-65536.0f), (vf)65536.0f) + 0x1.8p23f;
    return (vi)x - 0x4b400000;
#endif
}
INLINE vf to_float(vi x) {
    return __builtin_convertvector(x, vf);
}
INLINE vi clamp_to_byte(vi x) {
    x = x < 0 ? (vi)0 : x;
    return x > 255 ? (vi)255 : x;
}

// Saturates to bytes and packs four rows: in every 16 bytes 4 lanes of row 0, of row 1, 2 and 3.
INLINE vi pack_rows(vi r0, vi r1, vi r2, vi r3) {
#if VECTOR_WIDTH == 16
    return (vi)_mm512_packus_epi16(_mm512_packs_epi32((__m512i)r0, (__m512i)r1),
                                   _mm512_packs_epi32((__m512i)r2, (__m512i)r3));
#elif VECTOR_WIDTH == 8
    return (vi)_mm256_packus_epi16(_mm256_packs_epi32((__m256i)r0, (__m256i)r1),
                                   _mm256_packs_epi32((__m256i)r2, (__m256i)r3));
#elif defined(__SSE2__)
    return (vi)_mm_packus_epi16(_mm_packs_epi32((__m128i)r0, (__m128i)r1), _mm_packs_epi32((__m128i)r2, (__m128i)r3));
#else
    const vb_lanes b0 = __builtin_convertvector(clamp_to_byte(r0), vb_lanes);
    const vb_lanes b1 = __builtin_convertvector(clamp_to_byte(r1), vb_lanes);
    const vb_lanes b2 = __builtin_convertvector(clamp_to_byte(r2), vb_lanes);
    const vb_lanes b3 = __builtin_convertvector(clamp_to_byte(r3), vb_lanes);
    const uint8_t __attribute__((ext_vector_type(8))) low = __builtin_shufflevector(b0, b1, 0, 1, 2, 3, 4, 5, 6, 7);
    const uint8_t __attribute__((ext_vector_type(8))) high = __builtin_shufflevector(b2, b3, 0, 1, 2, 3, 4, 5, 6, 7);
    return (vi)__builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
}

// What `pack_rows` gave, as lanes of 4 rows each.
INLINE vi rows_of_lanes(vi packed) {
#define U8_TRANSPOSED(i)                                                                                               \
    i, i + 4, i + 8, i + 12, i + 1, i + 5, i + 9, i + 13, i + 2, i + 6, i + 10, i + 14, i + 3, i + 7, i + 11, i + 15
    const vb x = (vb)packed;
#if VECTOR_WIDTH == 16
    return (vi)__builtin_shufflevector(x, x, U8_TRANSPOSED(0), U8_TRANSPOSED(16), U8_TRANSPOSED(32), U8_TRANSPOSED(48));
#elif VECTOR_WIDTH == 8
    return (vi)__builtin_shufflevector(x, x, U8_TRANSPOSED(0), U8_TRANSPOSED(16));
#else
    return (vi)__builtin_shufflevector(x, x, U8_TRANSPOSED(0));
#endif
}

// Saturates to bytes and stores VECTOR_WIDTH of them.
INLINE void store_lane_bytes(uint8_t* p, vi x) {
#if VECTOR_WIDTH == 16
    _mm_storeu_si128((__m128i*)p, _mm512_cvtusepi32_epi8(_mm512_max_epi32((__m512i)x, _mm512_setzero_si512())));
#elif VECTOR_WIDTH == 8
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)x), _mm256_extracti128_si256((__m256i)x, 1));
    _mm_storel_epi64((__m128i*)p, _mm_packus_epi16(words, words));
#elif defined(__SSE2__)
    const __m128i words = _mm_packs_epi32((__m128i)x, (__m128i)x);
    *(dword_unaligned*)p = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
#else
    *(vb_lanes_unaligned*)p = __builtin_convertvector(clamp_to_byte(x), vb_lanes);
#endif
}

// Saturates `vectors` vectors to bytes and stores these one behind the other; `vectors` is 1 to 3, and constant once
// inlined.
INLINE void store_lanes_bytes(const size_t vectors, uint8_t* p, const vi* x) {
#if VECTOR_WIDTH == 16
    if (vectors > 1) {
        const __m512i low = _mm512_packs_epi32((__m512i)x[0], (__m512i)x[1]);
        const __m512i high = vectors == 3 ? _mm512_packs_epi32((__m512i)x[2], (__m512i)x[2]) : low;
        // In every 16 bytes 4 lanes of each vector.
        const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        const __m512i bytes = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high));
        if (vectors == 2)
            _mm256_storeu_si256((__m256i*)p, _mm512_castsi512_si256(bytes));
        else
            _mm512_mask_storeu_epi32(p, 0xfff, bytes);
        return;
    }
#endif
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++)
        store_lane_bytes(p + j * VECTOR_WIDTH, x[j]);
}
