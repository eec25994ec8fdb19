// Depthwise convolution of some output rows, vectorised over channels, several output columns and rows at a time.
// Before including, define DEPTHWISE_ROWS: 2 where the registers hold the sums of two rows, or else 1.
//
// All rows of one vector of channels are made before the next vector's: an input row then comes into the first-level
// cache once and not `kernel` times.

// Adds the products of one input row to `columns` outputs of row `upper` with the kernel row at `upper_weights`, and to
// those of row `lower` with the kernel row at `lower_weights`, where not NULL. All but the pointers' targets are
// constant once inlined. Each input vector is loaded once, and for each output the taps come in ascending order.
INLINE void depthwise_input_row(const size_t columns, const size_t kernel, const size_t stride, const float* in,
                                size_t column_stride, vf* upper, const float* upper_weights, vf* lower,
                                const float* lower_weights) {
    vf upper_weight[5], lower_weight[5];
#pragma clang loop unroll(full)
    for (size_t kx = 0; kx < kernel; kx++) {
        if (upper) upper_weight[kx] = load(upper_weights + kx * VECTOR_WIDTH);
        if (lower) lower_weight[kx] = load(lower_weights + kx * VECTOR_WIDTH);
    }
#pragma clang loop unroll(full)
    for (size_t j = 0; j < (columns - 1) * stride + kernel; j++) {
        const vf value = load(in);
        in += column_stride;
#pragma clang loop unroll(full)
        for (size_t o = 0; o < columns; o++) {
            if (j >= o * stride && j < o * stride + kernel) {
                if (upper) upper[o] = multiply_add(value, upper_weight[j - o * stride], upper[o]);
                if (lower) lower[o] = multiply_add(value, lower_weight[j - o * stride], lower[o]);
            }
        }
    }
}

// `rows` × `columns` outputs from column x on; all but x are constant once inlined.
INLINE void depthwise_tile(const size_t rows, const size_t columns, const size_t kernel, const size_t stride,
                           const struct f32_depthwise* d, const float* const* inputs, float* out, size_t x,
                           size_t channel, const float* weights) {
    vf sum[2][7];
#pragma clang loop unroll(full)
    for (size_t o = 0; o < columns; o++)
        sum[0][o] = sum[1][o] = load(weights);
    weights += VECTOR_WIDTH;
    const size_t column_stride = d->column_stride;
    const size_t start = x * stride * column_stride + channel;
    const size_t pitch = kernel * VECTOR_WIDTH;
    // Input rows of the upper row alone, of both, and of the lower row alone. Loops, because straight code of this
    // length is more than the compiler keeps in registers.
    const size_t alone = rows == 2 ? stride : kernel;
#pragma clang loop unroll(disable)
    for (size_t y = 0; y < alone; y++)
        depthwise_input_row(columns, kernel, stride, inputs[y] + start, column_stride, sum[0], weights + y * pitch,
                            NULL, NULL);
    if (rows == 2) {
#pragma clang loop unroll(disable)
        for (size_t y = stride; y < kernel; y++)
            depthwise_input_row(columns, kernel, stride, inputs[y] + start, column_stride, sum[0], weights + y * pitch,
                                sum[1], weights + (y - stride) * pitch);
#pragma clang loop unroll(disable)
        for (size_t y = kernel; y < kernel + stride; y++)
            depthwise_input_row(columns, kernel, stride, inputs[y] + start, column_stride, NULL, NULL, sum[1],
                                weights + (y - stride) * pitch);
    }
    out += x * d->out_stride + channel;
#pragma clang loop unroll(full)
    for (size_t r = 0; r < rows; r++) {
        if (d->activation == KERNEL_ACTIVATION_SILU) silu(columns, sum[r]);
#pragma clang loop unroll(full)
        for (size_t o = 0; o < columns; o++) {
            const vf result = d->activation == KERNEL_ACTIVATION_RELU6 ? relu6(sum[r][o]) : sum[r][o];
            store(out + r * d->out_row_stride + o * d->out_stride, result);
        }
    }
}

