"""Commands that have ended: `hw.memory.ledger`."""

from perf.rtl.bus_schedule.network import Cycles, Process
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import NOT_YET, RELEASED


class Ledger:
    """Say when commands have ended.

    Attributes
    ----------
    ended : list of int
        When the last answer to each command came.
    """

    def __init__(self) -> None:
        self.ended: Cycles = []

    def count(self, commands: int) -> Process[int]:
        """Say from when on so many commands count as ended."""
        if commands <= 0:
            return NOT_YET
        if len(self.ended) < commands:
            yield self.ended, commands - 1
        return self.ended[commands - 1] + RELEASED

    def fence(self, work: Work, name: str) -> Process[int]:
        """Say from when on a fence of a work, by the name of its field, holds nobody back."""
        distance = getattr(work.command, name)
        return (yield from self.count(work.number - distance + 1)) if distance else NOT_YET
