"""Which jobs a machine refuses, in the order in which it looks: REFUSAL names the first reason."""

from collections.abc import Iterator

import numpy as np

from golden.formats import BLOCK_SIZE
from golden.memory.descriptor import Command, JobFlag
from golden.memory.faults import CommandError, Fault
from golden.memory.jobs import FORMAT_CODES, Function, JobKind, Output, Rows, Selection
from golden.memory.machine import Machine
from golden.memory.tables import Table
from golden.vector.formats import MOST_COLUMNS

FP32_SMALLEST, FP32_INFINITY = 0x00800000, 0x7F800000
"""Patterns of the smallest normal number, and of infinity."""

BASE_FLAGS = JobFlag.BIAS | JobFlag.REORDER | JobFlag.MEASURE
"""Of machines without a vector unit."""

STAGE_FLAGS = JobFlag.TAGGED | JobFlag.CHANNEL | JobFlag.RESIDUAL | JobFlag.SCALED
ALL_FLAGS = BASE_FLAGS | STAGE_FLAGS

NORMS = (Rows.LAYER_NORM, Rows.RMS_NORM)


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
    return bool(command.flags & JobFlag.TAGGED) or (
        selects(command) and Selection(command.selection) is Selection.STATIC)


def selects(command: Command) -> bool:
    """Return whether a job chooses blocks for MX9 among numbers."""
    if command.is_vector:
        return command.output == Output.MX6.value
    return JobKind(command.kind) is not JobKind.GEMM_PACKED


def tagged_blocks(command: Command) -> int:
    """Return how many blocks static tags are for: those of K, or of a row of results."""
    columns = command.n if command.flags & JobFlag.TAGGED else command.columns
    return -(-columns // BLOCK_SIZE)


def _refuse_first(reasons: Iterator[tuple[str, bool]]) -> None:
    for reason, holds in reasons:
        if holds:
            raise CommandError(Fault.REFUSED, reason)


def _reasons(machine: Machine, command: Command) -> Iterator[tuple[str, bool]]:
    """List reasons, and whether each holds; one is asked for when none before it holds."""
    flags, columns = JobFlag(command.flags & ALL_FLAGS), command.columns
    blocks = -(-columns // BLOCK_SIZE)
    yield "UNKNOWN_KIND", not _is_code(JobKind, command.kind)
    kind, is_vector = JobKind(command.kind), command.is_vector
    straight = kind in (JobKind.GEMM, JobKind.CONVERT)
    if machine.has_vector:
        yield "UNKNOWN_FUNCTION", not _is_code(Function, command.function)
        yield "UNKNOWN_ROWS", not _is_code(Rows, command.rows)
    yield "BAD_COMBINATION", bool(
        command.flags > (ALL_FLAGS if machine.has_vector else BASE_FLAGS)
        or (kind.converts and (command.output or flags & JobFlag.BIAS))
        or ((not straight or is_vector) and flags & (JobFlag.REORDER | JobFlag.MEASURE))
        or (machine.has_vector and any(_bad_stages(command))))
    yield "ZERO_SIZE", (not kind.converts and command.m == 0) or 0 in (command.n, columns)
    # What is kept for each column of results has room for the largest K.
    most = min(machine.k_max, MOST_COLUMNS) if is_vector else machine.k_max
    yield "K_TOO_LARGE", max(columns, command.n * _keeps_columns(command)) > most
    yield "TILES_OUT_OF_RANGE", not kind.converts and not is_vector and not (
        1 <= command.tiles <= machine.tile_slots and command.tiles * blocks <= machine.act_depth)
    floating = kind is not JobKind.GEMM_PACKED
    codes = {FORMAT_CODES[name] for name in machine.float_formats}
    yield "UNKNOWN_FORMAT", floating and command.format not in codes
    yield "UNKNOWN_OUTPUT", not (_is_code(Output, command.output)
                                 and Output(command.output) in machine.outputs)
    selecting = selects(command)
    yield "UNKNOWN_SELECTION", selecting and not _is_code(Selection, command.selection)
    if selecting:
        selection = Selection(command.selection)
        most = {Selection.TOP: blocks, Selection.HEAD: 1}.get(selection, command.units)
        yield "TOO_MANY_UNITS", command.units > most
        yield "BAD_THRESHOLD", (selection is Selection.THRESHOLD
                                and command.threshold > FP32_INFINITY)
    if machine.has_vector and Rows(command.rows) in NORMS:
        yield "BAD_SCALAR", not FP32_SMALLEST <= command.scalar < FP32_INFINITY
    names = (floating and uses_order(command)) or uses_tags(command)
    loads = command.loads_order or command.loads_tags
    yield "UNKNOWN_TABLE", bool((names or loads) and command.table >= machine.tables)


def _reasons_of_table(command: Command, table: Table) -> Iterator[tuple[str, bool]]:
    if uses_order(command):
        yield "ORDER_DOUBLE", len(np.unique(table.order)) < len(table.order)
        yield "ORDER_INCOMPLETE", sorted(table.order) != list(range(command.k))
    if uses_tags(command):
        yield "TAGS_INCOMPLETE", len(table.tags) != tagged_blocks(command)


def _keeps_columns(command: Command) -> bool:
    """Return whether a job needs tags, factors or a shift of the columns of its results."""
    flags = JobFlag(command.flags & ALL_FLAGS)
    shift = JobFlag.RESIDUAL in flags and command.residual_stride == 0
    return bool(flags & (JobFlag.TAGGED | JobFlag.CHANNEL)) or shift


def _has_stages(command: Command) -> bool:
    """Return whether numbers go through more than a bias on their way out."""
    return bool(command.function or command.rows or command.flags & STAGE_FLAGS)


def _bad_stages(command: Command) -> Iterator[bool]:
    """List what excludes each other of the stages on the way out."""
    kind, flags = JobKind(command.kind), JobFlag(command.flags & ALL_FLAGS)
    function, rows, is_vector = Function(command.function), Rows(command.rows), command.is_vector
    yield kind.converts and _has_stages(command)
    yield rows in (*NORMS, Rows.MAXIMUM) and not is_vector
    yield rows is Rows.SUM and (is_vector or kind is not JobKind.GEMM_PACKED)
    # There is one adder before the row factor, one row factor, and one multiplier behind it; and
    # rows are measured as they are read, so none is measured with a bias.
    yield rows in (*NORMS, Rows.MAXIMUM) and JobFlag.BIAS in flags
    yield rows in (*NORMS, Rows.SUM) and JobFlag.SCALED in flags
    yield function in (Function.GELU, Function.SILU) and JobFlag.CHANNEL in flags
    if JobFlag.TAGGED in flags:  # a table has tags of one row
        yield is_vector or command.output != Output.MX6.value
        yield kind is JobKind.GEMM and command.selection == Selection.STATIC.value


def _is_code(codes: type, value: int) -> bool:
    return value in {each.value for each in codes}
