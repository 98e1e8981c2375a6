// Stands in for the C library's allocator so that one allocation that is far too large is a finding.
#include "CFuzzer.h"
#include <errno.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static size_t limit = SIZE_MAX;

void aviary_limit_allocations(size_t maximum_size) { limit = maximum_size; }

static void check(size_t size) {
    if (size > limit) __builtin_trap();
}

void *malloc(size_t size) {
    check(size);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    check(number * size);
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    check(size);
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    check(size);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    check(size);
    void *memory = __libc_memalign(alignment, size);
    if (memory == NULL) return ENOMEM;
    *result = memory;
    return 0;
}
