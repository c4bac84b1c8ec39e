"""The numbers in the packets that a job gives, and where ``tkeep`` says that they are."""

import numpy as np

from hw.contract.config import Config
from hw.host.job_request import Job
from hw.host.packet_order import Part, number_bytes


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
