#include "png_chunks.h"

#include <string.h>

#include <zlib.h>

// Source: Portable Network Graphics (PNG) Specification, third edition, sections 5 (structure) and 11 (chunks).

enum {
    SIGNATURE_LENGTH = 8,
    HEADER_LENGTH = 13,
    // Of a chunk beside what it carries: length, type and checksum.
    CHUNK_OVERHEAD = 12,
};

typedef struct {
    size_t offset; // of its length field
    uint32_t length;
    const uint8_t* type;
    cic_range content;
} chunk;

static uint32_t load_u32(const uint8_t* bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool is(const chunk* found, const char* type) {
    return memcmp(found->type, type, 4) == 0;
}

static bool is_type(const uint8_t* type) {
    for (int index = 0; index < 4; index++) {
        const uint8_t lower = type[index] | 0x20;
        if (lower < 'a' || lower > 'z') return false;
    }
    return true;
}

// The chunk at `offset`, without its checksum.
static cic_status find_chunk(const uint8_t* bytes, size_t count, size_t offset, chunk* found, cic_failure* failure) {
    if (count - offset < 8) return cic_fail(failure, CIC_DAMAGED, count, "the file ends early: there is no IEND chunk");
    found->offset = offset;
    found->length = load_u32(bytes + offset);
    found->type = bytes + offset + 4;
    if (!is_type(found->type))
        return cic_fail(failure, CIC_DAMAGED, offset + 4, "a chunk's type is not four letters, but %02x %02x %02x %02x",
                        found->type[0], found->type[1], found->type[2], found->type[3]);
    if (found->length > INT32_MAX)
        return cic_fail(failure, CIC_DAMAGED, offset, "a chunk of %u bytes, more than 2147483647", found->length);
    if (count - offset < CHUNK_OVERHEAD || count - offset - CHUNK_OVERHEAD < found->length)
        return cic_fail(failure, CIC_DAMAGED, count, "the file ends early, in the %.4s chunk of %u bytes",
                        (const char*)found->type, found->length);
    found->content = (cic_range){offset + 8, offset + 8 + found->length};
    return CIC_OK;
}

static cic_status check_sum(const uint8_t* bytes, const chunk* found, cic_failure* failure) {
    const uint32_t stored = load_u32(bytes + found->content.end);
    const uint32_t actual = (uint32_t)crc32(crc32(0, NULL, 0), found->type, (uInt)(found->length + 4));
    if (stored == actual) return CIC_OK;
    return cic_fail(failure, CIC_DAMAGED, found->offset, "the checksum of the %.4s chunk is %08x, not %08x",
                    (const char*)found->type, actual, stored);
}

static size_t next_offset(const chunk* found) {
    return found->content.end + 4;
}

// ---------------------------------------------------------------------------------------------------------------------
// Header

static bool has_known_depth(uint8_t color_type, uint8_t bit_depth) {
    switch (color_type) {
    case CIC_PNG_GRAY:
        return bit_depth == 1 || bit_depth == 2 || bit_depth == 4 || bit_depth == 8 || bit_depth == 16;
    case CIC_PNG_INDEXED:
        return bit_depth == 1 || bit_depth == 2 || bit_depth == 4 || bit_depth == 8;
    case CIC_PNG_RGB:
    case CIC_PNG_GRAY_ALPHA:
    case CIC_PNG_RGB_ALPHA:
        return bit_depth == 8 || bit_depth == 16;
    default:
        return false;
    }
}

static void look_for_exif(const uint8_t* bytes, size_t count, cic_png_layout* layout) {
    cic_failure ignored;
    chunk found;
    size_t offset = layout->header.end;
    while (find_chunk(bytes, count, offset, &found, &ignored) == CIC_OK && !is(&found, "IEND")) {
        if (is(&found, "eXIf")) {
            layout->exif = found.content;
            return;
        }
        offset = next_offset(&found);
    }
}

cic_status cic_png_read_header(const uint8_t* bytes, size_t count, cic_png_layout* layout, cic_failure* failure) {
    static const uint8_t signature[SIGNATURE_LENGTH] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    memset(layout, 0, sizeof *layout);
    const size_t checked = count < SIGNATURE_LENGTH ? count : SIGNATURE_LENGTH;
    for (size_t index = 0; index < checked; index++)
        if (bytes[index] != signature[index])
            return cic_fail(failure, CIC_DAMAGED, index,
                            "the signature is broken, as if the file had been taken for text");
    if (count < SIGNATURE_LENGTH) return cic_fail(failure, CIC_DAMAGED, count, "the file ends early, in the signature");

    chunk header;
    cic_status status = find_chunk(bytes, count, SIGNATURE_LENGTH, &header, failure);
    if (status != CIC_OK) return status;
    if (!is(&header, "IHDR") || header.length != HEADER_LENGTH)
        return cic_fail(failure, CIC_DAMAGED, header.offset,
                        "begins with a %.4s chunk of %u bytes, not with IHDR of 13", (const char*)header.type,
                        header.length);
    status = check_sum(bytes, &header, failure);
    if (status != CIC_OK) return status;

    const uint8_t* content = bytes + header.content.start;
    layout->width = load_u32(content);
    layout->height = load_u32(content + 4);
    layout->bit_depth = content[8];
    layout->color_type = content[9];
    layout->is_interlaced = content[12] == 1;
    layout->header = (cic_range){0, next_offset(&header)};
    if (layout->width == 0 || layout->height == 0 || layout->width > INT32_MAX || layout->height > INT32_MAX)
        return cic_fail(failure, CIC_DAMAGED, header.content.start,
                        "%u x %u pixels, neither may be 0 or above 2147483647", layout->width, layout->height);
    if (!has_known_depth(layout->color_type, layout->bit_depth))
        return cic_fail(failure, CIC_DAMAGED, header.content.start + 8, "there is no colour type %u with %u bits",
                        layout->color_type, layout->bit_depth);
    if (content[10] != 0 || content[11] != 0 || content[12] > 1)
        return cic_fail(failure, CIC_UNSUPPORTED, header.content.start + 10,
                        "compression, filter and interlace method %u, %u and %u, where 0, 0 and 0 or 1 are known",
                        content[10], content[11], content[12]);
    look_for_exif(bytes, count, layout);
    return CIC_OK;
}

// ---------------------------------------------------------------------------------------------------------------------
// The other chunks

static bool is_empty(cic_range range) {
    return range.start == range.end;
}

static cic_status take_palette(const chunk* found, cic_png_layout* layout, cic_failure* failure) {
    if (layout->color_type != CIC_PNG_INDEXED) return CIC_OK; // a suggestion for small screens
    if (!is_empty(layout->palette) || !is_empty(layout->transparency) || !is_empty(layout->image))
        return cic_fail(failure, CIC_DAMAGED, found->offset, "the PLTE chunk is not where it must be");
    if (found->length == 0 || found->length % 3 != 0 || found->length > 3 * 256)
        return cic_fail(failure, CIC_DAMAGED, found->offset, "a PLTE chunk of %u bytes, not of 1 to 256 times 3",
                        found->length);
    layout->palette = (cic_range){found->offset, next_offset(found)};
    return CIC_OK;
}

static cic_status take_transparency(const chunk* found, cic_png_layout* layout, cic_failure* failure) {
    uint32_t wanted;
    switch (layout->color_type) {
    case CIC_PNG_GRAY:
        wanted = 2;
        break;
    case CIC_PNG_RGB:
        wanted = 6;
        break;
    case CIC_PNG_INDEXED:
        wanted = 1;
        break;
    default:
        return CIC_OK; // there is alpha already
    }
    const bool lacks_palette = layout->color_type == CIC_PNG_INDEXED && is_empty(layout->palette);
    if (lacks_palette || !is_empty(layout->transparency) || !is_empty(layout->image))
        return cic_fail(failure, CIC_DAMAGED, found->offset, "the tRNS chunk is not where it must be");
    if (found->length < wanted)
        return cic_fail(failure, CIC_DAMAGED, found->offset, "a tRNS chunk of %u bytes, fewer than %u", found->length,
                        wanted);
    layout->transparency = found->content;
    return CIC_OK;
}

static cic_status take_image_data(const chunk* found, cic_png_layout* layout, cic_failure* failure) {
    if (is_empty(layout->image)) {
        if (layout->color_type == CIC_PNG_INDEXED && is_empty(layout->palette))
            return cic_fail(failure, CIC_DAMAGED, found->offset, "the PLTE chunk is missing");
        layout->image.start = found->offset;
    } else if (layout->image.end != found->offset) {
        return cic_fail(failure, CIC_DAMAGED, found->offset, "other chunks between the IDAT chunks");
    }
    layout->image.end = next_offset(found);
    return CIC_OK;
}

static cic_status take(const chunk* found, cic_png_layout* layout, cic_failure* failure) {
    if (is(found, "IDAT")) return take_image_data(found, layout, failure);
    if (is(found, "PLTE")) return take_palette(found, layout, failure);
    if (is(found, "tRNS")) return take_transparency(found, layout, failure);
    const bool is_critical = (found->type[0] & 0x20) == 0;
    if (is_critical)
        return cic_fail(failure, CIC_DAMAGED, found->offset, "a chunk that must be understood and is not: %.4s",
                        (const char*)found->type);
    return CIC_OK;
}

cic_status cic_png_check_chunks(const uint8_t* bytes, size_t count, cic_png_layout* layout, cic_failure* failure) {
    size_t offset = layout->header.end;
    for (;;) {
        chunk found;
        cic_status status = find_chunk(bytes, count, offset, &found, failure);
        if (status == CIC_OK) status = check_sum(bytes, &found, failure);
        if (status != CIC_OK) return status;
        if (is(&found, "IEND")) break;
        status = take(&found, layout, failure);
        if (status != CIC_OK) return status;
        offset = next_offset(&found);
    }
    if (is_empty(layout->image)) return cic_fail(failure, CIC_DAMAGED, offset, "there is no IDAT chunk");
    return CIC_OK;
}
