#include "webp_reader.h"
#include "pixels.h"
#include "webp_chunks.h"

#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>

enum { PIXEL_BYTES = 4 };

struct cic_webp_reader {
    const uint8_t* bytes;
    size_t count;
    cic_webp_layout layout;
    cic_webp_window window;
    bool has_alpha;
    // In the reduced picture, as are the window's columns.
    uint32_t height;
    uint32_t frame_left;
    uint32_t frame_top;
    uint32_t frame_width;
    uint32_t frame_height;
    uint32_t next_row;
    uint8_t* frame; // [frame_height][frame_width][4] u8
    cic_failure failure;
};

static uint32_t reduced(uint32_t length, uint32_t reduction) {
    return (length + reduction - 1) / reduction;
}

static uint64_t memory_bytes(const cic_webp_reader* reader, const WebPBitstreamFeatures* features) {
    enum { LOSSY = 1 };
    const uint64_t stored = (uint64_t)reader->layout.frame_width * reader->layout.frame_height;
    const uint64_t result = (uint64_t)reader->frame_width * reader->frame_height * PIXEL_BYTES;
    if (features->format != LOSSY) return result + stored * PIXEL_BYTES;
    return result + (features->has_alpha ? 2 * stored : 0);
}

static cic_status status_of(cic_webp_reader* reader, VP8StatusCode code) {
    const size_t start = reader->layout.frame_offset;
    switch (code) {
    case VP8_STATUS_OK:
        return CIC_OK;
    case VP8_STATUS_OUT_OF_MEMORY:
        return cic_fail(&reader->failure, CIC_OUT_OF_MEMORY, start, "no memory for a picture");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return cic_fail(&reader->failure, CIC_UNSUPPORTED, start, "a kind of WebP that libwebp does not read");
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
        return cic_fail(&reader->failure, CIC_DAMAGED, start + reader->layout.frame_length,
                        "the picture's data ends early");
    default:
        return cic_fail(&reader->failure, CIC_DAMAGED, start, "the picture's bit stream is broken");
    }
}

static cic_status refuse(cic_webp_reader* reader, uint64_t byte_count) {
    return cic_fail(&reader->failure, CIC_TOO_MUCH_MEMORY, reader->layout.frame_offset, "the picture takes %llu bytes",
                    (unsigned long long)byte_count);
}

static cic_status decode(cic_webp_reader* reader, const cic_webp_window* window) {
    const uint8_t* bytes = reader->bytes + reader->layout.frame_offset;
    const size_t count = reader->layout.frame_length;
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return cic_fail(&reader->failure, CIC_UNSUPPORTED, 0, "this libwebp is of another version than its header");
    cic_status status = status_of(reader, WebPGetFeatures(bytes, count, &config.input));
    if (status != CIC_OK) return status;
    if (config.input.has_animation || (uint32_t)config.input.width != reader->layout.frame_width ||
        (uint32_t)config.input.height != reader->layout.frame_height)
        return cic_fail(&reader->failure, CIC_DAMAGED, reader->layout.frame_offset,
                        "the picture has %d x %d pixels, its header said %u x %u", config.input.width,
                        config.input.height, reader->layout.frame_width, reader->layout.frame_height);
    const uint64_t pixel_bytes = memory_bytes(reader, &config.input);
    if (pixel_bytes > window->max_memory_bytes) return refuse(reader, pixel_bytes);
    uint64_t part_bytes;
    status = cic_webp_lossless_parts(reader->bytes, &reader->layout, &part_bytes, &reader->failure);
    if (status != CIC_OK) return status;
    if (part_bytes > window->max_memory_bytes - pixel_bytes) return refuse(reader, pixel_bytes + part_bytes);

    const size_t stride = (size_t)reader->frame_width * PIXEL_BYTES;
    reader->frame = malloc(stride * reader->frame_height);
    if (reader->frame == NULL)
        return cic_fail(&reader->failure, CIC_OUT_OF_MEMORY, reader->layout.frame_offset, "no memory for a picture");
    reader->has_alpha = config.input.has_alpha;
    config.options.use_scaling = window->reduction > 1;
    config.options.scaled_width = (int)reader->frame_width;
    config.options.scaled_height = (int)reader->frame_height;
    config.output.colorspace = MODE_RGBA;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = reader->frame;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = stride * reader->frame_height;
    return status_of(reader, WebPDecode(bytes, count, &config));
}

