#include "jpeg_huffman.h"

#include <stdbool.h>
#include <string.h>

// Source: ITU-T T.81 (JPEG), annex C (tables), annex F.2.2 (decoding).

enum { END_OF_BLOCK = DCTSIZE2 };

static unsigned places_of(uint8_t symbol) {
    return (symbol & 15) == 0 && symbol != 0xF0 ? END_OF_BLOCK : (symbol >> 4) + 1u;
}

static cic_table_entry entry_of(unsigned code_length, uint8_t symbol) {
    const unsigned value_length = symbol & 15, length = code_length + value_length, places = places_of(symbol);
    return (cic_table_entry){.length = (uint8_t)length,
                             .first_length = (uint8_t)length,
                             .first_places = (uint8_t)places,
                             .places = (uint8_t)places,
                             .last_mask = (uint16_t)((1u << value_length) - 1)};
}

static cic_table_entry entry_of_two(cic_table_entry first, unsigned code_length, uint8_t symbol) {
    cic_table_entry both = entry_of(first.length + code_length, symbol);
    const unsigned places = first.places + places_of(symbol);
    both.first_length = first.length;
    both.first_places = first.places;
    both.places = (uint8_t)(places < END_OF_BLOCK ? places : END_OF_BLOCK);
    return both;
}

static cic_table_entry* fill(cic_table_entry* next, cic_table_entry entry, int count) {
    for (int index = 0; index < count; index++)
        next[index] = entry;
    return next + count;
}

// Fills in the entries whose bits begin with the code of `first`: for each value behind it as many as `room` bits tell
// apart, which are alike but for that value.
static void fill_pairs(cic_table_entry* entries, cic_table_entry first, int room, const JHUFF_TBL* stored) {
    cic_table_entry* next = entries;
    const uint8_t* symbol = stored->huffval;
    for (int length = 1; length <= room; length++)
        for (int index = 0; index < stored->bits[length]; index++)
            next = fill(next, entry_of_two(first, (unsigned)length, *symbol++), 1 << (room - length));
    fill(next, first, (int)(entries + (1 << room) - next));
    for (int bits = first.last_mask; bits >= 0; bits--)
        for (int index = 0; index < 1 << room; index++) {
            cic_table_entry* entry = &entries[(bits << room) + index];
            *entry = entries[index];
            entry->first_value = (int16_t)cic_value_of((unsigned)bits, first.last_mask);
        }
}

static void make_table(cic_huffman_table* table, const JHUFF_TBL* stored, int lookahead, bool has_pairs) {
    memset(table->entries, 0, sizeof table->entries[0] << lookahead);
    memcpy(table->symbols, stored->huffval, sizeof table->symbols);
    uint32_t code = 0;
    int place = 0;
    for (int length = 1; length <= CIC_MAX_CODE_LENGTH; length++) {
        const int count = stored->bits[length];
        table->symbol_offset[length] = place - (int)code;
        for (int index = 0; index < count && length <= lookahead; index++) {
            const cic_table_entry entry = entry_of((unsigned)length, stored->huffval[place + index]);
            cic_table_entry* entries = &table->entries[(code + (uint32_t)index) << (lookahead - length)];
            if (has_pairs && entry.length < lookahead && entry.places < END_OF_BLOCK)
                fill_pairs(entries, entry, lookahead - entry.length, stored);
            else
                fill(entries, entry, 1 << (lookahead - length));
        }
        code += (uint32_t)count;
        place += count;
        table->code_limit[length] = code << (CIC_MAX_CODE_LENGTH - length);
        code <<= 1;
    }
}

void cic_make_dc_table(cic_huffman_table* table, const JHUFF_TBL* stored) {
    make_table(table, stored, CIC_DC_LOOKAHEAD_BITS, false);
}

void cic_make_ac_table(cic_huffman_table* table, const JHUFF_TBL* stored) {
    make_table(table, stored, CIC_AC_LOOKAHEAD_BITS, true);
}

cic_table_entry cic_find_symbol(const cic_huffman_table* table, uint64_t bits) {
    const uint32_t window = (uint32_t)(bits >> 48);
    for (unsigned length = 1; length <= CIC_MAX_CODE_LENGTH; length++)
        if (window < table->code_limit[length]) {
            const int32_t place = (int32_t)(window >> (CIC_MAX_CODE_LENGTH - length)) + table->symbol_offset[length];
            return entry_of(length, table->symbols[place & 255]);
        }
    return (cic_table_entry){0};
}
