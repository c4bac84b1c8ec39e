#include "mixdit_pack.h"

#include "mixdit_descriptor.h"

#define BLOCK_SIZE 16u
#define PAIRS (BLOCK_SIZE / 2u)
#define BASE_BYTES 12u
#define RESIDUAL_BYTES 6u
#define RESIDUAL_BITS 3u
#define NAN_EXPONENT 0xFFu
#define FP32_MANTISSA_BITS 23u
#define MOST_PLACES 26u /* beyond which nothing is left of a significand of 24 bits */

/* FP32 patterns of one block. */
struct block {
    uint32_t patterns[BLOCK_SIZE];
};

static bool is_block_format(enum mixdit_block_format format)
{
    return format == MIXDIT_MX4 || format == MIXDIT_MX6 || format == MIXDIT_MX9;
}

static uint32_t number_bytes(uint32_t format)
{
    return format == MIXDIT_JOB_FORMAT_FP32 ? 4u : 2u;
}

/* Widen FP16 to FP32, exactly. */
static uint32_t widen_fp16(uint32_t half)
{
    const uint32_t sign = (half & 0x8000u) << 16;
    uint32_t exponent = half >> 10 & 0x1Fu, mantissa = half & 0x3FFu;

    if (exponent == 0x1Fu)
        return sign | NAN_EXPONENT << FP32_MANTISSA_BITS | mantissa << 13;
    if (exponent == 0u) {
        if (mantissa == 0u)
            return sign;
        exponent = 1u; /* a subnormal has the smallest exponent, and is a normal number of FP32 */
        for (; (mantissa & 0x400u) == 0u; mantissa <<= 1)
            exponent--; /* below 0 it wraps, and comes back where the biases' difference is added */
        mantissa &= 0x3FFu;
    }
    return sign | (exponent + (127u - 15u)) << FP32_MANTISSA_BITS | mantissa << 13;
}

/* Read a number as its FP32 pattern. */
static uint32_t read_number(const unsigned char *at, uint32_t format)
{
    uint32_t word;
    uint16_t half;
    unsigned char *to;

    if (format == MIXDIT_JOB_FORMAT_FP32) {
        to = (unsigned char *)&word;
        for (size_t byte = 0; byte < sizeof word; byte++)
            to[byte] = at[byte];
        return word;
    }
    to = (unsigned char *)&half;
    for (size_t byte = 0; byte < sizeof half; byte++)
        to[byte] = at[byte];
    return format == MIXDIT_JOB_FORMAT_BF16 ? (uint32_t)half << 16 : widen_fp16(half);
}

/* Read a block of a line; behind K there are zeros. */
static struct block read_block(const struct mixdit_matrix *matrix, const uint16_t *order,
                               uint32_t line, uint32_t k_block)
{
    const unsigned char *numbers = (const unsigned char *)matrix->numbers;
    const uint32_t bytes = number_bytes(matrix->format);
    struct block block;

    for (uint32_t index = 0; index < BLOCK_SIZE; index++) {
        const uint32_t place = k_block * BLOCK_SIZE + index;

        if (place < matrix->k) {
            const uint32_t channel = order == NULL ? place : order[place];
            const size_t row = matrix->rows_are_lines ? line : channel;
            const size_t column = matrix->rows_are_lines ? channel : line;

            block.patterns[index] =
                read_number(numbers + row * matrix->stride + column * bytes, matrix->format);
        } else {
            block.patterns[index] = 0u;
        }
    }
    return block;
}

