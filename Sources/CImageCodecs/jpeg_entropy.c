#include "jpeg_entropy.h"

#include <string.h>

#include <jerror.h>

// Source: ITU-T T.81 (JPEG), annex F.2.2 (decoding), E.2.4 (restarts).

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

// What a refill gives, at least.
enum { REFILLED_BITS = 56 };

static const uint8_t* find_plain_end(const uint8_t* next, const uint8_t* end) {
    const uint8_t* found = memchr(next, 0xFF, (size_t)(end - next));
    const uint8_t* stop = found == NULL ? end : found;
    return stop - next < 8 ? next : stop - 7;
}

static cic_bit_reader reader_of(const uint8_t* next, const uint8_t* end) {
    return (cic_bit_reader){.next = next, .plain_end = find_plain_end(next, end), .end = end};
}

// Byte by byte: past stuffed zeros, and no further than a marker or the end. Inlined, like all that takes the reader,
// so that it stays in registers.
static inline __attribute__((always_inline)) void refill_slowly(cic_bit_reader* input) {
    while (input->count >= 0 && input->count < REFILLED_BITS && input->next < input->end) {
        uint64_t byte = *input->next;
        const uint8_t* after = input->next + 1;
        if (byte == 0xFF) {
            // Further fill bytes may precede a marker, but no stuffed zero.
            if (after == input->end || *after != 0) break;
            after++;
            input->plain_end = find_plain_end(after, input->end);
        }
        input->bits |= byte << (REFILLED_BITS - input->count);
        input->count += 8;
        input->next = after;
    }
}

// Leaves so many bits or more, or all that there are with zeros behind them.
static inline __attribute__((always_inline)) void refill(cic_bit_reader* input) {
    if (__builtin_expect(input->next >= input->plain_end, 0)) {
        refill_slowly(input);
        return;
    }
    // Bits of the byte that does not fit are there already when it is loaded again: the same ones.
    input->bits |= load_big_endian(input->next) >> input->count;
    input->next += (unsigned)(63 - input->count) >> 3;
    input->count |= REFILLED_BITS;
}

static inline __attribute__((always_inline)) void drop(cic_bit_reader* input, int count) {
    input->bits <<= count;
    input->count -= count;
}

// ---------------------------------------------------------------------------------------------------------------------
// Symbols

// Behind a symbol that no entry holds there are bits enough for all that an entry holds, without a refill.
_Static_assert(REFILLED_BITS - (CIC_MAX_CODE_LENGTH + CIC_MAX_VALUE_LENGTH) >=
                   CIC_AC_LOOKAHEAD_BITS + CIC_MAX_VALUE_LENGTH,
               "two looks at the tables take one refill");

// The entry of the next symbols, in the table or in `found`. Between two refills there may be two calls.
static inline __attribute__((always_inline)) const cic_table_entry*
find_entry(cic_bit_reader* input, const cic_huffman_table* table, int lookahead, cic_table_entry* found) {
    const cic_table_entry* entry = &table->entries[input->bits >> (64 - lookahead)];
    if (__builtin_expect(entry->length != 0, 1)) return entry;
    refill(input);
    *found = cic_find_symbol(table, input->bits);
    return found;
}

static inline __attribute__((always_inline)) int last_value(const cic_table_entry* entry, uint64_t bits) {
    return cic_value_of((unsigned)(bits >> (-entry->length & 63)) & entry->last_mask, entry->last_mask);
}

// ---------------------------------------------------------------------------------------------------------------------
// Blocks

// By place in the scan; the last run of zeros, or the end of the block, may lead beyond the last place.
static const uint8_t natural_order[2 * DCTSIZE2] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45,
    38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63};

typedef enum { BLOCK_OK, BLOCK_BAD_CODE, BLOCK_BAD_COEFFICIENT } block_status;

// What one look at a table found, and where.
typedef struct {
    const cic_table_entry* entry;
    uint64_t bits;
    unsigned place;
} look;

