#ifndef AVIARY_CCHECKSUMS_H
#define AVIARY_CCHECKSUMS_H

#include <stddef.h>
#include <stdint.h>

/// Takes bytes into the register of a CRC-32 of zlib's kind, sixteen at a time, as many as there are.
///
/// Returns how many were taken: none where the processor has no carry-less multiplication, or this was
/// not built for its kind.
size_t aviary_crc32_fold(uint32_t *crc, const void *bytes, size_t count);

#endif
