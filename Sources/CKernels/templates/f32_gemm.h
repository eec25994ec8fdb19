// Matrix product over pixels. Before including, define GEMM_ROWS_1, GEMM_ROWS_2 and GEMM_ROWS_3: how many rows a tile
// of one, two and three vectors holds at most, such that accumulators, a row of b and a broadcast fit in the registers;
// and GEMM_HALVES: 1 where a last vector of which no more than half is asked for is made by operations of half the
// width.
#define GEMM_ROWS_MAX 16
static const size_t gemm_rows[4] = {0, GEMM_ROWS_1, GEMM_ROWS_2, GEMM_ROWS_3};

#if GEMM_HALVES
#if !FUSED
#error half vectors are multiplied by fused multiply-adds
#endif
typedef float vh __attribute__((ext_vector_type(VECTOR_WIDTH / 2)));
typedef float vh_unaligned __attribute__((ext_vector_type(VECTOR_WIDTH / 2), aligned(4), may_alias));

INLINE vh load_half(const float* p) {
    return *(const vh_unaligned*)p;
}
INLINE vh lower_half(vf x) {
    return x.lo;
}
INLINE vf widened(vh x) {
    vf result = (vf)0.0f;
    result.lo = x;
    return result;
}
#endif

// Activates `rows` × `panel` stored vectors, both constant once inlined and 8 together at the most, and adds the
// residual to them.
INLINE void gemm_activate_rows(const size_t rows, const size_t panel, const struct f32_gemm* g, size_t m,
                               size_t column) {
    vf x[8];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows * panel; i++)
        x[i] = load(g->c + g->c_offset[m + i / panel] + column + i % panel * VECTOR_WIDTH);
    activate_all(rows * panel, x, g->activation);
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows * panel; i++) {
        const size_t at = column + i % panel * VECTOR_WIDTH;
        if (g->residual) x[i] += load(g->residual + g->residual_offset[m + i / panel] + at);
        store(g->c + g->c_offset[m + i / panel] + at, x[i]);
    }
}

INLINE void gemm_activate_panel(const size_t panel, const struct f32_gemm* g, size_t m, size_t rows, size_t column) {
    const size_t step = panel == 1 ? 4 : 2;
    for (; rows >= step; rows -= step, m += step)
        gemm_activate_rows(step, panel, g, m, column);
    for (; rows > 0; rows--, m++)
        gemm_activate_rows(1, panel, g, m, column);
}

// Activates a stored tile and adds the residual to it.
static __attribute__((noinline)) void KERNEL(f32_gemm_activate)(const struct f32_gemm* g, size_t m, size_t rows,
                                                                size_t column, size_t panel) {
    switch (panel) {
    case 1:
        return gemm_activate_panel(1, g, m, rows, column);
    case 2:
        return gemm_activate_panel(2, g, m, rows, column);
    default:
        return gemm_activate_panel(3, g, m, rows, column);
    }
}

// Rows are addressed by a pointer to every fifth of them, its distance to the next row, and that distance three times:
// a pointer a row would not fit in the registers. OPAQUE keeps the compiler from making those pointers.

// Element `k` of row `i`, counted from `at[i / 5]`, which is the first of five rows.
#define GEMM_ELEMENT(i, k)                                                                                             \
    (*(const float*)(at[(i) / 5] + ((i) % 5 == 3 ? three : (i) % 5 * stride) + (k) * sizeof(float)))

// Fetches `lines` lines of what comes after this panel. Without a condition: the compiler spills around a branch.
#define GEMM_FETCH(lines)                                                                                              \
    _Pragma("clang loop unroll(full)") for (size_t i = 0; i < (lines); i++) FETCH(ahead.at + i * CACHE_LINE);          \
    ahead.at += ahead.step;

// The half vector behind the whole ones.
#if GEMM_HALVES
#define GEMM_HALF_ROW const vh half_row = half ? load_half(b + whole * VECTOR_WIDTH) : (vh)0.0f;
#define GEMM_HALF_STEP                                                                                                 \
    if (half) half_sum[i] = __builtin_elementwise_fma(lower_half(x), half_row, half_sum[i]);
#else
#define GEMM_HALF_ROW
#define GEMM_HALF_STEP
#endif

// `steps` products of each row with b's rows, `steps` a constant.
#define GEMM_STEPS(steps)                                                                                              \
    _Pragma("clang loop unroll(full)") for (size_t k = 0; k < (steps); k++) {                                          \
        vf row[3];                                                                                                     \
        _Pragma("clang loop unroll(full)") for (size_t j = 0; j < whole; j++) row[j] = load(b + j * VECTOR_WIDTH);     \
        GEMM_HALF_ROW                                                                                                  \
        _Pragma("clang loop unroll(full)") for (size_t i = 0; i < rows; i++) {                                         \
            const vf x = (vf)GEMM_ELEMENT(i, k);                                                                       \
            _Pragma("clang loop unroll(full)") for (size_t j = 0; j < whole; j++) sum[i][j] =                          \
                multiply_add(x, row[j], sum[i][j]);                                                                    \
            GEMM_HALF_STEP                                                                                             \
        }                                                                                                              \
        b += panel * VECTOR_WIDTH;                                                                                     \
    }                                                                                                                  \
    _Pragma("clang loop unroll(full)") for (size_t q = 0; q < (rows + 4) / 5; q++) {                                   \
        at[q] += (steps) * sizeof(float);                                                                              \
        OPAQUE(at[q]);                                                                                                 \
    }

