"""Activations that arrive as MX blocks: `hw.packed_unpacker`."""

from hw.config import Config
from perf.schedule.job import Job
from perf.schedule.latencies import CUT, TAKEN
from perf.schedule.rooms import JobReader
from perf.schedule.streams import StreamSwitch
from perf.schedule.weights import chunk_beats

_EVER = -1


class PackedLoader:
    """Read packets, a token tile each, and send their rows.

    Parameters
    ----------
    config : Config
    switch : StreamSwitch
        Shared with activations in floating point.
    """

    def __init__(self, config: Config, switch: StreamSwitch):
        self._config, self._switch = config, switch
        self._jobs = JobReader()
        self._announced = self._last_beat = _EVER
        self._taken = self._sent = _EVER  # the last chunk from the reader, its last row

    def begin(self, job: Job, start: int) -> None:
        """Take a job."""
        taken = max(self._jobs.head(start), self._announced + 1)
        self._jobs.take(taken)
        self._switched = self._switch.begin(start) + TAKEN
        self._busy = taken + TAKEN
        self._job, self._tile = job, 0

    def skip(self, start: int) -> None:
        """Pass a job in floating point."""
        self._jobs.skip(start)

    def load(self, rows: int, gate: int) -> int:
        """Load a tile, stored from cycle `gate` on; return when its last block is."""
        job, width = self._job, self._config.act_bytes
        _, bases, residuals = chunk_beats(rows, width)
        mx9 = job.precisions[0]
        tags = mx9[self._tile % len(mx9)].tolist()
        self._tile += 1
        self._announced = max(self._busy, self._last_beat)
        begins = max(self._announced + TAKEN, self._switched)
        for k_block, is_mx9 in enumerate(tags):
            beats = bases + residuals * is_mx9 + (k_block % (8 * width) == 0)
            # Not a beat is taken while a chunk waits to be taken.
            self._last_beat = max(begins, self._last_beat + 1, self._taken) + beats - 1
            self._taken = max(self._last_beat + CUT, self._sent)
            self._sent = max(self._taken + 1, gate) + rows - 1
        return self._sent

    def end(self) -> None:
        """Give the stream to the next job."""
        self._switch.end(self._last_beat)
