#ifndef CIMAGECODECS_WEBP_READER_H
#define CIMAGECODECS_WEBP_READER_H

#include "image_codec.h"

// A WebP in memory, lossy or lossless, with alpha or without, and the first frame of an animated one. Each function
// returns a status, and leaves the message and the place of a failure in the reader.
//
// libwebp decodes into one piece of memory, so `start` decodes all and `read` hands it out.
//
// Order of calls: create, then for each picture open, start, any number of skip and read; close at any time. After a
// failure only close, open and destroy make sense. A reader belongs to one thread at a time.

typedef struct cic_webp_reader cic_webp_reader;

typedef struct {
    // The columns wanted, in the reduced picture.
    uint32_t first_column;
    uint32_t column_count;
    // 1, 2, 4 or 8: the picture is scaled to 1/reduction of its size, rounded up, while it is decoded.
    uint32_t reduction;
    // A picture is refused when decoding it needs more memory than this: 4 bytes for each pixel of the result, and as
    // much for each of a lossless picture, or 2 for each of a lossy one with alpha; and the codes of what is lossless.
    uint64_t max_memory_bytes;
} cic_webp_window;

// NULL when memory is short.
cic_webp_reader* cic_webp_create(void);
void cic_webp_destroy(cic_webp_reader* reader);

// Reads the header, and looks for an EXIF chunk. `bytes` must stay valid until close.
cic_status cic_webp_open(cic_webp_reader* reader, const uint8_t* bytes, size_t count, cic_header* header);

// Checks the chunks and decodes the picture.
cic_status cic_webp_start(cic_webp_reader* reader, const cic_webp_window* window);

// Passes over rows.
cic_status cic_webp_skip(cic_webp_reader* reader, uint32_t row_count);

// Reads rows of the window as [row_count][column_count][4] u8, R G B over white and one byte without meaning.
cic_status cic_webp_read(cic_webp_reader* reader, uint8_t* pixels, size_t row_stride, uint32_t row_count);

// Frees all that belongs to the picture.
void cic_webp_close(cic_webp_reader* reader);

// What the last failure was, NUL-terminated, and at which byte; of a bit stream only its beginning is known.
const char* cic_webp_message(const cic_webp_reader* reader);
size_t cic_webp_failure_offset(const cic_webp_reader* reader);

#endif