// One tile: `rows` × (`panel` vectors), the last of them but a half where `half` is 1; all constant once inlined.
INLINE void gemm_tile(const size_t rows, const size_t panel, const size_t half, const struct f32_gemm* g, size_t m,
                      const float* b, size_t column, struct ahead ahead) {
    const size_t whole = panel - half;
    vf sum[GEMM_ROWS_MAX][3];
#if GEMM_HALVES
    vh half_sum[GEMM_ROWS_MAX];
    if (half) {
        const vh bias = load_half(b + whole * VECTOR_WIDTH);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++)
            half_sum[i] = bias;
    }
#endif
    size_t stride = g->a_stride * sizeof(float), three = 3 * stride;
    OPAQUE(three);
    const char* first = (const char*)(g->a + m * g->a_stride);
#pragma clang loop unroll(full)
    for (size_t j = 0; j < whole; j++) {
        const vf bias = load(b + j * VECTOR_WIDTH);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++)
            sum[i][j] = bias;
    }
    b += panel * VECTOR_WIDTH;

    const size_t depth = g->k;
    for (size_t t = 0; t < g->taps; t++) {
        const char* at[3];
        at[0] = first + g->tap_offset[t] * sizeof(float);
        at[1] = at[0] + 5 * stride;
        at[2] = at[1] + 5 * stride;
        size_t left = depth;
        for (; left >= 4; left -= 4) {
            GEMM_STEPS(4)
            if (rows * 2 > gemm_rows[panel]) {
                GEMM_FETCH(2)
            } else { // the only tile, or one of two: all of the next panel
                GEMM_FETCH(4 * panel * VECTOR_WIDTH * sizeof(float) / CACHE_LINE)
            }
        }
        for (; left > 0; left--) {
            GEMM_STEPS(1)
        }
    }

#if GEMM_HALVES
    if (half) {
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++)
            sum[i][whole] = widened(half_sum[i]);
    }
#endif

    float* c = g->c + column;
    const uint32_t* offset = g->c_offset + m;
    if (g->activation == KERNEL_ACTIVATION_RELU6) {
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
            for (size_t j = 0; j < panel; j++)
                sum[i][j] = relu6(sum[i][j]);
        }
    } else if (g->activation != KERNEL_ACTIVATION_NONE) {
        // Long: over the rows once they are stored, which they are in the first-level cache.
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
            for (size_t j = 0; j < panel; j++)
                store(c + offset[i] + j * VECTOR_WIDTH, sum[i][j]);
        }
        KERNEL(f32_gemm_activate)(g, m, rows, column, panel);
        return;
    }
    if (g->residual) {
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
#pragma clang loop unroll(full)
        for (size_t j = 0; j < panel; j++)
            store(c + offset[i] + j * VECTOR_WIDTH, sum[i][j]);
    }
}

// Tiles are called after their rows and vectors, `14x2v`, or `14x2h` where the last vector is a half.
#define GEMM_TILE_NAME(rows, kind) PASTE(f32_gemm_##rows##x##kind##__, ISA)
#define GEMM_TILE(rows, panel, half, kind)                                                                             \
    static __attribute__((noinline)) void GEMM_TILE_NAME(rows, kind)(                                                  \
        const struct f32_gemm* g, size_t m, const float* b, size_t column, struct ahead ahead) {                       \
        gemm_tile(rows, panel, half, g, m, b, column, ahead);                                                          \
    }
#define GEMM_TILES_3(...) GEMM_TILE(1, __VA_ARGS__) GEMM_TILE(2, __VA_ARGS__) GEMM_TILE(3, __VA_ARGS__)
#define GEMM_TILES_6(...)                                                                                              \
    GEMM_TILES_3(__VA_ARGS__) GEMM_TILE(4, __VA_ARGS__) GEMM_TILE(5, __VA_ARGS__) GEMM_TILE(6, __VA_ARGS__)
#define GEMM_TILES_8(...) GEMM_TILES_6(__VA_ARGS__) GEMM_TILE(7, __VA_ARGS__) GEMM_TILE(8, __VA_ARGS__)
#define GEMM_TILES_9(...) GEMM_TILES_8(__VA_ARGS__) GEMM_TILE(9, __VA_ARGS__)
#define GEMM_TILES_12(...)                                                                                             \
    GEMM_TILES_9(__VA_ARGS__) GEMM_TILE(10, __VA_ARGS__) GEMM_TILE(11, __VA_ARGS__) GEMM_TILE(12, __VA_ARGS__)
