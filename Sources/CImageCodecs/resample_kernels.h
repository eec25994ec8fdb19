// Both passes for one instruction set. Included once for each, with
//   ISA    the suffix of the names
//   LANES  how many 32-bit lanes a vector has: 4, 8 or 16
// and no include guard, for that reason.

#define PASTE_(a, b) a##__##b
#define PASTE(a, b) PASTE_(a, b)
#define NAME(stem) PASTE(stem, ISA)

typedef int32_t NAME(lanes) __attribute__((vector_size(LANES * 4)));
typedef uint8_t NAME(bytes) __attribute__((vector_size(LANES)));

static inline __attribute__((always_inline)) void NAME(multiply_add)(NAME(lanes) * sum, const uint8_t* pixels,
                                                                     NAME(lanes) weights) {
    NAME(bytes) loaded;
    memcpy(&loaded, pixels, sizeof loaded);
    *sum += __builtin_convertvector(loaded, NAME(lanes)) * weights;
}

static void NAME(u8_resample_horizontal)(uint8_t* output, const uint8_t* row, const int32_t* first,
                                         const int32_t* weights, int32_t tap_count, int32_t count) {
    for (int32_t index = 0; index < count; index++) {
        const uint8_t* pixels = row + 4 * (size_t)first[index];
        NAME(lanes) sum = {0};
        for (int32_t tap = 0; tap < tap_count; tap += LANES / 4) {
            NAME(lanes) loaded;
            memcpy(&loaded, weights, sizeof loaded);
            NAME(multiply_add)(&sum, pixels, loaded);
            weights += LANES;
            pixels += LANES;
        }
#if LANES == 16
        quad low = __builtin_shufflevector(sum, sum, 0, 1, 2, 3) + __builtin_shufflevector(sum, sum, 4, 5, 6, 7);
        quad high = __builtin_shufflevector(sum, sum, 8, 9, 10, 11) + __builtin_shufflevector(sum, sum, 12, 13, 14, 15);
        quad pixel = low + high;
#elif LANES == 8
        quad pixel = __builtin_shufflevector(sum, sum, 0, 1, 2, 3) + __builtin_shufflevector(sum, sum, 4, 5, 6, 7);
#else
        quad pixel = sum;
#endif
        pixel = (pixel + ROUNDING) >> CIC_RESAMPLE_BITS;
        pixel = __builtin_elementwise_min(__builtin_elementwise_max(pixel, (quad){0}), (quad){255, 255, 255, 255});
        quad_bytes narrow = __builtin_convertvector(pixel, quad_bytes);
        memcpy(output + 3 * (size_t)index, &narrow, sizeof narrow); // the fourth byte is the next pixel's first
    }
}

static inline __attribute__((always_inline)) void NAME(store_clipped)(uint8_t* output, NAME(lanes) sum) {
    NAME(lanes) zero = {0};
    sum = (sum + ROUNDING) >> CIC_RESAMPLE_BITS;
    sum = __builtin_elementwise_min(__builtin_elementwise_max(sum, zero), zero + 255);
    NAME(bytes) narrow = __builtin_convertvector(sum, NAME(bytes));
    memcpy(output, &narrow, sizeof narrow);
}

static void NAME(u8_resample_vertical)(uint8_t* output, const uint8_t* const* rows, const int32_t* weights,
                                       int32_t tap_count, size_t byte_count) {
    size_t start = 0;
    for (; start + 4 * LANES <= byte_count; start += 4 * LANES) {
        NAME(lanes) sums[4] = {{0}, {0}, {0}, {0}};
        for (int32_t tap = 0; tap < tap_count; tap++) {
            NAME(lanes) weight = (NAME(lanes)){0} + weights[tap];
            const uint8_t* bytes = rows[tap] + start;
            NAME(multiply_add)(&sums[0], bytes, weight);
            NAME(multiply_add)(&sums[1], bytes + LANES, weight);
            NAME(multiply_add)(&sums[2], bytes + 2 * LANES, weight);
            NAME(multiply_add)(&sums[3], bytes + 3 * LANES, weight);
        }
        for (int part = 0; part < 4; part++)
            NAME(store_clipped)(output + start + part * LANES, sums[part]);
    }
    for (; start + LANES <= byte_count; start += LANES) {
        NAME(lanes) sum = {0};
        for (int32_t tap = 0; tap < tap_count; tap++)
            NAME(multiply_add)(&sum, rows[tap] + start, (NAME(lanes)){0} + weights[tap]);
        NAME(store_clipped)(output + start, sum);
    }
    for (; start < byte_count; start++) {
        int32_t sum = ROUNDING;
        for (int32_t tap = 0; tap < tap_count; tap++)
            sum += rows[tap][start] * weights[tap];
        sum >>= CIC_RESAMPLE_BITS;
        output[start] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
    }
}

#undef NAME
#undef PASTE
#undef PASTE_
#undef ISA
#undef LANES
