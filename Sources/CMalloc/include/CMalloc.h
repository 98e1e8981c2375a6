#ifndef AVIARY_CMALLOC_H
#define AVIARY_CMALLOC_H

#include <stddef.h>

/// Bytes of the heap that are allocated.
size_t aviary_malloc_used(void);

/// How many heaps the threads share at most.
void aviary_malloc_limit_arenas(int count);

/// Gives what was freed and is kept back to the system.
void aviary_malloc_trim(void);

#endif
