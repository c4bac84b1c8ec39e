"""Rows that are measured, and leave for the lanes: `row_passes`, `row_operands` of `hw.vector`."""

from golden.formats import BLOCK_SIZE
from hw.contract.config import Config
from hw.vector.row_extremes import RowExtremes
from hw.vector.row_totals import RowTotals
from perf.rtl.bus_schedule.groups import Groups
from perf.rtl.bus_schedule.job_merge import JobMerge
from perf.rtl.bus_schedule.network import Cycles, Process, Step
from perf.rtl.bus_schedule.stages import is_norm
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import NOT_YET

WHOLE = RowExtremes.latency + 1
"""A row's last block comes; that it is whole shows."""

STARTED = 1
"""A row is begun; its parts are read for its sums, or what it says of itself is there."""

TOTALLED = 1 + RowTotals.latency + 1
"""The last part of a row is read; its sums begin to become a mean and a scale, which shows a cycle
after they have."""

MEASURED = 1
"""What a row says of itself is there; its first block may be read to leave, and the next row may
be begun."""

READ = 1
"""A block is read; it is there in the next cycle."""

AHEAD = 2
"""Groups of neighbours that are left of a block when the next one is read."""


class RowPasses:
    """Measure one row while the one before leaves.

    Parameters
    ----------
    config : Config
    came : list of int
        When each block of a pass came.
    news : list of int
        As of `PassGate`.

    Attributes
    ----------
    order : JobMerge
        Of passes.
    numbers : Groups
        Groups of neighbours.
    row_left : list of int
        When the last of each row's left.
    """

    def __init__(self, config: Config, came: Cycles, news: Cycles):
        self._lanes, self._came, self._news = config.vector_lanes, came, news
        self._free = NOT_YET  # another row may be begun
        self._after = NOT_YET  # the next block may be read to leave
        self._blocks = self._rows = 0
        self._measured: Cycles = []
        # When each block was read to leave, and when it had a place; none is read meanwhile.
        self._windows: list[tuple[int, int]] = []
        self._placed: Cycles = []
        self._read = 0  # of these, those that reads for sums are behind
        self.order = JobMerge()
        self.numbers = Groups()
        self.row_left: Cycles = []

    def measure_job(self, work: Work) -> Step:
        """Measure the rows of a pass."""
        came, blocks = self._came, work.job.k_blocks
        for row in range(work.job.m):
            last = self._blocks + blocks - 1
            if len(came) <= last:
                yield came, last
            cycle = max(came[last] + WHOLE, self._free) + STARTED
            if is_norm(work.command):
                for _ in range(-(-work.job.n // (2 * self._lanes))):
                    read = yield from self._read_for_sums(cycle)
                    cycle = read + 1
                cycle = read + TOTALLED + work.row_cycles[row]
            self._measured.append(cycle + MEASURED)
            self._free = cycle + MEASURED
            self._blocks += blocks

    def _read_for_sums(self, cycle: int) -> Process[int]:
        """Read part of a block, from a cycle on, when no block of rows before is read to leave."""
        while self._read < self._blocks:
            if len(self._placed) <= self._read:
                yield self._placed, self._read
            begin, end = self._windows[self._read]
            if cycle < begin:
                break
            cycle = max(cycle, end)
            self._read += 1
        return cycle

    def leave_job(self, work: Work) -> Step:
        """Let the numbers of a pass's rows go."""
        numbers, taken = self.numbers, self.numbers.taken
        for _ in range(work.job.m):
            if len(self._measured) <= self._rows:
                yield self._measured, self._rows
            ready = max(self._after, self._measured[self._rows])
            self._rows += 1
            for first in range(0, work.job.n, BLOCK_SIZE):
                count = min(BLOCK_SIZE, work.job.n - first)
                ready = yield from self._leave_block(ready, -(-count // self._lanes))
            self._after = ready
            last = len(numbers.offered) - 1
            if len(taken) <= last:
                yield taken, last
            self.row_left.append(taken[last])
            self._news.append(taken[last])

    def _leave_block(self, ready: int, groups: int) -> Process[int]:
        """Read a block, not before a cycle, and offer its groups; return when the next may be."""
        numbers, taken = self.numbers, self.numbers.taken
        last = len(numbers.offered) - 1
        placed = ready + READ
        if last >= 0:
            if len(taken) <= last:
                yield taken, last
            placed = max(placed, taken[last])
        self._windows.append((ready, placed))
        self._placed.append(placed)
        numbers.offered.extend([placed + 1] * groups)
        needed = last + groups - AHEAD
        if groups > AHEAD:
            if len(taken) <= needed:
                yield taken, needed
            return taken[needed] + 1
        return placed + 1
