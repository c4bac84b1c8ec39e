"""What one iteration of a job makes of the bytes of its operands."""

from fractions import Fraction
from typing import Protocol

import numpy as np

from golden.formats import BLOCK_SIZE, FLOAT_FORMATS, MX6, MX9
from golden.gemm import gemm
from golden.memory.descriptor import Command, JobFlag
from golden.memory.jobs import JobKind, Output, Selection
from golden.memory.layouts import BIAS_BYTES, Iteration, element_bytes, take_packet, tile_lines
from golden.memory.layouts import longest_packet as longest
from golden.memory.machine import Machine
from golden.memory.tables import Table
from golden.mx import MXTensor, quantize
from golden.packing import activation_tiles, weight_stream
from golden.policy import Policy
from golden.precision import apply_policy, convert
from golden.unpacking import read_activation_tiles, read_weight_stream


class Read(Protocol):
    """Reads so many bytes of an operand ("a", "b" or "bias") at an address, or raises an error."""

    def __call__(self, operand: str, address: int, size: int) -> bytes: ...


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
    bias = None
    if command.flags & JobFlag.BIAS:
        bias = np.frombuffer(read("bias", at.bias, command.n * BIAS_BYTES), "<f4")
    output = "fp32" if command.is_packed else Output(command.output).name.lower()
    c = gemm(activations(machine, command, table, at, read), weights(machine, command, at, read),
             acc_width=machine.acc_width, k_max=machine.k_max, bias=bias, output=output)
    if command.is_packed:
        fmt = MX9 if Output(command.output) is Output.MX9 else MX6
        return activation_tiles(quantize(c, fmt, rounding=machine.rounding), machine.rows,
                                machine.act_bytes)
    return [row.astype(row.dtype.newbyteorder("<"), copy=False).tobytes() for row in c]


def activations(machine: Machine, command: Command, table: Table, at: Iteration,
                read: Read) -> MXTensor:
    """Read A of a GEMM, in the precision that its blocks have; parameters as of `results`."""
    if JobKind(command.kind) is JobKind.GEMM_PACKED:
        packets = _packets(read, "a", at.a, command.a_stride, command.m, machine.rows, command.k,
                           machine.act_bytes)
        return read_activation_tiles(packets, (command.m, command.k), machine.rows,
                                     machine.act_bytes)
    return apply_policy(_numbers(command, at, read, command.m, command.k),
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
    return convert(_numbers(command, at, read, rows, length),
                   _policy(command, table, machine.cols), transposed=transposed,
                   rounding=machine.rounding, float_format=FLOAT_FORMATS[command.float_format])


def _numbers(command: Command, at: Iteration, read: Read, rows: int, length: int) -> np.ndarray:
    """Read rows of numbers, as patterns."""
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
            return Policy(fraction=Fraction(command.units, -(-command.k // BLOCK_SIZE)), **choices)
        case Selection.HEAD:
            return Policy(fraction=command.units, **choices)
        case Selection.STATIC:
            return Policy(fraction=1, selection="static", static_tags=table.tags, **choices)
        case Selection.THRESHOLD:
            limit = float(np.uint32(command.threshold).view(np.float32))
            return Policy(fraction=1, selection="threshold", threshold=limit, **choices)
