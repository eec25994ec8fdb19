#include "jpeg_scans.h"

#include <string.h>

bool cic_jpeg_scans_exceed(const uint8_t* bytes, size_t count, uint32_t max_scans) {
    const uint8_t* at = bytes;
    const uint8_t* const end = bytes + count;
    uint32_t scans = 1;
    while (scans <= max_scans) {
        // In a scan 0xFF is followed by 0 where it is data, and by no length where it is a restart marker.
        at = memchr(at, 0xFF, (size_t)(end - at));
        if (at == NULL || end - at < 4) return false;
        const uint8_t marker = at[1];
        if (marker == 0xD9) return false;
        if (marker == 0x00 || marker == 0xFF || (marker >= 0xD0 && marker <= 0xD7)) {
            at += marker == 0xFF ? 1 : 2;
            continue;
        }
        if (marker == 0xDA) scans++;
        const size_t length = (size_t)at[2] << 8 | at[3];
        if (length > (size_t)(end - at) - 2) return false;
        at += 2 + length;
    }
    return true;
}

uint64_t cic_jpeg_coefficient_bytes(j_decompress_ptr jpeg) {
    uint64_t blocks = 0;
    for (int index = 0; index < jpeg->num_components; index++) {
        const jpeg_component_info* component = &jpeg->comp_info[index];
        uint64_t across = (uint64_t)component->h_samp_factor, down = (uint64_t)component->v_samp_factor;
        uint64_t columns = (component->width_in_blocks + across - 1) / across * across;
        uint64_t rows = (component->height_in_blocks + down - 1) / down * down;
        blocks += columns * rows;
    }
    return blocks * sizeof(JBLOCK);
}

bool cic_jpeg_is_fully_refined(j_decompress_ptr jpeg) {
    if (!jpeg->progressive_mode || jpeg->coef_bits == NULL) return true;
    for (int index = 0; index < jpeg->num_components; index++)
        for (int coefficient = 0; coefficient < DCTSIZE2; coefficient++)
            if (jpeg->coef_bits[index][coefficient] != 0) return false;
    return true;
}
