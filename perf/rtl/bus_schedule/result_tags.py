"""Blocks of results between who joins them and the converter: `hw.results.result_tags`."""

from golden.formats import BLOCK_SIZE
from hw.contract.config import Config
from perf.rtl.bus_schedule.job_merge import JobMerge
from perf.rtl.bus_schedule.network import Cycles, Process
from perf.rtl.bus_schedule.packing import Packer
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import CONVERTED, NOT_YET, RELEASED

ASSEMBLED = 1
"""A row's block leaves who joins it; the converter may take it in the next cycle."""


class ResultTags:
    """Let blocks pass to the converter, and read their tags where a table has them.

    Block i leaves who joins it at C[i], for a register; the converter takes it at E[i], and has
    room for a block more than it has cycles:

        C[i] >= E[i-1]    E[i] = max(E[i-1] + 1, C[i] + 1, P[i-CONVERTED] + 1)

    P being when blocks leave it, for the packer. Where there are tags a block waits for its own,
    and the last row of a tile for the next one's; before the first of as many blocks as a beat
    marks their tags begin to go to the packer, one per cycle: that is followed cycle by cycle.

    Parameters
    ----------
    config : Config
    blocks : list of int
        P.
    packer : Packer
    packing : JobMerge
        Whose blocks it takes; it takes their tags alone.

    Attributes
    ----------
    order : JobMerge
        Of GEMMs whose results are MX.
    cut, entered : list of int
        C and E.
    """

    def __init__(self, config: Config, blocks: Cycles, packer: Packer, packing: JobMerge):
        self._blocks, self._packer, self._covered = blocks, packer, 8 * config.act_bytes
        self._packing, self._job = packing, 0
        self.order = JobMerge(bool(config.vector_lanes))
        self.cut: Cycles = []
        self.entered: Cycles = []
        self._now = 0  # the cycle of what follows
        self._is_known = self._next_is_known = self._was_fed = False
        self._has_next = self._has_fed = self._is_last = False
        self._feeds_left = 0
        # When the last row of a tile's block goes; up to there all is followed when the next comes.
        self._moved: tuple[int, bool, int] | None = None

    def cut_block(self, since: int, turn: int) -> Process[int]:
        """Take a block, not before a cycle; return when."""
        taken, cycle = yield from self._arrive(since, turn)
        self.entered.append(cycle)
        return taken

    def cut_tagged(self, since: int, turn: int, work: Work, block: int, *, row_last: bool,
                   job_last: bool) -> Process[int]:
        """Take a block that has a tag, one of a row's; parameters as of `cut_block`."""
        taken, cycle = yield from self._arrive(since, turn)
        yield from self._follow()
        self._now, self._job = max(self._now, turn), work.index
        is_due = block % self._covered == 0
        covers = min(-(-work.job.n // BLOCK_SIZE) - block, self._covered)
        while True:
            goes = self._is_known and (self._was_fed or not is_due)
            if row_last and job_last:
                goes &= not self._feeds_left and not self._has_fed
            elif row_last:
                goes &= self._next_is_known
            if goes:
                break
            before = self._state
            wakes = yield from self._step(is_due, covers, moves=False)
            if before == self._state:
                self._now = max(self._now, wakes)
        cycle = max(cycle, self._now)
        self.entered.append(cycle)
        if row_last:
            self._moved = cycle, is_due, covers
        if job_last:
            yield from self._follow()
            self._is_known = self._has_next = False
        return taken

    def _follow(self) -> Process[None]:
        """Let all cycles pass until the last row goes of a tile's block, if it has gone."""
        if not self._moved:
            return
        (end, is_due, covers), self._moved = self._moved, None
        while self._now < end:
            before = self._state
            wakes = yield from self._step(is_due, covers, moves=False)
            if before == self._state:  # nothing happens until then
                self._now = max(self._now, min(wakes or end, end))
        yield from self._step(is_due, covers, moves=True)

    def _arrive(self, since: int, turn: int) -> Process[tuple[int, int]]:
        """Take a block; return when, and when it may go on."""
        cut, entered, before = self.cut, self.entered, len(self.cut) - CONVERTED
        taken = max(since, entered[-1]) if entered else since
        cut.append(taken)
        cycle = max(taken + ASSEMBLED, turn, entered[-1] + 1 if entered else NOT_YET)
        if before >= 0:
            if len(self._blocks) <= before:
                yield self._blocks, before
            cycle = max(cycle, self._blocks[before] + 1)
        return taken, cycle

    def _step(self, is_due: bool, covers: int, *, moves: bool) -> Process[int]:
        """Let a cycle pass, in which the last row of a tile's block goes or not.

        A tag that the packer does not take stops all reads; return when it does.
        """
        ready = 0
        if self._has_fed:
            ready = yield from self._packer_ready()
        takes = self._now >= ready
        is_known, next_is_known, has_next = self._is_known, self._next_is_known, self._has_next
        reads = takes and not has_next and (
            not is_known or (not next_is_known and not moves))
        feeds = takes and not reads and self._feeds_left != 0
        begins = (not feeds and is_due and not self._was_fed and self._feeds_left == 0
                  and not self._has_fed)
        self._has_next = reads
        if self._has_fed and takes and self._is_last:
            self._packer.tagged.append(self._now)
        if takes:
            self._has_fed, self._is_last = feeds, self._feeds_left == 1
        if feeds:
            self._feeds_left -= 1
        elif begins:
            self._was_fed, self._feeds_left = True, covers
        if has_next:
            self._is_known, self._next_is_known = True, next_is_known or is_known
        if moves:
            self._was_fed = self._next_is_known = False
        self._now += 1
        return 0 if takes else ready

    @property
    def _state(self) -> tuple[bool | int, ...]:
        return (self._is_known, self._next_is_known, self._was_fed, self._has_next, self._has_fed,
                self._feeds_left)

    def _packer_ready(self) -> Process[int]:
        """Say from when on the packer takes a tag."""
        turn = yield from self._packing.turn(self._job)
        packer, units = self._packer, len(self._packer.tagged)
        if not units:
            return turn
        if len(packer.tags_taken) < units:
            yield packer.tags_taken, units - 1
        return max(turn, packer.tags_taken[units - 1] + RELEASED)
