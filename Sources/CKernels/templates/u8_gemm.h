// Matrix product of bytes over pixels. Before including, define U8_GEMM_ROWS_1, _2 and _3: how many rows a tile of one,
// two and three vectors holds at most, multiples of 4, such that accumulators, a row of b and a broadcast fit in the
// registers.
#define U8_GEMM_ROWS_MAX 16
#define PANEL_MAX 3

static size_t KERNEL(u8_panel_vectors)(size_t remaining) {
    return remaining >= 5 || remaining == 3 ? 3 : remaining == 1 ? 1 : 2;
}

// The sums of `rows` × (`panel` vectors); both are constant once inlined.
INLINE void u8_sums(const size_t rows, const size_t panel, const struct u8_product* p, const uint8_t* const* a,
                    const vi* b, struct ahead ahead, vi sum[][PANEL_MAX]) {
#pragma clang loop unroll(full)
    for (size_t j = 0; j < panel; j++) {
        const vi offset = load_dwords(b + j);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++)
            sum[i][j] = offset;
    }
    b += U8_PANEL_HEADER * panel;
    const size_t step = p->group_step;
    for (size_t t = 0; t < p->taps; t++) {
        size_t at = p->tap_offset[t];
#pragma clang loop unroll_count(2)
        for (size_t k = 0; k < p->groups; k++, at += step, b += panel) {
            vi row[PANEL_MAX];
#pragma clang loop unroll(full)
            for (size_t j = 0; j < panel; j++)
                row[j] = load_dwords(b + j);
#pragma clang loop unroll(full)
            for (size_t i = 0; i < rows; i++) {
                const vi x = broadcast_group(a[i] + at);
#pragma clang loop unroll(full)
                for (size_t j = 0; j < panel; j++)
                    sum[i][j] = dot(sum[i][j], x, row[j]);
            }
            FETCH(ahead.at);
            ahead.at += ahead.step;
        }
    }
}

// A tile into columns: row i of the tile is column x + i, x a multiple of 4.
struct u8_columns_tile {
    const uint8_t* a;
    size_t a_pitch;
    uint8_t* out; // vector 0 of the panel, the group of column x
    size_t vector_pitch;
    int32_t padding; // four times the byte
};

INLINE void u8_columns_tile(const size_t rows, const size_t panel, const struct u8_product* p, const vi* b,
                            struct ahead ahead, const struct u8_columns_tile* tile) {
    vi sum[U8_GEMM_ROWS_MAX][PANEL_MAX];
    const uint8_t* a[U8_GEMM_ROWS_MAX];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++)
        a[i] = tile->a + i * tile->a_pitch;
    u8_sums(rows, panel, p, a, b, ahead, sum);
#pragma clang loop unroll(full)
    for (size_t j = 0; j < panel; j++) {
        const vf multiplier = (vf)load_dwords(b + panel + j);
        uint8_t* out = tile->out + j * tile->vector_pitch;
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++)
            sum[i][j] = round_to_int(to_float(sum[i][j]) * multiplier);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i += 4) {
            const vi missing = (vi)(tile->padding & 255);
            const vi packed = pack_rows(sum[i][j], i + 1 < rows ? sum[i + 1][j] : missing,
                                        i + 2 < rows ? sum[i + 2][j] : missing, i + 3 < rows ? sum[i + 3][j] : missing);
            store_dwords(out + i * VECTOR_WIDTH, rows_of_lanes(packed));
        }
    }
}

// A tile into pixels, through no activation but the saturation to bytes: row i of the tile is row m + i of the product.
INLINE void u8_pixels_tile(const size_t rows, const size_t panel, const struct u8_pixels* g, size_t m, const vi* b,
                           struct ahead ahead, size_t column) {
    vi sum[U8_GEMM_ROWS_MAX][PANEL_MAX];
    const uint8_t* a[U8_GEMM_ROWS_MAX];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++)
        a[i] = g->product.a + g->a_offset[m + i];
    u8_sums(rows, panel, &g->product, a, b, ahead, sum);
    vf multiplier[PANEL_MAX];
