"""Rows of numbers, from the bus's beats to tiles in the stage."""

from itertools import count

from golden.formats import BLOCK_SIZE, FLOAT_FORMATS
from hw.activations.scatter import spread_cycles
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from perf.rtl.bus_schedule.network import Cycles, Step
from perf.rtl.bus_schedule.pass_gate import Alignment, Block, PassGate
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import (
    GATHERED,
    NOT_YET,
    RELEASED,
    SCATTERED,
    TAKEN,
)
from perf.rtl.schedule.loading import Shape, tile_shapes
from perf.rtl.schedule.rooms import JobReader
from perf.rtl.schedule.streams import StreamSwitch

HALVES = 2
"""Tiles whose magnitudes the detector keeps; slabs that the banks hold."""


class RowLoader:
    """Cut rows into blocks and bring them to stage and detector.

    What `perf.rtl.schedule.loading.Cutter`, `perf.rtl.schedule.chain.Chain` and
    `perf.rtl.schedule.banks.Banks` say of runs of blocks, here said of each block, since beats come
    when they come: block i is cut at C[i], leaves the buffer behind the cutter at M[i], that or the
    banks at L[i], and is stored at A[i], ``n`` registers later.

        C[i] = max(last beat + 1, M[i-1] + 1)         without banks M[i] = L[i]
        L[i] = max(C[i], L[i-1] + 1, A[i-n-1] + 1)    A[i] = max(A[i-1] + 1, L[i] + n, gate[i])

    Parameters
    ----------
    config : Config
    switch : StreamSwitch
        Shared with packed activations.
    beats, taken : list of int
        Of the stream of activations, as of `Aligner`.

    Attributes
    ----------
    stored : list of int
        When each block was.
    whole : list of int
        When the last block of each tile was stored.
    searched, read : list of int
        When the detector was done with each tagged tile, and the stage with each.
    """

    def __init__(self, config: Config, switch: StreamSwitch, beats: Cycles, taken: Cycles):
        self._config, self._switch, self._beats, self._taken = config, switch, beats, taken
        self._jobs = JobReader()
        self._last_beat = NOT_YET
        self._cut: Cycles = []
        self._moved: Cycles = []
        self._left: Cycles = []
        self.stored: Cycles = []
        self._way: Alignment | PassGate = Alignment(self.stored)
        self._expected = 0  # blocks that have left the cutter, or will leave the banks
        self._written: Cycles = []  # slabs
        self._slabs: list[int] = []  # blocks of each
        self._slabs_read: Cycles = []
        self._banks = NOT_YET  # when the last block was written
        self._tiles: list[Shape] = []
        self._begun: Cycles = []  # as long as `_tiles`
        self._tagged: list[bool] = []
        self.whole: Cycles = []
        self.searched: Cycles = []
        self.read: Cycles = []

    def skip_job(self, start: int) -> None:
        """Pass over a job of packed activations."""
        self._jobs.skip_job(start)

    def go_through(self, gate: PassGate) -> None:
        """Go through a gate to the vector unit."""
        self._way = gate

    def load_job(self, work: Work, start: int) -> Step:
        """Cut a job that starts in a cycle, as soon as the one before lets it."""
        job = work.job
        taken = max(self._jobs.head(start), self._last_beat)
        self._jobs.note_taken(taken)
        since = max(taken, self._switch.take_job(start)) + TAKEN
        per_beat = 8 * self._config.act_bytes // FLOAT_FORMATS[job.float_format].width
        for tile in tile_shapes(self._config, job):
            if work.stages_tiles:
                self._tiles.append(tile)
                self._tagged.append(not job.untagged)
                self._begun.append(start)
            is_transposed = job.kind is JobKind.CONVERT_TRANSPOSED
            rows, length = (job.k, tile.rows) if is_transposed else (tile.rows, job.k)
            row = [-(-min(BLOCK_SIZE, length - first) // per_beat)
                   for first in range(0, length, BLOCK_SIZE)]
            for _ in range(rows):
                yield from self._cut_row(row, since)
        self._last_beat = self._taken[-1]
        self._switch.end_job(self._last_beat)

    def _cut_row(self, row: list[int], since: int) -> Step:
        """Cut a row whose blocks are of so many beats, none of which is taken before a cycle."""
        beats, taken, cut, moved = self._beats, self._taken, self._cut, self._moved
        for length in row:
            cycle = max(cut[-1], since) if cut else since
            for place in range(len(taken), len(taken) + length):
                if len(beats) <= place:
                    yield beats, place
                if beats[place] > cycle:
                    cycle = beats[place]
                taken.append(cycle)
                cycle += 1
            if cut:
                if len(moved) < len(cut):
                    yield moved, len(cut) - 1
                cycle = max(cycle, moved[len(cut) - 1] + 1)
            cut.append(cycle)

    def move_job(self, work: Work, _: int) -> Step:
        """Let the blocks of a job leave the cutter: for the stage, or for the banks."""
        job, tiles = work.job, list(tile_shapes(self._config, work.job))
        if job.kind is JobKind.GEMM_PACKED:
            return
        for tile in tiles:
            if job.kind is not JobKind.CONVERT_TRANSPOSED:
                for row in range(tile.rows):
                    is_last = tile is tiles[-1] and row == tile.rows - 1
                    yield from self._pass_on(work, is_last)
                continue
            for first in range(0, job.k, BLOCK_SIZE):
                yield from self._write(tile.rows, min(BLOCK_SIZE, job.k - first))

    def _pass_on(self, work: Work, ends_job: bool) -> Step:
        """Let a row go towards the stage, or the vector unit."""
        cut, moved, left, last = self._cut, self._moved, self._left, work.job.k_blocks - 1
        if len(left) < self._expected:  # behind the last one from the banks
            yield left, self._expected - 1
        self._expected += last + 1
        packs = work.is_pass and work.job.packs_results
        for block in range(last + 1):
            if len(cut) <= len(moved):
                yield cut, len(moved)
            cycle = max(cut[len(moved)], left[-1] + 1) if left else cut[len(moved)]
            cycle = yield from self._way.enter(cycle, Block(
                work.is_pass, packs, block == 0, block == last, ends_job and block == last,
                work.index))
            left.append(cycle)
            moved.append(cycle)

    def _write(self, rows: int, tokens: int) -> Step:
        """Write a slab of so many tokens into the banks, for so many rows of the tile."""
        cut, moved, half = self._cut, self._moved, len(self._written) - HALVES
        self._expected += rows
        for number, pace in enumerate(spread_cycles(self._config, rows) * tokens):
            if len(cut) <= len(moved):
                yield cut, len(moved)
            cycle = max(cut[len(moved)], self._banks)
            moved.append(cycle)
            cycle += SCATTERED
            if not number and half >= 0:
                if len(self._slabs_read) <= half:
                    yield self._slabs_read, half
                cycle = max(cycle, self._slabs_read[half] + RELEASED)
            self._banks = cycle + pace - 1
        self._slabs.append(rows)
        self._written.append(self._banks)

    def read_banks(self) -> Step:
        """Let slabs leave the banks, block by block."""
        left = self._left
        for slab in count():
            if len(self._written) <= slab:
                yield self._written, slab
            cycle = self._written[slab] + GATHERED
            if left:
                cycle = max(cycle, left[-1])
            for block in range(self._slabs[slab]):
                if block == self._slabs[slab] - 1:
                    self._slabs_read.append(cycle)
                cycle = yield from self._way.enter(cycle + 1, Block())
                left.append(cycle)

    def store(self) -> Step:
        """Store the blocks of all tiles, as far as stage and detector have room."""
        lefts, stored, registers = self._way.parted, self.stored, self._way.registers
        free, given_back, cycle, room = self._config.stage_depth, 0, NOT_YET, NOT_YET
        tagged = 0
        for number in count():
            if len(self._begun) <= number:
                yield self._begun, number
            gate, half = NOT_YET, tagged - HALVES if self._tagged[number] else NOT_YET
            tagged += self._tagged[number]
            for _ in range(self._tiles[number].blocks):
                if len(lefts) <= len(stored):
                    yield lefts, len(stored)
                if half >= 0:
                    if len(self.searched) <= half:
                        yield self.searched, half
                    gate, half = self.searched[half] + RELEASED, NOT_YET
                if not free:
                    if len(self.read) <= given_back:
                        yield self.read, given_back
                    room = self.read[given_back] + RELEASED
                    free = self._tiles[given_back].blocks
                    given_back += 1
                free -= 1
                cycle = max(cycle + 1, lefts[len(stored)] + registers, gate, room)
                stored.append(cycle)
            self.whole.append(cycle)
