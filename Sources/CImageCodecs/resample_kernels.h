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

static inline __attribute__((always_inline)) NAME(bytes) NAME(clipped)(NAME(lanes) sum) {
    NAME(lanes) zero = {0};
    sum >>= CIC_RESAMPLE_BITS;
    sum = __builtin_elementwise_min(__builtin_elementwise_max(sum, zero), zero + 255);
    return __builtin_convertvector(sum, NAME(bytes));
}

// The sum of one output pixel, as LANES / 4 partial sums of four channels.
static inline __attribute__((always_inline)) NAME(lanes)
    NAME(partial_sums)(const uint8_t* pixels, const int32_t* weights, int32_t tap_count) {
    NAME(lanes) sum = {ROUNDING, ROUNDING, ROUNDING, ROUNDING};
    for (int32_t lane = 0; lane < 4 * tap_count; lane += LANES) {
        NAME(lanes) loaded;
        memcpy(&loaded, weights + lane, sizeof loaded);
        NAME(multiply_add)(&sum, pixels + lane, loaded);
    }
    return sum;
}

static void NAME(u8_resample_horizontal)(uint8_t* output, const uint8_t* row, const int32_t* first,
                                         const int32_t* weights, int32_t tap_count, int32_t count) {
    enum { PIXELS = LANES / 4 }; // made at a time, so that a vector of finished sums is full
    const size_t weight_stride = 4 * (size_t)tap_count;
    for (int32_t start = 0; start < count; start += PIXELS) {
        NAME(lanes) sums[PIXELS];
        for (int32_t pixel = 0; pixel < PIXELS; pixel++) {
            int32_t index = start + pixel < count ? start + pixel : count - 1;
            sums[pixel] =
                NAME(partial_sums)(row + 4 * (size_t)first[index], weights + weight_stride * index, tap_count);
        }
#if LANES == 16
        // Pairs of pixels, halves added; then the two pairs, quarters added.
        NAME(lanes)
        left = __builtin_shufflevector(sums[0], sums[1], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
               __builtin_shufflevector(sums[0], sums[1], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
        NAME(lanes)
        right = __builtin_shufflevector(sums[2], sums[3], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
                __builtin_shufflevector(sums[2], sums[3], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
        NAME(lanes)
        whole = __builtin_shufflevector(left, right, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
                __builtin_shufflevector(left, right, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
        NAME(bytes) spaced = NAME(clipped)(whole);
        NAME(bytes)
        packed = __builtin_shufflevector(spaced, spaced, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15);
#elif LANES == 8
        NAME(lanes)
        whole = __builtin_shufflevector(sums[0], sums[1], 0, 1, 2, 3, 8, 9, 10, 11) +
                __builtin_shufflevector(sums[0], sums[1], 4, 5, 6, 7, 12, 13, 14, 15);
        NAME(bytes) spaced = NAME(clipped)(whole);
        NAME(bytes) packed = __builtin_shufflevector(spaced, spaced, 0, 1, 2, 4, 5, 6, 3, 7);
#else
        NAME(bytes) packed = NAME(clipped)(sums[0]);
#endif
        memcpy(output + 3 * (size_t)start, &packed, sizeof packed); // the last quarter is the next store's to fill
    }
}

static void NAME(u8_resample_vertical)(uint8_t* output, const uint8_t* const* rows, const int32_t* weights,
                                       int32_t row_count, size_t byte_count) {
    size_t start = 0;
    for (; start + 4 * LANES <= byte_count; start += 4 * LANES) {
        NAME(lanes) rounding = (NAME(lanes)){0} + ROUNDING;
        NAME(lanes) sums[4] = {rounding, rounding, rounding, rounding};
        for (int32_t tap = 0; tap < row_count; tap++) {
            NAME(lanes) weight = (NAME(lanes)){0} + weights[tap];
            const uint8_t* bytes = rows[tap] + start;
            NAME(multiply_add)(&sums[0], bytes, weight);
            NAME(multiply_add)(&sums[1], bytes + LANES, weight);
            NAME(multiply_add)(&sums[2], bytes + 2 * LANES, weight);
            NAME(multiply_add)(&sums[3], bytes + 3 * LANES, weight);
        }
        for (int part = 0; part < 4; part++) {
            NAME(bytes) finished = NAME(clipped)(sums[part]);
            memcpy(output + start + part * LANES, &finished, sizeof finished);
        }
    }
    for (; start + LANES <= byte_count; start += LANES) {
        NAME(lanes) sum = (NAME(lanes)){0} + ROUNDING;
        for (int32_t tap = 0; tap < row_count; tap++)
            NAME(multiply_add)(&sum, rows[tap] + start, (NAME(lanes)){0} + weights[tap]);
        NAME(bytes) finished = NAME(clipped)(sum);
        memcpy(output + start, &finished, sizeof finished);
    }
    for (; start < byte_count; start++) {
        int32_t sum = ROUNDING;
        for (int32_t tap = 0; tap < row_count; tap++)
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