#pragma clang loop unroll(full)
    for (size_t j = 0; j < panel; j++)
        multiplier[j] = (vf)load_dwords(b + panel + j);
    uint8_t* out = g->out + column;
    if (g->residual) {
        vf residual_scale[PANEL_MAX];
#pragma clang loop unroll(full)
        for (size_t j = 0; j < panel; j++)
            residual_scale[j] = (vf)load_dwords(b + 4 * panel + j);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++) {
            const uint8_t* residual = g->residual + g->residual_offset[m + i] + column;
#pragma clang loop unroll(full)
            for (size_t j = 0; j < panel; j++)
                sum[i][j] = round_to_int(to_float(sum[i][j]) * multiplier[j] +
                                         to_float(load_lane_bytes(residual + j * VECTOR_WIDTH)) * residual_scale[j]);
            store_lanes_bytes(panel, out + g->out_offset[m + i], sum[i]);
        }
    } else {
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
            for (size_t j = 0; j < panel; j++)
                sum[i][j] = round_to_int(to_float(sum[i][j]) * multiplier[j]);
            store_lanes_bytes(panel, out + g->out_offset[m + i], sum[i]);
        }
    }
}

// A tile's sums into memory: [rows][panel vectors].
INLINE void u8_stored_tile(const size_t rows, const size_t panel, const struct u8_product* p, const uint8_t* const* a,
                           const vi* b, struct ahead ahead, int32_t* out) {
    vi sum[U8_GEMM_ROWS_MAX][PANEL_MAX];
    const uint8_t* at[U8_GEMM_ROWS_MAX];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++)
        at[i] = a[i];
    u8_sums(rows, panel, p, at, b, ahead, sum);
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
        for (size_t j = 0; j < panel; j++)
            store_dwords(out + (i * panel + j) * VECTOR_WIDTH, sum[i][j]);
    }
}

#define U8_TILE(rows, panel)                                                                                           \
    static __attribute__((noinline)) void PASTE(u8_columns_##rows##x##panel##v__, ISA)(                                \
        const struct u8_product* p, const vi* b, struct ahead ahead, const struct u8_columns_tile* tile) {             \
        u8_columns_tile(rows, panel, p, b, ahead, tile);                                                               \
    }                                                                                                                  \
    static __attribute__((noinline)) void PASTE(u8_pixels_##rows##x##panel##v__, ISA)(                                 \
        const struct u8_pixels* g, size_t m, const vi* b, struct ahead ahead, size_t column) {                         \
        u8_pixels_tile(rows, panel, g, m, b, ahead, column);                                                           \
    }                                                                                                                  \
    static __attribute__((noinline)) void PASTE(u8_stored_##rows##x##panel##v__, ISA)(                                 \
        const struct u8_product* p, const uint8_t* const* a, const vi* b, struct ahead ahead, int32_t* out) {          \
        u8_stored_tile(rows, panel, p, a, b, ahead, out);                                                              \
    }
#define U8_TILES_4(panel) U8_TILE(1, panel) U8_TILE(2, panel) U8_TILE(3, panel) U8_TILE(4, panel)
#define U8_TILES_8(panel) U8_TILES_4(panel) U8_TILE(5, panel) U8_TILE(6, panel) U8_TILE(7, panel) U8_TILE(8, panel)
#define U8_TILES_12(panel) U8_TILES_8(panel) U8_TILE(9, panel) U8_TILE(10, panel) U8_TILE(11, panel) U8_TILE(12, panel)
#define U8_TILES_16(panel)                                                                                             \
    U8_TILES_12(panel) U8_TILE(13, panel) U8_TILE(14, panel) U8_TILE(15, panel) U8_TILE(16, panel)
#define U8_NAME(kind, rows, panel) PASTE(u8_##kind##_##rows##x##panel##v__, ISA)
#define U8_NAMES_4(kind, panel)                                                                                        \
    0, U8_NAME(kind, 1, panel), U8_NAME(kind, 2, panel), U8_NAME(kind, 3, panel), U8_NAME(kind, 4, panel)
#define U8_NAMES_8(kind, panel)                                                                                        \
    U8_NAMES_4(kind, panel), U8_NAME(kind, 5, panel), U8_NAME(kind, 6, panel), U8_NAME(kind, 7, panel),                \
        U8_NAME(kind, 8, panel)
#define U8_NAMES_12(kind, panel)                                                                                       \
    U8_NAMES_8(kind, panel), U8_NAME(kind, 9, panel), U8_NAME(kind, 10, panel), U8_NAME(kind, 11, panel),              \
        U8_NAME(kind, 12, panel)
#define U8_NAMES_16(kind, panel)                                                                                       \
    U8_NAMES_12(kind, panel), U8_NAME(kind, 13, panel), U8_NAME(kind, 14, panel), U8_NAME(kind, 15, panel),            \
        U8_NAME(kind, 16, panel)

