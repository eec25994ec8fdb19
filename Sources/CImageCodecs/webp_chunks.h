#ifndef CIMAGECODECS_WEBP_CHUNKS_H
#define CIMAGECODECS_WEBP_CHUNKS_H

#include <stdbool.h>

#include "failure.h"

// Where the parts of a WebP lie, a RIFF file, and whether they are sound.

typedef struct {
    // The canvas.
    uint32_t width;
    uint32_t height;
    bool is_animated;
    size_t end; // of the RIFF chunk, as it says
    size_t exif_offset;
    size_t exif_length;
    // Where the picture, or an animation's first frame, lies on the canvas.
    uint32_t frame_left;
    uint32_t frame_top;
    uint32_t frame_width;
    uint32_t frame_height;
    // What libwebp is given: the whole file, or the content of the first frame.
    size_t frame_offset;
    size_t frame_length;
} cic_webp_layout;

// The size of the canvas; and where EXIF lies, as far as the chunks can be followed.
cic_status cic_webp_read_header(const uint8_t* bytes, size_t count, cic_webp_layout* layout, cic_failure* failure);

// All chunks; fills in the frame.
cic_status cic_webp_check_chunks(const uint8_t* bytes, size_t count, cic_webp_layout* layout, cic_failure* failure);

// Adds up what libwebp keeps beside the pixels of the frame, where that or its alpha is lossless.
cic_status cic_webp_lossless_parts(const uint8_t* bytes, const cic_webp_layout* layout, uint64_t* byte_count,
                                   cic_failure* failure);

#endif
