"""What lists of commands are to the schedule, by what golden's ring makes of a memory."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from golden import MXTensor
from golden.floats import widen
from golden.formats import BLOCK_SIZE, FLOAT_FORMATS
from golden.memory import Command, Memory, Ring
from golden.memory.checks import tagged_blocks, uses_tags
from golden.memory.compute import activations, converted, numbers, weights
from golden.memory.descriptor import JobFlag
from golden.memory.jobs import FORMAT_CODES, JobKind, Output, Rows, Selection
from golden.memory.layouts import Iteration, iterations, longest_packet, take_packet, tile_lines
from golden.memory.tables import NO_TAGS, Table, tags_of
from golden.unpacking import read_activation_tiles
from hw.contract import job_codes
from hw.contract.config import Config
from perf.rtl.bus_schedule import ScheduledCommand
from perf.rtl.bus_schedule.row_cycles import row_cycles
from perf.rtl.bus_schedule.stages import is_norm, is_untagged
from perf.rtl.checked_jobs import tile_flags
from perf.rtl.schedule import ScheduledJob
from simulation.works.golden_ring import machine_of

Read = Callable[[str, int, int], bytes]


def describe_list(
    config: Config, commands: Sequence[Command], before: NDArray[np.uint8], base: int,
    ring: tuple[int, int], notify_address: int = 0,
) -> tuple[list[ScheduledCommand], NDArray[np.uint8]]:
    """Describe commands to the schedule, by what golden's ring makes of a memory.

    Parameters
    ----------
    config : Config
    commands : sequence of Command
    before : ndarray of uint8
        What memory holds before.
    base : int
        Address of its first byte.
    ring : (int, int)
        Address of the ring, and its descriptors.
    notify_address : int

    Returns
    -------
    list of ScheduledCommand
    ndarray of uint8
        What memory holds after them.

    Raises
    ------
    ValueError
        If a command has a fault.
    """
    memory, machine = Memory(), machine_of(config)
    data = memory.add(base, len(before))
    data[:] = before

    def read(_: str, address: int, size: int) -> bytes:
        return memory.read(address, size)

    def job_at(command: Command, at: Iteration) -> ScheduledJob:
        tags = golden_ring.tables[command.table].tags if uses_tags(command) else NO_TAGS
        if command.loads_tags:
            blocks = tagged_blocks(command)
            tags = tags_of(read("tags", command.tags, -(-blocks // 8)), blocks)
        table = Table(tags=tags)
        if command.is_vector:
            return schedule_pass(config, command, packed_results(config, command, at, read))
        if command.converts:
            made = converted(machine, command, table, at, read)
            return schedule_job(config, command, made.transpose())
        return schedule_job(config, command, activations(machine, command, table, at, read),
                            weights(machine, command, at, read).transpose())

    golden_ring = Ring(machine, memory, *ring, window=(base, base + len(before)),
                       notify_address=notify_address)
    scheduled = []
    for number, command in enumerate(commands):
        places = list(iterations(command))
        cycles = tuple(cycles_of_rows(command, at, read) for at in places if is_norm(command))
        jobs = tuple(job_at(command, at) for at in places if not command.is_vector)
        golden_ring.submit([command])
        if golden_ring.fault:
            raise ValueError(f"command {number} has the fault {golden_ring.fault.name} "
                             f"{golden_ring.refusal}: {command}")
        # The precision of what a pass packs is read where it was written.
        jobs += tuple(job_at(command, at) for at in places if command.is_vector)
        scheduled.append(ScheduledCommand(command, jobs, cycles, tuple(
            golden_ring.tables[command.table].tags.tolist()
            if command.flags & JobFlag.TAGGED else ())))
    return scheduled, data


def schedule_job(config: Config, command: Command, a: MXTensor,
                 b: MXTensor | None = None) -> ScheduledJob:
    """Describe an iteration to the schedule.

    Parameters
    ----------
    config : Config
    command : Command
    a : MXTensor
        A; of a conversion its results, a line for each column.
    b : MXTensor, optional
        Of a GEMM: B, a line for each column.
    """
    kind, blocks = JobKind(command.kind), -(-command.k // BLOCK_SIZE)
    flags = {}
    flags["act_mx9"], residual = tile_flags(a, config.cols if kind.converts else config.rows)
    if b is not None:
        flags["act_residual"] = residual
        flags["weight_mx9"], flags["weight_residual"] = tile_flags(b, config.cols)
    names = {code: name for name, code in FORMAT_CODES.items()}
    return ScheduledJob(
        kind=job_codes.JobKind(kind.value), m=max(1, command.m), n=command.n, k=command.k,
        tiles=max(1, command.tiles), float_format=names[command.format],
        output=job_codes.Output(command.output), bias=bool(command.flags & JobFlag.BIAS),
        searches=(kind is not JobKind.GEMM_PACKED
                  and Selection(command.selection) is Selection.TOP and 0 < command.units < blocks),
        untagged=is_untagged(command), **flags)


def schedule_pass(config: Config, command: Command, results: MXTensor | None) -> ScheduledJob:
    """Describe an iteration of a pass over rows to the schedule.

    Parameters
    ----------
    config : Config
    command : Command
    results : MXTensor or None
        What it makes, if that is MX.
    """
    names = {code: name for name, code in FORMAT_CODES.items()}
    output, blocks = Output(command.output), -(-command.n // BLOCK_SIZE)
    return ScheduledJob(
        m=command.m, n=command.n, k=command.n, float_format=names[command.format],
        output=job_codes.Output(output.value),
        searches=(output is Output.MX6 and Selection(command.selection) is Selection.TOP
                  and 0 < command.units < blocks),
        act_mx9=None if results is None else tile_flags(results, config.rows)[0])


def packed_results(config: Config, command: Command, at: Iteration, read: Read) -> MXTensor | None:
    """Read what an iteration of a pass has packed; None if it leaves numbers."""
    if not command.is_packed:
        return None
    packets = []
    for number, lines in tile_lines(command.m, config.rows):
        extent = longest_packet(lines, command.n, config.act_bytes)
        extent = min(command.c_stride, extent) if command.c_stride else extent
        data = read("c", at.c + number * command.c_stride, extent)
        packets.append(take_packet(data, lines, command.n, config.act_bytes))
    return read_activation_tiles(packets, (command.m, command.n), config.rows, config.act_bytes)


def cycles_of_rows(command: Command, at: Iteration, read: Read) -> tuple[int, ...]:
    """Count what the rows of an iteration of a pass take that normalizes."""
    x = numbers(command, at, read, command.m, command.n)
    return row_cycles(widen(x, FLOAT_FORMATS[command.float_format]),
                      is_centred=command.rows == Rows.LAYER_NORM.value)
