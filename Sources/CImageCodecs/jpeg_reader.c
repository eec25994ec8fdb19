#include "jpeg_reader.h"
#include "jpeg_entropy.h"
#include "jpeg_scans.h"
#include "pixels.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

// Rows read by one call of the library at most.
enum { ROWS_PER_CALL = 16 };

struct cic_jpeg_reader {
    struct jpeg_decompress_struct decoder; // `client_data` leads back here
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf failure;
    bool is_open;
    bool is_started;
    const uint8_t* bytes;
    size_t count;
    size_t exif_offset;
    size_t exif_length;
    bool ran_out;             // the decoder asked for more bytes than there are
    unsigned components_seen; // one bit for each component that some scan carries
    uint32_t max_scans;
    cic_status status;
    size_t failure_offset;
    char message[JMSG_LENGTH_MAX + 32];
    bool has_own_decoder;
    cic_entropy_decoder entropy; // made new for each picture that it reads
};

static cic_jpeg_reader* reader_of(j_common_ptr decoder) {
    return decoder->client_data;
}

// ---------------------------------------------------------------------------------------------------------------------
// Failures

static void note_offset(cic_jpeg_reader* reader) {
    size_t left = reader->ran_out ? 0 : reader->source.bytes_in_buffer;
    reader->failure_offset = reader->count - (left <= reader->count ? left : reader->count);
}

_Noreturn static void fail(cic_jpeg_reader* reader, cic_status status, const char* message) {
    note_offset(reader);
    reader->status = status;
    snprintf(reader->message, sizeof reader->message, "%s", message);
    longjmp(reader->failure, 1);
}

static cic_status status_of(int message_code) {
    switch (message_code) {
    case JERR_OUT_OF_MEMORY:
        return CIC_OUT_OF_MEMORY;
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_J_COLORSPACE:
    case JERR_BAD_PRECISION:
    case JERR_CCIR601_NOTIMPL:
    case JERR_COMPONENT_COUNT:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_IMAGE_TOO_BIG:
    case JERR_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_SOF_UNSUPPORTED:
        return CIC_UNSUPPORTED;
    default:
        return CIC_DAMAGED;
    }
}

static void on_error(j_common_ptr decoder) {
    cic_jpeg_reader* reader = reader_of(decoder);
    char text[JMSG_LENGTH_MAX];
    decoder->err->format_message(decoder, text);
    if (reader->ran_out) {
        char full[JMSG_LENGTH_MAX + 32];
        snprintf(full, sizeof full, "the file ends early: %s", text);
        fail(reader, CIC_DAMAGED, full);
    }
    fail(reader, status_of(decoder->err->msg_code), text);
}

// The library calls what it can paper over a warning and goes on with grey or smeared blocks. Only those that leave the
// picture whole are let pass.
static void on_message(j_common_ptr decoder, int level) {
    if (level >= 0) return;
    switch (decoder->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL:
        return;
    default:
        on_error(decoder);
    }
}

static void print_nothing(j_common_ptr decoder) {
    (void)decoder;
}

// ---------------------------------------------------------------------------------------------------------------------
// Input: the caller's bytes, then end-of-image markers for as long as the decoder asks

static void begin_input(j_decompress_ptr decoder) {
    (void)decoder;
}

static void end_input(j_decompress_ptr decoder) {
    (void)decoder;
}

// The Huffman decoders look ahead of what they need, so running out is no failure by itself: where bits are really
// missing they meet the marker and warn. The arithmetic decoders take it for zeros without a word.
static boolean continue_input(j_decompress_ptr decoder) {
    static const JOCTET end_of_image[2] = {0xFF, JPEG_EOI};
    cic_jpeg_reader* reader = reader_of((j_common_ptr)decoder);
    reader->ran_out = true;
    if (decoder->arith_code) fail(reader, CIC_DAMAGED, "the file ends early");
    decoder->src->next_input_byte = end_of_image;
    decoder->src->bytes_in_buffer = sizeof end_of_image;
    return TRUE;
}

static void skip_input(j_decompress_ptr decoder, long count) {
    if (count <= 0) return;
    struct jpeg_source_mgr* source = decoder->src;
    if ((size_t)count > source->bytes_in_buffer) {
        continue_input(decoder);
        return;
    }
    source->next_input_byte += count;
    source->bytes_in_buffer -= (size_t)count;
}

