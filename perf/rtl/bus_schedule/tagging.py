"""Tags of tiles in the stage: `hw.activations.tile_tags`, and the search before."""

from collections.abc import Iterator

from hw.activations.tile_tags import TILES_AHEAD
from hw.contract.config import Config
from perf.rtl.bus_schedule.job_merge import JobMerge
from perf.rtl.bus_schedule.loading import RowLoader
from perf.rtl.bus_schedule.network import Cycles, Process, Step
from perf.rtl.bus_schedule.packing import Packer
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import (
    FIRST_TAG,
    NEXT_SEARCH,
    NOT_YET,
    RELEASED,
    SEARCH_START,
    TAG_SETTLED,
    TAGS_BEHIND_MEMORY,
    TAKEN,
    search_cycles,
)
from perf.rtl.schedule.loading import tile_shapes
from perf.rtl.schedule.rooms import JobReader


class Tagging:
    """Settle tags, as `perf.rtl.schedule.stage.Tagging`, while tiles before wait for room.

    Parameters
    ----------
    config : Config
    rows : RowLoader
    packer, results : Packer
        Of conversions, and of passes.
    blocks : JobMerge
        When blocks of each pass may go to the latter, and their tags.

    Attributes
    ----------
    first : list of int
        When the first of the tags that are settled together was handed out: of a tile's, or of as
        many as a unit of precision bits has. Of an untagged tile: when it was announced.
    read : list of int
        When the last block of each K-block was read, and its tag left the queue.
    """

    def __init__(self, config: Config, rows: RowLoader, packer: Packer, results: Packer,
                 blocks: JobMerge):
        self._config, self._rows = config, rows
        self._packer, self._results, self._blocks = packer, results, blocks
        self._room = config.k_blocks_max + TAGS_BEHIND_MEMORY
        self._jobs = JobReader()
        self._given = self._taken = NOT_YET  # of the last tag
        self._announced = NOT_YET  # the last untagged tile
        self._tags = self._tiles = 0
        self.first: Cycles = []
        self.read: Cycles = []

    def skip_job(self, start: int) -> None:
        """Pass over a job without tiles in the stage."""
        self._jobs.skip_job(start)

    def tag_job(self, work: Work, start: int) -> Step:
        """Settle the tags of a job's tiles."""
        job, rows = work.job, self._rows
        taken = max(self._jobs.head(start), self._taken + 1, self._announced + 1)
        self._jobs.note_taken(taken)
        for _ in tile_shapes(self._config, job):
            tile = self._tiles
            if job.untagged:
                yield from self._announce(taken + TAKEN)
                continue
            if len(rows.whole) <= tile:
                yield rows.whole, tile
            begun = max(rows.whole[tile] + SEARCH_START, self._taken + NEXT_SEARCH)
            passes = search_cycles(job.k_blocks) if job.searches else 0
            offered = max(begun + FIRST_TAG + passes, taken + TAKEN)
            offered = max(offered, (yield from self._room_for_tile()))
            for first, tags in tag_units(self._config, work):
                ends_tile = first + tags == job.k_blocks
                yield from self._settle(offered, tags, ends_tile, work)
                offered = self._taken + 1
            self._tiles += 1

    def _announce(self, busy: int) -> Step:
        """Announce an untagged tile, from a cycle on."""
        self._announced = max(self._announced + 1, busy, (yield from self._room_for_tile()))
        self.first.append(self._announced)
        self._tiles += 1

    def _room_for_tile(self) -> Process[int]:
        """Say when one more tile may be announced."""
        before = self._tiles - TILES_AHEAD
        if before < 0:
            return NOT_YET
        if len(self._rows.read) <= before:
            yield self._rows.read, before
        return self._rows.read[before] + RELEASED

    def _unit_gate(self, packer: Packer) -> Process[int]:
        """Say when a packer has room for precision bits."""
        before = len(packer.tagged) - 1
        if before < 0:
            return NOT_YET
        if len(packer.tags_taken) <= before:
            yield packer.tags_taken, before
        return packer.tags_taken[before] + RELEASED

    def _settle(self, offered: int, tags: int, ends_tile: bool, work: Work) -> Step:
        """Hand so many tags out, the first of which is offered in a cycle."""
        self._taken = taken = max(offered, self._given)
        if ends_tile and tags == 1:
            self._rows.searched.append(taken)
        packer, gate = None, NOT_YET
        if work.is_pass:
            packer, gate = self._results, (yield from self._blocks.turn(work.index))
        elif work.job.kind.converts:
            packer = self._packer
        if packer:
            gate = max(gate, (yield from self._unit_gate(packer)))
        first = max(taken + TAG_SETTLED, gate, (yield from self._room_for(self._tags)))
        self._given = first
        for tag in range(max(1, tags - 2), tags):  # those before never wait longer
            # A tag is taken when the one before is handed out, in the same cycle.
            self._taken = max(taken + tag, self._given)
            if ends_tile and tag == tags - 1:
                self._rows.searched.append(self._taken)
            self._given = max(self._taken + TAG_SETTLED, first + tag,
                              (yield from self._room_for(self._tags + tag)))
        self._tags += tags
        if packer:
            packer.tagged.append(self._given)
        self.first.append(first)

    def _room_for(self, tag: int) -> Process[int]:
        """Say when the queue has room for a tag: when an earlier one has left it."""
        wanted = tag - self._room
        if wanted < 0:
            return NOT_YET
        if len(self.read) <= wanted:
            yield self.read, wanted
        return self.read[wanted] + 1 + RELEASED


def tag_units(config: Config, work: Work) -> Iterator[tuple[int, int]]:
    """List the tags of a tile that are settled together: the first's number, and how many."""
    together = k_blocks = work.job.k_blocks
    if work.is_pass:
        together = 8 * config.act_bytes
    elif work.job.kind.converts:
        together = 8 * config.weight_bytes
    for first in range(0, k_blocks, together):
        yield first, min(together, k_blocks - first)
