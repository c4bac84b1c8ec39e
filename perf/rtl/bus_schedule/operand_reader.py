"""Where operands lie, piece by piece: `hw.memory.row_reader`, `tile_reader`, `operand_reader`."""

from collections.abc import Callable, Iterator

from golden.memory.layouts import BIAS_BYTES, element_bytes, longest_packet, tile_lines
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from perf.rtl.bus_schedule.aligner import Aligner
from perf.rtl.bus_schedule.ledger import Ledger
from perf.rtl.bus_schedule.network import Step
from perf.rtl.bus_schedule.queues import Queue
from perf.rtl.bus_schedule.read_channel import ReadChannel
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import NOT_YET, TAKEN

Piece = tuple[int, int]
"""Address and bytes."""


def _extent(lines: int, k: int, stride: int, beat_bytes: int) -> int:
    """Return the bytes that are read of a packed tile."""
    longest = longest_packet(lines, k, beat_bytes)
    return min(longest, stride) if stride else longest


def row_pieces(config: Config, work: Work) -> Iterator[Piece]:
    """List the pieces that a job's activations lie in."""
    command, stride, size = work.command, work.command.a_stride, element_bytes(work.command)
    match work.job.kind:
        case JobKind.GEMM_PACKED:
            for tile, lines in tile_lines(command.m, config.rows):
                yield work.at.a + tile * stride, _extent(lines, command.k, stride, config.act_bytes)
        case JobKind.CONVERT_TRANSPOSED:
            for tile, lines in tile_lines(command.n, config.cols):
                for row in range(command.k):
                    yield work.at.a + tile * config.cols * size + row * stride, lines * size
        case kind:
            for row in range(command.n if kind is JobKind.CONVERT else command.m):
                yield work.at.a + row * stride, work.job.k * size


def tile_pieces(config: Config, work: Work) -> Iterator[Piece]:
    """List the pieces that a GEMM's weights lie in, the biases of each tile before it."""
    command, job = work.command, work.job
    for _ in range(0, command.m, command.tiles * config.rows):
        for tile, lines in tile_lines(command.n, config.cols):
            if job.bias:
                yield work.at.bias + tile * config.cols * BIAS_BYTES, lines * BIAS_BYTES
            yield (work.at.b + tile * command.b_stride,
                   _extent(lines, command.k, command.b_stride, config.weight_bytes))


def row_fences(_: Work) -> Iterator[str]:
    """List the fences that hold a job's activations back."""
    yield "wait_a"


def tile_fences(work: Work) -> Iterator[str]:
    """List the fences that hold a GEMM's weights back."""
    yield "wait_b"
    if work.job.bias:
        yield "wait_side"


class OperandReader:
    """Ask for the operands of works, one after the other.

    Parameters
    ----------
    config : Config
    channel : ReadChannel
    beat_bytes : int
        Of the engines' stream.
    pieces : callable
        `row_pieces`, `tile_pieces` or `beside_pieces`.
    fences : callable
        Gives the names of those that a work waits for.
    ledger : Ledger

    Attributes
    ----------
    queue : Queue
        Of works.
    works : list of Work
        That were put into it.
    aligner : Aligner
    """

    def __init__(self, config: Config, channel: ReadChannel, beat_bytes: int,
                 pieces: Callable[[Config, Work], Iterator[Piece]], fences: tuple[str, ...],
                 ledger: Ledger, works: int):
        self._config, self._channel, self._pieces = config, channel, pieces
        self._fences, self._ledger = fences, ledger
        self.queue, self.works = Queue(works), []
        self.aligner = Aligner(config, channel, beat_bytes, channel.depth)

    def run(self) -> Step:
        """Ask for as long as there are works."""
        channel, cuts = self._channel, self.aligner.cuts
        before = NOT_YET
        while True:
            begins = max((yield from self.queue.offered()), before + 1)
            work = self.works[len(self.queue.taken)]
            for name in self._fences(work):
                begins = max(begins, (yield from self._ledger.fence(work, name)))
            offered = begins + TAKEN
            for address, length in self._pieces(self._config, work):
                before = max(offered, channel.free, (yield from cuts.room()))
                cuts.put.append(before)
                self.aligner.pieces.append((address, length))
                yield from channel.ask(address, length, before)
                offered = before + 1
            self.queue.taken.append(before)
