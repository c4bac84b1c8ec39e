"""How many bytes of memory may belong to a packed tile."""

from amaranth import Array, Mux, Signal
from amaranth.utils import bits_for, exact_log2

from hw.contract.block_bits import BASE_BLOCK_BITS, RESIDUAL_BLOCK_BITS


def block_beats(lines, beat_bytes, *, is_mx9=True):
    """Count the beats of a K-block of so many lines."""
    parts = (BASE_BLOCK_BITS // 8, RESIDUAL_BLOCK_BITS // 8)[: 1 + is_mx9]
    return sum(-(-lines * each // beat_bytes) for each in parts)


def length_bits(config):
    """Give the bits of the longest piece that a job reads at once: a row, or a packed tile."""
    def tile(lines, beat_bytes):
        tags = -(-config.k_blocks_max // (8 * beat_bytes))
        return beat_bytes * (config.k_blocks_max * block_beats(lines, beat_bytes) + tags)

    largest = config.element_bytes[1]
    return bits_for(max(largest * config.k_max, largest * config.cols,
                        tile(config.rows, config.act_bytes), tile(config.cols,
                                                                  config.weight_bytes)))


def tile_extent(m, lines, k_blocks, stride, *, most, beat_bytes, name="extent"):
    """Give the bytes that are read of a tile: its stride, or what it has if all of it is MX9.

    A stride of 0 is that of a tile that comes again, and no limit.

    Parameters
    ----------
    m : Module
    lines : Value
        Of the tile, 1 to `most`.
    k_blocks, stride : Value
    most, beat_bytes : int

    Returns
    -------
    Signal
    """
    covered = 8 * beat_bytes
    each = Array(block_beats(count, beat_bytes) for count in range(most + 1))[lines[
        : most.bit_length()]]
    longest = Signal(len(stride), name=f"{name}_longest")
    extent = Signal.like(longest, name=name)
    tags = (k_blocks + (covered - 1)) >> exact_log2(covered)
    m.d.comb += [longest.eq((k_blocks * each + tags) << exact_log2(beat_bytes)),
                 extent.eq(Mux((longest < stride) | (stride == 0), longest, stride))]
    return extent