// ---------------------------------------------------------------------------------------------------------------------
// The reader

cic_webp_reader* cic_webp_create(void) {
    return calloc(1, sizeof(cic_webp_reader));
}

void cic_webp_destroy(cic_webp_reader* reader) {
    if (reader == NULL) return;
    cic_webp_close(reader);
    free(reader);
}

const char* cic_webp_message(const cic_webp_reader* reader) {
    return reader->failure.message;
}

size_t cic_webp_failure_offset(const cic_webp_reader* reader) {
    return reader->failure.offset;
}

void cic_webp_close(cic_webp_reader* reader) {
    free(reader->frame);
    reader->frame = NULL;
}

cic_status cic_webp_open(cic_webp_reader* reader, const uint8_t* bytes, size_t count, cic_header* header) {
    cic_webp_close(reader);
    memset(reader, 0, sizeof *reader);
    reader->bytes = bytes;
    reader->count = count;
    const cic_webp_layout* layout = &reader->layout;
    cic_status status = cic_webp_read_header(bytes, count, &reader->layout, &reader->failure);
    if (status != CIC_OK) return status;
    *header = (cic_header){layout->width, layout->height, layout->exif_offset, layout->exif_length};
    return CIC_OK;
}

cic_status cic_webp_start(cic_webp_reader* reader, const cic_webp_window* window) {
    const cic_webp_layout* layout = &reader->layout;
    cic_status status = cic_webp_check_chunks(reader->bytes, reader->count, &reader->layout, &reader->failure);
    if (status != CIC_OK) return status;
    reader->window = *window;
    reader->height = reduced(layout->height, window->reduction);
    reader->frame_left = layout->frame_left / window->reduction;
    reader->frame_top = layout->frame_top / window->reduction;
    reader->frame_width = reduced(layout->frame_width, window->reduction);
    reader->frame_height = reduced(layout->frame_height, window->reduction);
    return decode(reader, window);
}

static bool has_rows(const cic_webp_reader* reader, uint32_t row_count) {
    return row_count <= reader->height - reader->next_row;
}

cic_status cic_webp_skip(cic_webp_reader* reader, uint32_t row_count) {
    if (!has_rows(reader, row_count))
        return cic_fail(&reader->failure, CIC_DAMAGED, 0, "fewer rows than were to be skipped");
    reader->next_row += row_count;
    return CIC_OK;
}

// White where the first frame of an animation leaves the canvas free.
static void copy_row(const cic_webp_reader* reader, uint32_t row, uint8_t* pixels) {
    const uint32_t left = reader->frame_left, right = left + reader->frame_width;
    const uint32_t window_left = reader->window.first_column, window_right = window_left + reader->window.column_count;
    const uint32_t start = left > window_left ? left : window_left, end = right < window_right ? right : window_right;
    const bool is_in_frame = row >= reader->frame_top && row - reader->frame_top < reader->frame_height && start < end;
    if (!is_in_frame || end - start < reader->window.column_count)
        memset(pixels, 255, (size_t)reader->window.column_count * PIXEL_BYTES);
    if (!is_in_frame) return;
    const size_t stored = (size_t)(row - reader->frame_top) * reader->frame_width + (start - left);
    uint8_t* output = pixels + (size_t)(start - window_left) * PIXEL_BYTES;
    memcpy(output, reader->frame + stored * PIXEL_BYTES, (size_t)(end - start) * PIXEL_BYTES);
    if (reader->has_alpha) put_over_white(output, end - start);
}

cic_status cic_webp_read(cic_webp_reader* reader, uint8_t* pixels, size_t row_stride, uint32_t row_count) {
    if (!has_rows(reader, row_count))
        return cic_fail(&reader->failure, CIC_DAMAGED, 0, "fewer rows than were to be read");
    for (uint32_t index = 0; index < row_count; index++)
        copy_row(reader, reader->next_row++, pixels + index * row_stride);
    return CIC_OK;
}
