"""Blocks on their way out of the stage: `hw.activations.tile_stage`."""

from hw.contract.config import Config
from perf.rtl.bus_schedule.loading import RowLoader
from perf.rtl.bus_schedule.network import Cycles, Process, Step
from perf.rtl.bus_schedule.tagging import Tagging, tag_units
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import RELEASED, STAGE_READ, STORED, TAG_QUEUED, TILE_ANNOUNCED
from perf.rtl.schedule.loading import tile_shapes


class StageReader:
    """Read the blocks of tiles from the stage, as `perf.rtl.schedule.stage.StageReader`.

    A block is read when its tag is there, or in an untagged tile itself, and there is room: behind
    the memory's output comes a `StreamBuffer` of `hw.streams`, which holds one block more than the
    cycles that a block takes.

    Parameters
    ----------
    config : Config
    rows : RowLoader
    tagging : Tagging

    Attributes
    ----------
    blocks, sent : list of int
        When each block was read, and when it left for the router.
    """

    def __init__(self, config: Config, rows: RowLoader, tagging: Tagging):
        self._config, self._rows, self._tagging = config, rows, tagging
        self._batches = 0
        self.blocks: Cycles = []
        self.sent: Cycles = []

    def read_job(self, work: Work, _: int) -> Step:
        """Read the tiles of a job."""
        if not work.stages_tiles:
            return
        first, blocks, sent = self._tagging.first, self.blocks, self.sent
        stored, untagged = self._rows.stored, work.job.untagged
        known = TILE_ANNOUNCED if untagged else TAG_QUEUED
        for shape in tile_shapes(self._config, work.job):
            for _, tags in tag_units(self._config, work):
                if len(first) <= self._batches:
                    yield first, self._batches
                cycle = first[self._batches] + known - 1
                if blocks:
                    cycle = max(cycle, blocks[-1])
                self._batches += 1
                for _ in range(tags):
                    for place in range(len(blocks), len(blocks) + shape.rows):
                        cycle, before = cycle + 1, place - STAGE_READ - 1
                        if before >= 0:
                            if len(sent) <= before:
                                yield sent, before
                            cycle = max(cycle, sent[before] + RELEASED)
                        if untagged:
                            if len(stored) <= place:
                                yield stored, place
                            cycle = max(cycle, stored[place] + STORED)
                        blocks.append(cycle)
                    if not untagged:
                        self._tagging.read.append(cycle)
            self._rows.read.append(cycle)

    def send(self, blocks: int, gate: int) -> Process[int]:
        """Send so many blocks, the first from a cycle on; return when the last left."""
        read, sent = self.blocks, self.sent
        cycle = max(gate - 1, sent[-1]) if sent else gate - 1
        for place in range(len(sent), len(sent) + blocks):
            if len(read) <= place:
                yield read, place
            cycle = max(cycle + 1, read[place] + STAGE_READ)
            sent.append(cycle)
        return cycle