INLINE void depthwise_strip(const size_t rows, const size_t kernel, const size_t stride, const struct f32_depthwise* d,
                            size_t y, size_t channel, const float* weights) {
    const float* const* inputs = d->rows + y * stride;
    float* out = d->out + y * d->out_row_stride;
    const size_t width = d->width;
    size_t x = 0;
    for (; x + 7 <= width; x += 7)
        depthwise_tile(rows, 7, kernel, stride, d, inputs, out, x, channel, weights);
    if (x == width) return;
    // What is left is made by a tile that ends where the row ends, though it makes some outputs again: a column by
    // itself waits for each of its products.
    if (width - x > 4 && width >= 7) {
        depthwise_tile(rows, 7, kernel, stride, d, inputs, out, width - 7, channel, weights);
    } else if (width >= 4) {
        if (x + 4 < width) depthwise_tile(rows, 4, kernel, stride, d, inputs, out, x, channel, weights);
        depthwise_tile(rows, 4, kernel, stride, d, inputs, out, width - 4, channel, weights);
    } else {
        for (; x < width; x++)
            depthwise_tile(rows, 1, kernel, stride, d, inputs, out, x, channel, weights);
    }
}

INLINE void depthwise_rows(const size_t kernel, const size_t stride, const struct f32_depthwise* d) {
    const float* weights = d->weights;
    for (size_t v = 0; v < d->vectors; v++, weights += VECTOR_WIDTH * (1 + kernel * kernel)) {
        size_t y = 0;
        for (; y + DEPTHWISE_ROWS <= d->height; y += DEPTHWISE_ROWS)
            depthwise_strip(DEPTHWISE_ROWS, kernel, stride, d, y, v * VECTOR_WIDTH, weights);
        if (y < d->height) depthwise_strip(1, kernel, stride, d, y, v * VECTOR_WIDTH, weights);
    }
}

static void KERNEL(f32_depthwise_3x3s1)(const struct f32_depthwise* d) {
    depthwise_rows(3, 1, d);
}
static void KERNEL(f32_depthwise_3x3s2)(const struct f32_depthwise* d) {
    depthwise_rows(3, 2, d);
}
static void KERNEL(f32_depthwise_5x5s1)(const struct f32_depthwise* d) {
    depthwise_rows(5, 1, d);
}
static void KERNEL(f32_depthwise_5x5s2)(const struct f32_depthwise* d) {
    depthwise_rows(5, 2, d);
}

static void KERNEL(f32_depthwise_any)(const struct f32_depthwise* d) {
    const float* weights = d->weights;
    for (size_t v = 0; v < d->vectors; v++, weights += VECTOR_WIDTH * (1 + d->kernel * d->kernel)) {
        for (size_t y = 0; y < d->height; y++) {
            for (size_t x = 0; x < d->width; x++) {
                vf sum = load(weights);
                const float* weight = weights + VECTOR_WIDTH;
                for (size_t ky = 0; ky < d->kernel; ky++) {
                    const float* in = d->rows[y * d->stride + ky] + x * d->stride * d->column_stride + v * VECTOR_WIDTH;
                    for (size_t kx = 0; kx < d->kernel; kx++, weight += VECTOR_WIDTH, in += d->column_stride) {
                        sum = multiply_add(load(in), load(weight), sum);
                    }
                }
                store(d->out + y * d->out_row_stride + x * d->out_stride + v * VECTOR_WIDTH,
                      activate(sum, d->activation));
            }
        }
    }
}

static void KERNEL(f32_depthwise)(const struct f32_depthwise* d) {
    const int is_common = d->activation != KERNEL_ACTIVATION_SIGMOID;
    if (is_common && d->kernel == 3 && d->stride == 1)
        KERNEL(f32_depthwise_3x3s1)(d);
    else if (is_common && d->kernel == 3 && d->stride == 2)
        KERNEL(f32_depthwise_3x3s2)(d);
    else if (is_common && d->kernel == 5 && d->stride == 1)
        KERNEL(f32_depthwise_5x5s1)(d);
    else if (is_common && d->kernel == 5 && d->stride == 2)
        KERNEL(f32_depthwise_5x5s2)(d);
    else
        KERNEL(f32_depthwise_any)(d);
}
