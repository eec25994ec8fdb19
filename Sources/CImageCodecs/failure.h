#ifndef CIMAGECODECS_FAILURE_H
#define CIMAGECODECS_FAILURE_H

#include <stdarg.h>
#include <stdio.h>

#include "image_codec.h"

typedef struct {
    cic_status status;
    size_t offset; // into the file
    char message[160];
} cic_failure;

__attribute__((format(printf, 4, 5))) static inline cic_status cic_fail(cic_failure* failure, cic_status status,
                                                                        size_t offset, const char* format, ...) {
    failure->status = status;
    failure->offset = offset;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->message, sizeof failure->message, format, arguments);
    va_end(arguments);
    return status;
}

#endif
