// Depthwise convolution of one output row, vectorised over channels, several output columns at a time.

// `columns` outputs from column x on; `kernel`, `stride` and `columns` are constant once inlined. Each input vector is
// loaded once a kernel row, and for each output the taps come in ascending order.
INLINE void depthwise_columns(const size_t columns, const size_t kernel, const size_t stride,
                              const struct f32_depthwise* d, size_t x, size_t channel, const float* weights) {
    vf sum[8];
#pragma clang loop unroll(full)
    for (size_t o = 0; o < columns; o++)
        sum[o] = load(weights);
    weights += VECTOR_WIDTH;
    const size_t column_stride = d->column_stride;
#pragma clang loop unroll(full)
    for (size_t ky = 0; ky < kernel; ky++) {
        const float* in = d->rows[ky] + x * stride * column_stride + channel;
        vf weight[5];
#pragma clang loop unroll(full)
        for (size_t kx = 0; kx < kernel; kx++)
            weight[kx] = load(weights + kx * VECTOR_WIDTH);
        weights += kernel * VECTOR_WIDTH;
#pragma clang loop unroll(full)
        for (size_t j = 0; j < (columns - 1) * stride + kernel; j++) {
            const vf value = load(in);
            in += column_stride;
#pragma clang loop unroll(full)
            for (size_t o = 0; o < columns; o++) {
                if (j >= o * stride && j < o * stride + kernel) {
                    sum[o] = multiply_add(value, weight[j - o * stride], sum[o]);
                }
            }
        }
    }
    float* out = d->out + x * d->out_stride + channel;
#pragma clang loop unroll(full)
    for (size_t o = 0; o < columns; o++, out += d->out_stride) {
        store(out, d->activation == KERNEL_ACTIVATION_RELU6 ? relu6(sum[o]) : sum[o]);
    }
}

INLINE void depthwise_row(const size_t kernel, const size_t stride, const struct f32_depthwise* d) {
    const float* weights = d->weights;
    for (size_t v = 0; v < d->vectors; v++, weights += VECTOR_WIDTH * (1 + kernel * kernel)) {
        const size_t channel = v * VECTOR_WIDTH;
        size_t x = 0;
        for (; x + 7 <= d->width; x += 7)
            depthwise_columns(7, kernel, stride, d, x, channel, weights);
        if (x + 4 <= d->width) {
            depthwise_columns(4, kernel, stride, d, x, channel, weights);
            x += 4;
        }
        for (; x < d->width; x++)
            depthwise_columns(1, kernel, stride, d, x, channel, weights);
    }
}

static void KERNEL(f32_depthwise_3x3s1)(const struct f32_depthwise* d) {
    depthwise_row(3, 1, d);
}
static void KERNEL(f32_depthwise_3x3s2)(const struct f32_depthwise* d) {
    depthwise_row(3, 2, d);
}
static void KERNEL(f32_depthwise_5x5s1)(const struct f32_depthwise* d) {
    depthwise_row(5, 1, d);
}
static void KERNEL(f32_depthwise_5x5s2)(const struct f32_depthwise* d) {
    depthwise_row(5, 2, d);
}

static void KERNEL(f32_depthwise_any)(const struct f32_depthwise* d) {
    const float* weights = d->weights;
    for (size_t v = 0; v < d->vectors; v++, weights += VECTOR_WIDTH * (1 + d->kernel * d->kernel)) {
        for (size_t x = 0; x < d->width; x++) {
            vf sum = load(weights);
            const float* weight = weights + VECTOR_WIDTH;
            for (size_t ky = 0; ky < d->kernel; ky++) {
                const float* in = d->rows[ky] + x * d->stride * d->column_stride + v * VECTOR_WIDTH;
                for (size_t kx = 0; kx < d->kernel; kx++, weight += VECTOR_WIDTH, in += d->column_stride) {
                    sum = multiply_add(load(in), load(weight), sum);
                }
            }
            store(d->out + x * d->out_stride + v * VECTOR_WIDTH,
                  d->activation == KERNEL_ACTIVATION_RELU6 ? relu6(sum) : sum);
        }
    }
}

static void KERNEL(f32_depthwise)(const struct f32_depthwise* d) {
    if (d->kernel == 3 && d->stride == 1)
        KERNEL(f32_depthwise_3x3s1)(d);
    else if (d->kernel == 3 && d->stride == 2)
        KERNEL(f32_depthwise_3x3s2)(d);
    else if (d->kernel == 5 && d->stride == 1)
        KERNEL(f32_depthwise_5x5s1)(d);
    else if (d->kernel == 5 && d->stride == 2)
        KERNEL(f32_depthwise_5x5s2)(d);
    else
        KERNEL(f32_depthwise_any)(d);
    if (d->activation == KERNEL_ACTIVATION_SILU || d->activation == KERNEL_ACTIVATION_SIGMOID) {
        for (size_t x = 0; x < d->width; x++) {
            float* out = d->out + x * d->out_stride;
            for (size_t v = 0; v < d->vectors; v++, out += VECTOR_WIDTH)
                store(out, activate(load(out), d->activation));
        }
    }
}
