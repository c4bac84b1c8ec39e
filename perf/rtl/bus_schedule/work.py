"""What the dispatcher tells of each iteration of a command: `hw.memory.work`."""

from dataclasses import dataclass

from golden.memory.descriptor import Command
from golden.memory.layouts import Iteration
from perf.rtl.schedule import ScheduledJob


@dataclass(frozen=True, eq=False)
class ScheduledCommand:
    """A command, and what the schedule must know of its jobs.

    Attributes
    ----------
    command : golden.memory.Command
    jobs : tuple of ScheduledJob
        One for each iteration.
    """

    command: Command
    jobs: tuple[ScheduledJob, ...]


@dataclass(frozen=True, eq=False)
class Work:
    """An iteration.

    Attributes
    ----------
    number : int
        Of its command in the list.
    command : golden.memory.Command
    job : ScheduledJob
    at : golden.memory.layouts.Iteration
        Where its operands lie.
    is_last : bool
        Of its command.
    """

    number: int
    command: Command
    job: ScheduledJob
    at: Iteration
    is_last: bool

    @property
    def ends(self) -> bool:
        """Whether nothing of its command follows: no count that is written."""
        return self.is_last and not self.command.notify
