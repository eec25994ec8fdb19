#ifndef CIMAGECODECS_PNG_CHUNKS_H
#define CIMAGECODECS_PNG_CHUNKS_H

#include <stdbool.h>

#include "failure.h"

// Where a PNG's chunks lie and whether they are sound; nothing is inflated.

enum {
    CIC_PNG_GRAY = 0,
    CIC_PNG_RGB = 2,
    CIC_PNG_INDEXED = 3,
    CIC_PNG_GRAY_ALPHA = 4,
    CIC_PNG_RGB_ALPHA = 6,
};

// Bytes of the file.
typedef struct {
    size_t start;
    size_t end;
} cic_range;

typedef struct {
    uint32_t width;
    uint32_t height;
    uint8_t bit_depth;
    uint8_t color_type;
    bool is_interlaced;
    cic_range header;       // from the file's start to the end of IHDR
    cic_range palette;      // the PLTE chunk of an indexed picture, whole
    cic_range transparency; // what tRNS carries; empty where there is none or where it means nothing
    cic_range exif;         // what eXIf carries
    cic_range image;        // all IDAT chunks
} cic_png_layout;

// Signature and IHDR; and where eXIf lies, as far as the chunks can be followed.
cic_status cic_png_read_header(const uint8_t* bytes, size_t count, cic_png_layout* layout, cic_failure* failure);

// All chunks after IHDR to IEND, with their checksums.
cic_status cic_png_check_chunks(const uint8_t* bytes, size_t count, cic_png_layout* layout, cic_failure* failure);

#endif
