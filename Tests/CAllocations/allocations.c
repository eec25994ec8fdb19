#include "CAllocations.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif

#if defined(__GLIBC__) && !defined(HAS_SANITIZER)

#include <malloc.h>

// Defined in the program itself, these come before the C library's for every library that is loaded.
// Source: glibc manual, "Replacing malloc"; the __libc_ names are what it exports for that.

static atomic_long count;

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t members, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

static void note(void) {
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
}

void* malloc(size_t size) {
    note();
    return __libc_malloc(size);
}

void* calloc(size_t members, size_t size) {
    note();
    return __libc_calloc(members, size);
}

void* realloc(void* memory, size_t size) {
    note();
    return __libc_realloc(memory, size);
}

void* memalign(size_t alignment, size_t size) {
    note();
    return __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
    note();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void** memory, size_t alignment, size_t size) {
    note();
    *memory = __libc_memalign(alignment, size);
    return *memory == NULL ? ENOMEM : 0;
}

long callocations_bytes(void) {
    return (long)mallinfo2().uordblks;
}

long callocations_count(void) {
    return atomic_load_explicit(&count, memory_order_relaxed);
}

#else

long callocations_bytes(void) {
    return -1;
}

long callocations_count(void) {
    return -1;
}

#endif