#define GEMM_TILES_14(...) GEMM_TILES_12(__VA_ARGS__) GEMM_TILE(13, __VA_ARGS__) GEMM_TILE(14, __VA_ARGS__)
#define GEMM_NAMES_3(kind) 0, GEMM_TILE_NAME(1, kind), GEMM_TILE_NAME(2, kind), GEMM_TILE_NAME(3, kind)
#define GEMM_NAMES_6(kind) GEMM_NAMES_3(kind), GEMM_TILE_NAME(4, kind), GEMM_TILE_NAME(5, kind), GEMM_TILE_NAME(6, kind)
#define GEMM_NAMES_8(kind) GEMM_NAMES_6(kind), GEMM_TILE_NAME(7, kind), GEMM_TILE_NAME(8, kind)
#define GEMM_NAMES_9(kind) GEMM_NAMES_8(kind), GEMM_TILE_NAME(9, kind)
#define GEMM_NAMES_12(kind)                                                                                            \
    GEMM_NAMES_9(kind), GEMM_TILE_NAME(10, kind), GEMM_TILE_NAME(11, kind), GEMM_TILE_NAME(12, kind)
#define GEMM_NAMES_14(kind) GEMM_NAMES_12(kind), GEMM_TILE_NAME(13, kind), GEMM_TILE_NAME(14, kind)

// clang-format off
PASTE(GEMM_TILES_, GEMM_ROWS_1)(1, 0, 1v)
PASTE(GEMM_TILES_, GEMM_ROWS_2)(2, 0, 2v)
PASTE(GEMM_TILES_, GEMM_ROWS_3)(3, 0, 3v)
#if GEMM_HALVES
PASTE(GEMM_TILES_, GEMM_ROWS_2)(2, 1, 2h)
PASTE(GEMM_TILES_, GEMM_ROWS_3)(3, 1, 3h)
#endif

typedef void (*gemm_tile_function)(const struct f32_gemm*, size_t, const float*, size_t, struct ahead);
// clang-format on
// By the vectors of a panel, and its rows.
static const gemm_tile_function gemm_tiles[4][GEMM_ROWS_MAX] = {
    {0},
    {PASTE(GEMM_NAMES_, GEMM_ROWS_1)(1v)},
    {PASTE(GEMM_NAMES_, GEMM_ROWS_2)(2v)},
    {PASTE(GEMM_NAMES_, GEMM_ROWS_3)(3v)},
};
// The same with a half as the last vector, where there are such tiles.
static const gemm_tile_function gemm_half_tiles[4][GEMM_ROWS_MAX] = {
    {0},
    {0},
#if GEMM_HALVES
    {PASTE(GEMM_NAMES_, GEMM_ROWS_2)(2h)},
    {PASTE(GEMM_NAMES_, GEMM_ROWS_3)(3h)},
#endif
};

// Panels of two vectors; a last odd vector goes into one panel of three.
static size_t KERNEL(f32_gemm_panel_vectors)(size_t remaining, size_t widest) {
    if (widest > 0) return remaining < widest ? remaining : widest;
    return remaining == 3 ? 3 : remaining == 1 ? 1 : 2;
}

static size_t KERNEL(f32_gemm_tile_rows)(size_t panel) {
    return panel < 4 ? gemm_rows[panel] : 0;
}

static void KERNEL(f32_gemm)(const struct f32_gemm* g) {
    const float* b = g->b;
    size_t remaining = g->vectors, column = 0;
    while (remaining > 0) {
        const size_t panel = KERNEL(f32_gemm_panel_vectors)(remaining, g->panel_vectors);
        size_t most = gemm_rows[panel];
        if (g->tile_rows > 0 && g->tile_rows < most) most = g->tile_rows;
        const gemm_tile_function* functions = gemm_tiles[panel];
        if (g->ends_in_half && remaining == panel && gemm_half_tiles[panel][1]) functions = gemm_half_tiles[panel];
        size_t tiles = (g->m + most - 1) / most;
        const size_t size = panel * VECTOR_WIDTH * (1 + g->taps * g->k);
        struct ahead ahead = ahead_of(b, remaining > panel ? b + size : g->next, g->fetches_ahead,
                                      4 * panel * VECTOR_WIDTH * sizeof(float), tiles);
        for (size_t m = 0; m < g->m; tiles--) {
            const size_t rows = (g->m - m + tiles - 1) / tiles; // as even as whole rows allow
            functions[rows](g, m, b, column, ahead);
            ahead.at += g->taps * (g->k / 4) * ahead.step;
            m += rows;
        }
        b += size;
        column += panel * VECTOR_WIDTH;
        remaining -= panel;
    }
}
