#include "webp_lossless.h"

#include <stdlib.h>
#include <string.h>

// Source: RFC 9649, WebP Image Format, section 3 (lossless bit stream).

enum {
    MAX_CODE_LENGTH = 15,
    LITERAL_COUNT = 256,
    LENGTH_COUNT = 24,
    DISTANCE_COUNT = 40,
    MAX_CACHE_BITS = 11,
    MAX_ALPHABET = LITERAL_COUNT + LENGTH_COUNT + (1 << MAX_CACHE_BITS),
    GROUP_INDEX_COUNT = 1 << 16,
};

// ---------------------------------------------------------------------------------------------------------------------
// Bits, the lowest of each byte first

typedef struct {
    const uint8_t* next;
    const uint8_t* end;
    uint64_t bits;
    int count;
    bool ran_out;
} bit_reader;

static uint32_t read_bits(bit_reader* input, int count) {
    while (input->count < count) {
        if (input->next == input->end) {
            input->ran_out = true;
            return 0;
        }
        input->bits |= (uint64_t)*input->next++ << input->count;
        input->count += 8;
    }
    const uint32_t value = (uint32_t)(input->bits & ((1u << count) - 1));
    input->bits >>= count;
    input->count -= count;
    return value;
}

// ---------------------------------------------------------------------------------------------------------------------
// Prefix codes

typedef struct {
    uint16_t counts[MAX_CODE_LENGTH + 1];
    uint16_t symbols[MAX_ALPHABET]; // in the order of their codes
    bool has_one_symbol;            // which takes no bits
} prefix_code;

static bool make_code(prefix_code* code, const uint8_t* lengths, int symbol_count) {
    memset(code->counts, 0, sizeof code->counts);
    for (int symbol = 0; symbol < symbol_count; symbol++)
        code->counts[lengths[symbol]]++;
    const int used = symbol_count - code->counts[0];
    code->counts[0] = 0;
    code->has_one_symbol = used == 1;

    uint16_t places[MAX_CODE_LENGTH + 2] = {0};
    int open = 1;
    for (int length = 1; length <= MAX_CODE_LENGTH; length++) {
        places[length + 1] = (uint16_t)(places[length] + code->counts[length]);
        open = 2 * open - code->counts[length];
        if (open < 0) return false;
    }
    for (int symbol = 0; symbol < symbol_count; symbol++)
        if (lengths[symbol] != 0) code->symbols[places[lengths[symbol]]++] = (uint16_t)symbol;
    return used == 1 || (used > 1 && open == 0);
}

static uint32_t read_symbol(bit_reader* input, const prefix_code* code) {
    if (code->has_one_symbol) return code->symbols[0];
    int value = 0, first = 0, place = 0;
    for (int length = 1; length <= MAX_CODE_LENGTH; length++) {
        value |= (int)read_bits(input, 1);
        const int count = code->counts[length];
        if (value - first < count) return code->symbols[place + value - first];
        place += count;
        first = (first + count) << 1;
        value <<= 1;
    }
    return 0; // never with a complete code
}

