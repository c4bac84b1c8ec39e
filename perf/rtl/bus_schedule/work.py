"""What the dispatcher tells of each iteration of a command: `hw.memory.work`."""

from dataclasses import dataclass
from functools import cached_property

from golden.memory.descriptor import Command
from golden.memory.layouts import Iteration
from hw.contract.job_codes import JobKind
from perf.rtl.bus_schedule.stages import goes_through, is_pass
from perf.rtl.schedule import ScheduledJob


@dataclass(frozen=True, eq=False)
class ScheduledCommand:
    """A command, and what the schedule must know of its jobs.

    Attributes
    ----------
    command : golden.memory.Command
    jobs : tuple of ScheduledJob
        One for each iteration. A pass over rows is described as a GEMM of its rows, K being N,
        whose `act_mx9` is that of its results.
    row_cycles : tuple of tuple of int
        Of a pass that normalizes, for each iteration: in how many cycles each row's sums become its
        mean and its scale; `perf.rtl.bus_schedule.row_cycles` counts them.
    result_tags : tuple of bool
        Of a GEMM whose results have static tags: which of a row's blocks are MX9.
    """

    command: Command
    jobs: tuple[ScheduledJob, ...]
    row_cycles: tuple[tuple[int, ...], ...] = ()
    result_tags: tuple[bool, ...] = ()


@dataclass(frozen=True, eq=False)
class Work:
    """An iteration.

    Attributes
    ----------
    index : int
        Of its job in the list.
    number : int
        Of its command.
    command : golden.memory.Command
    job : ScheduledJob
    at : golden.memory.layouts.Iteration
        Where its operands lie.
    is_last : bool
        Of its command.
    row_cycles : tuple of int
    result_tags : tuple of bool
        As of `ScheduledCommand`.
    """

    index: int
    number: int
    command: Command
    job: ScheduledJob
    at: Iteration
    is_last: bool
    row_cycles: tuple[int, ...] = ()
    result_tags: tuple[bool, ...] = ()

    @cached_property
    def is_pass(self) -> bool:
        """Whether it is a pass over rows."""
        return is_pass(self.command)

    @cached_property
    def goes_through(self) -> bool:
        """Whether its results go through the lanes of the vector unit."""
        return goes_through(self.command)

    @property
    def is_tagged(self) -> bool:
        """Whether its results have static tags."""
        return bool(self.result_tags)

    @property
    def multiplies(self) -> bool:
        """Whether it is a GEMM."""
        return not self.is_pass and not self.job.kind.converts

    @property
    def leaves_in_rows(self) -> bool:
        """Whether its results leave array or lanes in rows, and not in blocks."""
        return self.multiplies or (self.is_pass and not self.job.packs_results)

    @property
    def stages_tiles(self) -> bool:
        """Whether tiles of it go through the stage: activations, conversions, what a pass packs."""
        return self.job.packs_results if self.is_pass else self.job.kind is not JobKind.GEMM_PACKED

    @property
    def leaves_tiles(self) -> bool:
        """Whether tiles of it are routed: all but passes that leave numbers."""
        return self.job.packs_results or not self.is_pass

    @property
    def packs(self) -> bool:
        """Whether its results are blocks that are packed for activations."""
        return not self.job.kind.converts and self.job.packs_results

    @property
    def ends(self) -> bool:
        """Whether nothing of its command follows: no count that is written."""
        return self.is_last and not self.command.notify
