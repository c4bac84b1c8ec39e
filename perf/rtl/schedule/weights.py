"""Column tiles on their way into the operand memory: `hw.operands.weight_loader`."""

from functools import cache

import numpy as np

from golden.formats import FP32
from hw.contract.block_bits import BASE_BLOCK_BITS, RESIDUAL_BLOCK_BITS
from hw.contract.config import Config
from perf.rtl.schedule.latencies import CHUNK_KNOWN, NOT_YET, TAKEN
from perf.rtl.schedule.rooms import JobReader, Room
from perf.rtl.schedule.scheduled_job import ScheduledJob


@cache
def chunk_beats(lanes: int, stream_bytes: int) -> tuple[int, int, int]:
    """Count the beats of the biases, the bases and the residuals of so many lanes."""
    biases, bases, residuals = (
        -(-lanes * bits // (8 * stream_bytes))
        for bits in (FP32.width, BASE_BLOCK_BITS, RESIDUAL_BLOCK_BITS))
    return biases, bases, residuals


def packet_beats(job: ScheduledJob, lanes: int, mx9: int, stream_bytes: int) -> int:
    """Count the beats of a column tile of which so many K-blocks are MX9."""
    biases, bases, residuals = chunk_beats(lanes, stream_bytes)
    tags = -(-job.k_blocks // (8 * stream_bytes))
    return biases * job.bias + tags + bases * job.k_blocks + residuals * mx9


class WeightLoader:
    """Store column tiles as long as there is room.

    Parameters
    ----------
    config : Config
    room : Room
    """

    def __init__(self, config: Config, room: Room):
        self._config, self._room = config, room
        self._jobs = JobReader()
        self._announced = self._last_beat = NOT_YET

    def take_job(self, job: ScheduledJob, start: int) -> None:
        """Take a job that starts in cycle `start`, as soon as the one before lets it."""
        taken = max(self._jobs.head(start), self._announced + 1)
        self._jobs.note_taken(taken)
        self._busy = taken + TAKEN
        config = self._config
        mx9 = job.precisions[2].sum(axis=1, dtype=np.int64).tolist()
        columns = -(-job.n // config.cols)
        lanes = [config.cols] * (columns - 1) + [job.n - config.cols * (columns - 1)]
        self._beats = [
            packet_beats(job, lane, mx9[index % len(mx9)], config.weight_bytes)
            for index, lane in enumerate(lanes)]
        self._blocks = job.k_blocks

    def skip_job(self, start: int) -> None:
        """Pass over a conversion, which has no weights."""
        self._jobs.skip_job(start)

    def load(self, column: int) -> int:
        """Load a column tile; return from when on the walker knows of it."""
        self._announced = max(self._room.reserve(self._blocks), self._last_beat, self._busy)
        self._last_beat = self._announced + self._beats[column]
        return self._last_beat + CHUNK_KNOWN