// Reads a coefficient or two behind the place that has been reached, and moves that on.
static inline __attribute__((always_inline)) bool read_coefficients(cic_bit_reader* input,
                                                                    const cic_huffman_table* table, unsigned* place,
                                                                    JCOEF* block, cic_table_entry* found, look* last) {
    const cic_table_entry* entry = find_entry(input, table, CIC_AC_LOOKAHEAD_BITS, found);
    if (__builtin_expect(entry->length == 0, 0)) return false;
    *last = (look){.entry = entry, .bits = input->bits, .place = *place};
    drop(input, entry->length);
    // In this order: both are in the place of the last where there is one.
    block[natural_order[*place + entry->first_places]] = (JCOEF)entry->first_value;
    *place += entry->places;
    block[natural_order[*place]] = (JCOEF)last_value(entry, last->bits);
    return true;
}

// `block` is zero before.
static inline __attribute__((always_inline)) block_status read_block(cic_bit_reader* input,
                                                                     const cic_block_coding* coding, JCOEF* block) {
    refill(input);
    cic_table_entry found;
    const cic_table_entry* dc = find_entry(input, coding->dc, CIC_DC_LOOKAHEAD_BITS, &found);
    if (dc->length == 0) return BLOCK_BAD_CODE;
    if (__builtin_add_overflow(*coding->last_dc, last_value(dc, input->bits), coding->last_dc))
        return BLOCK_BAD_COEFFICIENT;
    drop(input, dc->length);
    block[0] = (JCOEF)*coding->last_dc;

    const cic_huffman_table* ac = coding->ac;
    unsigned place = 0;
    look last;
    for (;;) {
        if (!read_coefficients(input, ac, &place, block, &found, &last)) return BLOCK_BAD_CODE;
        if (place >= CIC_LAST_PLACE) break;
        refill(input);
        if (!read_coefficients(input, ac, &place, block, &found, &last)) return BLOCK_BAD_CODE;
        if (place >= CIC_LAST_PLACE) break;
    }
    const unsigned first_place = last.place + last.entry->first_places;
    // One condition, as whether there are two cannot be predicted.
    if (__builtin_expect((first_place >= CIC_LAST_PLACE) & (first_place != place), 0)) {
        // The block was full before the second, which is the next one's.
        block[natural_order[first_place]] = (JCOEF)last.entry->first_value;
        input->bits = last.bits;
        input->count += last.entry->length;
        drop(input, last.entry->first_length);
    }
    return BLOCK_OK;
}

static inline __attribute__((always_inline)) block_status read_blocks(cic_entropy_decoder* entropy, int count,
                                                                      JBLOCKROW* blocks) {
    cic_bit_reader input = entropy->input;
    block_status status = BLOCK_OK;
    for (int index = 0; index < count && status == BLOCK_OK; index++) {
        // libjpeg wants no coefficients of what it skips.
        JCOEF* block = blocks == NULL ? entropy->unwanted : *blocks[index];
        status = read_block(&input, &entropy->codings[index], block);
    }
    entropy->input = input;
    return status;
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
    entropy->input = reader_of(end - next >= 2 ? next : end, end);
    if (end - next < 2) complain_of_missing_bits(entropy, decoder);
    if (next[1] != JPEG_RST0 + entropy->next_restart) {
        decoder->err->msg_parm.i[0] = next[1];
        decoder->err->msg_parm.i[1] = entropy->next_restart;
        complain(entropy, decoder, JWRN_MUST_RESYNC);
    }
    entropy->input = reader_of(next + 2, end);
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
    switch (read_blocks(entropy, decoder->blocks_in_MCU, blocks)) {
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
        const int dc = decoder->cur_comp_info[index]->dc_tbl_no, ac = decoder->cur_comp_info[index]->ac_tbl_no;
        cic_make_dc_table(&entropy->dc[dc], decoder->dc_huff_tbl_ptrs[dc]);
        cic_make_ac_table(&entropy->ac[ac], decoder->ac_huff_tbl_ptrs[ac]);
    }
    for (int index = 0; index < decoder->blocks_in_MCU; index++) {
        const int place = decoder->MCU_membership[index];
        const jpeg_component_info* component = decoder->cur_comp_info[place];
        entropy->codings[index] = (cic_block_coding){.dc = &entropy->dc[component->dc_tbl_no],
                                                     .ac = &entropy->ac[component->ac_tbl_no],
                                                     .last_dc = &entropy->last_dc[place]};
    }
    entropy->start_pass = NULL; // a second scan never comes
    entropy->insufficient_data = FALSE;
    const uint8_t* bytes = decoder->src->next_input_byte;
    entropy->input = reader_of(bytes, bytes + decoder->src->bytes_in_buffer);
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
