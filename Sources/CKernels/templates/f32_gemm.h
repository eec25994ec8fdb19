// Matrix product over pixels. Before including, define GEMM_ROWS_1, GEMM_ROWS_2 and GEMM_ROWS_3: how many rows a tile
// of one, two and three vectors holds at most, such that accumulators, a row of b and a broadcast fit in the registers.
#define GEMM_ROWS_MAX 16

// Activations too long for the tiles' epilogue run over the finished rows.
INLINE int gemm_activates_last(const struct f32_gemm* g) {
    return g->activation == KERNEL_ACTIVATION_SILU || g->activation == KERNEL_ACTIVATION_SIGMOID;
}

// One tile: `rows` × (`panel` vectors), both constant once inlined.
INLINE void gemm_tile(const size_t rows, const size_t panel, const struct f32_gemm* g, size_t m, const float* b,
                      size_t column) {
    vf sum[GEMM_ROWS_MAX][3];
    const float* a[GEMM_ROWS_MAX];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++)
        a[i] = g->a + g->a_offset[m + i];
#pragma clang loop unroll(full)
    for (size_t j = 0; j < panel; j++) {
        vf bias = load(b + j * VECTOR_WIDTH);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++)
            sum[i][j] = bias;
    }
    b += panel * VECTOR_WIDTH;

    const size_t depth = g->k;
    for (size_t t = 0; t < g->taps; t++) {
        const size_t tap = g->tap_offset[t];
        const float* at[GEMM_ROWS_MAX];
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++)
            at[i] = a[i] + tap;
#pragma clang loop unroll_count(4)
        for (size_t k = 0; k < depth; k++) {
            vf row[3];
#pragma clang loop unroll(full)
            for (size_t j = 0; j < panel; j++)
                row[j] = load(b + j * VECTOR_WIDTH);
#pragma clang loop unroll(full)
            for (size_t i = 0; i < rows; i++) {
                vf x = (vf)at[i][k];
#pragma clang loop unroll(full)
                for (size_t j = 0; j < panel; j++)
                    sum[i][j] = multiply_add(x, row[j], sum[i][j]);
            }
            b += panel * VECTOR_WIDTH;
        }
    }

    if (g->activation == KERNEL_ACTIVATION_RELU6) {
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
            for (size_t j = 0; j < panel; j++)
                sum[i][j] = relu6(sum[i][j]);
        }
    }
    if (g->residual && !gemm_activates_last(g)) {
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++) {
            const float* residual = g->residual + g->residual_offset[m + i] + column;
#pragma clang loop unroll(full)
            for (size_t j = 0; j < panel; j++)
                sum[i][j] += load(residual + j * VECTOR_WIDTH);
        }
    }
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++) {
        float* c = g->c + g->c_offset[m + i] + column;
#pragma clang loop unroll(full)
        for (size_t j = 0; j < panel; j++)
            store(c + j * VECTOR_WIDTH, sum[i][j]);
    }
}

#define GEMM_TILE(rows, panel)                                                                                         \
    static __attribute__((noinline)) void PASTE(f32_gemm_##rows##x##panel##v__,                                        \
                                                ISA)(const struct f32_gemm* g, size_t m, const float* b, size_t c) {   \
        gemm_tile(rows, panel, g, m, b, c);                                                                            \
    }
#define GEMM_TILE_NAME(rows, panel) PASTE(f32_gemm_##rows##x##panel##v__, ISA)
#define GEMM_TILES_4(panel) GEMM_TILE(1, panel) GEMM_TILE(2, panel) GEMM_TILE(3, panel) GEMM_TILE(4, panel)
#define GEMM_TILES_6(panel) GEMM_TILES_4(panel) GEMM_TILE(5, panel) GEMM_TILE(6, panel)
#define GEMM_TILES_8(panel) GEMM_TILES_6(panel) GEMM_TILE(7, panel) GEMM_TILE(8, panel)
#define GEMM_TILES_12(panel)                                                                                           \
    GEMM_TILES_8(panel) GEMM_TILE(9, panel) GEMM_TILE(10, panel) GEMM_TILE(11, panel) GEMM_TILE(12, panel)
