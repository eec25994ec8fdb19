// Matrix product of bytes over pixels in AMX's tiles: 16 rows of 16 columns, of whose runs a step takes up to 64 bytes.
//
// Two tiles of rows are multiplied with the one or two vectors of a panel at a time. Their sums go through memory, in
// the first-level cache, to what makes bytes of them. Rows of a tile lie at equal distances: a tile ends where these
// change, and makes some rows again, with the same bits, where fewer are left than the tiles have.
enum { AMX_ROWS = 16, AMX_GROUPS = 16, PANEL_MAX = 2 };

static size_t KERNEL(u8_panel_vectors)(size_t remaining) {
    return remaining < PANEL_MAX ? remaining : PANEL_MAX;
}

// ---------------------------------------------------------------------------------------------------------------------
// Sums

// How the groups of a tap's run are cut into steps. Where they cannot be cut evenly, a rest of them is a smaller step.
struct amx_run {
    size_t steps, step, rest;
};

static struct amx_run amx_run(size_t groups) {
    const size_t fewest = (groups + AMX_GROUPS - 1) / AMX_GROUPS;
    for (size_t steps = fewest; steps <= fewest + 1; steps++)
        if (groups % steps == 0) return (struct amx_run){steps, groups / steps, 0};
    return (struct amx_run){groups / AMX_GROUPS, AMX_GROUPS, groups % AMX_GROUPS};
}

// Tile registers: sums of the first tile of rows with both vectors, sums of the second, the rows of both, both vectors'
// weights. With a rest the vectors take turns, and the second's registers are the rest's.
enum { SUM_00, SUM_01, SUM_10, SUM_11, ROWS_0, ROWS_1, WEIGHTS_0, WEIGHTS_1, REST_0 = SUM_01, REST_1 = SUM_11 };

