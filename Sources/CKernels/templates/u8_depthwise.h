// Depthwise convolution of bytes: one output row, four output columns of one vector of channels at a time.
//
// A lane holds four neighbouring columns of one channel, so one dot product takes up to four taps of a kernel row. An
// output whose taps lie in two groups takes a dot product of each, with weights shifted into place.

// Four columns of a vector, as `pack_rows` gave them, into blocks; of the last ones only `valid`.
INLINE void u8_store_columns(uint8_t* out, size_t block_pitch, size_t valid, vi packed) {
#if BLOCK_COLUMNS == 4
    (void)block_pitch, (void)valid;
    store_dwords(out, packed);
#else
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i columns = _mm512_permutexvar_epi32(order, (__m512i)packed);
    _mm_storeu_si128((__m128i*)out, _mm512_castsi512_si128(columns));
    if (valid > 1) _mm_storeu_si128((__m128i*)(out + block_pitch), _mm512_extracti32x4_epi32(columns, 1));
    if (valid > 2) _mm_storeu_si128((__m128i*)(out + 2 * block_pitch), _mm512_extracti32x4_epi32(columns, 2));
    if (valid > 3) _mm_storeu_si128((__m128i*)(out + 3 * block_pitch), _mm512_extracti32x4_epi32(columns, 3));
#endif
}

// `kernel`, `stride` and `left` are constant once inlined.
INLINE void u8_depthwise_row(const int kernel, const int stride, const int left, const struct u8_depthwise* d) {
    const int groups_before = left > 0 ? 1 : 0;
    const int groups_after = (3 * stride - left + kernel - 1) / 4;
    const size_t groups = (d->width + 3) / 4;
    const vi* weights = d->weights;
    const uint8_t* rows[5];
#pragma clang loop unroll(full)
    for (int ky = 0; ky < kernel; ky++)
        rows[ky] = d->rows[ky];
    for (size_t v = 0; v < d->vectors; v++) {
        const vi offset = load_dwords(weights);
        const vf multiplier = (vf)load_dwords(weights + 1);
        const vf reciprocal = (vf)load_dwords(weights + 2), addend = (vf)load_dwords(weights + 3);
        const vi* const taps = weights + U8_PANEL_HEADER;
        uint8_t* restrict out = d->out + v * BLOCK_COLUMNS * VECTOR_WIDTH;
        vi total = (vi)0;
        for (size_t h = 0; h < groups; h++, out += 4 / BLOCK_COLUMNS * d->out_block_pitch) {
            const size_t valid = d->width - 4 * h < 4 ? d->width - 4 * h : 4;
            const size_t at = v * d->vector_pitch + h * (size_t)stride * 4 * VECTOR_WIDTH;
            vi sum[4] = {offset, offset, offset, offset};
            const vi* w = taps;
#pragma clang loop unroll(full)
            for (int ky = 0; ky < kernel; ky++) {
#pragma clang loop unroll(full)
                for (int g = -groups_before; g <= groups_after; g++) {
                    const vi x = load_dwords(rows[ky] + at + (ptrdiff_t)g * 4 * VECTOR_WIDTH);
#pragma clang loop unroll(full)
                    for (int o = 0; o < 4; o++) {
                        if (u8_depthwise_touches(kernel, stride, left, o, g)) sum[o] = dot(sum[o], x, load_dwords(w++));
                    }
                }
            }
            if (d->activation == KERNEL_ACTIVATION_SILU) {
#pragma clang loop unroll(full)
                for (int o = 0; o < 4; o++)
                    sum[o] = round_to_int(u8_silu(to_float(sum[o]) * multiplier) * reciprocal + addend);
            } else {
#pragma clang loop unroll(full)
                for (int o = 0; o < 4; o++)
                    sum[o] = round_to_int(to_float(sum[o]) * multiplier);
            }
            const vi packed = pack_rows(sum[0], sum[1], sum[2], sum[3]);
            u8_store_columns(out, d->out_block_pitch, valid, packed);
            if (d->sums) {
                total = dot(total, rows_of_lanes(packed), (vi)(int32_t)(0x01010101u >> (8 * (4 - valid))));
            }
        }
        weights = taps + u8_depthwise_tap_vectors(kernel, stride, left);
        if (d->sums) {
            int32_t* to = d->sums + v * VECTOR_WIDTH;
            store_dwords(to, load_dwords(to) + total);
        }
    }
}

#define U8_DEPTHWISE_NAME(k, stride, left) PASTE(u8_depthwise_##k##x##k##s##stride##p##left##__, ISA)
#define U8_DEPTHWISE(k, stride, left)                                                                                  \
    static __attribute__((noinline)) void U8_DEPTHWISE_NAME(k, stride, left)(const struct u8_depthwise* d) {           \
        u8_depthwise_row(k, stride, left, d);                                                                          \
    }
U8_DEPTHWISE(3, 1, 1)
U8_DEPTHWISE(3, 2, 0)
U8_DEPTHWISE(3, 2, 1)
U8_DEPTHWISE(5, 1, 2)
U8_DEPTHWISE(5, 2, 1)
U8_DEPTHWISE(5, 2, 2)

static void KERNEL(u8_depthwise)(const struct u8_depthwise* d) {
    if (d->kernel == 3) {
        if (d->stride == 1)
            U8_DEPTHWISE_NAME(3, 1, 1)(d);
        else if (d->left == 0)
            U8_DEPTHWISE_NAME(3, 2, 0)(d);
        else
            U8_DEPTHWISE_NAME(3, 2, 1)(d);
    } else {
        if (d->stride == 1)
            U8_DEPTHWISE_NAME(5, 1, 2)(d);
        else if (d->left == 1)
            U8_DEPTHWISE_NAME(5, 2, 1)(d);
        else
            U8_DEPTHWISE_NAME(5, 2, 2)(d);
    }
}
