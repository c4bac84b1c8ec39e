#include "mixdit_tiles.h"

#include "mixdit_descriptor.h"

#define BLOCK_SIZE 16u
#define BASE_BYTES 12u     /* of a block */
#define RESIDUAL_BYTES 6u  /* of an MX9 block, besides */

/* 0 where the divisor is. */
static uint32_t divide_up(uint32_t dividend, uint32_t divisor)
{
    return divisor == 0u ? 0u : dividend / divisor + (dividend % divisor != 0u);
}

/* Count the beats of so many lines of a few bytes each. A division of 64 bits would need a library. */
static uint64_t beats_of(uint32_t lines, uint32_t bytes, uint32_t beat)
{
    uint64_t rest, beats;

    if (beat == 0u)
        return 0u;
    beats = (uint64_t)(lines / beat) * bytes;
    for (rest = (uint64_t)(lines % beat) * bytes; rest != 0u; rest = rest > beat ? rest - beat : 0u)
        beats++; /* as many times as a line has bytes, at most */
    return beats;
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
    return divide_up(lines, tiling->lines);
}

uint32_t mixdit_k_blocks(uint32_t k)
{
    return divide_up(k, BLOCK_SIZE);
}

uint64_t mixdit_packet_bytes(const struct mixdit_tiling *tiling, uint32_t lines, uint32_t k,
                             uint32_t mx9_blocks)
{
    const uint32_t beat = tiling->beat_bytes, blocks = mixdit_k_blocks(k);
    const uint32_t tags = beat > UINT32_MAX / 8u ? blocks != 0u : divide_up(blocks, 8u * beat);

    return (tags + blocks * beats_of(lines, BASE_BYTES, beat) +
            mx9_blocks * beats_of(lines, RESIDUAL_BYTES, beat)) *
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
