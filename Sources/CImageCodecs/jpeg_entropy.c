#include "jpeg_entropy.h"

#include <string.h>

#include <jerror.h>

// Source: ITU-T T.81 (JPEG), annex C (tables), annex F.2.2 (decoding), E.2.4 (restarts).

// ---------------------------------------------------------------------------------------------------------------------
// Bits

static inline uint64_t load_big_endian(const uint8_t* bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline bool has_byte_ff(uint64_t word) {
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    return ((~word - ones) & word & tops) != 0;
}

// Byte by byte: past stuffed zeros, and no further than a marker or the end. Inlined, like all that takes the reader,
// so that it stays in registers.
static inline __attribute__((always_inline)) void refill_slowly(cic_bit_reader* input) {
    while (input->count >= 0 && input->count <= 56 && input->next < input->end) {
        uint64_t byte = *input->next;
        const uint8_t* after = input->next + 1;
        if (byte == 0xFF) {
            // Further fill bytes may precede a marker, but no stuffed zero.
            if (after == input->end || *after != 0) break;
            after++;
        }
        input->bits |= byte << (56 - input->count);
        input->count += 8;
        input->next = after;
    }
}

// Leaves 56 bits or more, or all that there are with zeros behind them.
static inline __attribute__((always_inline)) void refill(cic_bit_reader* input) {
    if (__builtin_expect(input->end - input->next >= 8, 1)) {
        uint64_t word = load_big_endian(input->next);
        if (__builtin_expect(!has_byte_ff(word), 1)) {
            // Bits of the byte that does not fit are there already when it is loaded again: the same ones.
            input->bits |= word >> input->count;
            input->next += (63 - input->count) >> 3;
            input->count |= 56;
            return;
        }
    }
    refill_slowly(input);
}

static inline __attribute__((always_inline)) void drop(cic_bit_reader* input, int count) {
    input->bits <<= count;
    input->count -= count;
}

// ---------------------------------------------------------------------------------------------------------------------
// Tables
//
// An entry is found by the next bits, and is one of three:
// - a code and the value behind it, where both fit in the bits looked at: value, places that it takes, length of both;
// - a code alone: its value's length, its own, places, and 0 for the length of both;
// - 0 where the code is longer.
// The end of a block and a run of sixteen zeros are values of 0, which change nothing where they are stored.

enum { END_OF_BLOCK = DCTSIZE2 };

static inline uint32_t whole_entry(int value, unsigned places, int length) {
    return (uint32_t)(uint16_t)value << 16 | places << 8 | (unsigned)length;
}
static inline uint32_t code_entry(unsigned value_length, int code_length, unsigned places) {
    return value_length << 24 | (unsigned)code_length << 16 | places << 8;
}

static inline int entry_length(uint32_t entry) {
    return (int)(entry & 63);
}
static inline int entry_places(uint32_t entry) {
    return (int)(entry >> 8 & 255);
}
static inline int entry_value(uint32_t entry) {
    return (int16_t)(entry >> 16);
}
static inline int entry_code_length(uint32_t entry) {
    return (int)(entry >> 16 & 255);
}
static inline int entry_value_length(uint32_t entry) {
    return (int)(entry >> 24);
}

// A value by its bits: where the first one is 0, less 2^length - 1.
static inline __attribute__((always_inline)) int value_of(int bits, int length) {
    return length == 0 || bits >> (length - 1) != 0 ? bits : bits - (1 << length) + 1;
}

// How many places a symbol takes, the coefficient's with the zeros before it.
static inline unsigned places_of(uint8_t symbol, bool is_dc) {
    if (is_dc) return 1;
    return symbol == 0 || ((symbol & 15) == 0 && symbol != 0xF0) ? END_OF_BLOCK : (symbol >> 4) + 1u;
}

static void fill_entries(cic_huffman_table* table, uint32_t code, int code_length, uint8_t symbol) {
    const int value_length = symbol & 15, spare = CIC_LOOKAHEAD_BITS - code_length;
    const unsigned places = places_of(symbol, table->is_dc);
    uint32_t* next = table->entries + (code << spare);
    if (value_length > spare) {
        for (int copy = 0; copy < 1 << spare; copy++)
            *next++ = code_entry((unsigned)value_length, code_length, places);
        return;
    }
    for (int bits = 0; bits < 1 << value_length; bits++) {
        const uint32_t entry = whole_entry(value_of(bits, value_length), places, code_length + value_length);
        for (int copy = 0; copy < 1 << (spare - value_length); copy++)
            *next++ = entry;
    }
}

// The table's consistency has been checked by libjpeg when it started the scan.
static void make_table(cic_huffman_table* table, const JHUFF_TBL* stored, bool is_dc) {
    table->is_dc = is_dc;
    memset(table->entries, 0, sizeof table->entries);
    memcpy(table->symbols, stored->huffval, sizeof table->symbols);
    uint32_t code = 0;
    int place = 0;
    for (int length = 1; length <= 16; length++) {
        const int count = stored->bits[length];
        table->symbol_offset[length] = place - (int)code;
        for (int index = 0; index < count && length <= CIC_LOOKAHEAD_BITS; index++)
            fill_entries(table, code + (uint32_t)index, length, stored->huffval[place + index]);
        code += (uint32_t)count;
        place += count;
        table->code_limit[length] = code << (16 - length);
        code <<= 1;
    }
}

// The entry of the code that the bits begin with, as a code alone; 0 where they begin none.
static __attribute__((noinline)) uint32_t find_long_code(const cic_huffman_table* table, uint64_t bits) {
    const uint32_t window = (uint32_t)(bits >> 48);
    for (int length = CIC_LOOKAHEAD_BITS + 1; length <= 16; length++)
        if (window < table->code_limit[length]) {
            const int32_t place = (int32_t)(window >> (16 - length)) + table->symbol_offset[length];
            const uint8_t symbol = table->symbols[place & 255];
            return code_entry(symbol & 15, length, places_of(symbol, table->is_dc));
        }
    return 0;
}

// Reads a code and the value behind it: at most 16 + 15 bits.
//
// Returns how many places they take, 0 where there is no such code.
static inline __attribute__((always_inline)) int read_value(cic_bit_reader* input, const cic_huffman_table* table,
                                                            int* value) {
    uint32_t entry = table->entries[input->bits >> (64 - CIC_LOOKAHEAD_BITS)];
    if (__builtin_expect(entry_length(entry) != 0, 1)) {
        *value = entry_value(entry);
        drop(input, entry_length(entry));
        return entry_places(entry);
    }
    if (entry == 0) entry = find_long_code(table, input->bits);
    if (entry == 0) return 0;
    const int length = entry_value_length(entry);
    drop(input, entry_code_length(entry));
    *value = length == 0 ? 0 : value_of((int)(input->bits >> (64 - length)), length);
    drop(input, length);
    return entry_places(entry);
}

// ---------------------------------------------------------------------------------------------------------------------
// Blocks

// By place in the scan; the last run of zeros, or the end of the block, may lead beyond the last place.
static const uint8_t natural_order[DCTSIZE2 + END_OF_BLOCK] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45,
    38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63};

