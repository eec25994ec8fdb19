// Both passes with VPDPBUSD, which multiplies four bytes by four signed ones and adds the products up. A weight is
// three signed bytes, high x 2^16 + middle x 2^8 + low, and a sum three sums, which are put together at the end: all
// exact.

#include <immintrin.h>

#define TARGET_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

enum { DIGITS = 3, GROUP = 4, OUTPUTS = CIC_RESAMPLE_OUTPUTS }; // of a weight; taps of a dot product; in a vector

// The digits of four weights: the four lowest in the first 32 bits, and so on.
TARGET_VNNI static inline __m128i digits_of(const int32_t* weights) {
    const __m128i bias = _mm_set1_epi32(0x8080); // makes digits that are not negative, and the same bits signed
    const __m128i biased = _mm_add_epi32(_mm_loadu_si128((const __m128i*)weights), bias);
    return _mm_shuffle_epi8(_mm_xor_si128(biased, bias),
                            _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
}

// Layout: [count / 4][tap_count / 4][digit][output][channel][tap], as bytes.
TARGET_VNNI static void u8_pack_horizontal__vnni(int32_t* packed, const int32_t* weights, int32_t tap_count,
                                                 int32_t count) {
    const size_t groups = (size_t)tap_count / GROUP;
    for (int32_t output = 0; output < count; output++) {
        __m128i* vector = (__m128i*)packed + output / OUTPUTS * groups * DIGITS * OUTPUTS + output % OUTPUTS;
        for (size_t group = 0; group < groups; group++, weights += GROUP, vector += DIGITS * OUTPUTS) {
            const __m128i digits = digits_of(weights);
            _mm_storeu_si128(vector, _mm_shuffle_epi32(digits, 0x00));
            _mm_storeu_si128(vector + OUTPUTS, _mm_shuffle_epi32(digits, 0x55));
            _mm_storeu_si128(vector + 2 * OUTPUTS, _mm_shuffle_epi32(digits, 0xAA));
        }
    }
}

// Layout: [count][tap_count / 4][digit][tap] as bytes, with a gap behind each output's.
TARGET_VNNI static void u8_pack_vertical__vnni(int32_t* packed, const int32_t* weights, int32_t tap_count,
                                               int32_t count) {
    for (int32_t output = 0; output < count; output++, packed += tap_count)
        for (int32_t group = 0; group < tap_count / GROUP; group++, weights += GROUP)
            _mm_storeu_si128((__m128i*)(packed + group * DIGITS), digits_of(weights)); // the next overwrites a quarter
}

// Whole pixels or bytes, as 32-bit numbers that are still to be clipped.
TARGET_VNNI static inline __m512i finished(const __m512i sums[DIGITS]) {
    const __m512i upper = _mm512_add_epi32(_mm512_slli_epi32(sums[2], 8), sums[1]);
    const __m512i whole = _mm512_add_epi32(_mm512_slli_epi32(upper, 8), sums[0]);
    return _mm512_srai_epi32(_mm512_add_epi32(whole, _mm512_set1_epi32(ROUNDING)), CIC_RESAMPLE_BITS);
}

TARGET_VNNI static void u8_resample_horizontal__vnni(uint8_t* output, const uint8_t* row, const int32_t* first,
                                                     const int32_t* packed, int32_t tap_count, int32_t count) {
    const __m512i* weights = (const __m512i*)packed;
    const __m512i by_channel =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    const __m128i without_fourth = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15);
    for (int32_t start = 0; start < count; start += OUTPUTS) {
        int32_t padded[OUTPUTS];
        const int32_t* at = first + start;
        if (count - start < OUTPUTS) {
            for (int32_t index = 0; index < OUTPUTS; index++)
                padded[index] = at[index < count - start ? index : 0];
            at = padded;
        }
        const __m128i* pixels[OUTPUTS];
        for (int32_t index = 0; index < OUTPUTS; index++)
            pixels[index] = (const __m128i*)(row + 4 * (size_t)at[index]);
        __m512i sums[DIGITS] = {0};
        for (int32_t group = 0; group < tap_count / GROUP; group++, weights += DIGITS) {
            __m512i x = _mm512_castsi128_si512(_mm_loadu_si128(pixels[0] + group));
            x = _mm512_inserti32x4(x, _mm_loadu_si128(pixels[1] + group), 1);
            x = _mm512_inserti32x4(x, _mm_loadu_si128(pixels[2] + group), 2);
            x = _mm512_inserti32x4(x, _mm_loadu_si128(pixels[3] + group), 3);
            x = _mm512_shuffle_epi8(x, by_channel);
            for (int digit = 0; digit < DIGITS; digit++)
                sums[digit] = _mm512_dpbusd_epi32(sums[digit], x, _mm512_loadu_si512(weights + digit));
        }
        const __m512i clipped = _mm512_max_epi32(finished(sums), _mm512_setzero_si512());
        const __m128i bytes = _mm_shuffle_epi8(_mm512_cvtusepi32_epi8(clipped), without_fourth);
        _mm_storeu_si128((__m128i*)(output + 3 * (size_t)start), bytes); // the last quarter is the next store's to fill
    }
}

TARGET_VNNI static void u8_resample_vertical__vnni(uint8_t* output, const uint8_t* const* rows, const int32_t* packed,
                                                   int32_t row_count, size_t byte_count) {
    for (size_t start = 0; start < byte_count; start += sizeof(__m512i)) {
        const __mmask64 wanted = byte_count - start >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << (byte_count - start)) - 1;
        __m512i sums[4][DIGITS] = {{{0}}}; // of every fourth four bytes
        const int32_t* weights = packed;
        for (int32_t tap = 0; tap < row_count; tap += GROUP, weights += DIGITS) {
            __m512i bytes[GROUP];
            for (int32_t index = 0; index < GROUP; index++) {
                const uint8_t* row = rows[tap + index < row_count ? tap + index : row_count - 1];
                bytes[index] = _mm512_maskz_loadu_epi8(wanted, row + start);
            }
            const __m512i upper[2] = {_mm512_unpacklo_epi8(bytes[0], bytes[1]),
                                      _mm512_unpackhi_epi8(bytes[0], bytes[1])};
            const __m512i lower[2] = {_mm512_unpacklo_epi8(bytes[2], bytes[3]),
                                      _mm512_unpackhi_epi8(bytes[2], bytes[3])};
            for (int part = 0; part < 4; part++) {
                const __m512i x = part % 2 == 0 ? _mm512_unpacklo_epi16(upper[part / 2], lower[part / 2])
                                                : _mm512_unpackhi_epi16(upper[part / 2], lower[part / 2]);
                for (int digit = 0; digit < DIGITS; digit++)
                    sums[part][digit] = _mm512_dpbusd_epi32(sums[part][digit], x, _mm512_set1_epi32(weights[digit]));
            }
        }
        const __m512i even = _mm512_packs_epi32(finished(sums[0]), finished(sums[1]));
        const __m512i odd = _mm512_packs_epi32(finished(sums[2]), finished(sums[3]));
        _mm512_mask_storeu_epi8(output + start, wanted, _mm512_packus_epi16(even, odd));
    }
}
