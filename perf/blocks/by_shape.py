"""What the cycle model must know of a command, when all of its blocks are MX6."""

import numpy as np

from golden.memory import Command
from golden.memory.descriptor import JobFlag
from golden.memory.jobs import FORMAT_CODES, JobKind, Output
from hw.contract import job_codes
from hw.contract.config import Config
from perf.rtl.bus_schedule import ScheduledCommand
from perf.rtl.bus_schedule.row_cycles import row_cycles
from perf.rtl.bus_schedule.stages import is_norm, is_untagged
from perf.rtl.schedule import uniform_job

_FORMATS = {code: name for name, code in FORMAT_CODES.items()}

SEED = 1
"""Of the rows whose cycles norms are given: those of normal numbers."""


def schedule_by_shape(config: Config, command: Command) -> ScheduledCommand:
    """Describe a command to the schedule.

    Norms take as many cycles as those of drawn normal numbers, since the cycles of a mean and of a
    scale follow from a row's numbers; they differ by some tens per row at most.

    Parameters
    ----------
    config : Config
    command : Command
        A GEMM, a conversion or a pass.
    """
    iterations = command.count_0 * command.count_1
    given = {"float_format": _FORMATS[command.format], "output": job_codes.Output(
        Output(command.output).value), "untagged": is_untagged(command)}
    if command.is_vector:
        m, k = command.m, command.n
    else:
        m, k = max(1, command.m), command.k
        given |= {"kind": job_codes.JobKind(JobKind(command.kind).value), "searches": False,
                  "tiles": max(1, command.tiles), "bias": bool(command.flags & JobFlag.BIAS)}
    job = uniform_job(config, m, command.n, k, **given)
    cycles = ()
    if is_norm(command):
        rows = np.random.default_rng(SEED).standard_normal((m, k)).astype(np.float32)
        cycles = (row_cycles(rows, is_centred=True),) * iterations
    return ScheduledCommand(command, (job,) * iterations, cycles)
