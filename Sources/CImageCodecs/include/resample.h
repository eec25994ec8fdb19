#ifndef CIMAGECODECS_RESAMPLE_H
#define CIMAGECODECS_RESAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The two passes of a separable resize over 8-bit channels, in fixed point with CIC_RESAMPLE_BITS bits of fraction.
// Every instruction set gives the same bits.

enum {
    CIC_RESAMPLE_BITS = 22,
    // How many bytes the horizontal pass may write behind its output.
    CIC_RESAMPLE_SLACK = 16,
    // Weights are packed for so many outputs at a time.
    CIC_RESAMPLE_OUTPUTS = 4,
    // What a weight of the horizontal pass is packed into. Units: int32_t. One of the vertical pass takes one.
    CIC_RESAMPLE_PACKED = 4,
};

typedef enum {
    CIC_ISA_PORTABLE = 0,
    CIC_ISA_AVX2,
    CIC_ISA_AVX512,
    CIC_ISA_AVX512VNNI,
    CIC_ISA_COUNT,
} cic_isa;

typedef struct {
    // `tap_count`, the taps stored for each output, must be a multiple of this. The horizontal pass reads `tap_count`
    // pixels from the first one on, also where fewer have a weight: so much memory behind a row must be readable.
    int32_t tap_multiple;

    // Put weights [count][tap_count], of no more than 1.99 each, into the order that the pass wants.
    // Shapes: `packed` [count rounded up to CIC_RESAMPLE_OUTPUTS][tap_count][CIC_RESAMPLE_PACKED] of the horizontal
    // pass, [count][tap_count] of the vertical one.
    void (*pack_horizontal)(int32_t* packed, const int32_t* weights, int32_t tap_count, int32_t count);
    void (*pack_vertical)(int32_t* packed, const int32_t* weights, int32_t tap_count, int32_t count);

    // Output pixel i is the sum over t of row[first[i] + t] x weights[i][t], rounded and clipped.
    // Shapes: row [*][4] u8, first [count], output [count][3] u8 and up to CIC_RESAMPLE_SLACK bytes more that are
    // overwritten.
    void (*horizontal)(uint8_t* output, const uint8_t* row, const int32_t* first, const int32_t* packed,
                       int32_t tap_count, int32_t count);

    // Output byte i is the sum over t < row_count of rows[t][i] x weights[t], rounded and clipped. `packed` is one
    // output's part of what was packed; the weights behind `row_count` are zero.
    void (*vertical)(uint8_t* output, const uint8_t* const* rows, const int32_t* packed, int32_t row_count,
                     size_t byte_count);
} cic_resample_kernels;

// False when this machine lacks the instruction set.
bool cic_resample_kernels_for(cic_isa isa, cic_resample_kernels* kernels);

#endif
