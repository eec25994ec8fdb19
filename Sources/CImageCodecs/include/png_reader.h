#ifndef CIMAGECODECS_PNG_READER_H
#define CIMAGECODECS_PNG_READER_H

#include "image_codec.h"

// A PNG in memory, read row by row; libpng inflates the rows and undoes their filters. libpng's longjmp stays inside
// these functions: each returns a status, and leaves the message and the place of a failure in the reader. Nothing is
// printed.
//
// libpng sees IHDR, PLTE and IDAT alone: the chunks are checked here first, all with their checksums, and no other one
// is inflated or kept. Nothing is inflated beyond the last row.
//
// Order of calls: create, then for each picture open, start, any number of skip and read, finish; close at any time.
// After a failure only close, open and destroy make sense. A reader belongs to one thread at a time.

typedef struct cic_png_reader cic_png_reader;

typedef struct {
    // The columns wanted.
    uint32_t first_column;
    uint32_t column_count;
    // An interlaced picture is refused when it needs more memory than this, 4 bytes a pixel: it is kept whole.
    uint64_t max_memory_bytes;
} cic_png_window;

// NULL when memory is short.
cic_png_reader* cic_png_create(void);
void cic_png_destroy(cic_png_reader* reader);

// Reads the header, and looks for an eXIf chunk. `bytes` must stay valid until close.
cic_status cic_png_open(cic_png_reader* reader, const uint8_t* bytes, size_t count, cic_header* header);

// Checks the chunks and makes ready to read rows; an interlaced picture is read whole.
cic_status cic_png_start(cic_png_reader* reader, const cic_png_window* window);

// Passes over rows.
cic_status cic_png_skip(cic_png_reader* reader, uint32_t row_count);

// Reads rows of the window as [row_count][column_count][4] u8, R G B over white and one byte without meaning. Of 16
// bits the upper eight are taken.
cic_status cic_png_read(cic_png_reader* reader, uint8_t* pixels, size_t row_stride, uint32_t row_count);

// Decodes what is left of the picture, so that damage below the last row wanted is found.
cic_status cic_png_finish(cic_png_reader* reader);

// Frees all that belongs to the picture.
void cic_png_close(cic_png_reader* reader);

// What the last failure was, NUL-terminated, and at which byte.
const char* cic_png_message(const cic_png_reader* reader);
size_t cic_png_failure_offset(const cic_png_reader* reader);

#endif
