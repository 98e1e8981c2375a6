#ifndef AVIARY_CCHECKSUMS_H
#define AVIARY_CCHECKSUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Takes bytes into the register of a CRC-32 of zlib's kind.
///
/// Returns false, and takes none, if there are fewer than 16, or the processor has no carry-less
/// multiplication, or this was not built for its kind.
bool aviary_crc32_add(uint32_t *crc, const void *bytes, size_t count);

/// The same with 60 bytes, which are given as numbers whose most significant byte comes first.
bool aviary_crc32_add_60(uint32_t *crc, uint32_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                         uint64_t f, uint64_t g, uint64_t h);

/// Takes bytes into the two sums of an Adler-32, sixteen at a time, as many as there are, and takes no
/// remainder: `low` grows by at most 255 for a byte, `high` by what `low` is after it.
///
/// Returns how many were taken.
size_t aviary_adler32_add(uint64_t *low, uint64_t *high, const void *bytes, size_t count);

#endif
