"""Where vectors and residuals lie that meet numbers in the lanes: `hw.memory.beside_reader`."""

from collections.abc import Iterator

from golden.memory.layouts import BIAS_BYTES, tile_lines
from hw.contract.config import Config
from perf.rtl.bus_schedule.operand_reader import Piece
from perf.rtl.bus_schedule.stages import has_residual, vectors
from perf.rtl.bus_schedule.work import Work


def has_beside(work: Work) -> bool:
    """Tell whether a work has any of them."""
    return any(vectors(work.command)) or has_residual(work.command)


def beside_pieces(config: Config, work: Work) -> Iterator[Piece]:
    """List the pieces that they lie in: vectors, then the residual as rows come to the lanes."""
    command, row = work.command, work.command.n * BIAS_BYTES
    places = work.at.bias, work.at.channel, work.at.residual
    for is_there, address in zip(vectors(command), places, strict=True):
        if is_there:
            yield address, row
    if not has_residual(command):
        return
    if work.is_pass:
        for number in range(command.m):
            yield work.at.residual + number * command.residual_stride, row
        return
    rows = command.tiles * config.rows
    for first in range(0, command.m, rows):
        for column, lanes in tile_lines(command.n, config.cols):
            for number in range(first, min(first + rows, command.m)):
                yield (work.at.residual + number * command.residual_stride
                       + column * config.cols * BIAS_BYTES, lanes * BIAS_BYTES)


def beside_fences(work: Work) -> Iterator[str]:
    """List the fences that hold them back."""
    if any(vectors(work.command)[:2]):
        yield "wait_side"
    if has_residual(work.command) or vectors(work.command)[2]:
        yield "wait_residual"
