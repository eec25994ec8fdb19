// Changes of layout, sums, gates, the squeezed vectors' layers, and the measurement of the core's dot product rate.

static void KERNEL(u8_pixels_to_columns)(const uint8_t* in, size_t pixel_stride, size_t width, size_t vectors,
                                         uint8_t* out, size_t vector_pitch, uint8_t padding) {
    for (size_t x = 0; x < width; x += 4, in += 4 * pixel_stride, out += 4 * VECTOR_WIDTH) {
        const size_t valid = width - x < 4 ? width - x : 4;
        for (size_t v = 0; v < vectors; v++) {
            vi pixel[4];
            for (size_t i = 0; i < 4; i++)
                pixel[i] = i < valid ? load_lane_bytes(in + i * pixel_stride + v * VECTOR_WIDTH) : (vi)(int32_t)padding;
            store_dwords(out + v * vector_pitch, pixel[0] | pixel[1] << 8 | pixel[2] << 16 | pixel[3] << 24);
        }
    }
}

static void KERNEL(u8_pixel_sums)(const uint8_t* in, size_t pixel_stride, size_t pixels, size_t channels,
                                  int32_t* sums) {
    for (size_t c = 0; c < channels; c += VECTOR_WIDTH) {
        vi sum = load_dwords(sums + c);
        for (size_t i = 0; i < pixels; i++)
            sum += load_lane_bytes(in + i * pixel_stride + c);
        store_dwords(sums + c, sum);
    }
}

// The gate of a vector's lanes in blocks, from channel `c` on.
INLINE vf gate_lanes(const float* gate, size_t c) {
#if BLOCK_COLUMNS == 1
    return load(gate + c);
#else
    typedef float vf4 __attribute__((ext_vector_type(4), aligned(4), may_alias));
    const vf4 four = *(const vf4*)(gate + c);
#if VECTOR_WIDTH == 16
    return __builtin_shufflevector(four, four, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
#elif VECTOR_WIDTH == 8
    return __builtin_shufflevector(four, four, 0, 1, 2, 3, 0, 1, 2, 3);
#else
    return four;
#endif
#endif
}

static void KERNEL(u8_gate_blocks)(const uint8_t* in, size_t blocks, size_t channels, const float* gate,
                                   int32_t zero_point, float addend, uint8_t* out) {
    // Sixteen bytes: four channels of a block of four columns, or sixteen of a block of one.
    const size_t step = 16 / BLOCK_COLUMNS;
    for (size_t i = 0; i < blocks; i++) {
        for (size_t c = 0; c < channels; c += step, in += 16, out += 16) {
            const vf factor = gate_lanes(gate, c);
            for (size_t j = 0; j < 16; j += VECTOR_WIDTH) {
                const vf x = to_float(load_lane_bytes(in + j) - zero_point);
                store_lane_bytes(out + j, round_to_int(x * factor + addend));
            }
        }
    }
}

static void KERNEL(f32_dense_row)(const float* in, size_t k, const float* bias, const float* b, size_t n, float* out) {
    size_t column = 0;
    for (; column + 2 * VECTOR_WIDTH <= n; column += 2 * VECTOR_WIDTH) {
        vf first = load(bias + column), second = load(bias + column + VECTOR_WIDTH);
        const float* at = b + column;
        for (size_t i = 0; i < k; i++, at += n) {
            first = in[i] * load(at) + first;
            second = in[i] * load(at + VECTOR_WIDTH) + second;
        }
        store(out + column, first);
        store(out + column + VECTOR_WIDTH, second);
    }
    for (; column < n; column += VECTOR_WIDTH) {
        vf sum = load(bias + column);
        for (size_t i = 0; i < k; i++)
            sum = in[i] * load(b + i * n + column) + sum;
        store(out + column, sum);
    }
}

static uint64_t KERNEL(u8_dot_chains)(size_t iterations, int32_t* sink) {
    enum { chains = 12 };
    vi sum[chains], y[chains];
    for (int i = 0; i < chains; i++) {
        sum[i] = (vi)i;
        y[i] = (vi)(sink[1] + i);
    }
    vi x = (vi)sink[0];
    for (size_t n = 0; n < iterations; n++) {
        x += 1; // where a dot product is several operations none of them may leave the loop
#pragma clang loop unroll(full)
        for (size_t i = 0; i < chains; i++)
            sum[i] = dot(sum[i], x, y[i]);
    }
    vi total = sum[0];
    for (size_t i = 1; i < chains; i++)
        total += sum[i];
    sink[2] = total[0];
    return (uint64_t)iterations * chains * VECTOR_WIDTH * 8;
}

// The table of one instruction set.
const struct u8_kernel_table KERNEL(u8_kernel_table) = {
    .lanes = VECTOR_WIDTH,
    .block_columns = BLOCK_COLUMNS,
#if U8_AMX
    .shallow = &u8_kernel_table__avx512vnni,
    .least_depth = 64,
#endif
    .panel_vectors = KERNEL(u8_panel_vectors),
    .gemm_columns = KERNEL(u8_gemm_columns),
    .gemm_pixels = KERNEL(u8_gemm_pixels),
    .gemm_floats = KERNEL(u8_gemm_floats),
    .depthwise = KERNEL(u8_depthwise),
    .pixels_to_columns = KERNEL(u8_pixels_to_columns),
    .pixel_sums = KERNEL(u8_pixel_sums),
    .gate_blocks = KERNEL(u8_gate_blocks),
    .dense_row = KERNEL(f32_dense_row),
    .dot_chains = KERNEL(u8_dot_chains),
};
