"""Groups of rows of results on their way to who brings them into their format."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from golden.memory.layouts import tile_lines
from hw.contract.config import Config
from perf.rtl.bus_schedule.network import Cycles, Process
from perf.rtl.schedule import ScheduledJob


@dataclass
class Groups:
    """A stream of them.

    Attributes
    ----------
    offered, taken : list of int
        Of each.
    """

    offered: Cycles = field(default_factory=list)
    taken: Cycles = field(default_factory=list)

    def take(self, since: int) -> Process[int]:
        """Take the next group, not before a cycle; return when."""
        offered, taken = self.offered, self.taken
        if len(offered) <= len(taken):
            yield offered, len(taken)
        cycle = max(since, offered[len(taken)])
        taken.append(max(cycle, taken[-1] + 1) if taken else cycle)
        return taken[-1]


def passes(config: Config, job: ScheduledJob) -> Iterator[tuple[int, int]]:
    """List the output tiles of a GEMM as they leave the array: rows, and which column tile."""
    tiles, columns = (list(tile_lines(*each)) for each in (
        (job.m, config.rows), (job.n, config.cols)))
    for first in range(0, len(tiles), job.tiles):
        for column, _ in columns:
            for _, rows in tiles[first : first + job.tiles]:
                yield rows, column


def group_count(config: Config, job: ScheduledJob) -> int:
    """Count the groups in which the results of a GEMM drain."""
    return sum(-(-rows // config.drain_rows) for rows, _ in passes(config, job))
