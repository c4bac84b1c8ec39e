"""Where operands lie in memory, and how long a packed tile is."""

from collections.abc import Iterator
from typing import NamedTuple

from golden.formats import BLOCK_SIZE, FP32
from golden.memory.descriptor import ALIGNMENT, Command, JobFlag
from golden.memory.faults import CommandError, Fault
from golden.memory.jobs import FORMAT_CODES, JobKind, Output
from golden.memory.machine import Machine
from golden.planes import BASE_BYTES, RESIDUAL_BYTES

BIAS_BYTES, ORDER_BYTES = 4, 2
"""Of a bias, FP32, as column factors and residuals are; and of an entry of an order."""


class Iteration(NamedTuple):
    """The addresses of one iteration of a command."""

    a: int
    b: int
    c: int
    bias: int
    channel: int
    residual: int


def iterations(command: Command) -> Iterator[Iteration]:
    """List the iterations of a command in their order: level 0 inside level 1."""
    for outer in range(command.count_1):
        for inner in range(command.count_0):
            yield Iteration(*(
                getattr(command, name) + inner * getattr(command, f"{name}_step_0")
                + outer * getattr(command, f"{name}_step_1") for name in Iteration._fields))


def element_bytes(command: Command) -> int:
    """Return the bytes of one number of the activations."""
    return 4 if command.format == FORMAT_CODES[FP32.name] else 2


def result_bytes(command: Command) -> int:
    """Return the bytes of one result that is a number."""
    return 4 if command.output == Output.FP32.value else 2


def check_places(machine: Machine, command: Command) -> None:
    """Refuse operands that lie where none can, whatever the job is.

    That is: addresses and strides that are no multiple of what their layout asks for, addresses
    that the bus does not have, and rows of results that are longer than their stride. This comes
    before the job is looked at, and so holds for codes that stand for nothing too.
    """
    wanted = _units(machine, command)
    for operand, unit in wanted.items():
        for end in ("", "_stride", "_step_0", "_step_1"):
            value = getattr(command, f"{operand}{end}", 0)
            if value % unit:
                raise CommandError(Fault.UNALIGNED, f"{operand}{end} is {value:#x}, no multiple "
                                   f"of {unit}")
    for operand in wanted:
        if getattr(command, operand) >> machine.address_bits:
            raise CommandError(Fault.OUTSIDE, f"{operand} is {getattr(command, operand):#x}")
    numbers = not command.kind & JobKind.CONVERT.value and command.output < Output.MX6.value
    size = command.n * result_bytes(command)
    if numbers and command.m > 1 and size > command.c_stride:
        raise CommandError(Fault.OVERLONG, f"rows of {size} bytes in a stride of "
                           f"{command.c_stride}")


def _units(machine: Machine, command: Command) -> dict[str, int]:
    """Return what the places of each operand that the command has are multiples of."""
    converts = bool(command.kind & JobKind.CONVERT.value)
    packed_c = converts or command.output >= Output.MX6.value
    packed_a = command.kind == JobKind.GEMM_PACKED.value
    wanted = {"a": ALIGNMENT if packed_a else element_bytes(command),
              "c": ALIGNMENT if packed_c else result_bytes(command)}
    if not converts and not command.is_vector:
        wanted["b"] = ALIGNMENT
    beside = (JobFlag.BIAS, JobFlag.CHANNEL, JobFlag.RESIDUAL)
    for flag in beside if machine.has_vector else beside[:1]:
        if command.flags & flag:
            wanted[str(flag.name).lower()] = BIAS_BYTES
    for name in ("order", "tags"):
        if getattr(command, f"loads_{name}"):
            wanted[name] = ALIGNMENT
    return wanted


def longest_packet(lines: int, k: int, beat_bytes: int) -> int:
    """Return the bytes of a packed tile whose K-blocks are all MX9."""
    blocks = -(-k // BLOCK_SIZE)
    beats = -(-blocks // (8 * beat_bytes)) + blocks * sum(
        -(-lines * each // beat_bytes) for each in (BASE_BYTES, RESIDUAL_BYTES))
    return beats * beat_bytes


def take_packet(data: bytes, lines: int, k: int, beat_bytes: int) -> bytes:
    """Take a packed tile from the front of some bytes, with zeros where nobody looks.

    Parameters
    ----------
    data : bytes
    lines, k : int
        Lines of the tile, and numbers in each.
    beat_bytes : int

    Raises
    ------
    CommandError
        If it is longer than what is there.
    """
    blocks, covered = -(-k // BLOCK_SIZE), 8 * beat_bytes
    packet, at = bytearray(), 0

    def beats(used: int) -> bytes:
        nonlocal at
        size = -(-used // beat_bytes) * beat_bytes
        if at + size > len(data):
            raise CommandError(Fault.OVERLONG, f"it does not end within {len(data)} bytes")
        part = data[at : at + used].ljust(size, b"\0")
        at += size
        return part

    for block in range(blocks):
        if block % covered == 0:
            here = min(blocks - block, covered)
            tags = int.from_bytes(beats(beat_bytes), "little") & ((1 << here) - 1)
            packet += tags.to_bytes(beat_bytes, "little")
        packet += beats(lines * BASE_BYTES)
        if tags >> block % covered & 1:
            packet += beats(lines * RESIDUAL_BYTES)
    return bytes(packet)


def tile_lines(lines: int, of_tile: int) -> Iterator[tuple[int, int]]:
    """List tiles: number, and how many lines each has."""
    for number, first in enumerate(range(0, lines, of_tile)):
        yield number, min(of_tile, lines - first)


def result_places(machine: Machine, command: Command) -> list[tuple[int, int]]:
    """List address and most bytes of all that a command may write as its results."""
    m, n, k, stride = command.m, command.n, command.k, command.c_stride
    if command.converts:
        sizes = [longest_packet(lines, k, machine.weight_bytes)
                 for _, lines in tile_lines(n, machine.cols)]
    elif command.is_packed:
        sizes = [longest_packet(lines, n, machine.act_bytes)
                 for _, lines in tile_lines(m, machine.rows)]
    else:
        sizes = [n * result_bytes(command)] * m
    return [(each.c + number * stride, min(size, stride) if len(sizes) > 1 else size)
            for each in iterations(command) for number, size in enumerate(sizes)]
