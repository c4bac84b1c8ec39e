"""An output tile on its way through the array: what the drain must know of it."""

from amaranth.lib import data
from amaranth.utils import bits_for, exact_log2

from golden.formats import BLOCK_SIZE

from .result_rows import result_rows_layout


def parts_of_block(config):
    """Give the column tiles that fill a block of results; 1 also where none fill it exactly."""
    return BLOCK_SIZE // config.cols if BLOCK_SIZE % config.cols == 0 else 1


def output_tile_layout(config):
    """Describe the output tile that a beat adds to.

    Members
    -------
    rows : unsigned
        How many of the array's rows hold results.
    cols, output, token_tile, part, block_ends
        As in `hw.contract.result_rows.result_rows_layout`, which its results take along.
    has_bias : unsigned(1)
    k_blocks : unsigned
        Block pairs that are added up.
    releases_act, releases_weight : unsigned(1)
        The token tile, the column tile, is used here for the last time.
    job_last : unsigned(1)
        The last tile of its job.
    at_drain, through_lanes, sums : unsigned(1)
        With a vector unit: as in `hw.contract.job.stages_layout`; rows are divided by their sums.
    tail : unsigned(4)
        With a vector unit: elements of a row's last block; 0 for all sixteen.
    """
    results = result_rows_layout(config).members
    return data.StructLayout({
        "rows": bits_for(config.rows),
        **{name: results[name] for name in
           ("cols", "output", "token_tile", "part", "block_ends")},
        "has_bias": 1,
        "k_blocks": bits_for(config.k_blocks_max),
        "releases_act": 1,
        "releases_weight": 1,
        "job_last": 1,
        **({"at_drain": 1, "through_lanes": 1, "sums": 1, "tail": exact_log2(BLOCK_SIZE)}
           if config.vector_lanes else {}),
    })