typedef enum { BLOCK_OK, BLOCK_BAD_CODE, BLOCK_BAD_COEFFICIENT } block_status;

// `block` is zero before.
static inline __attribute__((always_inline)) block_status read_block(cic_bit_reader* shared,
                                                                     const cic_huffman_table* dc,
                                                                     const cic_huffman_table* ac, int* last_dc,
                                                                     JCOEF* block) {
    cic_bit_reader input = *shared;
    int value = 0;
    refill(&input);
    if (read_value(&input, dc, &value) == 0) return BLOCK_BAD_CODE;
    if (__builtin_add_overflow(*last_dc, value, last_dc)) return BLOCK_BAD_COEFFICIENT;
    block[0] = (JCOEF)*last_dc;

    int place = 0;
    while (place < DCTSIZE2 - 1) {
        refill(&input);
        // Three values mostly fit in one refill: whether they do is easier to predict than when the bits run low.
        for (int step = 0; step < 3; step++) {
            const int places = read_value(&input, ac, &value);
            if (__builtin_expect(places == 0, 0)) return BLOCK_BAD_CODE;
            place += places;
            block[natural_order[place]] = (JCOEF)value;
            if (place >= DCTSIZE2 - 1 || input.count < 31) break;
        }
    }
    *shared = input;
    return BLOCK_OK;
}

static inline __attribute__((always_inline)) block_status read_blocks(cic_entropy_decoder* entropy,
                                                                      j_decompress_ptr decoder, JBLOCKROW* blocks) {
    for (int index = 0; index < decoder->blocks_in_MCU; index++) {
        const int place = decoder->MCU_membership[index];
        const jpeg_component_info* component = decoder->cur_comp_info[place];
        // libjpeg wants no coefficients of what it skips.
        JCOEF* block = blocks == NULL ? entropy->unwanted : *blocks[index];
        block_status status = read_block(&entropy->input, &entropy->dc[component->dc_tbl_no],
                                         &entropy->ac[component->ac_tbl_no], &entropy->last_dc[place], block);
        if (status != BLOCK_OK) return status;
    }
    return BLOCK_OK;
}

// ---------------------------------------------------------------------------------------------------------------------
// What libjpeg calls

// By libjpeg's own words, at the place that has been reached.
static void complain(cic_entropy_decoder* entropy, j_decompress_ptr decoder, int code) {
    decoder->src->next_input_byte = entropy->input.next;
    decoder->src->bytes_in_buffer = (size_t)(entropy->input.end - entropy->input.next);
    decoder->err->msg_code = code;
    (*decoder->err->emit_message)((j_common_ptr)decoder, -1);
}

static void complain_of_missing_bits(cic_entropy_decoder* entropy, j_decompress_ptr decoder) {
    const uint8_t* next = entropy->input.next;
    while (next < entropy->input.end && *next == 0xFF)
        next++;
    if (next == entropy->input.end) *entropy->ran_out = true;
    complain(entropy, decoder, JWRN_HIT_MARKER);
}