static uint32_t exponent_of(uint32_t pattern)
{
    return pattern >> FP32_MANTISSA_BITS & 0xFFu;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Round |x| / 2^(top - 127 - (bits - 1)) to a magnitude of so many bits. */
static uint32_t mantissa_of(uint32_t pattern, uint32_t top, uint32_t bits, bool truncates)
{
    const uint32_t exponent = exponent_of(pattern), largest = (UINT32_C(1) << bits) - 1u;
    uint32_t significand, places, mantissa, dropped, half;

    if (exponent == 0u) /* zeros, and subnormals, which count as zeros */
        return 0u;
    significand = (pattern & 0x7FFFFFu) | 0x800000u;
    places = top - exponent + FP32_MANTISSA_BITS + 1u - bits;
    if (places > MOST_PLACES)
        places = MOST_PLACES;
    mantissa = significand >> places;
    dropped = significand - (mantissa << places);
    half = UINT32_C(1) << (places - 1u);
    if (!truncates && (dropped > half || (dropped == half && (mantissa & 1u) != 0u)))
        mantissa++;
    return mantissa < largest ? mantissa : largest;
}

/* Write a block's base, and of MX9 its residual; without one `residual` is not touched. */
static void write_block(const struct block *block, enum mixdit_block_format format,
                        bool truncates, uint8_t *base, uint8_t *residual)
{
    const uint32_t bits = (uint32_t)format;
    uint32_t shared = 0u;

    for (uint32_t byte = 0; byte < BASE_BYTES; byte++)
        base[byte] = 0u;
    if (format == MIXDIT_MX9)
        for (uint32_t byte = 0; byte < RESIDUAL_BYTES; byte++)
            residual[byte] = 0u;
    for (uint32_t index = 0; index < BLOCK_SIZE; index++)
        shared = larger(shared, exponent_of(block->patterns[index]));
    base[0] = (uint8_t)shared;
    if (shared == NAN_EXPONENT)
        return;
    for (uint32_t index = 0; index < BLOCK_SIZE; index++) {
        const uint32_t pattern = block->patterns[index], pair = index / 2u;
        const uint32_t highest = larger(exponent_of(block->patterns[2u * pair]),
                                        exponent_of(block->patterns[2u * pair + 1u]));
        const uint32_t microexponent = highest < shared ? 1u : 0u;
        const uint32_t mantissa = mantissa_of(pattern, shared - microexponent, bits, truncates);
        const uint32_t high = format == MIXDIT_MX9   ? mantissa >> RESIDUAL_BITS
                              : format == MIXDIT_MX6 ? mantissa
                                                     : mantissa << (MIXDIT_MX6 - MIXDIT_MX4);

        base[1] = (uint8_t)(base[1] | microexponent << pair);
        base[2u + index / 8u] = (uint8_t)(base[2u + index / 8u] | pattern >> 31 << index % 8u);
        base[4u + pair] = (uint8_t)(base[4u + pair] | high << 4u * (index % 2u));
        if (format == MIXDIT_MX9) {
            const uint32_t at = RESIDUAL_BITS * index; /* 3 bits, which two bytes may share */
            const uint32_t low = (mantissa & 7u) << at % 8u;

            residual[at / 8u] = (uint8_t)(residual[at / 8u] | (low & 0xFFu));
            if (low > 0xFFu)
                residual[at / 8u + 1u] = (uint8_t)(residual[at / 8u + 1u] | low >> 8);
        }
    }
}

static enum mixdit_block_format format_of(const struct mixdit_precision *precision,
                                          uint32_t k_block)
{
    return precision->is_outlier != NULL && precision->is_outlier[k_block] ? precision->outlier
                                                                           : precision->ordinary;
}

uint32_t mixdit_mx9_blocks(const struct mixdit_precision *precision, uint32_t k)
{
    const uint32_t blocks = mixdit_k_blocks(k);
    uint32_t found = 0u;

    for (uint32_t k_block = 0; k_block < blocks; k_block++)
        found += format_of(precision, k_block) == MIXDIT_MX9 ? 1u : 0u;
    return found;
}

/* Write zeros up to a whole beat; return the place behind them. */
static uint8_t *fill_beat(uint8_t *to, size_t used, uint32_t beat_bytes)
{
    for (; used % beat_bytes != 0u; used++)
        *to++ = 0u;
    return to;
}

/* Write the precision bits of as many K-blocks as a beat has bits; return the place behind it. */
static uint8_t *write_tags(const struct mixdit_precision *precision, uint32_t first,
                           uint32_t blocks, uint32_t beat_bytes, uint8_t *to)
{
    for (uint32_t byte = 0; byte < beat_bytes; byte++) {
        uint32_t tags = 0u;

        for (uint32_t bit = 0; bit < 8u; bit++) {
            const uint32_t k_block = first + 8u * byte + bit;

            if (k_block < blocks && format_of(precision, k_block) == MIXDIT_MX9)
                tags |= UINT32_C(1) << bit;
        }
        *to++ = (uint8_t)tags;
    }
    return to;
}

/* Write a tile of `lines` lines from `first` on as its packet. */
static void write_tile(const struct mixdit_tiling *tiling, const struct mixdit_matrix *matrix,
                       const struct mixdit_precision *precision, uint32_t first, uint32_t lines,
                       uint8_t *to)
{
    const uint32_t beat = tiling->beat_bytes, blocks = mixdit_k_blocks(matrix->k);
    const bool truncates = precision->rounding == MIXDIT_ROUNDING_TRUNCATE;

    for (uint32_t k_block = 0; k_block < blocks; k_block++) {
        const enum mixdit_block_format format = format_of(precision, k_block);
        uint8_t *bases, *residuals;

        if (k_block == 0u || (beat <= UINT32_MAX / 8u && k_block % (8u * beat) == 0u))
            to = write_tags(precision, k_block, blocks, beat, to);
        bases = to;
        residuals = fill_beat(to + (size_t)lines * BASE_BYTES, (size_t)lines * BASE_BYTES, beat);
        for (uint32_t line = 0; line < lines; line++) {
            const struct block block = read_block(matrix, precision->order, first + line, k_block);

            write_block(&block, format, truncates, bases + (size_t)line * BASE_BYTES,
                        format == MIXDIT_MX9 ? residuals + (size_t)line * RESIDUAL_BYTES : NULL);
        }
        to = residuals;
        if (format == MIXDIT_MX9)
            to = fill_beat(to + (size_t)lines * RESIDUAL_BYTES, (size_t)lines * RESIDUAL_BYTES,
                           beat);
    }
}

static enum mixdit_result check(const struct mixdit_tiling *tiling,
                                const struct mixdit_matrix *matrix,
                                const struct mixdit_precision *precision)
{
    const uint32_t rows = matrix->rows_are_lines ? matrix->lines : matrix->k;
    const uint32_t length = matrix->rows_are_lines ? matrix->k : matrix->lines;

    if (tiling->lines == 0u || tiling->beat_bytes == 0u || matrix->numbers == NULL ||
        matrix->lines == 0u || matrix->k == 0u || matrix->format > MIXDIT_JOB_FORMAT_BF16 ||
        (rows > 1u && (uint64_t)length * number_bytes(matrix->format) > matrix->stride))
        return MIXDIT_BAD_MATRIX;
    if (!is_block_format(precision->ordinary) || !is_block_format(precision->outlier) ||
        precision->rounding > MIXDIT_ROUNDING_TRUNCATE)
        return MIXDIT_BAD_PRECISION;
    if (precision->order != NULL && !mixdit_is_order(precision->order, matrix->k))
        return MIXDIT_BAD_ORDER;
    return MIXDIT_OK;
}

enum mixdit_result mixdit_pack(const struct mixdit_tiling *tiling,
                               const struct mixdit_matrix *matrix,
                               const struct mixdit_precision *precision, void *packed,
                               size_t size, size_t stride)
{
    const enum mixdit_result result = check(tiling, matrix, precision);
    uint32_t tiles, rest, mx9;
    uint64_t last;
    uint8_t *to = (uint8_t *)packed;

    if (result != MIXDIT_OK)
        return result;
    tiles = mixdit_tiles(tiling, matrix->lines);
    rest = matrix->lines - (tiles - 1u) * tiling->lines;
    mx9 = mixdit_mx9_blocks(precision, matrix->k);
    if (stride % MIXDIT_DESCRIPTOR_ALIGNMENT != 0u ||
        (tiles > 1u && mixdit_packet_bytes(tiling, tiling->lines, matrix->k, mx9) > stride))
        return MIXDIT_BAD_STRIDE;
    last = mixdit_packet_bytes(tiling, rest, matrix->k, mx9);
    if (last > size || (tiles > 1u && (size - (size_t)last) / stride < tiles - 1u))
        return MIXDIT_NO_SPACE;
    for (uint32_t tile = 0; tile < tiles; tile++)
        write_tile(tiling, matrix, precision, tile * tiling->lines,
                   tile + 1u < tiles ? tiling->lines : rest, to + tile * stride);
    return MIXDIT_OK;
}