static void amx_configure(const struct amx_run* run, size_t rows) {
    struct {
        uint8_t palette, start, zero[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } tiles = {.palette = 1};
    for (int tile = SUM_00; tile <= SUM_11; tile++) {
        tiles.rows[tile] = (uint8_t)rows;
        tiles.row_bytes[tile] = 4 * VECTOR_WIDTH;
    }
    for (int tile = ROWS_0; tile <= ROWS_1; tile++) {
        tiles.rows[tile] = (uint8_t)rows;
        tiles.row_bytes[tile] = (uint16_t)(4 * run->step);
    }
    for (int tile = WEIGHTS_0; tile <= WEIGHTS_1; tile++) {
        tiles.rows[tile] = (uint8_t)run->step;
        tiles.row_bytes[tile] = 4 * VECTOR_WIDTH;
    }
    if (run->rest > 0) {
        tiles.row_bytes[REST_0] = tiles.row_bytes[REST_1] = (uint16_t)(4 * run->rest);
        tiles.rows[WEIGHTS_1] = (uint8_t)run->rest;
    }
    _tile_loadconfig(&tiles);
}

// Up to two tiles of rows: row i of tile t at a[t] + i · pitch[t].
struct amx_tiles {
    size_t count;
    const uint8_t* a[2];
    size_t pitch[2];
    // What becomes of them: the product's row that is their first, or where their columns go.
    size_t first[2];
    uint8_t* out[2];
};

// The sums of `count` tiles with `vectors` vectors of the panel, from `b` on, in tile registers; both are constant once
// inlined.
INLINE void amx_sums(const size_t count, const size_t vectors, const int has_rest, const struct u8_product* p,
                     const struct amx_run* run, const struct amx_tiles* tiles, const vi* b, size_t panel) {
    const size_t row_bytes = panel * sizeof(vi);
    _tile_loadd(SUM_00, b, 0);
    if (vectors == 2) _tile_loadd(SUM_01, b + 1, 0);
    if (count == 2) _tile_loadd(SUM_10, b, 0);
    if (count == 2 && vectors == 2) _tile_loadd(SUM_11, b + 1, 0);
    const vi* weights = b + U8_PANEL_HEADER * panel;
    for (size_t t = 0; t < p->taps; t++) {
        const uint8_t* a0 = tiles->a[0] + p->tap_offset[t];
        const uint8_t* a1 = tiles->a[count - 1] + p->tap_offset[t];
        for (size_t s = 0; s < run->steps; s++) {
            _tile_loadd(ROWS_0, a0, tiles->pitch[0]);
            _tile_loadd(WEIGHTS_0, weights, row_bytes);
            _tile_dpbusd(SUM_00, ROWS_0, WEIGHTS_0);
            if (vectors == 2) {
                _tile_loadd(WEIGHTS_1, weights + 1, row_bytes);
                _tile_dpbusd(SUM_01, ROWS_0, WEIGHTS_1);
            }
            if (count == 2) {
                _tile_loadd(ROWS_1, a1, tiles->pitch[1]);
                _tile_dpbusd(SUM_10, ROWS_1, WEIGHTS_0);
                if (vectors == 2) _tile_dpbusd(SUM_11, ROWS_1, WEIGHTS_1);
            }
            a0 += 4 * run->step;
            a1 += 4 * run->step;
            weights += run->step * panel;
        }
        if (has_rest) {
            _tile_loadd(REST_0, a0, tiles->pitch[0]);
            _tile_loadd(WEIGHTS_1, weights, row_bytes);
            _tile_dpbusd(SUM_00, REST_0, WEIGHTS_1);
            if (count == 2) {
                _tile_loadd(REST_1, a1, tiles->pitch[1]);
                _tile_dpbusd(SUM_10, REST_1, WEIGHTS_1);
            }
            weights += run->rest * panel;
        }
    }
}

// Layout of `sums`: [count][AMX_ROWS][panel vectors].
INLINE void amx_store_sums(const size_t count, const size_t vectors, size_t panel, vi* sums) {
    const size_t row_bytes = panel * sizeof(vi);
    _tile_stored(SUM_00, sums, row_bytes);
    if (vectors == 2) _tile_stored(SUM_01, sums + 1, row_bytes);
    if (count == 2) _tile_stored(SUM_10, sums + AMX_ROWS * panel, row_bytes);
    if (count == 2 && vectors == 2) _tile_stored(SUM_11, sums + AMX_ROWS * panel + 1, row_bytes);
}

// The sums of some tiles with a panel, whose first vector is the product's `vector`.
struct amx_sums {
    const struct amx_tiles* tiles;
    const vi* b;
    size_t panel, vector;
    const vi* sums; // [tiles][AMX_ROWS][panel]
};

typedef void (*amx_finish)(const void* work, size_t rows, const struct amx_sums* made);

// Makes the sums of a panel, and takes those of the one before to `finish` while the tiles' products are on their way:
// what follows these in the core's order waits for them.
INLINE void amx_panel(const size_t count, const size_t panel, const struct u8_product* p, const struct amx_run* run,
                      const struct amx_tiles* tiles, const vi* b, vi* sums, const void* work, size_t rows,
                      amx_finish finish, const struct amx_sums* before) {
    if (run->rest > 0) {
#pragma clang loop unroll(full)
        for (size_t j = 0; j < panel; j++) {
            amx_sums(count, 1, 1, p, run, tiles, b + j, panel);
            amx_store_sums(count, 1, panel, sums + j);
        }
        if (before->sums) finish(work, rows, before);
    } else {
        amx_sums(count, panel, 0, p, run, tiles, b, panel);
        if (before->sums) finish(work, rows, before);
        amx_store_sums(count, panel, panel, sums);
    }
}

// Makes all sums of a product: `next` gives the next tiles of rows, none at the end, and `finish` takes their sums.
INLINE void amx_multiply(const struct u8_product* p, size_t rows, void* work,
                         void (*next)(void* work, struct amx_tiles* tiles), amx_finish finish) {
    const struct amx_run run = amx_run(p->groups);
    amx_configure(&run, rows);
    vi sums[2][2 * AMX_ROWS * PANEL_MAX];
    struct amx_tiles tiles[2];
    struct amx_sums made = {.sums = NULL};
    size_t turn = 0;
    for (size_t pass = 0;; pass++) {
        struct amx_tiles* of = &tiles[pass % 2];
        of->count = 0;
        next(work, of);
        if (of->count == 0) break;
        const vi* b = p->b;
        for (size_t vector = 0; vector < p->vectors; turn++) {
            const size_t panel = KERNEL(u8_panel_vectors)(p->vectors - vector);
            vi* const to = sums[turn % 2];
            if (of->count == 2 && panel == 2)
                amx_panel(2, 2, p, &run, of, b, to, work, rows, finish, &made);
            else if (of->count == 2)
                amx_panel(2, 1, p, &run, of, b, to, work, rows, finish, &made);
            else if (panel == 2)
                amx_panel(1, 2, p, &run, of, b, to, work, rows, finish, &made);
            else
                amx_panel(1, 1, p, &run, of, b, to, work, rows, finish, &made);
            made = (struct amx_sums){of, b, panel, vector, to};
            b += panel_size(p, panel);
            vector += panel;
        }
    }
    _tile_release();
    if (made.sums) finish(work, rows, &made);
}

// ---------------------------------------------------------------------------------------------------------------------
// Columns

// Four rows of a tile, of which `count` are there, into a group of columns.
INLINE void amx_store_group(const size_t panel, const int is_silu, const size_t count, const vi* sums, vf multiplier,
                            vf reciprocal, vf addend, vi missing, uint8_t* out) {
    vi row[4] = {missing, missing, missing, missing};
#pragma clang loop unroll(full)
    for (size_t i = 0; i < count; i++) {
        const vf real = to_float(sums[i * panel]) * multiplier;
        row[i] = round_to_int(is_silu ? u8_silu(real) * reciprocal + addend : real);
    }
    store_dwords(out, rows_of_lanes(pack_rows(row[0], row[1], row[2], row[3])));
}

// `rows` rows of a tile into columns: whole groups of four, what is missing of the last being padding.
INLINE void amx_store_columns(const size_t panel, const int is_silu, size_t rows, const vi* b, const vi* sums,
                              uint8_t* out, size_t vector_pitch, vi missing) {
#pragma clang loop unroll(full)
    for (size_t j = 0; j < panel; j++, out += vector_pitch) {
        const vf multiplier = (vf)load_dwords(b + panel + j);
        const vf reciprocal = (vf)load_dwords(b + 2 * panel + j), addend = (vf)load_dwords(b + 3 * panel + j);
        const vi* from = sums + j;
        uint8_t* to = out;
        size_t left = rows;
        for (; left >= 4; left -= 4, from += 4 * panel, to += 4 * VECTOR_WIDTH)
            amx_store_group(panel, is_silu, 4, from, multiplier, reciprocal, addend, missing, to);
        if (left == 3) amx_store_group(panel, is_silu, 3, from, multiplier, reciprocal, addend, missing, to);
        if (left == 2) amx_store_group(panel, is_silu, 2, from, multiplier, reciprocal, addend, missing, to);
        if (left == 1) amx_store_group(panel, is_silu, 1, from, multiplier, reciprocal, addend, missing, to);
    }
}

// Tiles begin at whole groups of four columns, and the last one of a row ends with it.
struct amx_columns {
    const struct u8_columns* g;
    size_t rows, step;
    size_t y, x; // of the next tile
};

static void amx_next_columns(void* work, struct amx_tiles* tiles) {
    struct amx_columns* columns = work;
    const struct u8_columns* g = columns->g;
    for (; tiles->count < 2 && columns->y < g->height; tiles->count++) {
        const size_t x = columns->x + columns->rows < g->width ? columns->x : g->width - columns->rows;
        tiles->a[tiles->count] = g->product.a + columns->y * g->a_row_pitch + x * g->a_column_pitch;
        tiles->pitch[tiles->count] = g->a_column_pitch;
        tiles->out[tiles->count] = g->out[columns->y] + x * VECTOR_WIDTH;
        columns->x = x + columns->step;
        if (x + columns->rows == g->width) {
            columns->x = 0;
            columns->y++;
        }
    }
}

static void amx_finish_columns(const void* work, size_t rows, const struct amx_sums* made) {
    const struct u8_columns* g = ((const struct amx_columns*)work)->g;
    const vi missing = (vi)(int32_t)g->padding;
    const int is_silu = g->product.activation == KERNEL_ACTIVATION_SILU;
    for (size_t t = 0; t < made->tiles->count; t++) {
        const vi* sums = made->sums + t * AMX_ROWS * made->panel;
        uint8_t* out = made->tiles->out[t] + made->vector * g->vector_pitch;
        if (is_silu && made->panel == 2)
            amx_store_columns(2, 1, rows, made->b, sums, out, g->vector_pitch, missing);
        else if (is_silu)
            amx_store_columns(1, 1, rows, made->b, sums, out, g->vector_pitch, missing);
        else if (made->panel == 2)
            amx_store_columns(2, 0, rows, made->b, sums, out, g->vector_pitch, missing);
        else
            amx_store_columns(1, 0, rows, made->b, sums, out, g->vector_pitch, missing);
    }
}

static void KERNEL(u8_gemm_columns)(const struct u8_columns* g) {
    const size_t rows = g->width <= AMX_ROWS ? g->width : AMX_ROWS - 3 + (g->width + 3) % 4;
    struct amx_columns work = {g, rows, rows / 4 * 4, 0, 0};
    amx_multiply(&g->product, rows, &work, amx_next_columns, amx_finish_columns);
}

// ---------------------------------------------------------------------------------------------------------------------
// Rows anywhere

// The end of the rows from `first` on that lie at equal distances.
static size_t amx_even_end(const uint32_t* offset, size_t first, size_t m) {
    size_t end = first + 1;
    while (end < m && offset[end] - offset[end - 1] == offset[first + 1] - offset[first])
        end++;
    return end;
}

// As many as every stretch of rows at equal distances has.
static size_t amx_rows(const uint32_t* offset, size_t m) {
    size_t rows = AMX_ROWS;
    for (size_t first = 0; first < m;) {
        const size_t end = amx_even_end(offset, first, m);
        if (end - first < rows) rows = end - first;
        first = end;
    }
    return rows;
}

struct amx_scattered {
    const void* g; // u8_pixels or u8_floats
    const uint8_t* a;
    const uint32_t* offset; // [m]
    size_t m, rows;
    size_t next, end; // of the stretch at hand
};

static void amx_next_scattered(void* work, struct amx_tiles* tiles) {
    struct amx_scattered* from = work;
    for (; tiles->count < 2 && from->next < from->m; tiles->count++) {
        if (from->next == from->end) from->end = amx_even_end(from->offset, from->next, from->m);
        const size_t first = from->next + from->rows < from->end ? from->next : from->end - from->rows;
        tiles->first[tiles->count] = first;
        tiles->a[tiles->count] = from->a + from->offset[first];
        tiles->pitch[tiles->count] =
            from->rows > 1 ? (size_t)(int32_t)(from->offset[first + 1] - from->offset[first]) : 0;
        from->next = first + from->rows;
    }
}

// Rows of a tile into pixels, from the product's row `first` on.
INLINE void amx_store_pixels(const size_t panel, const int is_silu, const int has_residual, const struct u8_pixels* g,
                             size_t first, size_t rows, const vi* b, const vi* sums, size_t column) {
    vf header[U8_PANEL_HEADER][PANEL_MAX];
#pragma clang loop unroll(full)
    for (size_t part = 1; part < U8_PANEL_HEADER; part++) {
#pragma clang loop unroll(full)
        for (size_t j = 0; j < panel; j++)
            header[part][j] = (vf)load_dwords(b + part * panel + j);
    }
    for (size_t i = 0; i < rows; i++) {
        const uint8_t* residual = has_residual ? g->residual + g->residual_offset[first + i] + column : NULL;
        vi made[PANEL_MAX];
#pragma clang loop unroll(full)
        for (size_t j = 0; j < panel; j++) {
            vf real = to_float(sums[i * panel + j]) * header[1][j];
            if (is_silu) real = u8_silu(real) * header[2][j] + header[3][j];
            if (has_residual) real = real + to_float(load_lane_bytes(residual + j * VECTOR_WIDTH)) * header[4][j];
            made[j] = round_to_int(real);
        }
        store_lanes_bytes(panel, g->out + g->out_offset[first + i] + column, made);
    }
}

INLINE void amx_finish_pixels_of(const size_t panel, const struct u8_pixels* g, size_t rows,
                                 const struct amx_sums* made) {
    const int is_silu = g->product.activation == KERNEL_ACTIVATION_SILU;
    for (size_t t = 0; t < made->tiles->count; t++) {
        const size_t first = made->tiles->first[t], column = made->vector * VECTOR_WIDTH;
        const vi* sums = made->sums + t * AMX_ROWS * panel;
        if (is_silu && g->residual)
            amx_store_pixels(panel, 1, 1, g, first, rows, made->b, sums, column);
        else if (is_silu)
            amx_store_pixels(panel, 1, 0, g, first, rows, made->b, sums, column);
        else if (g->residual)
            amx_store_pixels(panel, 0, 1, g, first, rows, made->b, sums, column);
        else
            amx_store_pixels(panel, 0, 0, g, first, rows, made->b, sums, column);
    }
}

static void amx_finish_pixels(const void* work, size_t rows, const struct amx_sums* made) {
    const struct u8_pixels* g = ((const struct amx_scattered*)work)->g;
    if (made->panel == 2)
        amx_finish_pixels_of(2, g, rows, made);
    else
        amx_finish_pixels_of(1, g, rows, made);
}

static void KERNEL(u8_gemm_pixels)(const struct u8_pixels* g) {
    const size_t rows = amx_rows(g->a_offset, g->m);
    struct amx_scattered work = {g, g->product.a, g->a_offset, g->m, rows, 0, 0};
    amx_multiply(&g->product, rows, &work, amx_next_scattered, amx_finish_pixels);
}

static void amx_finish_floats(const void* work, size_t rows, const struct amx_sums* made) {
    const struct u8_floats* g = ((const struct amx_scattered*)work)->g;
    for (size_t t = 0; t < made->tiles->count; t++) {
        const vi* sums = made->sums + t * AMX_ROWS * made->panel;
        for (size_t i = 0; i < rows; i++) {
            float* out = g->out + g->out_offset[made->tiles->first[t] + i] + made->vector * VECTOR_WIDTH;
            for (size_t j = 0; j < made->panel; j++)
                store(out + j * VECTOR_WIDTH, to_float(*sums++) * (vf)load_dwords(made->b + made->panel + j));
        }
    }
}

static void KERNEL(u8_gemm_floats)(const struct u8_floats* g) {
    const size_t rows = amx_rows(g->a_offset, g->m);
    struct amx_scattered work = {g, g->product.a, g->a_offset, g->m, rows, 0, 0};
    amx_multiply(&g->product, rows, &work, amx_next_scattered, amx_finish_floats);
}