// Drops the bits up to the next byte, and bytes up to the marker, which must be the one that is due.
static void restart(cic_entropy_decoder* entropy, j_decompress_ptr decoder) {
    const uint8_t *next = entropy->input.next, *end = entropy->input.end;
    while (end - next >= 2 && !(next[0] == 0xFF && next[1] != 0 && next[1] != 0xFF))
        next++;
    entropy->input = (cic_bit_reader){.next = end - next >= 2 ? next : end, .end = end};
    if (end - next < 2) complain_of_missing_bits(entropy, decoder);
    if (next[1] != JPEG_RST0 + entropy->next_restart) {
        decoder->err->msg_parm.i[0] = next[1];
        decoder->err->msg_parm.i[1] = entropy->next_restart;
        complain(entropy, decoder, JWRN_MUST_RESYNC);
    }
    entropy->input.next = next + 2;
    entropy->next_restart = (entropy->next_restart + 1) & 7;
    entropy->restarts_to_go = decoder->restart_interval;
    memset(entropy->last_dc, 0, sizeof entropy->last_dc);
}

static inline __attribute__((always_inline)) boolean read_mcu(j_decompress_ptr decoder, JBLOCKROW* blocks) {
    cic_entropy_decoder* entropy = (cic_entropy_decoder*)decoder->entropy;
    if (decoder->restart_interval != 0 && entropy->restarts_to_go-- == 0) {
        restart(entropy, decoder);
        entropy->restarts_to_go--;
    }
    switch (read_blocks(entropy, decoder, blocks)) {
    case BLOCK_OK:
        break;
    case BLOCK_BAD_CODE:
        complain(entropy, decoder, JWRN_HUFF_BAD_CODE);
        break;
    case BLOCK_BAD_COEFFICIENT:
        complain(entropy, decoder, JERR_BAD_DCT_COEF);
        break;
    }
    if (__builtin_expect(entropy->input.count < 0, 0)) complain_of_missing_bits(entropy, decoder);
    return TRUE;
}

static boolean read_mcu__portable(j_decompress_ptr decoder, JBLOCKROW* blocks) {
    return read_mcu(decoder, blocks);
}

#if defined(__x86_64__)
__attribute__((target("bmi,bmi2,lzcnt"))) static boolean read_mcu__bmi2(j_decompress_ptr decoder, JBLOCKROW* blocks) {
    return read_mcu(decoder, blocks);
}
#endif

// Of libjpeg-turbo 3, which shares its name with the versions known: the library met at run time may be a later one.
extern int jpeg12_read_scanlines(void) __attribute__((weak));

bool cic_entropy_is_usable(void) {
    return CIC_KNOWS_LIBJPEG && jpeg12_read_scanlines == NULL;
}

static bool has_tables(j_decompress_ptr decoder, const jpeg_component_info* component) {
    const int dc = component->dc_tbl_no, ac = component->ac_tbl_no;
    return dc >= 0 && dc < NUM_HUFF_TBLS && ac >= 0 && ac < NUM_HUFF_TBLS && decoder->dc_huff_tbl_ptrs[dc] != NULL &&
           decoder->ac_huff_tbl_ptrs[ac] != NULL;
}

// Lossless scans look sequential, but for their range of coefficients.
static bool is_known(j_decompress_ptr decoder) {
    if (decoder->progressive_mode || decoder->arith_code || decoder->data_precision != 8) return false;
    if (decoder->Ss != 0 || decoder->Se != DCTSIZE2 - 1 || decoder->Ah != 0 || decoder->Al != 0) return false;
    if (decoder->comps_in_scan != decoder->num_components) return false;
    for (int index = 0; index < decoder->comps_in_scan; index++)
        if (!has_tables(decoder, decoder->cur_comp_info[index])) return false;
    return true;
}

bool cic_entropy_install(cic_entropy_decoder* entropy, j_decompress_ptr decoder, bool* ran_out) {
    if (!cic_entropy_is_usable() || !is_known(decoder)) return false;
    for (int index = 0; index < decoder->comps_in_scan; index++) {
        const jpeg_component_info* component = decoder->cur_comp_info[index];
        make_table(&entropy->dc[component->dc_tbl_no], decoder->dc_huff_tbl_ptrs[component->dc_tbl_no], true);
        make_table(&entropy->ac[component->ac_tbl_no], decoder->ac_huff_tbl_ptrs[component->ac_tbl_no], false);
    }
    entropy->start_pass = NULL; // a second scan never comes
    entropy->insufficient_data = FALSE;
    entropy->input = (cic_bit_reader){.next = decoder->src->next_input_byte,
                                      .end = decoder->src->next_input_byte + decoder->src->bytes_in_buffer};
    entropy->ran_out = ran_out;
    memset(entropy->last_dc, 0, sizeof entropy->last_dc);
    entropy->restarts_to_go = decoder->restart_interval;
    entropy->next_restart = 0;
    entropy->decode_mcu = read_mcu__portable;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("bmi2")) entropy->decode_mcu = read_mcu__bmi2;
#endif
    decoder->entropy = (struct jpeg_entropy_decoder*)entropy;
    return true;
}
