#include "png_reader.h"
#include "pixels.h"
#include "png_chunks.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

// Source: Portable Network Graphics (PNG) Specification, third edition.

enum { PIXEL_BYTES = 4 };

struct cic_png_reader {
    png_structp decoder;
    png_infop info;
    jmp_buf failed;
    const uint8_t* bytes;
    size_t count;
    cic_png_layout layout;
    cic_png_window window;
    // What libpng is given: these parts of the file, one after the other, and how far it has come.
    cic_range parts[3];
    int part;
    size_t position;
    uint32_t next_row;
    uint8_t* row;     // one, as stored: its filter undone
    uint8_t* picture; // the whole window of an interlaced picture
    // Of pictures of up to 8 bits in one channel: what each value looks like. Those beyond a palette have their fourth
    // byte set.
    uint8_t colors[256][PIXEL_BYTES];
    bool ran_out;
    bool lacks_memory;
    cic_failure failure;
};

// ---------------------------------------------------------------------------------------------------------------------
// What libpng calls

_Noreturn static void on_error(png_structp decoder, png_const_charp message) {
    cic_png_reader* reader = png_get_error_ptr(decoder);
    if (reader->lacks_memory) {
        cic_fail(&reader->failure, CIC_OUT_OF_MEMORY, reader->position, "%s", message);
    } else if (reader->ran_out) {
        cic_fail(&reader->failure, CIC_DAMAGED, reader->position, "the image data ends early, in row %u of %u",
                 reader->next_row, reader->layout.height);
    } else {
        cic_fail(&reader->failure, CIC_DAMAGED, reader->position, "%s", message);
    }
    longjmp(reader->failed, 1);
}

static void print_nothing(png_structp decoder, png_const_charp message) {
    (void)decoder;
    (void)message;
}

static png_voidp allocate(png_structp decoder, png_alloc_size_t count) {
    cic_png_reader* reader = png_get_mem_ptr(decoder);
    void* memory = malloc(count);
    if (memory == NULL) reader->lacks_memory = true;
    return memory;
}

static void release(png_structp decoder, png_voidp memory) {
    (void)decoder;
    free(memory);
}

