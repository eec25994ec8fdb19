// Pooling, gating, activation, normalisation, and the measurement of the core's multiply-add rate.

// Adds the pixels of `vectors` vectors of channels, constant once inlined, to their sums: side by side, as a sum by
// itself waits for each of its additions.
INLINE void column_sum(const size_t vectors, const float* in, size_t stride, size_t width, float* sums) {
    vf sum[4];
#pragma clang loop unroll(full)
    for (size_t v = 0; v < vectors; v++)
        sum[v] = load(sums + v * VECTOR_WIDTH);
    for (size_t x = 0; x < width; x++, in += stride) {
#pragma clang loop unroll(full)
        for (size_t v = 0; v < vectors; v++)
            sum[v] += load(in + v * VECTOR_WIDTH);
    }
#pragma clang loop unroll(full)
    for (size_t v = 0; v < vectors; v++)
        store(sums + v * VECTOR_WIDTH, sum[v]);
}

static void KERNEL(f32_column_sum)(const float* in, size_t stride, size_t width, size_t vectors, float* sums) {
    size_t v = 0;
    for (; v + 4 <= vectors; v += 4)
        column_sum(4, in + v * VECTOR_WIDTH, stride, width, sums + v * VECTOR_WIDTH);
    for (; v < vectors; v++)
        column_sum(1, in + v * VECTOR_WIDTH, stride, width, sums + v * VECTOR_WIDTH);
}

static void KERNEL(f32_column_scale)(const float* in, size_t stride, size_t width, size_t vectors, const float* gate,
                                     float* out) {
    for (size_t x = 0; x < width; x++, in += stride, out += stride) {
        for (size_t v = 0; v < vectors; v++) {
            const size_t i = v * VECTOR_WIDTH;
            store(out + i, load(in + i) * load(gate + i));
        }
    }
}

static void KERNEL(f32_row_scale)(const float* in, size_t rows, size_t vectors, const float* factor, float* out) {
    for (size_t r = 0; r < rows; r++) {
        const vf row_factor = (vf)factor[r];
        for (size_t v = 0; v < vectors; v++, in += VECTOR_WIDTH, out += VECTOR_WIDTH)
            store(out, load(in) * row_factor);
    }
}

static void KERNEL(f32_activate)(float* data, size_t vectors, enum kernel_activation activation) {
    for (size_t v = 0; v < vectors; v++, data += VECTOR_WIDTH)
        store(data, activate(load(data), activation));
}

static void KERNEL(u8_normalise_rgb)(const uint8_t* in, size_t width, const float scale[3], const float shift[3],
                                     float* out) {
    // Three vectors are a whole number of pixels: the channel of a lane is then fixed.
    float scales[3 * VECTOR_WIDTH], shifts[3 * VECTOR_WIDTH];
    for (size_t i = 0; i < 3 * VECTOR_WIDTH; i++) {
        scales[i] = scale[i % 3];
        shifts[i] = shift[i % 3];
    }
    typedef uint8_t bytes __attribute__((ext_vector_type(VECTOR_WIDTH), aligned(1), may_alias));
    const size_t count = 3 * width;
    size_t i = 0;
    for (; i + 3 * VECTOR_WIDTH <= count; i += 3 * VECTOR_WIDTH) {
        for (size_t j = 0; j < 3 * VECTOR_WIDTH; j += VECTOR_WIDTH) {
            const vf x = __builtin_convertvector(*(const bytes*)(in + i + j), vf);
            store(out + i + j, multiply_add(x, load(scales + j), load(shifts + j)));
        }
    }
    if (i < count) {
        // The rest goes through a copy, so that nothing is read or written past the ends.
        uint8_t tail_in[3 * VECTOR_WIDTH] = {0};
        float tail_out[3 * VECTOR_WIDTH];
        __builtin_memcpy(tail_in, in + i, count - i);
        for (size_t j = 0; j < 3 * VECTOR_WIDTH; j += VECTOR_WIDTH) {
            const vf x = __builtin_convertvector(*(const bytes*)(tail_in + j), vf);
            store(tail_out + j, multiply_add(x, load(scales + j), load(shifts + j)));
        }
        __builtin_memcpy(out + i, tail_out, (count - i) * sizeof(float));
    }
}

static uint64_t KERNEL(f32_fma_chains)(size_t iterations, float* sink) {
    enum { chains = 12 };
    vf sum[chains];
    for (size_t i = 0; i < chains; i++)
        sum[i] = (vf)(float)i;
    const vf x = (vf)sink[0], y = (vf)sink[1];
    for (size_t n = 0; n < iterations; n++) {
#pragma clang loop unroll(full)
        for (size_t i = 0; i < chains; i++)
            sum[i] = multiply_add(sum[i], x, y);
    }
    vf total = sum[0];
    for (size_t i = 1; i < chains; i++)
        total += sum[i];
    sink[2] = total[0];
    return (uint64_t)iterations * chains * VECTOR_WIDTH * 2;
}
