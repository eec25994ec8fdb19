#ifndef CIMAGECODECS_JPEG_HUFFMAN_H
#define CIMAGECODECS_JPEG_HUFFMAN_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jpeglib.h>

// The tables of the Huffman decoder: a symbol is a code, and behind it come the bits of a value whose length it tells.

enum {
    // Bits that one look at a table resolves.
    CIC_DC_LOOKAHEAD_BITS = 9,
    CIC_AC_LOOKAHEAD_BITS = 10,
    CIC_MAX_CODE_LENGTH = 16,
    CIC_MAX_VALUE_LENGTH = 15,
    CIC_LAST_PLACE = DCTSIZE2 - 1,
};

// What the next bits begin with: one symbol, its code among those looked at; or two, the second one's code too. The end
// of a block and a run of sixteen zeros are values of 0, which change nothing where they are stored.
typedef struct {
    uint8_t length;       // of all codes and values; 0 where the first code is longer than the bits looked at
    uint8_t first_length; // of the first code and value
    uint8_t first_places; // that the first symbol takes, the coefficient's with the zeros before it
    uint8_t places;       // that all take: as many as the first where there is one
    int16_t first_value;  // where there are two
    uint16_t last_mask;   // as many ones as the last value has bits
} cic_table_entry;

typedef struct {
    cic_table_entry entries[1 << CIC_AC_LOOKAHEAD_BITS]; // by the next bits
    // For codes of each length: the first code beyond, left-aligned in 16 bits, and what leads from a code to its place
    // among the symbols.
    uint32_t code_limit[CIC_MAX_CODE_LENGTH + 1];
    int32_t symbol_offset[CIC_MAX_CODE_LENGTH + 1];
    uint8_t symbols[256];
} cic_huffman_table;

// For DC codes, of which each stands alone, and for AC codes. libjpeg must have checked what is stored.
void cic_make_dc_table(cic_huffman_table* table, const JHUFF_TBL* stored);
void cic_make_ac_table(cic_huffman_table* table, const JHUFF_TBL* stored);

// The entry of the one symbol that the bits, from the top, begin with; its length is 0 where they begin with no code.
cic_table_entry cic_find_symbol(const cic_huffman_table* table, uint64_t bits);

// A value by its bits: where the first one is 0, less the mask.
static inline __attribute__((always_inline)) int cic_value_of(unsigned bits, unsigned mask) {
    return (int)(bits - (2 * bits <= mask ? mask : 0));
}

#endif
