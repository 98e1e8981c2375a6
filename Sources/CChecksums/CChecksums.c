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

#define CARRY_LESS __attribute__((target("pclmul,sse4.1")))

// Polynomials have their bits turned round, as zlib has them: the lowest is the highest power of x. A
// product of two such numbers comes out one bit too low, so that constants are one bit further up.
// P is x^32 + x^26 + x^23 + ... + 1.
static const long long x544 = 0x154442bd4;      // x^544 mod P
static const long long x480 = 0x1c6e41596;      // x^480 mod P
static const long long x160 = 0x1751997d0;      // x^160 mod P
static const long long x96 = 0x0ccaa009e;       // x^96 mod P
static const long long x64 = 0x163cd6124;       // x^64 mod P
static const long long p = 0x1db710641;         // P
static const long long quotient = 0x1f7011641;  // x^64 / P

enum { BLOCK = 16, ABREAST = 4 };

static bool can_multiply(void) { return __builtin_cpu_supports("pclmul"); }

CARRY_LESS
static inline __m128i load(const void *from) { return _mm_loadu_si128(from); }

CARRY_LESS
static inline __m128i across_one_block(void) { return _mm_set_epi64x(x96, x160); }

CARRY_LESS
static inline __m128i across_four_blocks(void) { return _mm_set_epi64x(x480, x544); }

// What is left of all blocks so far stands `shift` before `block`.
CARRY_LESS
static inline __m128i next(__m128i rest, __m128i block, __m128i shift) {
    __m128i upper = _mm_clmulepi64_si128(rest, shift, 0x00);
    __m128i lower = _mm_clmulepi64_si128(rest, shift, 0x11);
    return _mm_xor_si128(_mm_xor_si128(upper, lower), block);
}

// 128 bits, and the 32 zeros that a CRC appends, become 96, then 64, then the register.
CARRY_LESS
static inline uint32_t reduce(__m128i rest) {
    const __m128i last32 = _mm_set_epi32(0, 0, 0, -1);
    rest = _mm_xor_si128(_mm_clmulepi64_si128(rest, across_one_block(), 0x10),
                         _mm_srli_si128(rest, 8));
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

// Which byte of a block goes where, from the byte before where it begins; none where it is negative.
#define NONE -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1
static const int8_t places[3 * BLOCK] = {NONE, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, NONE};

// All of it is done in registers: who writes a few bytes to memory and at once reads sixteen waits for
// the write to be through.
CARRY_LESS
static uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t count) {
    // Zeros in front change nothing, so the first block is filled up with them. The register is added to
    // the first four bytes, which may reach into the second.
    size_t at = (count - 1) % BLOCK + 1;
    __m128i added = _mm_cvtsi32_si128((int)crc);
    __m128i rest = _mm_xor_si128(load(bytes), added);
    rest = _mm_shuffle_epi8(rest, load(places + at));
    added = _mm_shuffle_epi8(added, load(places + BLOCK + at));
    if (count - at >= (2 * ABREAST - 1) * BLOCK) {
        __m128i abreast[ABREAST] = {rest, _mm_xor_si128(load(bytes + at), added),
                                    load(bytes + at + BLOCK), load(bytes + at + 2 * BLOCK)};
        added = _mm_setzero_si128();
        at += (ABREAST - 1) * BLOCK;
        for (; count - at >= ABREAST * BLOCK; at += ABREAST * BLOCK) {
            for (int i = 0; i < ABREAST; i++) {
                __m128i block = load(bytes + at + i * BLOCK);
                abreast[i] = next(abreast[i], block, across_four_blocks());
            }
        }
        rest = abreast[0];
        for (int i = 1; i < ABREAST; i++) rest = next(rest, abreast[i], across_one_block());
    }
    for (; at < count; at += BLOCK) {
        rest = next(rest, _mm_xor_si128(load(bytes + at), added), across_one_block());
        added = _mm_setzero_si128();
    }
    return reduce(rest);
}

bool aviary_crc32_add(uint32_t *crc, const void *bytes, size_t count) {
    if (count < BLOCK || !can_multiply()) return false;
    *crc = crc32(*crc, bytes, count);
    return true;
}

CARRY_LESS
static inline __m128i block(uint64_t first, uint64_t second) {
    return _mm_set_epi64x((long long)__builtin_bswap64(second), (long long)__builtin_bswap64(first));
}

CARRY_LESS
static uint32_t crc32_of_60(uint32_t crc, uint32_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                            uint64_t f, uint64_t g, uint64_t h) {
    __m128i rest = block(a ^ __builtin_bswap32(crc), b);
    rest = next(rest, block(c, d), across_one_block());
    rest = next(rest, block(e, f), across_one_block());
    rest = next(rest, block(g, h), across_one_block());
    return reduce(rest);
}

bool aviary_crc32_add_60(uint32_t *crc, uint32_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                         uint64_t f, uint64_t g, uint64_t h) {
    if (!can_multiply()) return false;
    *crc = crc32_of_60(*crc, a, b, c, d, e, f, g, h);
    return true;
}

#else

bool aviary_crc32_add(uint32_t *crc, const void *bytes, size_t count) {
    (void)crc, (void)bytes, (void)count;
    return false;
}

bool aviary_crc32_add_60(uint32_t *crc, uint32_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                         uint64_t f, uint64_t g, uint64_t h) {
    (void)crc, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    return false;
}

#endif
