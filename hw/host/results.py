"""What a job gave: packets of results made arrays, tensors, or the next job's packets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from golden import MXTensor
from golden.unpacking import read_activation_tiles, read_weight_stream
from hw.contract.config import Config
from hw.contract.job_codes import Output

from .driver_errors import ResultLengthError
from .job_request import Job
from .packet_order import (
    Part,
    assemble_packed,
    conversion_packets,
    number_bytes,
    packed_result_chunks,
    packet_bytes,
    result_packets,
)

Counters = dict[str, int]
"""What the machine counted over a job, by name."""

Results = np.ndarray | list[bytes]
"""Patterns of floating-point results, shape (m, n), uint32 or uint16; or packets of MX blocks."""


@dataclass(frozen=True)
class Outcome:
    """What a job gave.

    Attributes
    ----------
    results : ndarray or list of bytes
        Patterns of floating-point results, shape (m, n), or packets of MX blocks.
    counters : dict of str to int, or None
        The machine's counters, see `hw.registers.map.COUNTERS`; None where the next job ended
        before they were read.
    start : int
        Cycle on the carrier's clock in which the job's start was answered.
    loaded : tuple of str
        What of its calibration table was written before: "order", "tags".
    """

    results: Results
    counters: Counters | None
    start: int = 0
    loaded: tuple[str, ...] = ()

    @property
    def patterns(self) -> np.ndarray:
        """Results in floating point."""
        return self.results


def packet_count(config: Config, job: Job) -> int:
    """Count the packets of a job's results."""
    return sum(1 for _ in _parts(config, job))


def _parts(config: Config, job: Job) -> Iterator[Part]:
    return (conversion_packets if job.converts
            else packed_result_chunks if job.is_packed else result_packets)(config, job)


def read_results(config: Config, job: Job, packets: Sequence[bytes]) -> Results:
    """Put a job's packets together.

    Parameters
    ----------
    config : Config
    job : Job
    packets : sequence of bytes
        The bytes that ``tkeep`` marks.

    Raises
    ------
    ResultLengthError
        If a packet has another length than the job gives it.
    """
    if job.converts:
        return list(packets)  # how long they are depends on the data
    parts = list(_parts(config, job))
    for index, (part, packet) in enumerate(zip(parts, packets, strict=True)):
        length = packet_bytes(config, job, part)
        if len(packet) != length:
            raise ResultLengthError(
                f"result packet {index} has {len(packet)} bytes, not {length}")
    if job.is_packed:
        return list(packets)
    kind = f"<u{number_bytes(job.output)}"
    results = np.zeros((job.m, job.n), kind)
    for part, packet in zip(parts, packets, strict=True):
        results[part.row : part.row + part.rows, part.col : part.col + part.cols] = (
            np.frombuffer(packet, kind).reshape(part.rows, part.cols))
    return results


def as_array(config: Config, job: Job, results: Results) -> np.ndarray | MXTensor:
    """Make results what NumPy and golden compute with.

    Returns
    -------
    ndarray or MXTensor
        Of a GEMM: C, shape (m, n), as float32, float16, or BF16 patterns in uint16; or blocked
        along its columns, as the A of a later GEMM. Of a conversion: B, shape (k, n).
    """
    if job.converts:
        return read_weight_stream(results, (job.k, job.n), config.cols, config.weight_bytes)
    if job.is_packed:
        tiles = assemble_packed(config, job, results)
        return read_activation_tiles(tiles, (job.m, job.n), config.rows, config.act_bytes)
    return results if job.output is Output.BF16 else results.view(f"<f{results.itemsize}")