#define GEMM_TILES_14(panel) GEMM_TILES_12(panel) GEMM_TILE(13, panel) GEMM_TILE(14, panel)
#define GEMM_NAMES_4(panel)                                                                                            \
    0, GEMM_TILE_NAME(1, panel), GEMM_TILE_NAME(2, panel), GEMM_TILE_NAME(3, panel), GEMM_TILE_NAME(4, panel)
#define GEMM_NAMES_6(panel) GEMM_NAMES_4(panel), GEMM_TILE_NAME(5, panel), GEMM_TILE_NAME(6, panel)
#define GEMM_NAMES_8(panel) GEMM_NAMES_6(panel), GEMM_TILE_NAME(7, panel), GEMM_TILE_NAME(8, panel)
#define GEMM_NAMES_12(panel)                                                                                           \
    GEMM_NAMES_8(panel), GEMM_TILE_NAME(9, panel), GEMM_TILE_NAME(10, panel), GEMM_TILE_NAME(11, panel),               \
        GEMM_TILE_NAME(12, panel)
#define GEMM_NAMES_14(panel) GEMM_NAMES_12(panel), GEMM_TILE_NAME(13, panel), GEMM_TILE_NAME(14, panel)

// clang-format off
PASTE(GEMM_TILES_, GEMM_ROWS_1)(1)
PASTE(GEMM_TILES_, GEMM_ROWS_2)(2)
PASTE(GEMM_TILES_, GEMM_ROWS_3)(3)
    // clang-format on

    typedef void (*gemm_tile_function)(const struct f32_gemm*, size_t, const float*, size_t);
static const size_t gemm_rows[4] = {0, GEMM_ROWS_1, GEMM_ROWS_2, GEMM_ROWS_3};
static const gemm_tile_function gemm_tiles[4][GEMM_ROWS_MAX] = {
    {0},
    {PASTE(GEMM_NAMES_, GEMM_ROWS_1)(1)},
    {PASTE(GEMM_NAMES_, GEMM_ROWS_2)(2)},
    {PASTE(GEMM_NAMES_, GEMM_ROWS_3)(3)},
};

// Panels of two vectors; a last odd vector goes into one panel of three.
static size_t KERNEL(f32_gemm_panel_vectors)(size_t remaining) {
    return remaining == 3 ? 3 : remaining == 1 ? 1 : 2;
}

static void KERNEL(f32_gemm)(const struct f32_gemm* g) {
    const float* b = g->b;
    size_t remaining = g->vectors, column = 0;
    while (remaining > 0) {
        const size_t panel = KERNEL(f32_gemm_panel_vectors)(remaining);
        const size_t most = gemm_rows[panel];
        size_t tiles = (g->m + most - 1) / most;
        for (size_t m = 0; m < g->m; tiles--) {
            const size_t rows = (g->m - m + tiles - 1) / tiles; // as even as whole rows allow
            gemm_tiles[panel][rows](g, m, b, column);
            m += rows;
        }
        b += panel * VECTOR_WIDTH * (1 + g->taps * g->k);
        column += panel * VECTOR_WIDTH;
        remaining -= panel;
    }
    if (gemm_activates_last(g)) {
        for (size_t m = 0; m < g->m; m++) {
            float* c = g->c + g->c_offset[m];
            const float* residual = g->residual ? g->residual + g->residual_offset[m] : NULL;
            for (size_t v = 0; v < g->vectors * VECTOR_WIDTH; v += VECTOR_WIDTH) {
                const vf x = activate(load(c + v), g->activation);
                store(c + v, residual ? x + load(residual + v) : x);
            }
        }
    }
}