static bool read_lengths(bit_reader* input, uint8_t* lengths, int symbol_count) {
    static const uint8_t order[19] = {17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    uint8_t length_lengths[19] = {0};
    const int stored = (int)read_bits(input, 4) + 4;
    for (int index = 0; index < stored; index++)
        length_lengths[order[index]] = (uint8_t)read_bits(input, 3);
    prefix_code code;
    if (!make_code(&code, length_lengths, 19)) return false;

    int left = symbol_count;
    if (read_bits(input, 1)) {
        const int bits = 2 + 2 * (int)read_bits(input, 3);
        left = 2 + (int)read_bits(input, bits);
        if (left > symbol_count) return false;
    }
    uint8_t last = 8;
    for (int symbol = 0; symbol < symbol_count && left > 0; left--) {
        const uint32_t length = read_symbol(input, &code);
        if (input->ran_out) return false;
        if (length < 16) {
            lengths[symbol++] = (uint8_t)length;
            if (length != 0) last = (uint8_t)length;
            continue;
        }
        const int extra = length == 16 ? 2 : length == 17 ? 3 : 7;
        const int repeat = (int)read_bits(input, extra) + (length == 18 ? 11 : 3);
        if (repeat > symbol_count - symbol) return false;
        memset(lengths + symbol, length == 16 ? last : 0, (size_t)repeat);
        symbol += repeat;
    }
    return true;
}

static bool read_code(bit_reader* input, prefix_code* code, int symbol_count) {
    uint8_t lengths[MAX_ALPHABET] = {0};
    if (read_bits(input, 1)) {
        const bool has_two = read_bits(input, 1);
        lengths[read_bits(input, read_bits(input, 1) ? 8 : 1)] = 1;
        if (has_two) lengths[read_bits(input, 8)] = 1;
    } else if (!read_lengths(input, lengths, symbol_count)) {
        return false;
    }
    return !input->ran_out && make_code(code, lengths, symbol_count);
}

// ---------------------------------------------------------------------------------------------------------------------
// Small pictures, of tiles or colours

// Green with lengths and cached colours, red, blue, alpha, distance.
typedef struct {
    prefix_code codes[5];
} code_group;

static bool read_cache_bits(bit_reader* input, int* cache_bits) {
    *cache_bits = 0;
    if (!read_bits(input, 1)) return true;
    *cache_bits = (int)read_bits(input, 4);
    return *cache_bits >= 1 && *cache_bits <= MAX_CACHE_BITS;
}

static uint32_t read_number(bit_reader* input, uint32_t prefix) {
    if (prefix < 4) return prefix + 1;
    const int extra = (int)(prefix - 2) >> 1;
    return ((2 + (prefix & 1)) << extra) + read_bits(input, extra) + 1;
}

// How far back a distance code leads. The first 120 mean pixels nearby, as rows above and columns to the left of 8.
static uint64_t distance_of(uint32_t code, uint32_t width) {
    static const uint8_t nearby[120] = {
        0x18, 0x07, 0x17, 0x19, 0x28, 0x06, 0x27, 0x29, 0x16, 0x1a, 0x26, 0x2a, 0x38, 0x05, 0x37, 0x39, 0x15, 0x1b,
        0x36, 0x3a, 0x25, 0x2b, 0x48, 0x04, 0x47, 0x49, 0x14, 0x1c, 0x35, 0x3b, 0x46, 0x4a, 0x24, 0x2c, 0x58, 0x45,
        0x4b, 0x34, 0x3c, 0x03, 0x57, 0x59, 0x13, 0x1d, 0x56, 0x5a, 0x23, 0x2d, 0x44, 0x4c, 0x55, 0x5b, 0x33, 0x3d,
        0x68, 0x02, 0x67, 0x69, 0x12, 0x1e, 0x66, 0x6a, 0x22, 0x2e, 0x54, 0x5c, 0x43, 0x4d, 0x65, 0x6b, 0x32, 0x3e,
        0x78, 0x01, 0x77, 0x79, 0x53, 0x5d, 0x11, 0x1f, 0x64, 0x6c, 0x42, 0x4e, 0x76, 0x7a, 0x21, 0x2f, 0x75, 0x7b,
        0x31, 0x3f, 0x63, 0x6d, 0x52, 0x5e, 0x00, 0x74, 0x7c, 0x41, 0x4f, 0x10, 0x20, 0x62, 0x6e, 0x30, 0x73, 0x7d,
        0x51, 0x5f, 0x40, 0x72, 0x7e, 0x61, 0x6f, 0x50, 0x71, 0x7f, 0x60, 0x70};
    if (code > 120) return code - 120;
    const int64_t distance = (int64_t)(nearby[code - 1] >> 4) * width + 8 - (nearby[code - 1] & 15);
    return distance < 1 ? 1 : (uint64_t)distance;
}

static bool read_pixels(bit_reader* input, const code_group* group, int cache_bits, uint32_t width, uint64_t count,
                        uint32_t* pixels) {
    uint32_t cache[1 << MAX_CACHE_BITS] = {0};
    uint64_t done = 0;
    while (done < count) {
        const uint32_t code = read_symbol(input, &group->codes[0]);
        uint64_t copied = 1;
        if (code < LITERAL_COUNT) {
            const uint32_t red = read_symbol(input, &group->codes[1]), blue = read_symbol(input, &group->codes[2]);
            const uint32_t alpha = read_symbol(input, &group->codes[3]);
            pixels[done] = alpha << 24 | red << 16 | code << 8 | blue;
        } else if (code < LITERAL_COUNT + LENGTH_COUNT) {
            copied = read_number(input, code - LITERAL_COUNT);
            const uint32_t prefix = read_symbol(input, &group->codes[4]);
            const uint64_t distance = distance_of(read_number(input, prefix), width);
            if (distance > done || copied > count - done) return false;
            for (uint64_t index = done; index < done + copied; index++)
                pixels[index] = pixels[index - distance];
        } else {
            pixels[done] = cache[code - LITERAL_COUNT - LENGTH_COUNT];
        }
        if (input->ran_out) return false;
        if (cache_bits > 0)
            for (uint64_t index = done; index < done + copied; index++)
                cache[(0x1E35A7BDu * pixels[index]) >> (32 - cache_bits)] = pixels[index];
        done += copied;
    }
    return true;
}

// The caller frees `pixels`.
static bool read_picture(bit_reader* input, uint32_t width, uint32_t height, uint32_t** pixels) {
    *pixels = NULL;
    int cache_bits;
    if (!read_cache_bits(input, &cache_bits)) return false;
    const int sizes[5] = {LITERAL_COUNT + LENGTH_COUNT + (cache_bits > 0 ? 1 << cache_bits : 0), LITERAL_COUNT,
                          LITERAL_COUNT, LITERAL_COUNT, DISTANCE_COUNT};
    code_group group;
    for (int index = 0; index < 5; index++)
        if (!read_code(input, &group.codes[index], sizes[index])) return false;
    const uint64_t count = (uint64_t)width * height;
    *pixels = malloc(count * sizeof **pixels);
    return *pixels != NULL && read_pixels(input, &group, cache_bits, width, count, *pixels);
}

// ---------------------------------------------------------------------------------------------------------------------
// The picture

static uint32_t tile_count(uint32_t length, int bits) {
    return (length + (1u << bits) - 1) >> bits;
}

// Adds up what libwebp keeps of tiles or colours; `width` becomes less where several pixels are packed into one.
static bool read_transforms(bit_reader* input, uint32_t* width, uint32_t height, uint64_t* byte_count) {
    enum { PREDICTOR = 0, CROSS_COLOR = 1, COLOR_INDEXING = 3 };
    unsigned seen = 0;
    while (read_bits(input, 1)) {
        const uint32_t type = read_bits(input, 2);
        if ((seen >> type & 1) != 0) return false;
        seen |= 1u << type;
        uint32_t columns = 0, rows = 1;
        if (type == PREDICTOR || type == CROSS_COLOR) {
            const int bits = (int)read_bits(input, 3) + 2;
            columns = tile_count(*width, bits);
            rows = tile_count(height, bits);
        } else if (type == COLOR_INDEXING) {
            columns = read_bits(input, 8) + 1;
            *width = tile_count(*width, columns > 16 ? 0 : columns > 4 ? 1 : columns > 2 ? 2 : 3);
        } else {
            continue;
        }
        uint32_t* pixels;
        const bool is_read = read_picture(input, columns, rows, &pixels);
        free(pixels);
        if (!is_read) return false;
        *byte_count += (uint64_t)columns * rows * sizeof *pixels;
    }
    return !input->ran_out;
}

// Where there are few, libwebp keeps unused groups, too.
static uint32_t count_groups(const uint32_t* tiles, uint64_t count) {
    enum { FEW = 1000 };
    uint8_t is_used[GROUP_INDEX_COUNT / 8] = {0}; // a bit each
    uint32_t greatest = 0, used = 0;
    for (uint64_t index = 0; index < count; index++) {
        const uint32_t group = tiles[index] >> 8 & (GROUP_INDEX_COUNT - 1);
        if (group > greatest) greatest = group;
        used += (is_used[group / 8] >> group % 8 & 1) == 0;
        is_used[group / 8] |= (uint8_t)(1u << group % 8);
    }
    return greatest < FEW ? greatest + 1 : used;
}

bool cic_webp_lossless_memory(const uint8_t* bytes, size_t count, bool has_header, uint32_t width, uint32_t height,
                              uint64_t* byte_count) {
    // Tables of the five codes, as many entries as they can take, of 4 bytes; and what is made of them.
    enum { TABLE_ENTRIES = 2954, ENTRY_BYTES = 4, GROUP_BYTES = 600 };
    bit_reader input = {.next = bytes, .end = bytes + count};
    *byte_count = 0;
    if (has_header) {
        const bool has_signature = read_bits(&input, 8) == 0x2F;
        const uint32_t stored_width = read_bits(&input, 14) + 1, stored_height = read_bits(&input, 14) + 1;
        read_bits(&input, 1); // a hint of alpha
        if (!has_signature || stored_width != width || stored_height != height || read_bits(&input, 3) != 0)
            return false;
    }
    int cache_bits;
    if (!read_transforms(&input, &width, height, byte_count) || !read_cache_bits(&input, &cache_bits)) return false;
    uint32_t groups = 1;
    if (read_bits(&input, 1)) {
        const int bits = (int)read_bits(&input, 3) + 2;
        const uint32_t columns = tile_count(width, bits), rows = tile_count(height, bits);
        uint32_t* tiles;
        const bool is_read = read_picture(&input, columns, rows, &tiles);
        if (is_read) groups = count_groups(tiles, (uint64_t)columns * rows);
        free(tiles);
        if (!is_read) return false;
        *byte_count += (uint64_t)columns * rows * sizeof *tiles;
    }
    const uint64_t entries = TABLE_ENTRIES + (cache_bits > 0 ? 1u << cache_bits : 0);
    *byte_count += groups * (entries * ENTRY_BYTES + GROUP_BYTES);
    return !input.ran_out;
}