// clang-format off
PASTE(U8_TILES_, U8_GEMM_ROWS_1)(1)
PASTE(U8_TILES_, U8_GEMM_ROWS_2)(2)
PASTE(U8_TILES_, U8_GEMM_ROWS_3)(3)

static const size_t u8_gemm_rows[4] = {0, U8_GEMM_ROWS_1, U8_GEMM_ROWS_2, U8_GEMM_ROWS_3};
typedef void (*u8_columns_function)(const struct u8_product*, const vi*, struct ahead, const struct u8_columns_tile*);
static const u8_columns_function u8_columns_tiles[4][U8_GEMM_ROWS_MAX + 1] = {
    {0},
    {PASTE(U8_NAMES_, U8_GEMM_ROWS_1)(columns, 1)},
    {PASTE(U8_NAMES_, U8_GEMM_ROWS_2)(columns, 2)},
    {PASTE(U8_NAMES_, U8_GEMM_ROWS_3)(columns, 3)},
};
typedef void (*u8_pixels_function)(const struct u8_pixels*, size_t, const vi*, struct ahead, size_t);
static const u8_pixels_function u8_pixels_tiles[4][U8_GEMM_ROWS_MAX + 1] = {
    {0},
    {PASTE(U8_NAMES_, U8_GEMM_ROWS_1)(pixels, 1)},
    {PASTE(U8_NAMES_, U8_GEMM_ROWS_2)(pixels, 2)},
    {PASTE(U8_NAMES_, U8_GEMM_ROWS_3)(pixels, 3)},
};
typedef void (*u8_stored_function)(const struct u8_product*, const uint8_t* const*, const vi*, struct ahead, int32_t*);
static const u8_stored_function u8_stored_tiles[4][U8_GEMM_ROWS_MAX + 1] = {
    {0},
    {PASTE(U8_NAMES_, U8_GEMM_ROWS_1)(stored, 1)},
    {PASTE(U8_NAMES_, U8_GEMM_ROWS_2)(stored, 2)},
    {PASTE(U8_NAMES_, U8_GEMM_ROWS_3)(stored, 3)},
};
// clang-format on

// What is fetched during the tiles of a panel, of which there are `tiles`: the panel behind it, or what comes next.
INLINE struct ahead u8_ahead(const struct u8_product* p, const vi* b, size_t panel, int is_last, size_t tiles) {
    const void* at = is_last ? p->next : b + panel_size(p, panel);
    return ahead_of(b, at, p->fetches_ahead, panel * sizeof(vi), tiles);
}

INLINE void u8_advance(struct ahead* ahead, const struct u8_product* p) {
    ahead->at += p->taps * p->groups * ahead->step;
}

// A tile into columns through SiLU: its sums, `rows` by `panel` vectors, are in memory.
static void KERNEL(u8_columns_silu)(size_t rows, size_t panel, const vi* b, const vi* sums,
                                    const struct u8_columns_tile* tile) {
    for (size_t j = 0; j < panel; j++) {
        const vf multiplier = (vf)load_dwords(b + panel + j);
        const vf reciprocal = (vf)load_dwords(b + 2 * panel + j), addend = (vf)load_dwords(b + 3 * panel + j);
        for (size_t first = 0; first < rows; first += 4) {
            vi row[4];
#pragma clang loop unroll(full)
            for (size_t i = 0; i < 4; i++) {
                const vi sum = sums[(first + i) * panel + j];
                const vi made = round_to_int(u8_silu(to_float(sum) * multiplier) * reciprocal + addend);
                row[i] = first + i < rows ? made : (vi)(tile->padding & 255);
            }
            store_dwords(tile->out + j * tile->vector_pitch + first * VECTOR_WIDTH,
                         rows_of_lanes(pack_rows(row[0], row[1], row[2], row[3])));
        }
    }
}

