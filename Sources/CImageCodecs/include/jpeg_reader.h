#ifndef CIMAGECODECS_JPEG_READER_H
#define CIMAGECODECS_JPEG_READER_H

#include <stdbool.h>

#include "image_codec.h"

// A JPEG in memory, read by strips of rows through libjpeg-turbo. libjpeg's longjmp stays inside these functions: each
// returns a status, and leaves the message and the place of a failure in the reader. Nothing is printed.
//
// Order of calls: create, then for each picture open, start, any number of skip and read, finish; close at any time.
// After a failure only close, open and destroy make sense. A reader belongs to one thread at a time.

typedef struct cic_jpeg_reader cic_jpeg_reader;

typedef struct {
    // 1, 2, 4 or 8: the picture is decoded at 1/reduction of its size, rounded up.
    uint32_t reduction;
    // The columns wanted, in the reduced picture. `start` widens them to where libjpeg can begin.
    uint32_t first_column;
    uint32_t column_count;
    // A file of several scans is refused when it has more than these, or needs more memory for its coefficients.
    uint32_t max_scans;
    uint64_t max_memory_bytes;
    // Leaves baseline scans to libjpeg's own Huffman decoder, for comparison.
    bool keeps_library_decoder;
} cic_jpeg_window;

// NULL when memory is short.
cic_jpeg_reader* cic_jpeg_create(void);
void cic_jpeg_destroy(cic_jpeg_reader* reader);

// Reads the header. `bytes` must stay valid until close.
cic_status cic_jpeg_open(cic_jpeg_reader* reader, const uint8_t* bytes, size_t count, cic_header* header);

// Makes ready to read rows; a file of several scans is absorbed whole. The window's columns become the actual ones.
cic_status cic_jpeg_start(cic_jpeg_reader* reader, cic_jpeg_window* window);

// Whether the Huffman decoder of our own reads the picture that was started, and whether it ever does: libjpeg may be
// of a version with which it was not checked.
bool cic_jpeg_has_own_decoder(const cic_jpeg_reader* reader);
bool cic_jpeg_knows_library(void);

// Passes over rows. Must leave at least one row to read: the library decodes nothing when it skips to the end.
cic_status cic_jpeg_skip(cic_jpeg_reader* reader, uint32_t row_count);

// Reads rows of the window as [row_count][column_count][4] u8, R G B and one byte without meaning.
cic_status cic_jpeg_read(cic_jpeg_reader* reader, uint8_t* pixels, size_t row_stride, uint32_t row_count);

// Decodes what is left of the scan, so that damage below the last row wanted is found. `row` has room for one row.
cic_status cic_jpeg_finish(cic_jpeg_reader* reader, uint8_t* row);

// Frees all that belongs to the picture.
void cic_jpeg_close(cic_jpeg_reader* reader);

// What the last failure was, NUL-terminated, and how many bytes had been consumed.
const char* cic_jpeg_message(const cic_jpeg_reader* reader);
size_t cic_jpeg_failure_offset(const cic_jpeg_reader* reader);

#endif
