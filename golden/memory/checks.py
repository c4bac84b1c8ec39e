"""Which jobs a machine refuses, in the order in which it looks: REFUSAL names the first reason."""

from collections.abc import Iterator

import numpy as np

from golden.formats import BLOCK_SIZE
from golden.memory.descriptor import Command, JobFlag
from golden.memory.faults import CommandError, Fault
from golden.memory.jobs import FORMAT_CODES, JobKind, Output, Selection
from golden.memory.machine import Machine
from golden.memory.tables import Table

FP32_INFINITY = 0x7F800000


def check_job(machine: Machine, command: Command) -> None:
    """Refuse what the machine cannot do, whatever its tables hold.

    Raises
    ------
    CommandError
        REFUSED; its detail is the name of the reason.
    """
    _refuse_first(_reasons(machine, command))


def check_table(command: Command, table: Table) -> None:
    """Refuse a job that its table does not fit, once what it loads is there.

    Raises
    ------
    CommandError
        As from `check_job`.
    """
    _refuse_first(_reasons_of_table(command, table))


def uses_order(command: Command) -> bool:
    """Return whether a job puts its channels into the order of its table."""
    return bool(command.flags & JobFlag.REORDER)


def uses_tags(command: Command) -> bool:
    """Return whether a job takes the static tags of its table."""
    return (JobKind(command.kind) is not JobKind.GEMM_PACKED
            and Selection(command.selection) is Selection.STATIC)


def _refuse_first(reasons: Iterator[tuple[str, bool]]) -> None:
    for reason, holds in reasons:
        if holds:
            raise CommandError(Fault.REFUSED, reason)


def _reasons(machine: Machine, command: Command) -> Iterator[tuple[str, bool]]:
    """List reasons, and whether each holds; one is asked for when none before it holds."""
    flags, blocks = JobFlag(command.flags & 7), -(-command.k // BLOCK_SIZE)
    yield "UNKNOWN_KIND", not _is_code(JobKind, command.kind)
    kind = JobKind(command.kind)
    straight = kind in (JobKind.GEMM, JobKind.CONVERT)
    yield "BAD_COMBINATION", bool(
        command.flags > 7 or (kind.converts and (command.output or flags & JobFlag.BIAS))
        or (not straight and flags & (JobFlag.REORDER | JobFlag.MEASURE)))
    yield "ZERO_SIZE", (not kind.converts and command.m == 0) or 0 in (command.n, command.k)
    yield "K_TOO_LARGE", command.k > machine.k_max
    yield "TILES_OUT_OF_RANGE", not kind.converts and not (
        1 <= command.tiles <= machine.tile_slots and command.tiles * blocks <= machine.act_depth)
    floating = kind is not JobKind.GEMM_PACKED
    codes = {FORMAT_CODES[name] for name in machine.float_formats}
    yield "UNKNOWN_FORMAT", floating and command.format not in codes
    yield "UNKNOWN_OUTPUT", not (_is_code(Output, command.output)
                                 and Output(command.output) in machine.outputs)
    yield "UNKNOWN_SELECTION", floating and not _is_code(Selection, command.selection)
    if floating:
        selection = Selection(command.selection)
        most = {Selection.TOP: blocks, Selection.HEAD: 1}.get(selection, command.units)
        yield "TOO_MANY_UNITS", command.units > most
        yield "BAD_THRESHOLD", (selection is Selection.THRESHOLD
                                and command.threshold > FP32_INFINITY)
    names = floating and (uses_order(command) or uses_tags(command))
    loads = command.loads_order or command.loads_tags
    yield "UNKNOWN_TABLE", bool((names or loads) and command.table >= machine.tables)


def _reasons_of_table(command: Command, table: Table) -> Iterator[tuple[str, bool]]:
    if uses_order(command):
        yield "ORDER_DOUBLE", len(np.unique(table.order)) < len(table.order)
        yield "ORDER_INCOMPLETE", sorted(table.order) != list(range(command.k))
    if uses_tags(command):
        yield "TAGS_INCOMPLETE", len(table.tags) != -(-command.k // BLOCK_SIZE)


def _is_code(codes: type, value: int) -> bool:
    return value in {each.value for each in codes}
