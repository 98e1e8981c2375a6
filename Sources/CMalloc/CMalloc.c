#include "CMalloc.h"

#include <malloc.h>

size_t aviary_malloc_used(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

void aviary_malloc_limit_arenas(int count) { mallopt(M_ARENA_MAX, count); }

void aviary_malloc_trim(void) { malloc_trim(0); }
