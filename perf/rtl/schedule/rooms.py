"""Room in memories whose tiles come and go in order, and engines' places in the queue of jobs."""

from collections import deque

from perf.rtl.schedule.latencies import QUEUED, RELEASED


class Room:
    """Say when a tile fits, and remember when tiles are given back.

    Parameters
    ----------
    depth : int
        Blocks.
    slots : int, optional
        Tiles; no limit by default.
    """

    def __init__(self, depth: int, slots: int | None = None):
        self._blocks, self._slots = depth, slots
        self._sizes: deque[int] = deque()
        self._releases: deque[int] = deque()
        self._since = 0

    def reserve(self, blocks: int) -> int:
        """Reserve room for a tile; return the first cycle in which there is that much.

        Raises
        ------
        ValueError
            If tiles that are not given back before leave too little.
        """
        while self._blocks < blocks or self._slots == 0:
            if not self._releases:
                raise ValueError(f"{blocks} blocks never fit: tiles before are never released")
            self._since = self._releases.popleft() + RELEASED
            self._blocks += self._sizes.popleft()
            if self._slots is not None:
                self._slots += 1
        self._blocks -= blocks
        if self._slots is not None:
            self._slots -= 1
        self._sizes.append(blocks)
        return self._since

    def release(self, cycle: int) -> None:
        """Give back the oldest tile that was not given back yet."""
        self._releases.append(cycle)


class JobReader:
    """Follow one engine's place in the queue of jobs: see `hw.control.job_queue.JobQueue`."""

    def __init__(self) -> None:
        self._free = 0

    def head(self, start: int) -> int:
        """Say when a job that starts in cycle `start` is offered to the engine."""
        return max(start + QUEUED, self._free)

    def note_taken(self, cycle: int) -> None:
        """Note when the engine takes the job that is offered."""
        self._free = cycle + 1

    def skip_job(self, start: int) -> None:
        """Pass a job that the engine does not know."""
        self.note_taken(self.head(start))
