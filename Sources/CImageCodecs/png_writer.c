#include "png_writer.h"

#include <png.h>
#include <string.h>

static png_image gray_image(uint32_t width, uint32_t height) {
    png_image image;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.width = width;
    image.height = height;
    image.format = PNG_FORMAT_GRAY;
    return image;
}

size_t cic_png_gray_bound(uint32_t width, uint32_t height) {
    if (width < 1 || width > 65535 || height < 1 || height > 65535) return 0;
    png_image image = gray_image(width, height);
    return PNG_IMAGE_PNG_SIZE_MAX(image);
}

size_t cic_png_write_gray(const uint8_t* pixels, uint32_t width, uint32_t height, uint8_t* file, size_t capacity) {
    png_image image = gray_image(width, height);
    png_alloc_size_t count = capacity;
    int is_written = png_image_write_to_memory(&image, file, &count, 0, pixels, 0, NULL);
    png_image_free(&image);
    return is_written ? count : 0;
}
