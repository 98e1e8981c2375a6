#include "CChecksums.h"

#include <string.h>

// MARK: Adler-32

typedef uint8_t Bytes __attribute__((vector_size(16)));
typedef uint16_t Sums __attribute__((vector_size(32)));
typedef uint32_t WideSums __attribute__((vector_size(64)));

enum { LANES = sizeof(Bytes), MOST_BLOCKS = 22 };  // 255 * (0 + 1 + ... + 21) is below 65,536

size_t aviary_adler32_add(uint64_t *low, uint64_t *high, const void *source, size_t count) {
    const WideSums weights = {16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1};
    const uint8_t *bytes = source;
    for (size_t left = count / LANES; left > 0;) {
        size_t blocks = left < MOST_BLOCKS ? left : MOST_BLOCKS;
        Sums plain = {0};  // of each lane
        Sums before = {0};  // of what `plain` was before each block
        for (size_t i = 0; i < blocks; i++, bytes += LANES) {
            Bytes block;
            memcpy(&block, bytes, sizeof block);
            before += plain;
            plain += __builtin_convertvector(block, Sums);
        }
        // A byte counts once for itself and once for each that follows it.
        WideSums widened = __builtin_convertvector(plain, WideSums);
        WideSums following = __builtin_convertvector(before, WideSums) * LANES + widened * weights;
        *high += *low * blocks * LANES + __builtin_reduce_add(following);
        *low += __builtin_reduce_add(widened);
        left -= blocks;
    }
    return count / LANES * LANES;
}

// MARK: CRC-32

#if defined(__x86_64__)

#include <immintrin.h>

// Polynomials have their bits turned round, as zlib has them: the lowest is the highest power of x. A
// product of two such numbers comes out one bit too low, so that constants are one bit further up.
// P is x^32 + x^26 + x^23 + ... + 1.
static const long long x160 = 0x1751997d0;      // x^160 mod P
static const long long x96 = 0x0ccaa009e;       // x^96 mod P
static const long long x64 = 0x163cd6124;       // x^64 mod P
static const long long p = 0x1db710641;         // P
static const long long quotient = 0x1f7011641;  // x^64 / P

// What is left of all blocks so far stands 128 powers of x above the next.
__attribute__((target("pclmul,sse4.1")))
static inline __m128i next(__m128i rest, __m128i block, __m128i shift) {
    __m128i upper = _mm_clmulepi64_si128(rest, shift, 0x00);
    __m128i lower = _mm_clmulepi64_si128(rest, shift, 0x11);
    return _mm_xor_si128(_mm_xor_si128(upper, lower), block);
}

__attribute__((target("pclmul,sse4.1")))
static uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t count) {
    const __m128i shift = _mm_set_epi64x(x96, x160);
    // Zeros in front change nothing, so the first block is filled up with them, and the second follows
    // it here, as the four bytes that the register is added to may reach into that one.
    size_t first = count % 16 ? count % 16 : 16;
    uint8_t head[32];
    memset(head, 0, 16);
    memcpy(head + 16 - first, bytes, 16);
    __m128i rest;
    if (count > 16) {
        memcpy(head + 16, bytes + first, 16);
        uint32_t start;
        memcpy(&start, head + 16 - first, sizeof start);
        start ^= crc;
        memcpy(head + 16 - first, &start, sizeof start);
        rest = next(_mm_loadu_si128((const __m128i *)head), _mm_loadu_si128((const __m128i *)head + 1),
                    shift);
    } else {
        rest = _mm_xor_si128(_mm_loadu_si128((const __m128i *)head), _mm_cvtsi32_si128((int)crc));
    }
    for (size_t at = first + 16; at < count; at += 16) {
        rest = next(rest, _mm_loadu_si128((const __m128i *)(bytes + at)), shift);
    }
    // 128 bits, and the 32 zeros that a CRC appends, become 96, then 64.
    const __m128i last32 = _mm_set_epi32(0, 0, 0, -1);
    rest = _mm_xor_si128(_mm_clmulepi64_si128(rest, shift, 0x10), _mm_srli_si128(rest, 8));
    __m128i top = _mm_and_si128(rest, last32);
    top = _mm_clmulepi64_si128(top, _mm_cvtsi64_si128(x64), 0x00);
    rest = _mm_xor_si128(top, _mm_srli_si128(rest, 4));
    // Less the multiple of P that has the same upper half.
    __m128i multiple = _mm_and_si128(rest, last32);
    multiple = _mm_clmulepi64_si128(multiple, _mm_cvtsi64_si128(quotient), 0x00);
    multiple = _mm_and_si128(multiple, last32);
    multiple = _mm_clmulepi64_si128(multiple, _mm_cvtsi64_si128(p), 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(rest, multiple), 1);
}

bool aviary_crc32_add(uint32_t *crc, const void *bytes, size_t count) {
    if (count < 16 || !__builtin_cpu_supports("pclmul")) return false;
    *crc = crc32(*crc, bytes, count);
    return true;
}

#else

bool aviary_crc32_add(uint32_t *crc, const void *bytes, size_t count) {
    (void)crc, (void)bytes, (void)count;
    return false;
}

#endif
