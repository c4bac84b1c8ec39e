"""Results from the array's queue, as numbers or as blocks."""

from golden.formats import BLOCK_SIZE
from hw.contract.config import Config
from hw.contract.job_codes import Output
from hw.contract.output_tile import parts_of_block
from perf.rtl.bus_schedule.array import Array
from perf.rtl.bus_schedule.beats import Beat, Beats
from perf.rtl.bus_schedule.network import Cycles, Step
from perf.rtl.bus_schedule.packing import Chunk, Packer
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import (
    CONVERTED,
    NARROWED,
    NOT_YET,
    RELEASED,
    array_latencies,
)
from perf.rtl.schedule.weights import chunk_beats

TURNED = 1
"""The last rows of a tile are taken; the first is read again in the next cycle."""


class Results:
    """Offer the results of each tile; as `perf.rtl.schedule.results.Results`.

    Parameters
    ----------
    config : Config
    array : Array

    Attributes
    ----------
    floats : Beats
        Groups of rows of numbers.
    packer : Packer
        Of results in MX.
    """

    def __init__(self, config: Config, array: Array):
        self._config, self._array = config, array
        latencies = array_latencies(config)
        self._latency = latencies.capture + latencies.queue
        self._passes = 0
        self.floats, self.packer = Beats(), Packer(config, config.act_bytes)
        self._chunks: list[Chunk] = []
        self._cut: Cycles = []  # when each row's block left who joins it
        self._blocks: Cycles = []  # when it came to the packer
        self._emptied = [NOT_YET, NOT_YET]  # when the last tiles were that are turned

    def send_job(self, work: Work, start: int) -> Step:
        """Send the results of a job."""
        config, job, array = self._config, work.job, self._array
        columns = -(-job.n // config.cols)
        passes = -(-job.m // config.rows) * columns
        for place in range(self._passes, self._passes + passes):
            if len(array.last_beats) <= place:
                yield array.last_beats, place
            each, is_last = array.passes[place], place == self._passes + passes - 1
            visible = array.last_beats[place] + self._latency
            if not job.packs_results:
                yield from self._narrow(each.rows, visible, is_last)
            elif config.cols > BLOCK_SIZE:
                columns_here = min(config.cols, job.n - each.column * config.cols)
                yield from self._turn(each.rows, columns_here, visible,
                                      job.output is Output.MX9, is_last)
            elif (each.column + 1) % parts_of_block(config) and each.column != columns - 1:
                for group in range(-(-each.rows // config.drain_rows)):
                    self._leave(visible + group)
            else:
                yield from self._join(each.rows, visible, job.output is Output.MX9, is_last)
        self._passes += passes

    def _leave(self, since: int) -> int:
        """Let the next group leave the queue, from a cycle on."""
        left = self._array.left
        left.append(max(since, left[-1] + 1 if left else NOT_YET))
        return left[-1]

    def _narrow(self, rows: int, visible: int, is_last: bool) -> Step:
        """Offer the groups of a tile one by one."""
        drain_rows, floats = self._config.drain_rows, self.floats
        for group, first in enumerate(range(0, rows, drain_rows)):
            moved = floats.taken[-1] if floats.taken else NOT_YET
            left = self._leave(max(visible + group, moved))
            ends = is_last and first + drain_rows >= rows
            floats.offer(Beat(min(drain_rows, rows - first), ends), left + NARROWED)
            yield from floats.leave()

    def _join(self, rows: int, visible: int, is_mx9: bool, is_last: bool) -> Step:
        """Cut the groups of a tile that completes blocks into these, a row each."""
        cut, blocks, drain_rows = self._cut, self._blocks, self._config.drain_rows
        _, bases, residuals = chunk_beats(rows, self._config.act_bytes)
        self._chunks.append(Chunk(rows, bases + residuals * is_mx9, True, is_last))
        for group, first in enumerate(range(0, rows, drain_rows)):
            # The group before is held until its last row leaves.
            cycle = self._leave(max(visible + group, cut[-1] if cut else NOT_YET))
            for _ in range(min(drain_rows, rows - first)):
                cycle += 1
                before = len(cut) - CONVERTED - 1
                if before >= 0:
                    if len(blocks) <= before:
                        yield blocks, before
                    cycle = max(cycle, blocks[before] + 1)
                cut.append(cycle)

    def _turn(self, rows: int, columns: int, visible: int, is_mx9: bool, is_last: bool) -> Step:
        """Cut a tile into blocks, block column by block column: `hw.results.tile_turner`."""
        cut, blocks, emptied = self._cut, self._blocks, self._emptied
        _, bases, residuals = chunk_beats(rows, self._config.act_bytes)
        for group in range(-(-rows // self._config.drain_rows)):
            cycle = self._leave(max(visible + group, emptied[0] + RELEASED))
        cycle = max(cycle + TURNED, cut[-1] if cut else NOT_YET)
        firsts = range(0, columns, BLOCK_SIZE)
        for first in firsts:
            ends_job = is_last and first == firsts[-1]
            self._chunks.append(Chunk(rows, bases + residuals * is_mx9, True, ends_job))
            for row in range(rows):
                if first == firsts[-1] and row == rows - 1:
                    emptied[:] = emptied[1], cycle
                cycle, before = cycle + 1, len(cut) - CONVERTED - 1
                if before >= 0:
                    if len(blocks) <= before:
                        yield blocks, before
                    cycle = max(cycle, blocks[before] + 1)
                cut.append(cycle)

    def convert(self) -> Step:
        """Bring blocks to the packer, K-block by K-block."""
        cut, blocks, packer, cycle = self._cut, self._blocks, self.packer, NOT_YET
        while True:
            if len(cut) <= len(blocks):
                yield cut, len(blocks)
            chunk = self._chunks[len(packer.chunks)]
            gate = yield from packer.gate()
            for place in range(len(blocks), len(blocks) + chunk.rows):
                if len(cut) <= place:
                    yield cut, place
                cycle = max(cycle + 1, cut[place] + CONVERTED, gate)
                blocks.append(cycle)
            packer.add(chunk, cycle)

