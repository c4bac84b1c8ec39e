"""What the outlier detector is told, and what it hands out."""

from amaranth import unsigned
from amaranth.lib import data, enum

from golden.formats import FP32

MAGNITUDE_BITS = FP32.width - 1
"""Bits of an FP32 pattern without its sign."""


class Selection(enum.Enum, shape=unsigned(2)):
    """How a tile's outlier K-blocks are chosen."""

    TOP = 0
    """The `units` K-blocks with the largest magnitudes, ties to the lower index."""
    THRESHOLD = 1
    """Every K-block whose magnitude is strictly above `threshold`."""
    STATIC = 2
    """The K-blocks that the job's table marks."""
    HEAD = 3
    """The whole job: all of its K-blocks if `units` is 1, none if it is 0."""


def policy_layout(k_blocks_max):
    """Describe what the detector is told about a tile.

    Parameters
    ----------
    k_blocks_max : int
        Most K-blocks of a tile.

    Returns
    -------
    data.StructLayout
        ``selection``; ``units``, for TOP and HEAD; ``threshold``, an FP32 pattern without sign.
    """
    return data.StructLayout({
        "selection": Selection,
        "units": range(k_blocks_max + 1),
        "threshold": unsigned(MAGNITUDE_BITS),
    })


def magnitude_layout(k_blocks_max):
    """Describe the largest magnitude of one row's block, and where the block stands in its tile.

    Members
    -------
    magnitude : unsigned(31)
    k_block : unsigned
    row_first : unsigned(1)
        Its row is the first of its tile.
    tile_last : unsigned(1)
        The tile's last block to arrive.
    """
    return data.StructLayout({
        "magnitude": unsigned(MAGNITUDE_BITS), "k_block": range(max(2, k_blocks_max)),
        "row_first": 1, "tile_last": 1,
    })


Tag = data.StructLayout({"is_outlier": 1, "last": 1})
"""Whether the next K-block is an outlier, and whether it is the tile's last."""
