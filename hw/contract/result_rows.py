"""Results on their way from the array to the stream: what travels beside the numbers."""

from amaranth.lib import data
from amaranth.utils import bits_for

from golden.formats import BLOCK_SIZE, FP32

from .factor import Factor
from .job_codes import Output
from .named import Named


def result_rows_layout(config):
    """Describe what drains from the array in one cycle: rows of one output tile, in FP32.

    Members
    -------
    results : (drain_rows * cols) x unsigned(32)
        Row i, column j of the group at i * cols + j.
    rows, cols : unsigned
        How many of them there are; the others mean nothing.
    output : Output
        The format in which they leave.
    token_tile : unsigned
        Index of the token tile within its group of resident tiles.
    part : unsigned
        Where cols < 16: which part of a 16-column block this column tile is; else 0.
    block_ends : unsigned(1)
        The column tile completes its 16-column block or blocks: as their last part, or because
        there are no more columns.
    tile_last, job_last : unsigned(1)
        The last group of its tile, of its job.
    through_lanes : unsigned(1)
        With a vector unit: it goes through its lanes.
    columns_end, group_ends : unsigned(1)
        With a vector unit: the tile is the last one of its column tile in its group of resident
        token tiles; and of the group.
    factors : drain_rows x Factor
        With a vector unit: of its rows.
    """
    return data.StructLayout({
        "results": data.ArrayLayout(FP32.width, config.drain_lanes),
        "rows": bits_for(config.drain_rows), "cols": bits_for(config.cols),
        "output": Named(Output),
        "token_tile": bits_for(config.tile_slots - 1),
        "part": bits_for(max(1, BLOCK_SIZE // config.cols) - 1),
        "block_ends": 1, "tile_last": 1, "job_last": 1,
        **({"through_lanes": 1, "columns_end": 1, "group_ends": 1,
            "factors": data.ArrayLayout(Factor, config.drain_rows)} if config.vector_lanes else {}),
    })


def packet_beat_layout(config):
    """Describe one beat of ``m_axis_out``, and whether it is the last of its job."""
    return data.StructLayout({
        "data": 8 * config.result_bytes, "keep": config.result_bytes, "last": 1, "job_last": 1,
    })
