"""A job and its data, the packets it takes, and the cycles it may need."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from golden import FloatFormat, MXTensor
from golden.floats import float_bits
from golden.formats import BLOCK_SIZE, FLOAT_FORMATS
from golden.packing import activation_rows, activation_tiles, weight_stream
from hw.contract.config import Config
from hw.contract.job_codes import JobKind

from .job_request import Job

_TABLE_WRITE_CYCLES = 16


@dataclass(frozen=True)
class Work:
    """A job and what it works on.

    Attributes
    ----------
    job : Job
    activations : ndarray or MXTensor
        Floats, or bits with `job.float_format`: shape (m, k); for CONVERT (n, k); for
        CONVERT_TRANSPOSED (k, n). For GEMM_PACKED an MXTensor (m, k), blocked along k.
    weights : MXTensor or None
        For a GEMM: of a matrix (k, n), blocked along axis 0, its rows in the order of the table.
    bias : ndarray of float32, shape (n,), or None
        Where `job.bias`.
    order : ndarray of int, shape (k,), or None
        Where `job.reorder`: the channel that comes to each place.
    static_tags : ndarray of bool, shape (K-blocks,), or None
        Where the selection is STATIC.
    """

    job: Job
    activations: np.ndarray | MXTensor
    weights: MXTensor | None = None
    bias: np.ndarray | None = None
    order: np.ndarray | None = None
    static_tags: np.ndarray | None = None

    @property
    def pattern_format(self) -> FloatFormat | None:
        """Format of the activations if they are bits, None if they are floats."""
        is_bits = self.activations.dtype.kind == "u"
        return FLOAT_FORMATS[self.job.float_format] if is_bits else None

    @property
    def uses_table(self) -> bool:
        """Whether the job reads its calibration table."""
        return self.job.uses_table


def act_packets(config: Config, work: Work) -> list[bytes]:
    """Make the packets of ``s_axis_act``, in order."""
    if work.job.kind is JobKind.GEMM_PACKED:
        return activation_tiles(work.activations, config.rows, config.act_bytes)
    if work.job.kind is not JobKind.CONVERT_TRANSPOSED:
        return activation_rows(work.activations, work.pattern_format)
    bits, float_format = float_bits(work.activations, work.pattern_format)
    return [row for first in range(0, work.job.n, config.cols)
            for row in activation_rows(bits[:, first : first + config.cols], float_format)]


def weight_packets(config: Config, work: Work) -> list[bytes]:
    """Make the packets of ``s_axis_wgt`` of one pass over B, in order."""
    if work.weights is None:
        return []
    return weight_stream(work.weights, config.cols, config.weight_bytes, work.bias)


def cycles_bound(config: Config, job: Job, act: Sequence[bytes], weights: Sequence[bytes]) -> int:
    """Add up what each stream and the array need for a job, none overlapping another.

    Parameters
    ----------
    config : Config
    job : Job
    act, weights : sequence of bytes
        Its packets, those of B as often as they are sent.
    """
    k_blocks, tiles, column_tiles = (-(-job.k // BLOCK_SIZE), -(-job.m // config.rows),
                                     -(-job.n // config.cols))
    table = job.uses_table * _TABLE_WRITE_CYCLES * (job.k + k_blocks)
    act_beats = sum(1 + len(packet) // config.act_bytes for packet in act)
    converted = column_tiles * k_blocks * (2 + 18 * config.cols // config.weight_bytes)
    if job.converts:
        return table + act_beats + converted
    weight_beats = sum(len(packet) // config.weight_bytes for packet in weights)
    array_cycles = tiles * column_tiles * 4 * k_blocks + job.m * column_tiles
    return table + act_beats + weight_beats + array_cycles
