// Transforms of Winograd's F(2×2, 3×3) before and behind the 16 products. Additions only, in one order.

// Column `x` of a row of tiles, whose column 0 lies before the input's, with its four rows combined: Bᵀ · d.
INLINE void winograd_column(const struct f32_winograd_input* w, size_t x, size_t channel, vf combined[4]) {
    const size_t column = x - 1; // before the first it wraps, and so lies behind the last
    if (column >= w->width) {
        combined[0] = combined[1] = combined[2] = combined[3] = (vf)0.0f;
        return;
    }
    const size_t at = column * w->column_stride + channel;
    const vf d0 = load(w->rows[0] + at), d1 = load(w->rows[1] + at);
    const vf d2 = load(w->rows[2] + at), d3 = load(w->rows[3] + at);
    combined[0] = d0 - d2;
    combined[1] = d1 + d2;
    combined[2] = d2 - d1;
    combined[3] = d1 - d3;
}

static void KERNEL(f32_winograd_input)(const struct f32_winograd_input* w) {
    for (size_t v = 0; v < w->vectors; v++) {
        const size_t channel = v * VECTOR_WIDTH;
        vf column[4][4]; // of which neighbouring tiles share two
        winograd_column(w, 0, channel, column[0]);
        winograd_column(w, 1, channel, column[1]);
        for (size_t tile = 0; tile < w->tiles; tile++) {
            winograd_column(w, 2 * tile + 2, channel, column[2]);
            winograd_column(w, 2 * tile + 3, channel, column[3]);
            float* out = w->out + tile * w->tile_stride + channel;
#pragma clang loop unroll(full)
            for (size_t i = 0; i < 4; i++) {
                store(out, column[0][i] - column[2][i]);
                store(out + w->position_stride, column[1][i] + column[2][i]);
                store(out + 2 * w->position_stride, column[2][i] - column[1][i]);
                store(out + 3 * w->position_stride, column[1][i] - column[3][i]);
                out += 4 * w->position_stride;
                column[0][i] = column[2][i];
                column[1][i] = column[3][i];
            }
        }
    }
}

static void KERNEL(f32_winograd_output)(const struct f32_winograd_output* w) {
    for (size_t x = 0; x < w->width; x += 2) {
        for (size_t v = 0; v < w->vectors; v++) {
            const float* in = w->in + x / 2 * w->tile_stride + v * VECTOR_WIDTH;
            vf sum[2][4]; // Aᵀ · m
#pragma clang loop unroll(full)
            for (size_t j = 0; j < 4; j++) {
                const float* m = in + j * w->position_stride;
                const vf m0 = load(m), m1 = load(m + 4 * w->position_stride);
                const vf m2 = load(m + 8 * w->position_stride), m3 = load(m + 12 * w->position_stride);
                sum[0][j] = m0 + m1 + m2;
                sum[1][j] = m1 - m2 - m3;
            }
            vf made[4]; // two rows of two, of which the picture may end before the last
#pragma clang loop unroll(full)
            for (size_t y = 0; y < 2; y++) {
                made[2 * y] = sum[y][0] + sum[y][1] + sum[y][2];
                made[2 * y + 1] = sum[y][1] - sum[y][2] - sum[y][3];
            }
            activate_all(4, made, w->activation);
#pragma clang loop unroll(full)
            for (size_t i = 0; i < 4; i++) {
                const size_t row = i / 2, column = x + i % 2;
                if (row >= w->height || column >= w->width) continue;
                const size_t at = row * w->out_row_stride + column * w->out_stride + v * VECTOR_WIDTH;
                if (w->residual) made[i] += load(w->residual + at);
                store(w->out + at, made[i]);
            }
        }
    }
}
