#include "CMalloc.h"

#include <malloc.h>

size_t aviary_malloc_used(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

void aviary_malloc_tune(int arenas, size_t kept) {
    mallopt(M_ARENA_MAX, arenas);
    mallopt(M_TRIM_THRESHOLD, (int)kept);
    mallopt(M_MMAP_THRESHOLD, (int)kept);
}

void aviary_malloc_trim(void) { malloc_trim(0); }
