#ifndef CIMAGECODECS_IMAGE_CODEC_H
#define CIMAGECODECS_IMAGE_CODEC_H

#include <stddef.h>
#include <stdint.h>

// What the readers of all formats say.

typedef enum {
    CIC_OK = 0,
    CIC_DAMAGED,
    CIC_UNSUPPORTED,
    CIC_TOO_MANY_SCANS,
    CIC_TOO_MUCH_MEMORY,
    CIC_OUT_OF_MEMORY,
} cic_status;

typedef struct {
    uint32_t width;
    uint32_t height;
    // The first Exif payload, a TIFF stream inside the caller's bytes. Length 0 where there is none.
    size_t exif_offset;
    size_t exif_length;
} cic_header;

#endif
