"""Results from the array's queue or the lanes, as numbers or as blocks."""

from collections import deque

from golden.formats import BLOCK_SIZE
from hw.contract.config import Config
from hw.contract.job_codes import Output
from hw.contract.output_tile import parts_of_block
from perf.rtl.bus_schedule.beats import Beat, Beats
from perf.rtl.bus_schedule.block_cutter import BlockCutter, Rows
from perf.rtl.bus_schedule.groups import Groups, group_count, passes
from perf.rtl.bus_schedule.job_merge import JobMerge
from perf.rtl.bus_schedule.network import Cycles, Step
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
    cutter : BlockCutter
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
        self.cutter = BlockCutter(self.tags)

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
        """Take the groups of a tile that completes blocks; a row is one."""
        drain_rows = self._config.drain_rows
        self._add_chunk(work, rows, block, is_last)
        for first in range(0, rows, drain_rows):
            # The group before is held until its last row leaves.
            cycle = yield from groups.take(max(turn, (yield from self.cutter.free())))
            self.cutter.add(Rows(work, block, cycle, min(drain_rows, rows - first),
                                 ends_tile=first + drain_rows >= rows, ends_job=is_last))

    def _turn(self, work: Work, groups: Groups, rows: int, column: int, columns: int, turn: int,
              is_last: bool) -> Step:
        """Take a tile that leaves block column by block column: `hw.results.tile_turner`."""
        emptied = yield from self.cutter.room_for_tile()
        for _ in range(-(-rows // self._config.drain_rows)):
            cycle = yield from groups.take(max(turn, emptied + RELEASED))
        blocks = -(-columns // BLOCK_SIZE)
        for number in range(blocks):
            block = column * (self._config.cols // BLOCK_SIZE) + number
            is_last_block = number == blocks - 1
            self._add_chunk(work, rows, block, is_last and is_last_block)
            self.cutter.add(Rows(work, block, cycle + TURNED, rows, ends_tile=True,
                                 ends_job=is_last and is_last_block, empties=is_last_block))

    def _add_chunk(self, work: Work, rows: int, block: int, ends_job: bool) -> None:
        """Announce a block of a tile."""
        _, bases, residuals = chunk_beats(rows, self._config.act_bytes)
        is_mx9 = work.job.output is Output.MX9
        if work.is_tagged:
            is_mx9 = work.result_tags[block]
        self._chunks.append(Chunk(
            rows, bases + residuals * is_mx9, True, ends_job,
            has_tags=work.is_tagged and block % (8 * self._config.act_bytes) == 0))

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
