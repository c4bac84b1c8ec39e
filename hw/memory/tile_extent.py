"""How many bytes of memory may belong to a packed tile."""

from amaranth import Array, Mux, Signal
from amaranth.utils import exact_log2

from hw.contract.block_bits import BASE_BLOCK_BITS, RESIDUAL_BLOCK_BITS


def block_beats(lines, beat_bytes, *, is_mx9=True):
    """Count the beats of a K-block of so many lines."""
    parts = (BASE_BLOCK_BITS // 8, RESIDUAL_BLOCK_BITS // 8)[: 1 + is_mx9]
    return sum(-(-lines * each // beat_bytes) for each in parts)


def tile_extent(m, lines, k_blocks, stride, *, most, beat_bytes, name="extent"):
    """Give the bytes that are read of a tile: its stride, or what it has if all of it is MX9.

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
                 extent.eq(Mux(longest < stride, longest, stride))]
    return extent
