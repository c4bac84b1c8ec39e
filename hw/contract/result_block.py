"""Blocks of results on their way to conversion: what travels beside the numbers."""

from amaranth import Array
from amaranth.lib import data
from amaranth.utils import bits_for

from golden.formats import BLOCK_SIZE, FP32


def result_block_layout(config):
    """Describe sixteen results of one row of C, and their place.

    Members
    -------
    elements : 16 x unsigned(32)
        FP32 patterns; zero beyond the last column of C.
    row : unsigned
        Index of the row in its tile.
    row_last : unsigned(1)
        The last row of its tile.
    job_last : unsigned(1)
        The job's last block.
    is_mx9 : unsigned(1)
        The precision in which it leaves.
    tags_due : unsigned(1)
        With a vector unit: precision bits come before its K-block, of a job with tags.
    """
    return data.StructLayout({
        "elements": data.ArrayLayout(FP32.width, BLOCK_SIZE),
        "row": bits_for(config.tile_rows_max - 1),
        "row_last": 1, "job_last": 1, "is_mx9": 1,
        **({"tags_due": 1} if config.vector_lanes else {}),
    })


def rows_of_results(config, results):
    """View the results of a drain cycle as drain_rows x cols FP32 patterns."""
    layout = data.ArrayLayout(data.ArrayLayout(FP32.width, config.cols), config.drain_rows)
    return data.View(layout, results)


def choose(values, index):
    """Choose one value of an array, as a multiplexer and not as a shift of it all."""
    return Array(value.as_value() for value in values)[index]
