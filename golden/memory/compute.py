"""What one iteration of a job makes of the bytes of its operands."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from golden.floats import narrow, widen
from golden.formats import BLOCK_SIZE, FLOAT_FORMATS, FP32, MX6, MX9
from golden.gemm import gemm
from golden.memory.checks import selects
from golden.memory.descriptor import Command, JobFlag
from golden.memory.jobs import JobKind, Output, Selection
from golden.memory.layouts import Iteration, element_bytes, take_packet, tile_lines
from golden.memory.layouts import longest_packet as longest
from golden.memory.machine import Machine
from golden.memory.reading import Read
from golden.memory.stages import read_beside, stages
from golden.memory.tables import Table
from golden.mx import MXTensor, quantize
from golden.packing import activation_tiles, weight_stream
from golden.policy import Policy
from golden.precision import apply_policy, convert, mix
from golden.unpacking import read_activation_tiles, read_weight_stream


def results(machine: Machine, command: Command, table: Table, at: Iteration,
            read: Read) -> list[bytes]:
    """Compute an iteration.

    Parameters
    ----------
    machine : Machine
    command : Command
        A job that the machine takes.
    table : Table
        The one that it names.
    at : Iteration
        Where its operands lie.
    read : callable

    Returns
    -------
    list of bytes
        Rows of numbers, or packed tiles, in order; each goes a stride behind the one before.
    """
    if command.converts:
        return weight_stream(converted(machine, command, table, at, read), machine.cols,
                             machine.weight_bytes)
    beside = read_beside(command, at, read)
    if command.is_vector:
        x = numbers(command, at, read, command.m, command.n)
        c = stages(command, beside, widen(x, FLOAT_FORMATS[command.float_format]))
        return _leave(machine, command, table, c)
    a = activations(machine, command, table, at, read)
    c = gemm(a, weights(machine, command, at, read), acc_width=machine.acc_width,
             k_max=machine.k_max)
    return _leave(machine, command, table, stages(command, beside, c, a=a))


def _leave(machine: Machine, command: Command, table: Table, c: NDArray[np.float32]) -> list[bytes]:
    """Bring FP32 results into their format and their layout."""
    if not command.is_packed:
        fmt = FLOAT_FORMATS[Output(command.output).name.lower()]
        rows = c if fmt == FP32 else narrow(c, fmt)
        return [row.astype(row.dtype.newbyteorder("<"), copy=False).tobytes() for row in rows]
    if command.is_vector and selects(command):
        packed = apply_policy(c.view(np.uint32), _policy(command, table, machine.rows),
                              rounding=machine.rounding, float_format=FP32)
    elif command.flags & JobFlag.TAGGED:
        six, nine = (quantize(c, fmt, rounding=machine.rounding) for fmt in (MX6, MX9))
        packed = mix(six, nine, np.broadcast_to(table.tags, (len(c), len(table.tags))))
    else:
        fmt = MX9 if Output(command.output) is Output.MX9 else MX6
        packed = quantize(c, fmt, rounding=machine.rounding)
    return activation_tiles(packed, machine.rows, machine.act_bytes)


def activations(machine: Machine, command: Command, table: Table, at: Iteration,
                read: Read) -> MXTensor:
    """Read A of a GEMM, in the precision that its blocks have; parameters as of `results`."""
    if JobKind(command.kind) is JobKind.GEMM_PACKED:
        packets = _packets(read, "a", at.a, command.a_stride, command.m, machine.rows, command.k,
                           machine.act_bytes)
        return read_activation_tiles(packets, (command.m, command.k), machine.rows,
                                     machine.act_bytes)
    return apply_policy(numbers(command, at, read, command.m, command.k),
                        _policy(command, table, machine.rows), rounding=machine.rounding,
                        float_format=FLOAT_FORMATS[command.float_format])


def weights(machine: Machine, command: Command, at: Iteration, read: Read) -> MXTensor:
    """Read B of a GEMM; parameters as of `results`."""
    packets = _packets(read, "b", at.b, command.b_stride, command.n, machine.cols, command.k,
                       machine.weight_bytes)
    return read_weight_stream(packets, (command.k, command.n), machine.cols, machine.weight_bytes)


def converted(machine: Machine, command: Command, table: Table, at: Iteration,
              read: Read) -> MXTensor:
    """Read what a conversion makes weights of, and make them; parameters as of `results`."""
    transposed = JobKind(command.kind) is JobKind.CONVERT_TRANSPOSED
    rows, length = (command.k, command.n) if transposed else (command.n, command.k)
    return convert(numbers(command, at, read, rows, length),
                   _policy(command, table, machine.cols), transposed=transposed,
                   rounding=machine.rounding, float_format=FLOAT_FORMATS[command.float_format])


def numbers(command: Command, at: Iteration, read: Read, rows: int, length: int) -> np.ndarray:
    """Read rows of numbers from A, as patterns."""
    size = element_bytes(command)
    data = b"".join(read("a", at.a + row * command.a_stride, length * size) for row in range(rows))
    return np.frombuffer(data, f"<u{size}").reshape(rows, length)


def _packets(read: Read, operand: str, address: int, stride: int, lines: int, of_tile: int,
             k: int, beat_bytes: int) -> list[bytes]:
    """Read packed tiles; of each all may be read that lies within its stride, if that is not 0."""
    found = []
    for number, here in tile_lines(lines, of_tile):
        extent = longest(here, k, beat_bytes)
        extent = min(stride, extent) if stride else extent
        data = read(operand, address + number * stride, extent)
        found.append(take_packet(data, here, k, beat_bytes))
    return found


def _policy(command: Command, table: Table, tile_rows: int) -> Policy:
    """Say which K-blocks of the activations are MX9, and in what order their channels come."""
    choices = {"scope": "tile", "tile_rows": tile_rows}
    if command.flags & JobFlag.REORDER:
        choices |= {"order": "calibrated", "permutation": table.order}
    match Selection(command.selection):
        case Selection.TOP:
            blocks = -(-command.columns // BLOCK_SIZE)
            return Policy(fraction=Fraction(command.units, blocks), **choices)
        case Selection.HEAD:
            return Policy(fraction=command.units, **choices)
        case Selection.STATIC:
            return Policy(fraction=1, selection="static", static_tags=table.tags, **choices)
        case Selection.THRESHOLD:
            limit = float(np.uint32(command.threshold).view(np.float32))
            return Policy(fraction=1, selection="threshold", threshold=limit, **choices)
