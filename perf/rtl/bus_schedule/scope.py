"""What the schedule follows, and sentences for what it does not."""

from collections.abc import Sequence

from golden.memory.checks import check_job, tagged_blocks, uses_tags
from golden.memory.descriptor import Command, JobFlag, Operation
from golden.memory.faults import CommandError
from golden.memory.layouts import check_places
from hw.contract.config import Config
from hw.contract.job_codes import FORMAT_CODES, JobKind
from perf.rtl.bus_schedule.bus_memory import Latencies
from perf.rtl.bus_schedule.stages import is_norm, is_pass, is_untagged
from perf.rtl.bus_schedule.work import ScheduledCommand
from simulation.works.golden_ring import machine_of


def check_machine(config: Config) -> None:
    """Refuse a machine without a bus.

    Raises
    ------
    ValueError
    """
    if not config.bus_bytes:
        raise ValueError("a machine between streams has no lists of commands: its jobs are for "
                         "perf.rtl.schedule.predict")


def check_list(config: Config, commands: Sequence[ScheduledCommand], descriptors: int,
               latencies: Latencies) -> None:
    """Refuse a list that is not followed, before anything of it is.

    Parameters
    ----------
    config : Config
    commands : sequence of ScheduledCommand
    descriptors : int
        Of the ring.
    latencies : Latencies

    Raises
    ------
    ValueError
    """
    if not 1 <= len(commands) <= descriptors:
        raise ValueError(f"a list has 1 to {descriptors} commands, as many as the ring has room "
                         f"for, not {len(commands)}")
    machine, tags = machine_of(config), {}
    for number, each in enumerate(commands):
        if each.result_tags and latencies.is_random:
            # What the packer takes of them is known too late to say what comes first on the bus.
            raise ValueError(f"command {number} has static tags of its results, which the schedule "
                             "follows beside a memory of fixed latencies alone")
        for sentence in _sentences(each):
            raise ValueError(f"command {number} {sentence}")
        try:
            check_places(machine, each.command)
            check_job(machine, each.command)
        except CommandError as error:
            raise ValueError(f"command {number} has a fault, {error.fault.name}: "
                             f"{error.detail}") from None
        if each.command.loads_tags:
            tags[each.command.table] = tagged_blocks(each.command)
        if uses_tags(each.command) and (
                tags.get(each.command.table) != tagged_blocks(each.command)):
            raise ValueError(f"command {number} uses static tags of table {each.command.table}, "
                             "and no command of the list has loaded as many")


def _sentences(each: ScheduledCommand) -> Sequence[str]:
    """Say why a command is not followed."""
    command: Command = each.command
    if Operation(command.operation) is Operation.WAIT:
        return ["waits for a word that others write; when they do is not in the schedule"]
    found = []
    if command.loads_order or command.flags & JobFlag.REORDER:
        found.append("puts channels into an order, whose conflicts the schedule does not follow")
    tagged = tagged_blocks(command) if command.flags & JobFlag.TAGGED else 0
    if len(each.result_tags) != tagged:
        found.append(f"has {tagged} blocks in a row whose static tags are to be said, not "
                     f"{len(each.result_tags)}")
    iterations = command.count_0 * command.count_1
    if len(each.jobs) != iterations:
        found.append(f"has {iterations} iterations, but {len(each.jobs)} jobs are described")
    if is_norm(command) and [len(each) for each in each.row_cycles] != [command.m] * iterations:
        found.append(f"normalizes {command.m} rows, whose cycles are to be said of each iteration")
    for job in each.jobs:
        said = {"kind": job.kind.value, "n": job.n, "columns": job.k}
        if is_pass(command):
            said |= {"m": job.m, "output": job.output.value}
        elif not job.kind.converts:
            said |= {"m": job.m, "tiles": job.tiles, "output": job.output.value}
            said["flags"] = command.flags & ~JobFlag.BIAS | job.bias * JobFlag.BIAS
        if is_pass(command) or job.kind is not JobKind.GEMM_PACKED:
            said["format"] = FORMAT_CODES[job.float_format]
        if job.untagged != is_untagged(command):
            found.append("chooses blocks otherwise than its job is described: with "
                         f"untagged={job.untagged}")
        found += [f"has {name}={getattr(command, name)}, but its job is described with {value}"
                  for name, value in said.items() if getattr(command, name) != value]
    return found
