// libFuzzer, and the limit on what an input may allocate. Linked into the fuzzer only.
#ifndef AVIARY_CFUZZER_H
#define AVIARY_CFUZZER_H

#include <stddef.h>
#include <stdint.h>

/// Runs libFuzzer with its command line until it ends; it ends the process itself at a finding.
int LLVMFuzzerRunDriver(
    int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));

/// Changes the bytes in place as libFuzzer sees fit, and returns how many there are then.
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maximum_size);

/// From here on an allocation of more bytes than this is a finding.
void aviary_limit_allocations(size_t maximum_size);

#endif
