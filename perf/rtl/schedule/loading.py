"""Floating-point activations: from the stream to tiles that are whole and searched."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from golden.formats import BLOCK_SIZE, FLOAT_FORMATS
from hw.activations.scatter import spread_cycles
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from perf.rtl.schedule.banks import Banks
from perf.rtl.schedule.chain import Chain, Paces
from perf.rtl.schedule.latencies import ALIGNMENT, CUT, NOT_YET, RELEASED, TAKEN
from perf.rtl.schedule.rooms import JobReader
from perf.rtl.schedule.scheduled_job import ScheduledJob
from perf.rtl.schedule.stage import Tagging
from perf.rtl.schedule.streams import StreamSwitch

_HALVES = 2
"""Tiles whose magnitudes the detector keeps."""


@dataclass(frozen=True)
class Shape:
    """How large a tile in the stage is."""

    rows: int
    k_blocks: int

    @property
    def blocks(self) -> int:
        """How many blocks the tile has."""
        return self.rows * self.k_blocks


def tile_shapes(config: Config, job: ScheduledJob) -> Iterator[Shape]:
    """List the tiles of a job: R of m rows, or C of n columns."""
    lines, most = (job.n, config.cols) if job.kind.converts else (job.m, config.rows)
    for first in range(0, lines, most):
        yield Shape(min(most, lines - first), job.k_blocks)


class Cutter:
    """Cut rows into blocks and bring them, in their order and aligned, to stage and detector.

    Parameters
    ----------
    config : Config
    switch : StreamSwitch
        Shared with packed activations.
    """

    def __init__(self, config: Config, switch: StreamSwitch):
        self._config, self._switch = config, switch
        self._jobs = JobReader()
        self._last_beat = NOT_YET
        # The last block was cut, and banks or the chain took it from the buffer behind the cutter.
        self._cut = self._left = NOT_YET
        self.chain = Chain(ALIGNMENT)
        self.banks = Banks(self.chain)
        self._searched = deque([NOT_YET] * _HALVES, maxlen=_HALVES)
        self._stage_free, self._stage_tiles = config.stage_depth, deque()
        self._stage_since = NOT_YET

    def take_job(self, job: ScheduledJob, start: int) -> None:
        """Take a job that starts in cycle `start`, as soon as the one before lets it."""
        self._job = job
        taken = max(self._jobs.head(start), self._last_beat)
        self._jobs.note_taken(taken)
        begins = max(taken, self._switch.take_job(start)) + TAKEN
        self._cut = max(self._cut, begins)
        self._row_beats = self._beats(job.k)
        self._uses_banks = job.order_cycles is not None or (
            job.kind is JobKind.CONVERT_TRANSPOSED)
        if self._uses_banks:
            self.banks.take_job(job)
        else:
            self._row = Paces(self._row_beats)
            # A block that needs no bank waits until the last one from the banks has left.
            self.chain.restart(self._cut, self._left)

    def skip_job(self, start: int) -> None:
        """Pass over a job of packed activations."""
        self._jobs.skip_job(start)

    def _beats(self, elements: int) -> list[int]:
        """Count the beats of each block of a row."""
        per_beat = 8 * self._config.act_bytes // FLOAT_FORMATS[self._job.float_format].width
        blocks = -(-elements // BLOCK_SIZE)
        last = elements - BLOCK_SIZE * (blocks - 1)
        return [BLOCK_SIZE // per_beat] * (blocks - 1) + [-(-last // per_beat)]

    def load(self, tile: Shape, *, is_tagged: bool = True) -> int:
        """Load a tile; return when its last block is taken: by the stage, and by the detector."""
        gates, begun = self._gates(tile, is_tagged), self._cut
        if not self._uses_banks:
            for (first, gate), (last, _) in zip(gates, [*gates[1:], (tile.blocks, 0)], strict=True):
                self.chain.run(self._row, first, last, gate)
            self._cut, self._left = self.chain.cut, self.chain.left
            before = self.chain.before_cut if tile.blocks > 1 else begun
            self._last_beat = before + self._row.of(-1) - CUT
        elif self._job.kind is JobKind.CONVERT_TRANSPOSED:
            self._load_slabs(tile, gates)
        else:
            self._load_rows(tile, gates)
        return self.chain.arrived

    def _load_rows(self, tile: Shape, gates: list[tuple[int, int]]) -> None:
        """Load rows through the banks.

        Once a row that meets no gate moves everything that the next one depends on by the same
        number of cycles, so do all rows that follow.
        """
        chain, banks = self.chain, self.banks
        times: tuple[int, ...] = ()
        for row in range(tile.rows):
            self._cut, self._left, self._last_beat = banks.write_row(
                self._row_beats, self._cut, self._left)
            banks.read_segment(tile.k_blocks, row * tile.k_blocks, gates)
            before, times = times, (
                self._cut, self._left, self._last_beat, *banks.times, *chain.times)
            is_free = before and gates[-1][0] < row * tile.k_blocks
            if is_free and self.is_steady(before, times):
                later = (tile.rows - 1 - row) * (times[0] - before[0])
                self._cut, self._left = self._cut + later, self._left + later
                self._last_beat += later
                banks.shift(later)
                chain.shift(later)
                return

    @staticmethod
    def is_steady(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
        """Tell whether everything happens the same number of cycles later."""
        later = after[0] - before[0]
        return all(new - old == later for old, new in zip(before, after, strict=True))

    def end_job(self) -> None:
        """Give the stream to the next job."""
        self._switch.end_job(self._last_beat)

    def _load_slabs(self, tile: Shape, gates: list[tuple[int, int]]) -> None:
        beats, cycles = self._beats(tile.rows), spread_cycles(self._config, tile.rows)
        for slab in range(tile.k_blocks):
            tokens = min(BLOCK_SIZE, self._job.k - BLOCK_SIZE * slab)
            self._cut, self._left, self._last_beat = self.banks.write_slab(
                beats, cycles, tokens, self._cut, self._left)
            self.banks.read_segment(tile.rows, slab * tile.rows, gates)

    def _gates(self, tile: Shape, is_tagged: bool) -> list[tuple[int, int]]:
        """Say which blocks of a tile wait for room, and until when: the first one always."""
        detector = self._searched[0] + RELEASED if is_tagged else NOT_YET
        gates = [(0, max(detector, self._stage_since))]
        block = 0
        while tile.blocks - block > self._stage_free:
            block += self._stage_free
            self._stage_free = 0
            read, blocks = self._stage_tiles.popleft()
            self._stage_since, self._stage_free = read + RELEASED, blocks
            if block == gates[-1][0]:
                gates[-1] = (block, max(gates[-1][1], self._stage_since))
            elif self._stage_since > self.chain.arrived:  # else it is open already
                gates.append((block, self._stage_since))
        self._stage_free -= tile.blocks - block
        return gates

    def note_searched(self, tagging: Tagging) -> None:
        """Note that the detector is done with the tile."""
        self._searched.append(tagging.searched)

    def note_read(self, cycle: int, tile: Shape) -> None:
        """Note that the stage's reader is done with the tile."""
        self._stage_tiles.append((cycle, tile.blocks))
