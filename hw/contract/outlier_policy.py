"""What the outlier detector is told, and what it hands out."""

from amaranth import unsigned
from amaranth.lib import data

from golden.formats import FP32

from .job_codes import Selection
from .named import Named

MAGNITUDE_BITS = FP32.width - 1
"""Bits of an FP32 pattern without its sign."""


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
        "selection": Named(Selection),
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


Tag = data.StructLayout({"is_mx9": 1, "last": 1})
"""Whether the next K-block is an outlier, and whether it is the tile's last."""
