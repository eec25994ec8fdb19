#ifndef CIMAGECODECS_PIXELS_H
#define CIMAGECODECS_PIXELS_H

#include <stddef.h>
#include <stdint.h>

// Rounded to the nearest. `product` is at most 255 x 255.
static inline unsigned divided_by_255(unsigned product) {
    unsigned biased = product + 128;
    return (biased + (biased >> 8)) >> 8;
}

// A sample over white, as Pillow's alpha_composite has it.
static inline uint8_t over_white(unsigned sample, unsigned alpha) {
    return (uint8_t)divided_by_255(sample * alpha + 255 * (255 - alpha));
}

// Puts [count][4] u8 R G B A over white, in place.
static inline void put_over_white(uint8_t* pixels, size_t count) {
    for (size_t index = 0; index < count; index++) {
        uint8_t* pixel = pixels + 4 * index;
        const unsigned alpha = pixel[3];
        for (int channel = 0; channel < 3; channel++)
            pixel[channel] = over_white(pixel[channel], alpha);
    }
}

// Puts [count][4] u8 C M Y K to light, in place: Adobe's convention stores them inverted, so that 255 is no ink.
static inline void convert_inverted_cmyk(uint8_t* pixels, size_t count) {
    for (size_t index = 0; index < count; index++) {
        uint8_t* pixel = pixels + 4 * index;
        const unsigned white = pixel[3];
        for (int channel = 0; channel < 3; channel++)
            pixel[channel] = (uint8_t)(white - divided_by_255((255u - pixel[channel]) * white));
    }
}

#endif
