#ifndef CIMAGECODECS_JPEG_SCANS_H
#define CIMAGECODECS_JPEG_SCANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jpeglib.h>

// What a file of several scans holds and takes, told before and after libjpeg absorbs it.

// Whether a file has more than `max_scans` scans. `bytes` are those behind the header of its first scan.
bool cic_jpeg_scans_exceed(const uint8_t* bytes, size_t count, uint32_t max_scans);

// What libjpeg keeps of all scans until the last one: 16 bits a coefficient, in whole blocks.
uint64_t cic_jpeg_coefficient_bytes(j_decompress_ptr jpeg);

// Whether every coefficient of every component has been received to its last bit.
bool cic_jpeg_is_fully_refined(j_decompress_ptr jpeg);

#endif
