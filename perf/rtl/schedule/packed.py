"""Activations that arrive as MX blocks: `hw.activations.packed_unpacker`."""

from collections import deque

from hw.contract.config import Config
from perf.rtl.schedule.latencies import CUT, NOT_YET, PACKED_BUFFERED, RELEASED, TAKEN
from perf.rtl.schedule.rooms import JobReader
from perf.rtl.schedule.scheduled_job import ScheduledJob
from perf.rtl.schedule.streams import StreamSwitch
from perf.rtl.schedule.weights import chunk_beats

_BUFFERED = 2
"""Rows that a `hw.streams.stream_buffer.StreamBuffer` holds."""


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
        self._announced = self._last_beat = NOT_YET
        self._taken = self._left = NOT_YET  # the last chunk from the reader, its last row
        # Rows, from the buffer behind the unpacker.
        self._sent = deque([NOT_YET] * _BUFFERED, maxlen=_BUFFERED)

    def take_job(self, job: ScheduledJob, start: int) -> None:
        """Take a job that starts in cycle `start`, as soon as the one before lets it."""
        taken = max(self._jobs.head(start), self._announced + 1)
        self._jobs.note_taken(taken)
        self._switched = self._switch.take_job(start) + TAKEN
        self._busy = taken + TAKEN
        self._job, self._tile = job, 0

    def skip_job(self, start: int) -> None:
        """Pass over a job in floating point."""
        self._jobs.skip_job(start)

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
            self._taken = self._left = max(self._last_beat + CUT, self._left)
            self._send(rows, gate)
        return self._sent[-1]

    def _send(self, rows: int, gate: int) -> None:
        """Let rows leave the unpacker, and the buffer behind it in cycle `gate` at the earliest."""
        for _ in range(min(rows, _BUFFERED + 1)):
            self._left = max(self._left + 1, self._sent[0] + RELEASED)
            self._sent.append(max(self._left + PACKED_BUFFERED, self._sent[-1] + 1, gate))
        more = rows - _BUFFERED - 1  # a row a cycle
        if more > 0:
            last = self._sent[-1] + more
            self._left += more
            self._sent.extend((last - 1, last))

    def end_job(self) -> None:
        """Give the stream to the next job."""
        self._switch.end_job(self._last_beat)
