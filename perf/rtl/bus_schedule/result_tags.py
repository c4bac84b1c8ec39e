"""Blocks of results between who joins them and the converter: `hw.results.result_tags`."""

from perf.rtl.bus_schedule.job_merge import JobMerge
from perf.rtl.bus_schedule.network import Cycles, Process
from perf.rtl.schedule.latencies import CONVERTED, NOT_YET

ASSEMBLED = 1
"""A row's block leaves who joins it; the converter may take it in the next cycle."""


class ResultTags:
    """Let blocks pass to the converter.

    Block i leaves who joins it at C[i], for a register; the converter takes it at E[i], and has
    room for a block more than it has cycles:

        C[i] >= E[i-1]    E[i] = max(E[i-1] + 1, C[i] + 1, P[i-CONVERTED] + 1)

    P being when blocks leave it, for the packer.

    Parameters
    ----------
    is_there : bool
        Else no block waits for its job's turn.
    blocks : list of int
        P.

    Attributes
    ----------
    order : JobMerge
        Of GEMMs whose results are MX.
    cut, entered : list of int
        C and E.
    """

    def __init__(self, is_there: bool, blocks: Cycles):
        self._blocks = blocks
        self.order = JobMerge(is_there)
        self.cut: Cycles = []
        self.entered: Cycles = []

    @property
    def free(self) -> int:
        """When the block that was cut last has left who joined it."""
        return self.cut[-1] if self.cut else NOT_YET

    def cut_block(self, since: int, turn: int) -> Process[int]:
        """Take a block, not before a cycle; return when."""
        cut, entered, before = self.cut, self.entered, len(self.cut) - CONVERTED
        taken = max(since, entered[-1]) if entered else since
        cut.append(taken)
        cycle = max(taken + ASSEMBLED, turn, entered[-1] + 1 if entered else NOT_YET)
        if before >= 0:
            if len(self._blocks) <= before:
                yield self._blocks, before
            cycle = max(cycle, self._blocks[before] + 1)
        entered.append(cycle)
        return taken
