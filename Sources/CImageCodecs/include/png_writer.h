#ifndef CIMAGECODECS_PNG_WRITER_H
#define CIMAGECODECS_PNG_WRITER_H

#include <stddef.h>
#include <stdint.h>

// A grayscale PNG of 8 bits, written into memory. libpng's longjmp stays inside its simplified interface.

// How long a file of that size may become at the most; 0 where the sides are not within 1...65535.
size_t cic_png_gray_bound(uint32_t width, uint32_t height);

// Writes `pixels`, [height][width] u8, into the `capacity` bytes of `file`. Returns the length of the file, or 0 where
// memory is short or the file longer than `capacity`.
size_t cic_png_write_gray(const uint8_t* pixels, uint32_t width, uint32_t height, uint8_t* file, size_t capacity);

#endif
