#include "webp_chunks.h"
#include "webp_lossless.h"

#include <string.h>

#include <webp/decode.h>

// Source: RFC 9649, WebP Image Format, section 2.

enum {
    RIFF_HEADER_LENGTH = 12,
    CHUNK_HEADER_LENGTH = 8,
    EXTENDED_LENGTH = 10,     // of VP8X
    FRAME_HEADER_LENGTH = 16, // of ANMF
    FLAG_ANIMATION = 0x02,
    FLAG_EXIF = 0x08,
};

typedef struct {
    size_t offset;
    const char* type;
    uint32_t length;
    size_t content;
} chunk;

static uint32_t load_u24(const uint8_t* bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16;
}

static uint32_t load_u32(const uint8_t* bytes) {
    return load_u24(bytes) | (uint32_t)bytes[3] << 24;
}

static bool is(const chunk* found, const char* type) {
    return memcmp(found->type, type, 4) == 0;
}

// The chunk at `offset` of a list that ends at `end`.
static cic_status find_chunk(const uint8_t* bytes, size_t end, size_t offset, chunk* found, cic_failure* failure) {
    if (end - offset < CHUNK_HEADER_LENGTH)
        return cic_fail(failure, CIC_DAMAGED, end, "the file ends early, in a chunk's header");
    *found = (chunk){offset, (const char*)bytes + offset, load_u32(bytes + offset + 4), offset + CHUNK_HEADER_LENGTH};
    for (int index = 0; index < 4; index++)
        if (found->type[index] < 0x20 || found->type[index] > 0x7E)
            return cic_fail(failure, CIC_DAMAGED, offset, "a chunk's type is not four printable characters");
    if (found->length > end - found->content)
        return cic_fail(failure, CIC_DAMAGED, end, "the file ends early, in the '%.4s' chunk of %u bytes", found->type,
                        found->length);
    return CIC_OK;
}

// A byte follows chunks of odd length.
static size_t next_offset(const chunk* found, size_t end) {
    const size_t next = found->content + found->length;
    return next < end && found->length % 2 == 1 ? next + 1 : next;
}

static bool is_extended(const uint8_t* bytes) {
    return memcmp(bytes + RIFF_HEADER_LENGTH, "VP8X", 4) == 0;
}

// ---------------------------------------------------------------------------------------------------------------------
// Header

static void look_for_exif(const uint8_t* bytes, size_t end, cic_webp_layout* layout) {
    cic_failure ignored;
    chunk found;
    size_t offset = RIFF_HEADER_LENGTH;
    while (offset < end && find_chunk(bytes, end, offset, &found, &ignored) == CIC_OK) {
        if (is(&found, "EXIF")) {
            layout->exif_offset = found.content;
            layout->exif_length = found.length;
            return;
        }
        offset = next_offset(&found, end);
    }
}

static cic_status read_extended(const uint8_t* bytes, size_t count, cic_webp_layout* layout, cic_failure* failure) {
    const size_t content = RIFF_HEADER_LENGTH + CHUNK_HEADER_LENGTH;
    if (count < content + EXTENDED_LENGTH)
        return cic_fail(failure, CIC_DAMAGED, count, "the file ends early, in the 'VP8X' chunk");
    const uint32_t length = load_u32(bytes + content - 4);
    if (length < EXTENDED_LENGTH)
        return cic_fail(failure, CIC_DAMAGED, content - 4, "a 'VP8X' chunk of %u bytes, fewer than 10", length);
    const uint8_t flags = bytes[content];
    layout->is_animated = (flags & FLAG_ANIMATION) != 0;
    layout->width = load_u24(bytes + content + 4) + 1;
    layout->height = load_u24(bytes + content + 7) + 1;
    if ((flags & FLAG_EXIF) != 0) look_for_exif(bytes, layout->end < count ? layout->end : count, layout);
    return CIC_OK;
}

static cic_status read_simple(const uint8_t* bytes, size_t count, cic_webp_layout* layout, cic_failure* failure) {
    WebPBitstreamFeatures features;
    switch (WebPGetFeatures(bytes, count, &features)) {
    case VP8_STATUS_OK:
        layout->width = (uint32_t)features.width;
        layout->height = (uint32_t)features.height;
        return CIC_OK;
    case VP8_STATUS_NOT_ENOUGH_DATA:
        return cic_fail(failure, CIC_DAMAGED, count, "the file ends early, in the picture's header");
    default:
        return cic_fail(failure, CIC_DAMAGED, RIFF_HEADER_LENGTH,
                        "neither a VP8 nor a VP8L picture, nor a VP8X header");
    }
}

