#ifndef CIMAGECODECS_JPEG_ENTROPY_H
#define CIMAGECODECS_JPEG_ENTROPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jpeglib.h>

#include "jpeg_huffman.h"

// The Huffman decoder of baseline JPEGs, in place of libjpeg's own, which takes three quarters of a decode.

// How libjpeg lays out an entropy decoder is private to it, and was read in the sources of these versions alone: with
// any other, libjpeg's decoder reads everything.
#if defined(LIBJPEG_TURBO_VERSION_NUMBER) && LIBJPEG_TURBO_VERSION_NUMBER >= 2000000 &&                                \
    LIBJPEG_TURBO_VERSION_NUMBER < 2001090
#define CIC_KNOWS_LIBJPEG 1
#else
#define CIC_KNOWS_LIBJPEG 0
#endif

// The bits of a scan, and the bytes that they come from.
typedef struct {
    uint64_t bits; // the next ones, from the top
    int count;     // how many of them there are; below 0 where more were used than there are
    const uint8_t* next;
    const uint8_t* plain_end; // from each place before it on come eight bytes, none of them 0xFF
    const uint8_t* end;
} cic_bit_reader;

// What a block of an MCU is read with.
typedef struct {
    const cic_huffman_table* dc;
    const cic_huffman_table* ac;
    int* last_dc;
} cic_block_coding;

typedef struct {
    // What libjpeg knows of an entropy decoder, in its order: start_pass, decode_mcu and a flag, insufficient_data,
    // that the sequential decoder sets only after a warning that it was to go on from.
    void (*start_pass)(j_decompress_ptr decoder);
    boolean (*decode_mcu)(j_decompress_ptr decoder, JBLOCKROW* blocks);
    boolean insufficient_data;

    cic_bit_reader input;
    bool* ran_out;
    int last_dc[MAX_COMPS_IN_SCAN];
    unsigned restarts_to_go;
    int next_restart;
    cic_block_coding codings[D_MAX_BLOCKS_IN_MCU];
    JBLOCK unwanted;
    cic_huffman_table dc[NUM_HUFF_TBLS];
    cic_huffman_table ac[NUM_HUFF_TBLS];
} cic_entropy_decoder;

// Whether `cic_entropy_install` ever installs anything: libjpeg is of a version that it knows, at compile time and now.
bool cic_entropy_is_usable(void);

// Puts `entropy` in the place of libjpeg's decoder where it knows libjpeg and the scan's coding, Huffman codes of 8-bit
// samples, sequential, all bits of all coefficients of all components: between jpeg_start_decompress and the first row.
// Damage is reported as libjpeg reports it, by its warnings, which must not return; `ran_out` is set before where it is
// the end of the bytes.
//
// Returns whether it did.
bool cic_entropy_install(cic_entropy_decoder* entropy, j_decompress_ptr decoder, bool* ran_out);

#endif
