#ifndef CIMAGECODECS_WEBP_LOSSLESS_H
#define CIMAGECODECS_WEBP_LOSSLESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a lossless bit stream of WebP makes libwebp keep beside the pixels. A picture may name a group of prefix codes
// for each 4 x 4 pixels, and 65536 in all: 3 bytes of the file each, and up to 20 kB of memory. So the stream is read
// here as far as it tells how many groups there are.

// False where the stream is broken before that or `width` and `height` are not its own.
//
// `has_header` is false of the alpha of a lossy picture, which begins without one.
bool cic_webp_lossless_memory(const uint8_t* bytes, size_t count, bool has_header, uint32_t width, uint32_t height,
                              uint64_t* byte_count);

#endif
