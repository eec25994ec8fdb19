#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jpeg_reader.h"

// libFuzzer's entry: a JPEG, and behind it one byte that chooses the reduction and the window. It is read with our
// Huffman decoder and with libjpeg's: what ours reads, libjpeg's must read alike.

typedef struct {
    cic_status status;
    bool is_ours;
    size_t count;
    uint8_t* pixels;
} outcome;

static cic_status read_picture(cic_jpeg_reader* reader, const uint8_t* bytes, size_t count, uint8_t choice,
                               bool by_library, outcome* found) {
    cic_header header;
    cic_status status = cic_jpeg_open(reader, bytes, count, &header);
    if (status != CIC_OK) return status;
    if (header.exif_length > count || header.exif_offset > count - header.exif_length) abort();
    if ((uint64_t)header.width * header.height > 1 << 18) return CIC_UNSUPPORTED;
    const uint32_t reduction = 1u << (choice & 3);
    const uint32_t width = (header.width + reduction - 1) / reduction;
    const uint32_t height = (header.height + reduction - 1) / reduction;
    const uint32_t first_column = width * (choice >> 2 & 3) / 4, first_row = height * (choice >> 4 & 3) / 4;
    cic_jpeg_window window = {.reduction = reduction,
                              .first_column = first_column,
                              .column_count = width - first_column,
                              .max_scans = 20,
                              .max_memory_bytes = 1 << 22,
                              .keeps_library_decoder = by_library};
    status = cic_jpeg_start(reader, &window);
    if (status != CIC_OK) return status;
    found->is_ours = cic_jpeg_has_own_decoder(reader);
    if (by_library && found->is_ours) abort();
    status = cic_jpeg_skip(reader, first_row);
    if (status != CIC_OK) return status;
    const size_t stride = (size_t)window.column_count * 4;
    const uint32_t row_count = (height - first_row + 1) / 2;
    found->count = stride * row_count;
    found->pixels = malloc(found->count);
    status = cic_jpeg_read(reader, found->pixels, stride, row_count);
    if (status != CIC_OK) return status;
    uint8_t* row = malloc(stride);
    status = cic_jpeg_finish(reader, row);
    free(row);
    return status;
}

static outcome read_with(const uint8_t* bytes, size_t count, uint8_t choice, bool by_library) {
    outcome found = {0};
    cic_jpeg_reader* reader = cic_jpeg_create();
    found.status = read_picture(reader, bytes, count, choice, by_library, &found);
    if (found.status != CIC_OK && cic_jpeg_message(reader)[0] == 0 && found.status != CIC_UNSUPPORTED) abort();
    cic_jpeg_destroy(reader);
    return found;
}

static bool are_alike(const outcome* a, const outcome* b) {
    if (a->count != b->count) return false;
    for (size_t index = 0; index < a->count; index++)
        if (index % 4 != 3 && a->pixels[index] != b->pixels[index]) return false;
    return true;
}

// What was compared, told at the end: a run that compares nothing proves nothing.
static unsigned long read_count, compared_count;

static void tell(void) {
    fprintf(stderr, "read by our decoder: %lu, whole and compared: %lu\n", read_count, compared_count);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static bool is_told;
    if (!is_told) atexit(tell);
    is_told = true;
    if (size < 2) return 0;
    const size_t count = size - 1;
    // Of their exact size, so that a read beyond is seen.
    uint8_t* bytes = malloc(count);
    memcpy(bytes, data, count);
    outcome ours = read_with(bytes, count, data[count], false);
    read_count += ours.is_ours;
    if (ours.is_ours && ours.status == CIC_OK) {
        outcome theirs = read_with(bytes, count, data[count], true);
        compared_count++;
        if (theirs.status != CIC_OK || !are_alike(&ours, &theirs)) abort();
        free(theirs.pixels);
    }
    free(ours.pixels);
    free(bytes);
    return 0;
}
