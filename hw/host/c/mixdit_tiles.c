#include "mixdit_tiles.h"

#include "mixdit_descriptor.h"

#define BLOCK_SIZE 16u
#define BASE_BYTES 12u     /* of a block */
#define RESIDUAL_BYTES 6u  /* of an MX9 block, besides */

/* 0 where the divisor is. */
static uint64_t divide_up(uint64_t dividend, uint64_t divisor)
{
    return divisor == 0u ? 0u : dividend / divisor + (dividend % divisor != 0u);
}

struct mixdit_tiling mixdit_weight_tiling(const struct mixdit *machine)
{
    return (struct mixdit_tiling){machine->parameters.cols, machine->parameters.weight_bytes};
}

struct mixdit_tiling mixdit_activation_tiling(const struct mixdit *machine)
{
    return (struct mixdit_tiling){machine->parameters.rows, machine->parameters.act_bytes};
}

uint32_t mixdit_tiles(const struct mixdit_tiling *tiling, uint32_t lines)
{
    return (uint32_t)divide_up(lines, tiling->lines);
}

uint32_t mixdit_k_blocks(uint32_t k)
{
    return (uint32_t)divide_up(k, BLOCK_SIZE);
}

uint64_t mixdit_packet_bytes(const struct mixdit_tiling *tiling, uint32_t lines, uint32_t k,
                             uint32_t mx9_blocks)
{
    const uint64_t beat = tiling->beat_bytes, blocks = mixdit_k_blocks(k), many = lines;

    return (divide_up(blocks, 8u * beat) + blocks * divide_up(many * BASE_BYTES, beat) +
            mx9_blocks * divide_up(many * RESIDUAL_BYTES, beat)) *
           beat;
}

uint64_t mixdit_tile_stride(const struct mixdit_tiling *tiling, uint32_t k, uint32_t mx9_blocks)
{
    const uint64_t bytes = mixdit_packet_bytes(tiling, tiling->lines, k, mx9_blocks);
    const uint32_t part = (uint32_t)bytes & (MIXDIT_DESCRIPTOR_ALIGNMENT - 1u);

    return part == 0u ? bytes : bytes + (MIXDIT_DESCRIPTOR_ALIGNMENT - part);
}

uint64_t mixdit_tiles_bytes(const struct mixdit_tiling *tiling, uint32_t lines, uint32_t k,
                            uint32_t mx9_blocks)
{
    return mixdit_tiles(tiling, lines) * mixdit_tile_stride(tiling, k, mx9_blocks);
}