// Notes where the first Exif payload lies and passes over the segment.
static boolean on_application1(j_decompress_ptr decoder) {
    static const char signature[6] = "Exif\0";
    cic_jpeg_reader* reader = reader_of((j_common_ptr)decoder);
    struct jpeg_source_mgr* source = decoder->src;
    if (source->bytes_in_buffer < 2 || reader->ran_out) {
        reader->ran_out = true;
        fail(reader, CIC_DAMAGED, "the file ends early, in an APP1 segment");
    }
    const JOCTET* segment = source->next_input_byte;
    size_t length = (size_t)segment[0] << 8 | segment[1];
    if (length < 2) fail(reader, CIC_DAMAGED, "an APP1 segment shorter than its length field");
    if (length > source->bytes_in_buffer) {
        reader->ran_out = true;
        fail(reader, CIC_DAMAGED, "the file ends early, in an APP1 segment");
    }
    bool is_exif = length >= 2 + sizeof signature && memcmp(segment + 2, signature, sizeof signature) == 0;
    if (is_exif && reader->exif_length == 0) {
        reader->exif_offset = (size_t)(segment - reader->bytes) + 2 + sizeof signature;
        reader->exif_length = length - 2 - sizeof signature;
    }
    source->next_input_byte += length;
    source->bytes_in_buffer -= length;
    return TRUE;
}

// ---------------------------------------------------------------------------------------------------------------------
// Files of several scans

// Called by the library before each row of blocks that it absorbs.
static void on_progress(j_common_ptr decoder) {
    cic_jpeg_reader* reader = reader_of(decoder);
    j_decompress_ptr jpeg = &reader->decoder;
    // The library may take for a scan what `cic_jpeg_scans_exceed` does not, in damaged files.
    if (jpeg->input_scan_number > 0 && (uint32_t)jpeg->input_scan_number > reader->max_scans)
        fail(reader, CIC_TOO_MANY_SCANS, "more scans than the limit");
    for (int index = 0; index < jpeg->comps_in_scan; index++)
        reader->components_seen |= 1u << jpeg->cur_comp_info[index]->component_index;
}

static void check_scans(cic_jpeg_reader* reader) {
    j_decompress_ptr jpeg = &reader->decoder;
    unsigned all = (1u << jpeg->num_components) - 1;
    if ((reader->components_seen & all) != all) fail(reader, CIC_DAMAGED, "a colour component has no scan");
    if (reader->ran_out && !cic_jpeg_is_fully_refined(jpeg))
        fail(reader, CIC_DAMAGED, "the file ends early, scans are missing");
}

// ---------------------------------------------------------------------------------------------------------------------
// The reader

cic_jpeg_reader* cic_jpeg_create(void) {
    return calloc(1, sizeof(cic_jpeg_reader));
}

void cic_jpeg_destroy(cic_jpeg_reader* reader) {
    if (reader == NULL) return;
    cic_jpeg_close(reader);
    free(reader);
}

const char* cic_jpeg_message(const cic_jpeg_reader* reader) {
    return reader->message;
}

size_t cic_jpeg_failure_offset(const cic_jpeg_reader* reader) {
    return reader->failure_offset;
}

void cic_jpeg_close(cic_jpeg_reader* reader) {
    // Destroyed rather than reset: a reset keeps the tables, and the next picture must not see those of this one.
    if (reader->is_open) jpeg_destroy_decompress(&reader->decoder);
    reader->is_open = false;
    reader->is_started = false;
}

cic_status cic_jpeg_open(cic_jpeg_reader* reader, const uint8_t* bytes, size_t count, cic_header* header) {
    cic_jpeg_close(reader);
    memset(reader, 0, offsetof(cic_jpeg_reader, entropy));
    reader->bytes = bytes;
    reader->count = count;

    j_decompress_ptr jpeg = &reader->decoder;
    jpeg->err = jpeg_std_error(&reader->errors);
    jpeg->client_data = reader; // kept by jpeg_create_decompress
    reader->errors.error_exit = on_error;
    reader->errors.emit_message = on_message;
    reader->errors.output_message = print_nothing;
    reader->source.init_source = begin_input;
    reader->source.fill_input_buffer = continue_input;
    reader->source.skip_input_data = skip_input;
    reader->source.resync_to_restart = jpeg_resync_to_restart;
    reader->source.term_source = end_input;
    reader->source.next_input_byte = bytes;
    reader->source.bytes_in_buffer = count;
    reader->progress.progress_monitor = on_progress;

    reader->is_open = true; // destroying a decoder whose creation failed is allowed
    if (setjmp(reader->failure)) return reader->status;
    jpeg_create_decompress(jpeg);
    jpeg->src = &reader->source;
    jpeg_set_marker_processor(jpeg, JPEG_APP0 + 1, on_application1);
    jpeg_read_header(jpeg, TRUE);
    header->width = jpeg->image_width;
    header->height = jpeg->image_height;
    header->exif_offset = reader->exif_offset;
    header->exif_length = reader->exif_length;
    return CIC_OK;
}

