#ifndef AVIARY_ALLOCATION_COUNTER_H
#define AVIARY_ALLOCATION_COUNTER_H

/// How often this process has asked the allocator for memory, on all threads.
long aviary_allocation_count(void);

#endif
