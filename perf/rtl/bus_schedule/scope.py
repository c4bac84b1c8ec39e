"""What the schedule follows, and sentences for what it does not."""

from collections.abc import Sequence

from golden.formats import BLOCK_SIZE
from golden.memory.descriptor import Command, JobFlag, Operation
from golden.memory.jobs import Selection
from hw.contract.config import Config
from perf.rtl.bus_schedule.work import ScheduledCommand


def check_machine(config: Config) -> None:
    """Refuse a machine whose bus is not followed.

    Raises
    ------
    ValueError
    """
    if not config.bus_bytes:
        raise ValueError("a machine between streams has no lists of commands: its jobs are for "
                         "perf.rtl.schedule.predict")
    if config.act_bytes != config.bus_bytes:
        raise ValueError(
            f"the schedule does not follow how beats of {config.act_bytes} bytes are joined to "
            f"words of {config.bus_bytes}: act_bytes and bus_bytes must be the same")


def check_list(config: Config, commands: Sequence[ScheduledCommand], descriptors: int) -> None:
    """Refuse a list that is not followed, before anything of it is.

    Parameters
    ----------
    config : Config
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
        for sentence in _sentences(config, each):
            raise ValueError(f"command {number} {sentence}")


def _sentences(config: Config, each: ScheduledCommand) -> Sequence[str]:
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
    if any(job.packs_results for job in each.jobs) and config.cols > BLOCK_SIZE:
        found.append(f"packs results of {config.cols} columns; the schedule follows the joining of "
                     f"at most {BLOCK_SIZE} to a block")
    return found