static void KERNEL(u8_gemm_columns)(const struct u8_columns* g) {
    const struct u8_product* p = &g->product;
    const vi* b = p->b;
    for (size_t vector = 0; vector < p->vectors;) {
        const size_t panel = KERNEL(u8_panel_vectors)(p->vectors - vector);
        const size_t most = u8_gemm_rows[panel];
        const size_t tiles = (g->width + most - 1) / most;
        // Even shares, in whole groups of four columns.
        const size_t share = ((g->width + tiles - 1) / tiles + 3) / 4 * 4;
        struct ahead ahead = u8_ahead(p, b, panel, vector + panel >= p->vectors, tiles * g->height);
        for (size_t y = 0; y < g->height; y++) {
            struct u8_columns_tile tile = {
                .a = g->a_row_pitch * y + p->a,
                .a_pitch = g->a_column_pitch,
                .out = g->out[y] + vector * g->vector_pitch,
                .vector_pitch = g->vector_pitch,
                .padding = g->padding,
            };
            for (size_t x = 0; x < g->width; x += share) {
                const size_t rows = g->width - x < share ? g->width - x : share;
                if (p->activation == KERNEL_ACTIVATION_SILU) {
                    vi sums[(U8_GEMM_ROWS_MAX + 3) * PANEL_MAX];
                    const uint8_t* a[U8_GEMM_ROWS_MAX];
                    for (size_t i = 0; i < rows; i++)
                        a[i] = tile.a + i * tile.a_pitch;
                    u8_stored_tiles[panel][rows](p, a, b, ahead, (int32_t*)sums);
                    KERNEL(u8_columns_silu)(rows, panel, b, sums, &tile);
                } else {
                    u8_columns_tiles[panel][rows](p, b, ahead, &tile);
                }
                u8_advance(&ahead, p);
                tile.a += share * g->a_column_pitch;
                tile.out += share * VECTOR_WIDTH;
            }
        }
        b += panel_size(p, panel);
        vector += panel;
    }
}

// The panels of a product and the tiles of each: rows m… of `rows`, vectors `vector`… of `panel`.
#define U8_FOR_EACH_TILE(g, p, ...)                                                                                    \
    const vi* b = p->b;                                                                                                \
    for (size_t vector = 0; vector < p->vectors;) {                                                                    \
        const size_t panel = KERNEL(u8_panel_vectors)(p->vectors - vector);                                            \
        size_t tiles = (g->m + u8_gemm_rows[panel] - 1) / u8_gemm_rows[panel];                                         \
        struct ahead ahead = u8_ahead(p, b, panel, vector + panel >= p->vectors, tiles);                               \
        for (size_t m = 0; m < g->m; tiles--) {                                                                        \
            const size_t rows = (g->m - m + tiles - 1) / tiles;                                                        \
            __VA_ARGS__                                                                                                \
            u8_advance(&ahead, p);                                                                                     \
            m += rows;                                                                                                 \
        }                                                                                                              \
        b += panel_size(p, panel);                                                                                     \
        vector += panel;                                                                                               \
    }

// The same, vector by vector of the tiles' sums.
#define U8_FOR_EACH_SUM(g, p, ...)                                                                                     \
    vi sums[U8_GEMM_ROWS_MAX * PANEL_MAX];                                                                             \
    U8_FOR_EACH_TILE(g, p, {                                                                                           \
        const uint8_t* a[U8_GEMM_ROWS_MAX];                                                                            \
        for (size_t i = 0; i < rows; i++)                                                                              \
            a[i] = p->a + g->a_offset[m + i];                                                                          \
        u8_stored_tiles[panel][rows](p, a, b, ahead, (int32_t*)sums);                                                  \
        for (size_t i = 0; i < rows; i++)                                                                              \
            for (size_t j = 0; j < panel; j++) {                                                                       \
                const vi sum = sums[i * panel + j];                                                                    \
                const vf multiplier = (vf)load_dwords(b + panel + j);                                                  \
                const size_t column = (vector + j) * VECTOR_WIDTH;                                                     \
                __VA_ARGS__                                                                                            \
            }                                                                                                          \
    })

static void KERNEL(u8_gemm_pixels)(const struct u8_pixels* g) {
    const struct u8_product* p = &g->product;
    if (p->activation == KERNEL_ACTIVATION_SILU) {
        U8_FOR_EACH_SUM(g, p, {
            const vf reciprocal = (vf)load_dwords(b + 2 * panel + j), addend = (vf)load_dwords(b + 3 * panel + j);
            const vf residual_scale = (vf)load_dwords(b + 4 * panel + j);
            vf y = u8_silu(to_float(sum) * multiplier) * reciprocal + addend;
            if (g->residual)
                y = y + to_float(load_lane_bytes(g->residual + g->residual_offset[m + i] + column)) * residual_scale;
            store_lane_bytes(g->out + g->out_offset[m + i] + column, round_to_int(y));
        })
    } else {
        U8_FOR_EACH_TILE(g, p, { u8_pixels_tiles[panel][rows](g, m, b, ahead, vector * VECTOR_WIDTH); })
    }
}

static void KERNEL(u8_gemm_floats)(const struct u8_floats* g) {
    const struct u8_product* p = &g->product;
    U8_FOR_EACH_SUM(g, p, { store(g->out + g->out_offset[m + i] + column, to_float(sum) * multiplier); })
}
