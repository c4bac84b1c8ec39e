"""A job and its data, the packets it takes, and the numbers in the packets it gives."""

from dataclasses import dataclass

import numpy as np

from golden import FloatFormat, MXTensor
from golden.floats import float_bits
from golden.formats import FLOAT_FORMATS
from golden.packing import activation_rows, activation_tiles, weight_stream
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from hw.host.driver import Job
from hw.host.packet_order import Part, number_bytes


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


def read_rows(
    config: Config, job: Job, part: Part, data: np.ndarray, keep: np.ndarray
) -> np.ndarray:
    """Read one packet of floating-point results: the patterns of a part of C.

    Parameters
    ----------
    config : Config
    job : Job
    part : Part
        Which part the packet must hold.
    data : ndarray of uint8
        All bytes of its only beat.
    keep : ndarray of bool
        Its ``tkeep``, which must mark exactly the part's numbers.
    """
    size = number_bytes(job.output)
    pitch = config.row_bytes * size // 4
    marked = np.zeros(config.result_bytes, np.bool_)
    marked[: part.rows * pitch].reshape(part.rows, pitch)[:, : part.cols * size] = True
    assert np.array_equal(keep, marked), f"{part} is at the bytes {np.flatnonzero(keep)}"
    rows = data[: part.rows * pitch].reshape(part.rows, pitch)
    return np.ascontiguousarray(rows[:, : part.cols * size]).view(f"<u{size}")
