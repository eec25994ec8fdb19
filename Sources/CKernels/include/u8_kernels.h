// SIMD micro-kernels in bytes: unsigned activations times signed weights, summed in 32-bit integers.
//
// All instruction sets give the same bits: the sums are exact, and what follows them is single-precision multiplication
// and addition, each rounded by itself, in one order. Neighbouring weights obey |w| + |w'| ≤ 128, so that instruction
// sets that sum pairs of products in 16 bits cannot saturate.
//
// Three layouts of activations, L lanes (dwords) to a vector:
//   pixels   [pixel][channel stride]: bytes of a pixel's channels side by side; the stride is a multiple of 16.
//   columns  [vector][group of 4 columns][L channels][4 columns]: what a depthwise convolution reads.
//   blocks   [block of C columns][channels / 4][C columns][4 channels]: what a depthwise convolution writes. C is 4, or
//            1 where products want a pixel's channels side by side.
#ifndef U8_KERNELS_H
#define U8_KERNELS_H

#include "CKernels.h"

// Vectors before the weights of a panel: offset (i32), multiplier (f32), and where SiLU or a residual come after it:
// the reciprocal of the output's scale, an addend, and what a step of the residual is worth in steps of the output
// (f32).
#define U8_PANEL_HEADER 5

// Products of rows of `a` with a panel's weights.
//
// Row m of `a` starts at a + a_offset[m], or where `u8_columns` says. Its dot product is made of taps: at each
// tap_offset `groups` runs of 4 bytes, `group_step` bytes apart: 4 in pixels, 4 · C in blocks; 4 alone
// where C is 1.
// `b` holds panels of `panel_vectors` vectors: the header's vectors, then [taps · groups][vectors][L][4].
struct u8_product {
    const uint8_t* a;
    const uint32_t* tap_offset; // [taps], in bytes
    size_t taps;
    size_t groups;
    size_t group_step;
    const void* b;
    size_t vectors; // columns to compute, in vectors
    enum kernel_activation activation;
    // Whether each panel is fetched into the second-level cache during the one before, and, during the last, what lies
    // at `next`, if anything. AMX does not: it gains nothing by it.
    int fetches_ahead;
    const void* next;
};

// One image's rows into columns: row y, column x of `a` at a + y · a_row_pitch + x · a_column_pitch.
struct u8_columns {
    struct u8_product product;
    size_t height;
    size_t width;
    size_t a_row_pitch;
    size_t a_column_pitch;
    uint8_t* const* out; // [height]: vector 0, group 0 of each row
    size_t vector_pitch; // bytes between two vectors of a row
    uint8_t padding;     // what a last group's missing columns are
};

// Rows anywhere into pixels anywhere, but not into the rows or the residual: some may be made twice.
struct u8_pixels {
    struct u8_product product;
    const uint32_t* a_offset; // [m], in bytes
    uint8_t* out;
    const uint32_t* out_offset; // [m], in bytes
    const uint8_t* residual;    // or NULL
    const uint32_t* residual_offset;
    size_t m;
};

// Rows anywhere into floats: multiplier · sum.
struct u8_floats {
    struct u8_product product;
    const uint32_t* a_offset; // [m], in bytes
    float* out;
    const uint32_t* out_offset; // [m], in floats
    size_t m;
};

// One output row of a depthwise convolution, columns to blocks.
//
// `weights` holds for each vector the header, then for each kernel row, each group of input columns, and each of four
// outputs that the group touches, [L][4] weights (see u8_depthwise_touches).
struct u8_depthwise {
    const uint8_t* const* rows; // [kernel]: vector 0, the group of column 0
    size_t vector_pitch;        // bytes between two vectors of a row
    const void* weights;
    uint8_t* out;           // block 0 of the first vector
    size_t out_block_pitch; // bytes between two blocks
    size_t width;           // output columns
    size_t vectors;
    size_t kernel;
    size_t stride;
    size_t left; // padding before column 0
    enum kernel_activation activation;
    int32_t* sums; // or NULL: [vectors · L], added to: sums over the row
};

// Whether output `o` of four, which start at input group 0, uses input group `g` (from -1 on).
static inline int u8_depthwise_touches(int kernel, int stride, int left, int o, int g) {
    const int first = stride * o - left;
    return 4 * g + 3 >= first && 4 * g <= first + kernel - 1;
}

// Vectors of weights that a vector of channels has, without the header.
static inline size_t u8_depthwise_tap_vectors(int kernel, int stride, int left) {
    size_t count = 0;
    for (int g = -1; g <= 2; g++)
        for (int o = 0; o < 4; o++)
            count += u8_depthwise_touches(kernel, stride, left, o, g);
    return count * kernel;
}

struct u8_kernel_table {
    size_t lanes;         // of a vector, in dwords
    size_t block_columns; // of a block
    // The table whose products are faster where a dot product has fewer than `least_depth` bytes; or NULL.
    const struct u8_kernel_table* shallow;
    size_t least_depth;

    // How many vectors wide the next panel of `u8_product.b` is, with `remaining` vectors to go.
    size_t (*panel_vectors)(size_t remaining);
    void (*gemm_columns)(const struct u8_columns* arguments);
    void (*gemm_pixels)(const struct u8_pixels* arguments);
    void (*gemm_floats)(const struct u8_floats* arguments);
    void (*depthwise)(const struct u8_depthwise* arguments);

    // out = columns of a row of pixels.
    void (*pixels_to_columns)(const uint8_t* in, size_t pixel_stride, size_t width, size_t vectors, uint8_t* out,
                              size_t vector_pitch, uint8_t padding);
    // sums[c] += Σ_x in[x][c] over pixels.
    void (*pixel_sums)(const uint8_t* in, size_t pixel_stride, size_t pixels, size_t channels, int32_t* sums);
    // Blocks: out = saturate(rint((in - zero_point) · gate[c] + addend)); `out` may be `in`.
    void (*gate_blocks)(const uint8_t* in, size_t blocks, size_t channels, const float* gate, int32_t zero_point,
                        float addend, uint8_t* out);
    // out[n] = bias[n] + Σ_k in[k] · b[k][n], every operation rounded by itself, k ascending; n a multiple of 16.
    void (*dense_row)(const float* in, size_t k, const float* bias, const float* b, size_t n, float* out);
    // Dot products of independent chains in vectors, to measure what the core can do; gives the number of operations
    // done.
    uint64_t (*dot_chains)(size_t iterations, int32_t* sink);
};

#endif
