// Depthwise convolution of bytes: some output rows, four or eight columns of one vector of channels at a time.
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

// The groups of columns that are made at a time: the weights of a kernel row and the sums fit in the registers.
#define U8_DEPTHWISE_GROUPS (VECTOR_WIDTH == 16 ? 2 : 1)

// The sums of `groups` groups of columns, from `offset` on. All but the pointers' targets and `at` are constant once
// inlined. A loop over the kernel's rows, because straight code of that length is more than the compiler keeps in
// registers.
INLINE void u8_depthwise_sums(const int groups, const int kernel, const int stride, const int left,
                              const uint8_t* const* rows, size_t at, const vi* weights, vi offset, vi sum[][4]) {
    const int groups_before = left > 0 ? 1 : 0;
    const int groups_after = (3 * stride - left + kernel - 1) / 4;
    const size_t row_weights = u8_depthwise_tap_vectors(kernel, stride, left) / kernel;
#pragma clang loop unroll(full)
    for (int n = 0; n < groups; n++)
        sum[n][0] = sum[n][1] = sum[n][2] = sum[n][3] = offset;
#pragma clang loop unroll(disable)
    for (int ky = 0; ky < kernel; ky++, weights += row_weights) {
        const uint8_t* row = rows[ky] + at;
#pragma clang loop unroll(full)
        for (int n = 0; n < groups; n++) {
            size_t next = 0;
#pragma clang loop unroll(full)
            for (int g = -groups_before; g <= groups_after; g++) {
                const vi x = load_dwords(row + (ptrdiff_t)(n * stride + g) * 4 * VECTOR_WIDTH);
#pragma clang loop unroll(full)
                for (int o = 0; o < 4; o++) {
                    if (u8_depthwise_touches(kernel, stride, left, o, g))
                        sum[n][o] = dot(sum[n][o], x, load_dwords(weights + next++));
                }
            }
        }
    }
}

// What makes bytes of a vector's sums.
struct u8_depthwise_header {
    vi offset;
    vf multiplier, reciprocal, addend;
};

// Four columns of a vector from their sums; adds their bytes to `total`, where that is wanted.
INLINE void u8_depthwise_finish(const struct u8_depthwise* d, const struct u8_depthwise_header* header, vi sum[4],
                                size_t valid, uint8_t* out, vi* total) {
    if (d->activation == KERNEL_ACTIVATION_SILU) {
#pragma clang loop unroll(full)
        for (int o = 0; o < 4; o++)
            sum[o] = round_to_int(u8_silu(to_float(sum[o]) * header->multiplier) * header->reciprocal + header->addend);
    } else {
#pragma clang loop unroll(full)
        for (int o = 0; o < 4; o++)
            sum[o] = round_to_int(to_float(sum[o]) * header->multiplier);
    }
    const vi packed = pack_rows(sum[0], sum[1], sum[2], sum[3]);
    u8_store_columns(out, d->out_block_pitch, valid, packed);
    if (d->sums) *total = dot(*total, rows_of_lanes(packed), (vi)(int32_t)(0x01010101u >> (8 * (4 - valid))));
}

// All rows of one vector of channels before the next vector's: its weights then come into the first-level cache once.
// `kernel`, `stride` and `left` are constant once inlined.
INLINE void u8_depthwise_rows(const int kernel, const int stride, const int left, const struct u8_depthwise* d) {
    const size_t groups = (d->width + 3) / 4;
    const vi* weights = d->weights;
    for (size_t v = 0; v < d->vectors; v++) {
        const struct u8_depthwise_header header = {
            .offset = load_dwords(weights),
            .multiplier = (vf)load_dwords(weights + 1),
            .reciprocal = (vf)load_dwords(weights + 2),
            .addend = (vf)load_dwords(weights + 3),
        };
        const vi* const taps = weights + U8_PANEL_HEADER;
        for (size_t y = 0; y < d->height; y++) {
            const uint8_t* const* rows = d->rows + y * stride;
            uint8_t* out = d->out + y * d->out_row_pitch + v * BLOCK_COLUMNS * VECTOR_WIDTH;
            const size_t out_step = 4 / BLOCK_COLUMNS * d->out_block_pitch;
            size_t at = v * d->vector_pitch;
            const size_t step = (size_t)stride * 4 * VECTOR_WIDTH;
            vi total = (vi)0;
            size_t h = 0;
            for (; h + U8_DEPTHWISE_GROUPS <= groups; h += U8_DEPTHWISE_GROUPS) {
                vi sum[U8_DEPTHWISE_GROUPS][4];
                u8_depthwise_sums(U8_DEPTHWISE_GROUPS, kernel, stride, left, rows, at, taps, header.offset, sum);
#pragma clang loop unroll(full)
                for (size_t n = 0; n < U8_DEPTHWISE_GROUPS; n++) {
                    const size_t rest = d->width - 4 * (h + n);
                    u8_depthwise_finish(d, &header, sum[n], rest < 4 ? rest : 4, out, &total);
                    out += out_step;
                    at += step;
                }
            }
            if (h < groups) {
                vi sum[1][4];
                u8_depthwise_sums(1, kernel, stride, left, rows, at, taps, header.offset, sum);
                const size_t rest = d->width - 4 * h;
                u8_depthwise_finish(d, &header, sum[0], rest < 4 ? rest : 4, out, &total);
            }
            if (d->sums) {
                int32_t* to = d->sums + y * d->sums_pitch + v * VECTOR_WIDTH;
                store_dwords(to, load_dwords(to) + total);
            }
        }
        weights = taps + u8_depthwise_tap_vectors(kernel, stride, left);
    }
}

#define U8_DEPTHWISE_NAME(k, stride, left) PASTE(u8_depthwise_##k##x##k##s##stride##p##left##__, ISA)
#define U8_DEPTHWISE(k, stride, left)                                                                                  \
    static __attribute__((noinline)) void U8_DEPTHWISE_NAME(k, stride, left)(const struct u8_depthwise* d) {           \
        u8_depthwise_rows(k, stride, left, d);                                                                         \
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
