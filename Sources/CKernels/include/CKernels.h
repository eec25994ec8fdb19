// SIMD micro-kernels for 32-bit floating point, one table of them per instruction set.
//
// Every kernel computes each output element as one chain of fused multiply-adds or of additions in a fixed order,
// whatever the tile, so that all instruction sets with FMA give the same bits.
//
// Activations are NHWC. The distance between two pixels (the channel stride) is a multiple of KERNEL_CHANNEL_ALIGNMENT
// floats. Kernels read and write whole vectors: the lanes between the channel count and the channel stride are
// scratch, never mixed into other lanes.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// Channel strides are multiples of this many floats: the widest vector.
#define KERNEL_CHANNEL_ALIGNMENT 16

enum kernel_activation {
    KERNEL_ACTIVATION_NONE = 0,
    KERNEL_ACTIVATION_RELU6 = 1,
    KERNEL_ACTIVATION_SILU = 2,
    KERNEL_ACTIVATION_SIGMOID = 3,
};

// c[m][n] = activation(bias[n] + Σ_t Σ_k a[m, t, k] · b[t, k, n]) + residual[m][n]
//
// a[m, t, k] lies at a + m · a_stride + tap_offset[t] + k, c[m][n] at c + c_offset[m] + n, and the residual likewise.
// A 1×1 convolution has one tap; a k×k convolution a tap for each run of input that is contiguous.
// `b` holds panels of `f32_gemm_panel_vectors` vectors: a panel is bias[NR], then [taps · k][NR].
struct f32_gemm {
    const float* a;
    size_t a_stride;            // floats between two rows
    const uint32_t* tap_offset; // [taps], in floats
    size_t taps;
    size_t k; // length of a tap's run
    const float* b;
    float* c;
    const uint32_t* c_offset;        // [m], in floats
    const float* residual;           // or NULL
    const uint32_t* residual_offset; // [m], in floats
    size_t m;
    size_t vectors; // columns to compute, in vectors of the table's width
    // Whether the upper half of the last vector's columns need not be computed; what is written there is undefined.
    int ends_in_half;
    enum kernel_activation activation;
    // The widest panel and the most rows of a tile; 0 for the table's choice. `b` is packed for the same panels.
    size_t panel_vectors;
    size_t tile_rows;
    // Whether each panel is fetched into the second-level cache during the one before, and, during the last, what lies
    // at `next`, if anything.
    int fetches_ahead;
    const void* next;
};

// out[y][x][c] = activation(bias[c] + Σ_ky Σ_kx rows[y · stride + ky][x · stride + kx][c] · weight[ky][kx][c])
//
// `weights` holds a block for each vector of channels: bias[W], then [kernel · kernel][W].
struct f32_depthwise {
    const float* const* rows; // [(height - 1) · stride + kernel], each at the column of the first tap of output 0
    size_t column_stride;     // floats between two input columns
    const float* weights;
    float* out;
    size_t out_stride;     // floats between two output columns
    size_t out_row_stride; // floats between two output rows
    size_t width;          // output columns
    size_t height;         // output rows
    size_t vectors;        // channels to compute, in vectors of the table's width
    size_t kernel;
    size_t stride;
    enum kernel_activation activation;
};

// A row of 4×4 tiles of the input, each two columns behind the one before, as Winograd's F(2×2, 3×3) multiplies them:
// out[p][tile][c] = (Bᵀ · d · B)[p / 4][p % 4], d[i][j] = rows[i][2 · tile + j - 1][c], zero outside the columns.
//
// Bᵀ = (1 0 -1 0 | 0 1 1 0 | 0 -1 1 0 | 0 1 0 -1).
struct f32_winograd_input {
    const float* const* rows; // [4], each at column 0
    size_t column_stride;     // floats between two columns
    size_t width;             // columns of the input
    float* out;
    size_t position_stride; // floats between two of the 16 positions
    size_t tile_stride;     // floats between two tiles
    size_t tiles;
    size_t vectors; // channels to compute, in vectors of the table's width
};

// The 2×2 outputs of a row of tiles from the products of their 16 positions, less where the picture ends:
// out[y][x][c] = activation((Aᵀ · m · A)[y][x % 2]) + residual[y][x][c], m[i][j] = in[4 · i + j][x / 2][c].
//
// Aᵀ = (1 1 1 0 | 0 1 -1 -1).
struct f32_winograd_output {
    const float* in;
    size_t position_stride; // floats between two of the 16 positions
    size_t tile_stride;     // floats between two tiles
    float* out;
    const float* residual; // laid out as `out`, or NULL
    size_t out_stride;     // floats between two output columns
    size_t out_row_stride; // floats between two output rows
    size_t width;          // output columns
    size_t height;         // output rows: 1 or 2
    size_t vectors;        // channels to compute, in vectors of the table's width
    enum kernel_activation activation;
};

struct kernel_table {
    size_t vector_width;    // in floats
    int fused_multiply_add; // whether products are fused, and the bits those of every other such table

    // How many vectors wide the next panel of `f32_gemm.b` is, with `remaining` vectors to go and `widest` vectors in a
    // panel at most; 0 for the table's choice.
    size_t (*f32_gemm_panel_vectors)(size_t remaining, size_t widest);
    // The most rows that a tile of `panel` vectors has; 0 where there is none.
    size_t (*f32_gemm_tile_rows)(size_t panel);
    void (*f32_gemm)(const struct f32_gemm* arguments);
    void (*f32_depthwise)(const struct f32_depthwise* arguments);
    void (*f32_winograd_input)(const struct f32_winograd_input* arguments);
    void (*f32_winograd_output)(const struct f32_winograd_output* arguments);

    // sums[c] += Σ_x in[x][c], x ascending.
    void (*f32_column_sum)(const float* in, size_t stride, size_t width, size_t vectors, float* sums);
    // out[x][c] = in[x][c] · gate[c]; `out` may be `in`.
    void (*f32_column_scale)(const float* in, size_t stride, size_t width, size_t vectors, const float* gate,
                             float* out);
    // out[r][i] = in[r][i] · factor[r] for rows of `vectors` vectors, one behind the other.
    void (*f32_row_scale)(const float* in, size_t rows, size_t vectors, const float* factor, float* out);
    // data[i] = activation(data[i]).
    void (*f32_activate)(float* data, size_t vectors, enum kernel_activation activation);
    // out[i] = in[i] · scale[i % 3] + shift[i % 3], for interleaved RGB of `width` pixels.
    void (*u8_normalise_rgb)(const uint8_t* in, size_t width, const float scale[3], const float shift[3], float* out);
    // Multiply-adds of independent chains, to measure what the core can do; gives the number of operations done.
    uint64_t (*f32_fma_chains)(size_t iterations, float* sink);
};

struct u8_kernel_table; // u8_kernels.h

// What one instruction set has: sets may share a table.
struct instruction_set {
    const char* name;
    const struct kernel_table* f32;
    const struct u8_kernel_table* u8;
};

// The sets this machine can run, fastest first. Writes up to `capacity` of them and gives their number.
size_t instruction_sets(struct instruction_set* sets, size_t capacity);

// Whether weights are to be fetched ahead of their use, which is a matter of the machine's caches.
int kernel_fetches_ahead(void);

// A hint to the core that this thread is spinning.
static inline void kernel_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#include "u8_kernels.h"

#endif
