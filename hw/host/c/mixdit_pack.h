/* Numbers in floating point to packed tiles, on this host: the B of a GEMM, or a packed A.
 *
 * As the machine's conversions make them (docs/numerics.md, docs/packets.md), to the bit: NaNs,
 * infinities, subnormals and signs of zeros, too. All arithmetic is on bit patterns, in integers.
 */
#ifndef MIXDIT_PACK_H
#define MIXDIT_PACK_H

#include "mixdit_tiles.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers in this host's byte order, at any alignment. */
struct mixdit_matrix {
    const void *numbers;
    uint32_t format; /* enum mixdit_job_format: FP32, FP16 or BF16 */
    uint32_t lines;  /* N of B, M of A */
    uint32_t k;
    size_t stride;   /* bytes from a row in memory to the next, if there are several */
    bool rows_are_lines; /* `lines` rows of k numbers: A, or B transposed; else k rows of `lines` */
};

/* Bits of a mantissa. */
enum mixdit_block_format { MIXDIT_MX4 = 2, MIXDIT_MX6 = 4, MIXDIT_MX9 = 7 };

/* What becomes of the numbers. */
struct mixdit_precision {
    enum mixdit_block_format ordinary; /* of K-blocks that are no outliers */
    enum mixdit_block_format outlier;  /* of those that are */
    const bool *is_outlier;            /* of each K-block, in the new order; NULL: none is */
    const uint16_t *order;             /* the channel for place 0, 1, ...; NULL: as they come */
    uint32_t rounding;                 /* enum mixdit_rounding: the machine's, see its parameters */
};

/* Quantize and pack a matrix: tile t is written from `packed + t * stride` on, and nothing between
 * a tile's end and the next. No more than `size` bytes are written: if that is too few, if the
 * stride is no multiple of 64 or too short, if there is no such format or rounding, or if the order
 * does not name every channel once, none is. */
enum mixdit_result mixdit_pack(const struct mixdit_tiling *tiling,
                               const struct mixdit_matrix *matrix,
                               const struct mixdit_precision *precision, void *packed,
                               size_t size, size_t stride);

/* Count the K-blocks that become MX9: what lengths of tiles depend on. */
uint32_t mixdit_mx9_blocks(const struct mixdit_precision *precision, uint32_t k);

#ifdef __cplusplus
}
#endif

#endif /* MIXDIT_PACK_H */
