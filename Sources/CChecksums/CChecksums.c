#include "CChecksums.h"

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

__attribute__((target("pclmul,sse4.1")))
static uint32_t fold(uint32_t crc, const __m128i *blocks, size_t count) {
    const __m128i shift = _mm_set_epi64x(x96, x160);
    __m128i rest = _mm_xor_si128(_mm_loadu_si128(blocks), _mm_cvtsi32_si128((int)crc));
    // What is left of all blocks so far stands 128 powers of x above the next.
    for (size_t i = 1; i < count; i++) {
        __m128i upper = _mm_clmulepi64_si128(rest, shift, 0x00);
        __m128i lower = _mm_clmulepi64_si128(rest, shift, 0x11);
        rest = _mm_xor_si128(_mm_xor_si128(upper, lower), _mm_loadu_si128(blocks + i));
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

size_t aviary_crc32_fold(uint32_t *crc, const void *bytes, size_t count) {
    if (count < 16 || !__builtin_cpu_supports("pclmul")) return 0;
    *crc = fold(*crc, bytes, count / 16);
    return count / 16 * 16;
}

#else

size_t aviary_crc32_fold(uint32_t *crc, const void *bytes, size_t count) {
    (void)crc, (void)bytes, (void)count;
    return 0;
}

#endif
