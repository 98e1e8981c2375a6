#ifndef AVIARY_CMALLOC_H
#define AVIARY_CMALLOC_H

#include <stddef.h>

/// Bytes of the heap that are allocated.
size_t aviary_malloc_used(void);

/// How many heaps the threads share at most, and how many free bytes at the end of one are kept.
/// Larger pieces than that come from the system and go back to it.
void aviary_malloc_tune(int arenas, size_t kept);

/// Gives what was freed and is kept back to the system.
void aviary_malloc_trim(void);

#endif
