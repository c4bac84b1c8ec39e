"""Results from the array's queue or the lanes, as numbers or as blocks."""

from collections import deque

from golden.formats import BLOCK_SIZE
from hw.contract.config import Config
from hw.contract.job_codes import Output
from hw.contract.output_tile import parts_of_block
from perf.rtl.bus_schedule.beats import Beat, Beats
from perf.rtl.bus_schedule.groups import Groups, group_count, passes
from perf.rtl.bus_schedule.job_merge import JobMerge
from perf.rtl.bus_schedule.network import Cycles, Process, Step
from perf.rtl.bus_schedule.packing import Chunk, Packer
from perf.rtl.bus_schedule.result_tags import ASSEMBLED, ResultTags
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import CONVERTED, NARROWED, NOT_YET, RELEASED
from perf.rtl.schedule.weights import chunk_beats

TURNED = 1
"""The last rows of a tile are taken; the first is read again in the next cycle."""


class Results:
    """Offer the results of each tile; as `perf.rtl.schedule.results.Results`.

    Parameters
    ----------
    config : Config
    drained, through_lanes : Groups
        From the array, and from the vector unit's lanes.

    Attributes
    ----------
    rows, blocks : JobMerge
        Of groups of rows; of blocks, also those of passes.
    floats : Beats
        Groups of rows of numbers.
    packer : Packer
        Of results in MX.
    tags : ResultTags
    """

    def __init__(self, config: Config, drained: Groups, through_lanes: Groups):
        self._config, self._drained, self._lanes = config, drained, through_lanes
        self._groups = 0  # of GEMMs before
        is_merged = bool(config.vector_lanes)
        self.rows, self.blocks = JobMerge(is_merged), JobMerge(is_merged)
        self.floats, self.packer = Beats(), Packer(config, config.act_bytes)
        self._chunks: deque[Chunk] = deque()
        self._blocks: Cycles = []  # when each row's block came to the packer
        self.tags = ResultTags(config, self._blocks, self.packer, self.blocks)
        self._emptied = [NOT_YET, NOT_YET]  # when the last tiles were that are turned

    def send_job(self, work: Work) -> Step:
        """Send the results of a job, but of passes that pack."""
        job, groups = work.job, self._lanes if work.goes_through else self._drained
        before, self._groups = self._groups, self._groups + (
            0 if work.is_pass else group_count(self._config, job))
        if groups is self._drained and len(groups.taken) < before:
            yield groups.taken, before - 1
        turn = yield from self.rows.turn(work.index)
        if work.is_pass:
            pieces = job.m * -(-job.n // self._config.cols)
            for piece in range(pieces):
                yield from self._narrow(groups, 1, turn, piece == pieces - 1)
        else:
            yield from self._send_tiles(groups, work, turn)
        # Behind the last of them others may have left the array's queue, for the lanes.
        last = self._groups if groups is self._drained else 0
        self.rows.ended.append(groups.taken[last - 1])

    def _send_tiles(self, groups: Groups, work: Work, turn: int) -> Step:
        """Send the results of a GEMM."""
        config, job = self._config, work.job
        columns = -(-job.n // config.cols)
        tiles = list(passes(config, job))
        for place, (rows, column) in enumerate(tiles):
            last = place == len(tiles) - 1
            if not job.packs_results:
                yield from self._narrow(groups, rows, turn, last)
            elif config.cols > BLOCK_SIZE:
                columns_here = min(config.cols, job.n - column * config.cols)
                yield from self._turn(work, groups, rows, column, columns_here, turn, last)
            elif (column + 1) % parts_of_block(config) and column != columns - 1:
                for _ in range(-(-rows // config.drain_rows)):
                    yield from groups.take(turn)
            else:
                yield from self._join(work, groups, rows, column // parts_of_block(config), turn,
                                      last)

    def _narrow(self, groups: Groups, rows: int, turn: int, is_last: bool) -> Step:
        """Offer the groups of a tile one by one."""
        drain_rows, floats = self._config.drain_rows, self.floats
        for first in range(0, rows, drain_rows):
            moved = floats.taken[-1] if floats.taken else NOT_YET
            left = yield from groups.take(max(turn, moved))
            ends = is_last and first + drain_rows >= rows
            floats.offer(Beat(min(drain_rows, rows - first), ends), left + NARROWED)
            yield from floats.leave()

    def _join(self, work: Work, groups: Groups, rows: int, block: int, turn: int,
              is_last: bool) -> Step:
        """Cut the groups of a tile that completes blocks into these, a row each."""
        tags, drain_rows = self.tags, self._config.drain_rows
        order = yield from tags.order.turn(work.index)
        self._add_chunk(work, rows, block, is_last)
        for first in range(0, rows, drain_rows):
            # The group before is held until its last row leaves.
            cycle = yield from groups.take(max(turn, tags.free))
            for row in range(first, min(first + drain_rows, rows)):
                cycle = yield from self._cut(work, cycle + 1, order, block, row == rows - 1,
                                             is_last)
        if is_last:
            tags.order.ended.append(tags.entered[-1])

    def _turn(self, work: Work, groups: Groups, rows: int, column: int, columns: int, turn: int,
              is_last: bool) -> Step:
        """Cut a tile into blocks, block column by block column: `hw.results.tile_turner`."""
        tags, emptied = self.tags, self._emptied
        order = yield from tags.order.turn(work.index)
        for _ in range(-(-rows // self._config.drain_rows)):
            cycle = yield from groups.take(max(turn, emptied[0] + RELEASED))
        cycle = max(cycle + TURNED, tags.free)
        blocks = -(-columns // BLOCK_SIZE)
        for number in range(blocks):
            block = column * (self._config.cols // BLOCK_SIZE) + number
            is_last_block = number == blocks - 1
            self._add_chunk(work, rows, block, is_last and is_last_block)
            for row in range(rows):
                if is_last_block and row == rows - 1:
                    emptied[:] = emptied[1], cycle
                cycle = yield from self._cut(work, cycle + 1, order, block, row == rows - 1,
                                             is_last and is_last_block)
        if is_last:
            tags.order.ended.append(tags.entered[-1])

    def _add_chunk(self, work: Work, rows: int, block: int, ends_job: bool) -> None:
        """Announce a block of a tile."""
        _, bases, residuals = chunk_beats(rows, self._config.act_bytes)
        is_mx9 = work.job.output is Output.MX9
        if work.is_tagged:
            is_mx9 = work.result_tags[block]
        self._chunks.append(Chunk(
            rows, bases + residuals * is_mx9, True, ends_job,
            has_tags=work.is_tagged and block % (8 * self._config.act_bytes) == 0))

    def _cut(self, work: Work, since: int, order: int, block: int, row_last: bool,
             ends_job: bool) -> Process[int]:
        """Cut a row's block."""
        if work.is_tagged:
            return (yield from self.tags.cut_tagged(
                since, order, work, block, row_last=row_last, job_last=ends_job and row_last))
        return (yield from self.tags.cut_block(since, order))

    def convert_job(self, work: Work) -> Step:
        """Bring a job's blocks to the packer, K-block by K-block."""
        entered, blocks, packer = self.tags.entered, self._blocks, self.packer
        turn, ends = (yield from self.blocks.turn(work.index)), False
        while not ends:
            if len(entered) <= len(blocks):
                yield entered, len(blocks)
            chunk = self._chunks.popleft()
            gate = max(turn, (yield from packer.gate()))
            for place in range(len(blocks), len(blocks) + chunk.rows):
                if len(entered) <= place:
                    yield entered, place
                cycle = max(entered[place] + CONVERTED - ASSEMBLED, gate)
                blocks.append(max(cycle, blocks[-1] + 1) if blocks else cycle)
            packer.add(chunk, blocks[-1])
            ends = chunk.ends_job
        self.blocks.ended.append(blocks[-1])
