/* How long packed tiles are (docs/packets.md, docs/commands.md): where software places operands.
 *
 * A line is a column of B, or a row of a packed A; a tile is as many lines as the array has.
 * Nothing here touches memory or registers. Lengths are of 64 bits: none overflows for a K of 16
 * bits. A tiling of no lines, or of beats of no bytes, has no tiles.
 */
#ifndef MIXDIT_TILES_H
#define MIXDIT_TILES_H

#include "mixdit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which tiles a machine has for an operand. */
struct mixdit_tiling {
    uint32_t lines;      /* of a tile but perhaps the last */
    uint32_t beat_bytes; /* packets fill their parts up to beats */
};

/* Tiles of B, and of a packed A: of what GEMMs write in MX6 or MX9, too. */
struct mixdit_tiling mixdit_weight_tiling(const struct mixdit *machine);
struct mixdit_tiling mixdit_activation_tiling(const struct mixdit *machine);

/* Count the tiles of so many lines. */
uint32_t mixdit_tiles(const struct mixdit_tiling *tiling, uint32_t lines);

/* Count the blocks of K numbers. */
uint32_t mixdit_k_blocks(uint32_t k);

/* Give the bytes of a packed tile of so many lines, of whose K-blocks so many are MX9. */
uint64_t mixdit_packet_bytes(const struct mixdit_tiling *tiling, uint32_t lines, uint32_t k,
                             uint32_t mx9_blocks);

/* Give the least stride, a multiple of 64, that fits whole tiles. Where it is not known which
 * K-blocks will be MX9, as of conversions and of results in MX9, all of them may be:
 * mixdit_k_blocks(k). */
uint64_t mixdit_tile_stride(const struct mixdit_tiling *tiling, uint32_t k, uint32_t mx9_blocks);

/* Give the bytes of all tiles of so many lines at that stride. For packed results of M x N numbers,
 * lines are M, and k is N. */
uint64_t mixdit_tiles_bytes(const struct mixdit_tiling *tiling, uint32_t lines, uint32_t k,
                            uint32_t mx9_blocks);

#ifdef __cplusplus
}
#endif

#endif /* MIXDIT_TILES_H */
