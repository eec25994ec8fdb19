#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "png_reader.h"

// libFuzzer's entry: a PNG, and behind it one byte that chooses the window and whether checksums are made right, so
// that what lies behind them is reached. A part that is read must equal that part of the whole.

static uint32_t load_u32(const uint8_t* bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void mend_checksums(uint8_t* bytes, size_t count) {
    size_t offset = 8;
    while (offset <= count && count - offset >= 12) {
        const uint32_t length = load_u32(bytes + offset);
        if (length > count - offset - 12) return;
        const uint32_t sum = (uint32_t)crc32(crc32(0, NULL, 0), bytes + offset + 4, length + 4);
        uint8_t* stored = bytes + offset + 8 + length;
        for (int index = 0; index < 4; index++)
            stored[index] = (uint8_t)(sum >> (24 - 8 * index));
        offset += (size_t)length + 12;
    }
}

typedef struct {
    uint32_t width;
    uint32_t height;
    uint8_t* pixels;
} outcome;

// The quarters of columns from `first` on and all rows from the quarter `top` on.
static cic_status read_picture(cic_png_reader* reader, const uint8_t* bytes, size_t count, uint32_t first, uint32_t top,
                               outcome* found) {
    cic_header header;
    cic_status status = cic_png_open(reader, bytes, count, &header);
    if (status != CIC_OK) return status;
    if (header.exif_length > count || header.exif_offset > count - header.exif_length) abort();
    if ((uint64_t)header.width * header.height > 1 << 16) return CIC_UNSUPPORTED;
    const uint32_t first_column = header.width * first / 4, first_row = header.height * top / 4;
    cic_png_window window = {
        .first_column = first_column, .column_count = header.width - first_column, .max_memory_bytes = 1 << 18};
    status = cic_png_start(reader, &window);
    if (status != CIC_OK) return status;
    status = cic_png_skip(reader, first_row);
    if (status != CIC_OK) return status;
    found->width = window.column_count;
    found->height = header.height - first_row;
    const size_t stride = (size_t)window.column_count * 4;
    found->pixels = malloc(stride * found->height);
    status = cic_png_read(reader, found->pixels, stride, found->height);
    return status == CIC_OK ? cic_png_finish(reader) : status;
}

static cic_status read_part(const uint8_t* bytes, size_t count, uint32_t first, uint32_t top, outcome* found) {
    cic_png_reader* reader = cic_png_create();
    const cic_status status = read_picture(reader, bytes, count, first, top, found);
    if (status != CIC_OK && status != CIC_UNSUPPORTED && cic_png_message(reader)[0] == 0) abort();
    if (status == CIC_DAMAGED && cic_png_failure_offset(reader) > count) abort();
    cic_png_destroy(reader);
    return status;
}

static void compare(const outcome* whole, const outcome* part) {
    const uint32_t left = whole->width - part->width, top = whole->height - part->height;
    for (uint32_t row = 0; row < part->height; row++)
        for (uint32_t column = 0; column < part->width; column++) {
            const uint8_t* a = whole->pixels + ((size_t)(row + top) * whole->width + column + left) * 4;
            const uint8_t* b = part->pixels + ((size_t)row * part->width + column) * 4;
            if (memcmp(a, b, 3) != 0) abort();
        }
}

// What was read, told at the end: a run that reads nothing proves nothing.
static unsigned long read_count;

static void tell(void) {
    fprintf(stderr, "read and compared: %lu\n", read_count);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static int is_told;
    if (!is_told) atexit(tell);
    is_told = 1;
    if (size < 2) return 0;
    const size_t count = size - 1;
    const uint8_t choice = data[count];
    // Of their exact size, so that a read beyond is seen.
    uint8_t* bytes = malloc(count);
    memcpy(bytes, data, count);
    if (choice < 0xF0) mend_checksums(bytes, count);
    outcome whole = {0}, part = {0};
    if (read_part(bytes, count, 0, 0, &whole) == CIC_OK) {
        read_count++;
        if (read_part(bytes, count, choice & 3, choice >> 2 & 3, &part) != CIC_OK) abort();
        compare(&whole, &part);
    }
    free(whole.pixels);
    free(part.pixels);
    free(bytes);
    return 0;
}
