#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>

#include "webp_reader.h"

// libFuzzer's entry: a WebP, and behind it one byte that chooses the reduction and the window. Its lengths are made
// right where they are beyond the end. A part that is read must equal that part of the whole.

typedef struct {
    uint32_t width;
    uint32_t height;
    uint8_t* pixels;
} outcome;

static cic_status read_picture(cic_webp_reader* reader, const uint8_t* bytes, size_t count, uint32_t reduction,
                               uint32_t first, uint32_t top, outcome* found) {
    cic_header header;
    cic_status status = cic_webp_open(reader, bytes, count, &header);
    if (status != CIC_OK) return status;
    if (header.exif_length > count || header.exif_offset > count - header.exif_length) abort();
    if ((uint64_t)header.width * header.height > 1 << 16) return CIC_UNSUPPORTED;
    const uint32_t width = (header.width + reduction - 1) / reduction;
    const uint32_t height = (header.height + reduction - 1) / reduction;
    const uint32_t first_column = width * first / 4, first_row = height * top / 4;
    cic_webp_window window = {.first_column = first_column,
                              .column_count = width - first_column,
                              .reduction = reduction,
                              .max_memory_bytes = 1 << 20};
    status = cic_webp_start(reader, &window);
    if (status != CIC_OK) return status;
    status = cic_webp_skip(reader, first_row);
    if (status != CIC_OK) return status;
    found->width = window.column_count;
    found->height = height - first_row;
    const size_t stride = (size_t)window.column_count * 4;
    found->pixels = malloc(stride * found->height);
    return cic_webp_read(reader, found->pixels, stride, found->height);
}

static cic_status read_part(const uint8_t* bytes, size_t count, uint32_t reduction, uint32_t first, uint32_t top,
                            outcome* found) {
    cic_webp_reader* reader = cic_webp_create();
    const cic_status status = read_picture(reader, bytes, count, reduction, first, top, found);
    if (status != CIC_OK && status != CIC_UNSUPPORTED && cic_webp_message(reader)[0] == 0) abort();
    if (status == CIC_DAMAGED && cic_webp_failure_offset(reader) > count) abort();
    if (status == CIC_DAMAGED && strstr(cic_webp_message(reader), "lossless bit stream") != NULL && bytes[15] == 'L') {
        // libwebp reads on behind the chunk, up to the end that it is told.
        const size_t length = 20 + (bytes[16] | (size_t)bytes[17] << 8 | (size_t)bytes[18] << 16);
        int width, height;
        if (WebPDecodeRGBA(bytes, length, &width, &height) != NULL) abort();
    }
    cic_webp_destroy(reader);
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

static void mend_length(uint8_t* bytes, size_t count, size_t offset) {
    if (count < offset + 8) return;
    const size_t most = count - offset - 8;
    const size_t length = bytes[offset + 4] | (size_t)bytes[offset + 5] << 8 | (size_t)bytes[offset + 6] << 16 |
                          (size_t)bytes[offset + 7] << 24;
    if (length <= most) return;
    for (int index = 0; index < 4; index++)
        bytes[offset + 4 + (size_t)index] = (uint8_t)(most >> (8 * index));
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
    mend_length(bytes, count, 0);
    mend_length(bytes, count, 12);
    outcome whole = {0}, part = {0};
    const uint32_t reduction = 1u << (choice & 3);
    if (read_part(bytes, count, reduction, 0, 0, &whole) == CIC_OK) {
        read_count++;
        if (read_part(bytes, count, reduction, choice >> 2 & 3, choice >> 4 & 3, &part) != CIC_OK) abort();
        compare(&whole, &part);
    }
    free(whole.pixels);
    free(part.pixels);
    free(bytes);
    return 0;
}