cic_status cic_webp_read_header(const uint8_t* bytes, size_t count, cic_webp_layout* layout, cic_failure* failure) {
    memset(layout, 0, sizeof *layout);
    if (count < RIFF_HEADER_LENGTH + CHUNK_HEADER_LENGTH)
        return cic_fail(failure, CIC_DAMAGED, count, "the file ends early, in the RIFF header");
    if (memcmp(bytes, "RIFF", 4) != 0 || memcmp(bytes + 8, "WEBP", 4) != 0)
        return cic_fail(failure, CIC_DAMAGED, 0, "no RIFF header of a WebP");
    layout->end = (size_t)load_u32(bytes + 4) + CHUNK_HEADER_LENGTH;
    return is_extended(bytes) ? read_extended(bytes, count, layout, failure)
                              : read_simple(bytes, count, layout, failure);
}

// ---------------------------------------------------------------------------------------------------------------------
// Chunks

static cic_status take_frame(const uint8_t* bytes, const chunk* found, cic_webp_layout* layout, cic_failure* failure) {
    if (found->length < FRAME_HEADER_LENGTH)
        return cic_fail(failure, CIC_DAMAGED, found->offset, "an 'ANMF' chunk of %u bytes, fewer than 16",
                        found->length);
    const uint8_t* content = bytes + found->content;
    layout->frame_left = 2 * load_u24(content);
    layout->frame_top = 2 * load_u24(content + 3);
    layout->frame_width = load_u24(content + 6) + 1;
    layout->frame_height = load_u24(content + 9) + 1;
    layout->frame_offset = found->content + FRAME_HEADER_LENGTH;
    layout->frame_length = found->length - FRAME_HEADER_LENGTH;
    if (layout->frame_left + layout->frame_width > layout->width ||
        layout->frame_top + layout->frame_height > layout->height)
        return cic_fail(failure, CIC_DAMAGED, found->content, "the first frame of the animation is not on its canvas");
    return CIC_OK;
}

cic_status cic_webp_check_chunks(const uint8_t* bytes, size_t count, cic_webp_layout* layout, cic_failure* failure) {
    if (layout->end > count)
        return cic_fail(failure, CIC_DAMAGED, count, "the file ends early: it should have %zu bytes", layout->end);
    layout->frame_width = layout->width;
    layout->frame_height = layout->height;
    layout->frame_length = layout->end;
    bool has_frame = !layout->is_animated;
    size_t offset = RIFF_HEADER_LENGTH;
    while (offset < layout->end) {
        chunk found;
        cic_status status = find_chunk(bytes, layout->end, offset, &found, failure);
        if (status == CIC_OK && !has_frame && is(&found, "ANMF")) {
            status = take_frame(bytes, &found, layout, failure);
            has_frame = true;
        }
        if (status != CIC_OK) return status;
        offset = next_offset(&found, layout->end);
    }
    if (!has_frame) return cic_fail(failure, CIC_DAMAGED, layout->end, "an animation without a frame");
    return CIC_OK;
}

static cic_status add_lossless(const uint8_t* bytes, const chunk* found, size_t skipped, const cic_webp_layout* layout,
                               uint64_t* byte_count, cic_failure* failure) {
    if (cic_webp_lossless_memory(bytes + found->content + skipped, found->length - skipped, skipped == 0,
                                 layout->frame_width, layout->frame_height, byte_count))
        return CIC_OK;
    return cic_fail(failure, CIC_DAMAGED, found->offset, "the lossless bit stream is broken or ends early");
}

cic_status cic_webp_lossless_parts(const uint8_t* bytes, const cic_webp_layout* layout, uint64_t* byte_count,
                                   cic_failure* failure) {
    enum { COMPRESSION_MASK = 3, COMPRESSION_LOSSLESS = 1 };
    const size_t end = layout->frame_offset + layout->frame_length;
    size_t offset = layout->frame_offset == 0 ? RIFF_HEADER_LENGTH : layout->frame_offset;
    chunk alpha = {.length = 0};
    *byte_count = 0;
    while (offset < end) {
        chunk found;
        cic_status status = find_chunk(bytes, end, offset, &found, failure);
        if (status != CIC_OK) return status;
        if (is(&found, "VP8L")) return add_lossless(bytes, &found, 0, layout, byte_count, failure);
        if (is(&found, "VP8 ")) {
            const bool is_lossless =
                alpha.length > 0 && (bytes[alpha.content] & COMPRESSION_MASK) == COMPRESSION_LOSSLESS;
            return is_lossless ? add_lossless(bytes, &alpha, 1, layout, byte_count, failure) : CIC_OK;
        }
        if (is(&found, "ALPH")) alpha = found;
        offset = next_offset(&found, end);
    }
    return cic_fail(failure, CIC_DAMAGED, end, "there is no picture, neither in VP8 nor in VP8L");
}
