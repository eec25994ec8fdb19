#ifndef CALLOCATIONS_H
#define CALLOCATIONS_H

// How often this process, its libraries included, has asked for memory: malloc, calloc, realloc and their aligned kin.
// Counted where the C library is glibc and no sanitizer has put its own allocator in place; -1 elsewhere.
long callocations_count(void);

// How many bytes of that are in use now; -1 likewise.
long callocations_bytes(void);

#endif