cic_status cic_jpeg_start(cic_jpeg_reader* reader, cic_jpeg_window* window) {
    j_decompress_ptr jpeg = &reader->decoder;
    if (setjmp(reader->failure)) return reader->status;
    bool has_several_scans = jpeg_has_multiple_scans(jpeg);
    const uint64_t needed = has_several_scans ? cic_jpeg_coefficient_bytes(jpeg) : 0;
    if (needed > window->max_memory_bytes) {
        char text[64];
        snprintf(text, sizeof text, "the coefficients take %llu bytes", (unsigned long long)needed);
        fail(reader, CIC_TOO_MUCH_MEMORY, text);
    }
    bool has_black = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
    jpeg->out_color_space = has_black ? JCS_CMYK : JCS_EXT_RGBX;
    jpeg->scale_num = 1;
    jpeg->scale_denom = window->reduction;
    jpeg->progress = &reader->progress;
    reader->max_scans = window->max_scans;
    // Before one of them is decoded: the first one's header has been read.
    if (has_several_scans &&
        cic_jpeg_scans_exceed(reader->source.next_input_byte, reader->source.bytes_in_buffer, window->max_scans))
        fail(reader, CIC_TOO_MANY_SCANS, "more scans than the limit");
    jpeg_start_decompress(jpeg);
    reader->is_started = true;
    if (has_several_scans) {
        check_scans(reader);
    } else if (!window->keeps_library_decoder) {
        reader->has_own_decoder = cic_entropy_install(&reader->entropy, jpeg, &reader->ran_out);
    }

    if (has_several_scans && !cic_jpeg_is_fully_refined(jpeg)) {
        // The library smooths such a picture across blocks, and would miss those beyond the window.
        window->first_column = 0;
        window->column_count = jpeg->output_width;
    } else {
        JDIMENSION first = window->first_column, width = window->column_count;
        jpeg_crop_scanline(jpeg, &first, &width);
        window->first_column = first;
        window->column_count = width;
    }
    return CIC_OK;
}

bool cic_jpeg_has_own_decoder(const cic_jpeg_reader* reader) {
    return reader->has_own_decoder;
}

bool cic_jpeg_knows_library(void) {
    return cic_entropy_is_usable();
}

cic_status cic_jpeg_skip(cic_jpeg_reader* reader, uint32_t row_count) {
    j_decompress_ptr jpeg = &reader->decoder;
    if (setjmp(reader->failure)) return reader->status;
    if (row_count == 0) return CIC_OK;
    if (row_count >= jpeg->output_height - jpeg->output_scanline)
        fail(reader, CIC_DAMAGED, "fewer rows than were to be skipped");
    if (jpeg_skip_scanlines(jpeg, row_count) != row_count)
        fail(reader, CIC_DAMAGED, "fewer rows than were to be skipped");
    return CIC_OK;
}

cic_status cic_jpeg_read(cic_jpeg_reader* reader, uint8_t* pixels, size_t row_stride, uint32_t row_count) {
    j_decompress_ptr jpeg = &reader->decoder;
    if (setjmp(reader->failure)) return reader->status;
    if (row_count > jpeg->output_height - jpeg->output_scanline)
        fail(reader, CIC_DAMAGED, "fewer rows than were to be read");
    const JDIMENSION end = jpeg->output_scanline + row_count;
    uint8_t* next = pixels;
    while (jpeg->output_scanline < end) {
        JSAMPROW rows[ROWS_PER_CALL];
        JDIMENSION wanted = end - jpeg->output_scanline;
        if (wanted > ROWS_PER_CALL) wanted = ROWS_PER_CALL;
        for (JDIMENSION index = 0; index < wanted; index++)
            rows[index] = next + index * row_stride;
        JDIMENSION read = jpeg_read_scanlines(jpeg, rows, wanted);
        if (read == 0) fail(reader, CIC_DAMAGED, "no more rows");
        if (jpeg->out_color_space == JCS_CMYK)
            for (JDIMENSION index = 0; index < read; index++)
                convert_inverted_cmyk(rows[index], jpeg->output_width);
        next += read * row_stride;
    }
    return CIC_OK;
}

cic_status cic_jpeg_finish(cic_jpeg_reader* reader, uint8_t* row) {
    j_decompress_ptr jpeg = &reader->decoder;
    if (setjmp(reader->failure)) return reader->status;
    if (jpeg_has_multiple_scans(jpeg)) return CIC_OK; // all was absorbed by start
    JDIMENSION left = jpeg->output_height - jpeg->output_scanline;
    if (left > 1) jpeg_skip_scanlines(jpeg, left - 1);
    if (left > 0) {
        JSAMPROW rows[1] = {row};
        if (jpeg_read_scanlines(jpeg, rows, 1) != 1) fail(reader, CIC_DAMAGED, "no more rows");
    }
    // An arithmetic decoder may not need the last bytes of a scan, so only the end-of-image marker shows them there.
    if (jpeg->arith_code) jpeg_finish_decompress(jpeg);
    return CIC_OK;
}
