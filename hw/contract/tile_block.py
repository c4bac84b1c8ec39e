"""Blocks on their way through a tile: what travels beside the numbers."""

from amaranth.lib import data
from amaranth.utils import bits_for

from golden.formats import BLOCK_SIZE

from .job import job_layout
from .layouts import Rounded

ELEMENT_BITS = 32


def raw_block_layout(config):
    """Describe a block of unconverted elements and its place in its tile.

    Members
    -------
    elements : 16 x unsigned(32)
        An element takes the low bits of its lane; zero where there is none.
    count : unsigned
        Elements there are, from lane 0.
    k_block : unsigned
        Index of the block in its row (as it arrives, or once reordered).
    row : unsigned
        Index of the row in its tile.
    row_last : unsigned(1)
        The last block of its row.
    tile_last_row : unsigned(1)
        Its row is the last of its tile.
    job : struct
        What later stages must know of the job.
    job_last : unsigned(1)
        The last of its job. Of machines with a vector unit.
    """
    return data.StructLayout({
        "elements": data.ArrayLayout(ELEMENT_BITS, BLOCK_SIZE),
        "count": bits_for(BLOCK_SIZE),
        "k_block": bits_for(config.k_blocks_max - 1),
        "row": bits_for(max(config.tile_rows_max, BLOCK_SIZE) - 1),
        "row_last": 1,
        "tile_last_row": 1,
        "job": block_job_layout(config),
        **({"job_last": 1} if config.vector_lanes else {}),
    })


def block_job_layout(config):
    """Describe the part of a job that travels with its raw blocks; see `job_layout`.

    ``untagged`` is `hw.contract.job.is_untagged`. With a vector unit ``is_pass`` says that the
    block is to go through it, and ``packs`` that it comes back then.
    """
    job = job_layout(config).members
    return data.StructLayout({
        "transposed": 1, "untagged": 1,
        **{name: job[name] for name in
           ("float_format", "reorder", "measure", "table", "policy")},
        **({"is_pass": 1, "packs": 1} if config.vector_lanes else {}),
    })


def tile_block_layout(config):
    """Describe a block of a tile in its final precision.

    Tiles come K-block by K-block, all rows of each; those of `hw.contract.job.is_untagged` jobs row
    by row.

    Members
    -------
    rounded : Rounded
    row : unsigned
        Index of the row in its tile: the lane of the operand memory.
    row_last : unsigned(1)
        Its row is the last of its tile.
    k_first, k_last : unsigned(1)
        Its K-block is the first, the last of the tile.
    job_last : unsigned(1)
        Its tile is the last of its job.
    tags_due : unsigned(1)
        With a vector unit, of results: as in `hw.contract.result_block.result_block_layout`.
    """
    return data.StructLayout({
        "rounded": Rounded,
        "row": bits_for(config.tile_rows_max - 1),
        "row_last": 1, "k_first": 1, "k_last": 1, "job_last": 1,
        **({"tags_due": 1} if config.vector_lanes else {}),
    })
