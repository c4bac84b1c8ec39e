"""What the schedule follows, and sentences for what it does not."""

from collections.abc import Sequence

from golden.memory.descriptor import Command, JobFlag, Operation
from golden.memory.jobs import Selection
from hw.contract.config import Config
from perf.rtl.bus_schedule.work import ScheduledCommand


def check_machine(config: Config) -> None:
    """Refuse a machine without a bus.

    Raises
    ------
    ValueError
    """
    if not config.bus_bytes:
        raise ValueError("a machine between streams has no lists of commands: its jobs are for "
                         "perf.rtl.schedule.predict")


def check_list(commands: Sequence[ScheduledCommand], descriptors: int) -> None:
    """Refuse a list that is not followed, before anything of it is.

    Parameters
    ----------
    commands : sequence of ScheduledCommand
    descriptors : int
        Of the ring.

    Raises
    ------
    ValueError
    """
    if not 1 <= len(commands) <= descriptors:
        raise ValueError(f"a list has 1 to {descriptors} commands, as many as the ring has room "
                         f"for, not {len(commands)}")
    for number, each in enumerate(commands):
        for sentence in _sentences(each):
            raise ValueError(f"command {number} {sentence}")


def _sentences(each: ScheduledCommand) -> Sequence[str]:
    """Say why a command is not followed."""
    command: Command = each.command
    if Operation(command.operation) is not Operation.JOB:
        return ["waits for a word that others write; when they do is not in the schedule"]
    found = []
    if command.loads_order or command.loads_tags:
        found.append("loads a table, whose entries the schedule does not follow")
    if command.flags & JobFlag.REORDER or Selection(command.selection) is Selection.STATIC:
        found.append("uses a table, and none is loaded without a command that does it")
    iterations = command.count_0 * command.count_1
    if len(each.jobs) != iterations:
        found.append(f"has {iterations} iterations, but {len(each.jobs)} jobs are described")
    return found