static void give_bytes(png_structp decoder, png_bytep output, size_t count) {
    cic_png_reader* reader = png_get_io_ptr(decoder);
    const int part_count = sizeof reader->parts / sizeof reader->parts[0];
    while (count > 0) {
        while (reader->position == reader->parts[reader->part].end) {
            if (reader->part + 1 == part_count) {
                reader->ran_out = true;
                png_error(decoder, "no more bytes");
            }
            reader->part++;
            reader->position = reader->parts[reader->part].start;
        }
        const size_t left = reader->parts[reader->part].end - reader->position;
        const size_t given = left < count ? left : count;
        memcpy(output, reader->bytes + reader->position, given);
        reader->position += given;
        output += given;
        count -= given;
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Pixels

static bool has_transparency(const cic_png_layout* layout) {
    return layout->transparency.start != layout->transparency.end;
}

static void make_palette(cic_png_reader* reader) {
    const cic_png_layout* layout = &reader->layout;
    const uint8_t* stored = reader->bytes + layout->palette.start + 8;
    const size_t count = (layout->palette.end - layout->palette.start - 12) / 3;
    const size_t alpha_count = layout->transparency.end - layout->transparency.start;
    for (size_t index = 0; index < 256; index++) {
        uint8_t* color = reader->colors[index];
        if (index >= count) {
            color[3] = 1;
            continue;
        }
        const unsigned alpha = index < alpha_count ? reader->bytes[layout->transparency.start + index] : 255;
        for (int channel = 0; channel < 3; channel++)
            color[channel] = over_white(stored[3 * index + (size_t)channel], alpha);
    }
}

// A sample of tRNS, of which as many lower bits count as the picture has.
static unsigned transparent_sample(const cic_png_reader* reader, int index) {
    const uint8_t* stored = reader->bytes + reader->layout.transparency.start + 2 * index;
    return ((unsigned)stored[0] << 8 | stored[1]) & ((1u << reader->layout.bit_depth) - 1);
}

static void make_grays(cic_png_reader* reader) {
    const unsigned greatest = (1u << reader->layout.bit_depth) - 1;
    for (unsigned value = 0; value <= greatest; value++)
        memset(reader->colors[value], (int)(value * 255 / greatest), 3);
    if (has_transparency(&reader->layout)) memset(reader->colors[transparent_sample(reader, 0)], 255, 3);
}

static bool is_by_value(const cic_png_layout* layout) {
    return layout->color_type == CIC_PNG_INDEXED || (layout->color_type == CIC_PNG_GRAY && layout->bit_depth <= 8);
}

// Returns the combined fourth bytes of what was met.
static unsigned convert_values(const cic_png_reader* reader, uint32_t first, uint32_t count, uint8_t* pixels) {
    const unsigned depth = reader->layout.bit_depth, mask = (1u << depth) - 1;
    unsigned fourths = 0;
    for (size_t index = 0; index < count; index++) {
        const size_t bit = (first + index) * depth;
        const unsigned value = reader->row[bit >> 3] >> (8 - depth - (bit & 7)) & mask;
        memcpy(pixels + PIXEL_BYTES * index, reader->colors[value], PIXEL_BYTES);
        fourths |= reader->colors[value][3];
    }
    return fourths;
}

// The upper bytes of the samples, as [count][4] u8; alpha is 255 where there is none.
static void convert_samples(const cic_png_reader* reader, uint32_t first, uint32_t count, uint8_t* pixels) {
    const uint8_t color_type = reader->layout.color_type;
    const size_t sample_bytes = reader->layout.bit_depth / 8;
    const bool has_color = (color_type & 2) != 0, has_alpha = (color_type & 4) != 0;
    const size_t channel_count = (has_color ? 3 : 1) + (has_alpha ? 1 : 0), step = channel_count * sample_bytes;
    const size_t green = has_color ? sample_bytes : 0, blue = 2 * green, alpha = step - sample_bytes;
    const uint8_t* stored = reader->row + first * step;
    for (size_t index = 0; index < count; index++, stored += step, pixels += PIXEL_BYTES) {
        pixels[0] = stored[0];
        pixels[1] = stored[green];
        pixels[2] = stored[blue];
        pixels[3] = has_alpha ? stored[alpha] : 255;
    }
}

static void convert_rgb8(const uint8_t* stored, uint32_t count, uint8_t* pixels) {
    for (size_t index = 0; index < count; index++) {
        pixels[4 * index] = stored[3 * index];
        pixels[4 * index + 1] = stored[3 * index + 1];
        pixels[4 * index + 2] = stored[3 * index + 2];
    }
}

// Whitens pixels whose samples are those of tRNS, to the last bit.
static void whiten_transparent(const cic_png_reader* reader, uint32_t first, uint32_t count, uint8_t* pixels) {
    const size_t sample_bytes = reader->layout.bit_depth / 8;
    const size_t step = (reader->layout.color_type == CIC_PNG_RGB ? 3 : 1) * sample_bytes;
    uint8_t key[6];
    for (size_t index = 0; index < step; index++) {
        const unsigned sample = transparent_sample(reader, (int)(index / sample_bytes));
        key[index] = (uint8_t)(sample_bytes == 2 && index % 2 == 0 ? sample >> 8 : sample);
    }
    for (size_t index = 0; index < count; index++)
        if (memcmp(reader->row + (first + index) * step, key, step) == 0) memset(pixels + PIXEL_BYTES * index, 255, 3);
}

static void convert(cic_png_reader* reader, uint32_t first, uint32_t count, uint8_t* pixels) {
    const cic_png_layout* layout = &reader->layout;
    if (is_by_value(layout)) {
        if (convert_values(reader, first, count, pixels) == 0) return;
        cic_fail(&reader->failure, CIC_DAMAGED, reader->position, "row %u has a colour beyond the palette's end",
                 reader->next_row);
        longjmp(reader->failed, 1);
    }
    if (layout->color_type == CIC_PNG_RGB && layout->bit_depth == 8) {
        convert_rgb8(reader->row + 3 * (size_t)first, count, pixels);
    } else {
        convert_samples(reader, first, count, pixels);
    }
    if ((layout->color_type & 4) != 0) put_over_white(pixels, count);
    if (has_transparency(layout)) whiten_transparent(reader, first, count, pixels);
}

// ---------------------------------------------------------------------------------------------------------------------
// Interlaced pictures: seven small ones, whose pixels go to their places in the whole

static void place(cic_png_reader* reader, const uint8_t* pixels, uint32_t row, uint32_t first, uint32_t step,
                  uint32_t count) {
    uint8_t* line = reader->picture + (size_t)row * reader->window.column_count * PIXEL_BYTES;
    for (size_t index = 0; index < count; index++) {
        const size_t column = first + index * step - reader->window.first_column;
        // Those before the window are beyond it, too: they wrap around.
        if (column < reader->window.column_count)
            memcpy(line + column * PIXEL_BYTES, pixels + index * PIXEL_BYTES, PIXEL_BYTES);
    }
}

static void read_interlaced(cic_png_reader* reader, uint8_t* pixels) {
    const cic_png_layout* layout = &reader->layout;
    for (int pass = 0; pass < PNG_INTERLACE_ADAM7_PASSES; pass++) {
        const uint32_t columns = PNG_PASS_COLS(layout->width, pass), rows = PNG_PASS_ROWS(layout->height, pass);
        if (columns == 0) continue;
        for (uint32_t index = 0; index < rows; index++) {
            const uint32_t row = PNG_ROW_FROM_PASS_ROW(index, pass);
            reader->next_row = row;
            png_read_row(reader->decoder, reader->row, NULL);
            convert(reader, 0, columns, pixels);
            place(reader, pixels, row, PNG_PASS_START_COL(pass), 1u << PNG_PASS_COL_SHIFT(pass), columns);
        }
    }
    reader->next_row = 0;
}

static cic_status make_picture(cic_png_reader* reader) {
    const uint64_t pixel_count = (uint64_t)reader->layout.width * reader->layout.height;
    if (pixel_count > reader->window.max_memory_bytes / PIXEL_BYTES)
        return cic_fail(&reader->failure, CIC_TOO_MUCH_MEMORY, reader->layout.header.end,
                        "an interlaced picture takes %llu bytes", (unsigned long long)pixel_count * PIXEL_BYTES);
    reader->picture = malloc((size_t)reader->window.column_count * reader->layout.height * PIXEL_BYTES);
    uint8_t* volatile pixels = malloc((size_t)reader->layout.width * PIXEL_BYTES);
    if (reader->picture == NULL || pixels == NULL) {
        free(pixels);
        return cic_fail(&reader->failure, CIC_OUT_OF_MEMORY, 0, "no memory for an interlaced picture");
    }
    if (setjmp(reader->failed)) {
        free(pixels);
        return reader->failure.status;
    }
    read_interlaced(reader, pixels);
    free(pixels);
    return CIC_OK;
}

// ---------------------------------------------------------------------------------------------------------------------
// The reader

cic_png_reader* cic_png_create(void) {
    return calloc(1, sizeof(cic_png_reader));
}

void cic_png_destroy(cic_png_reader* reader) {
    if (reader == NULL) return;
    cic_png_close(reader);
    free(reader);
}

const char* cic_png_message(const cic_png_reader* reader) {
    return reader->failure.message;
}

size_t cic_png_failure_offset(const cic_png_reader* reader) {
    return reader->failure.offset;
}

void cic_png_close(cic_png_reader* reader) {
    if (reader->decoder != NULL) png_destroy_read_struct(&reader->decoder, &reader->info, NULL);
    free(reader->row);
    free(reader->picture);
    reader->row = NULL;
    reader->picture = NULL;
}

cic_status cic_png_open(cic_png_reader* reader, const uint8_t* bytes, size_t count, cic_header* header) {
    cic_png_close(reader);
    memset(reader, 0, sizeof *reader);
    reader->bytes = bytes;
    reader->count = count;
    cic_status status = cic_png_read_header(bytes, count, &reader->layout, &reader->failure);
    if (status != CIC_OK) return status;
    const cic_range exif = reader->layout.exif;
    *header = (cic_header){reader->layout.width, reader->layout.height, exif.start, exif.end - exif.start};
    return CIC_OK;
}

static cic_status start_decoder(cic_png_reader* reader) {
    if (setjmp(reader->failed)) return reader->failure.status;
    reader->decoder =
        png_create_read_struct_2(PNG_LIBPNG_VER_STRING, reader, on_error, print_nothing, reader, allocate, release);
    if (reader->decoder != NULL) reader->info = png_create_info_struct(reader->decoder);
    if (reader->info == NULL) return cic_fail(&reader->failure, CIC_OUT_OF_MEMORY, 0, "no memory for a decoder");
    png_set_read_fn(reader->decoder, reader, give_bytes);
    png_set_crc_action(reader->decoder, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE); // checked already
    png_set_user_limits(reader->decoder, INT32_MAX, INT32_MAX);
    png_read_info(reader->decoder, reader->info);
    png_start_read_image(reader->decoder);
    reader->row = malloc(png_get_rowbytes(reader->decoder, reader->info));
    if (reader->row == NULL) return cic_fail(&reader->failure, CIC_OUT_OF_MEMORY, 0, "no memory for a row");
    return CIC_OK;
}

cic_status cic_png_start(cic_png_reader* reader, const cic_png_window* window) {
    cic_png_layout* layout = &reader->layout;
    reader->window = *window;
    cic_status status = cic_png_check_chunks(reader->bytes, reader->count, layout, &reader->failure);
    if (status != CIC_OK) return status;
    if (layout->color_type == CIC_PNG_INDEXED) {
        make_palette(reader);
    } else if (is_by_value(layout)) {
        make_grays(reader);
    }
    reader->parts[0] = layout->header;
    reader->parts[1] = layout->palette;
    reader->parts[2] = layout->image;
    status = start_decoder(reader);
    if (status == CIC_OK && layout->is_interlaced) status = make_picture(reader);
    return status;
}

static bool has_rows(const cic_png_reader* reader, uint32_t row_count) {
    return row_count <= reader->layout.height - reader->next_row;
}

cic_status cic_png_skip(cic_png_reader* reader, uint32_t row_count) {
    if (!has_rows(reader, row_count))
        return cic_fail(&reader->failure, CIC_DAMAGED, reader->position, "fewer rows than were to be skipped");
    if (setjmp(reader->failed)) return reader->failure.status;
    for (const uint32_t end = reader->next_row + row_count; reader->next_row < end; reader->next_row++)
        if (!reader->layout.is_interlaced) png_read_row(reader->decoder, reader->row, NULL);
    return CIC_OK;
}

cic_status cic_png_read(cic_png_reader* reader, uint8_t* pixels, size_t row_stride, uint32_t row_count) {
    if (!has_rows(reader, row_count))
        return cic_fail(&reader->failure, CIC_DAMAGED, reader->position, "fewer rows than were to be read");
    const cic_png_window window = reader->window;
    if (setjmp(reader->failed)) return reader->failure.status;
    const uint32_t start = reader->next_row;
    for (; reader->next_row < start + row_count; reader->next_row++) {
        uint8_t* output = pixels + (reader->next_row - start) * row_stride;
        if (reader->layout.is_interlaced) {
            const size_t line_bytes = (size_t)window.column_count * PIXEL_BYTES;
            memcpy(output, reader->picture + reader->next_row * line_bytes, line_bytes);
        } else {
            png_read_row(reader->decoder, reader->row, NULL);
            convert(reader, window.first_column, window.column_count, output);
        }
    }
    return CIC_OK;
}

cic_status cic_png_finish(cic_png_reader* reader) {
    return cic_png_skip(reader, reader->layout.height - reader->next_row);
}
