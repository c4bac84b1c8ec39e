"""Tiles in the stage: their tags, and their way into the operand memory."""

from collections.abc import Iterator

from hw.activations.tile_tags import TILES_AHEAD
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from perf.rtl.bus_schedule.loading import RowLoader
from perf.rtl.bus_schedule.network import Cycles, Process, Step
from perf.rtl.bus_schedule.packed import PackedLoader
from perf.rtl.bus_schedule.packing import Chunk, Packer
from perf.rtl.bus_schedule.rooms import TileRoom
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule import ScheduledJob
from perf.rtl.schedule.latencies import (
    FIRST_TAG,
    NEXT_SEARCH,
    NOT_YET,
    RELEASED,
    SEARCH_START,
    STAGE_READ,
    TAG_QUEUED,
    TAG_SETTLED,
    TAGS_BEHIND_MEMORY,
    TAKEN,
    TILE_KNOWN,
    search_cycles,
)
from perf.rtl.schedule.loading import Shape, tile_shapes
from perf.rtl.schedule.rooms import JobReader
from perf.rtl.schedule.streams import StreamSwitch
from perf.rtl.schedule.weights import chunk_beats


class Tagging:
    """Settle tags, as `perf.rtl.schedule.stage.Tagging`, while tiles before wait for room.

    Parameters
    ----------
    config : Config
    rows : RowLoader
    packer : Packer
        Of conversions.

    Attributes
    ----------
    first : list of int
        When the first of the tags that are settled together was handed out: of a tile's, or of as
        many as a unit of precision bits has.
    read : list of int
        When the last block of each K-block was read, and its tag left the queue.
    """

    def __init__(self, config: Config, rows: RowLoader, packer: Packer):
        self._config, self._rows, self._packer = config, rows, packer
        self._room = config.k_blocks_max + TAGS_BEHIND_MEMORY
        self._jobs = JobReader()
        self._given = self._taken = NOT_YET  # of the last tag
        self._tags = self._units = self._tiles = 0
        self.first: Cycles = []
        self.read: Cycles = []

    def skip_job(self, start: int) -> None:
        """Pass over a job of packed activations."""
        self._jobs.skip_job(start)

    def tag_job(self, work: Work, start: int) -> Step:
        """Settle the tags of a job's tiles."""
        job, rows = work.job, self._rows
        taken = max(self._jobs.head(start), self._taken + 1)
        self._jobs.note_taken(taken)
        for _ in tile_shapes(self._config, job):
            tile = self._tiles
            if len(rows.whole) <= tile:
                yield rows.whole, tile
            begun = max(rows.whole[tile] + SEARCH_START, self._taken + NEXT_SEARCH)
            passes = search_cycles(job.k_blocks) if job.searches else 0
            offered = max(begun + FIRST_TAG + passes, taken + TAKEN)
            if tile >= TILES_AHEAD:
                if len(rows.read) <= tile - TILES_AHEAD:
                    yield rows.read, tile - TILES_AHEAD
                offered = max(offered, rows.read[tile - TILES_AHEAD] + RELEASED)
            for first, tags in tag_units(self._config, job):
                ends_tile = first + tags == job.k_blocks
                yield from self._settle(offered, tags, ends_tile, job.kind.converts)
                offered = self._taken + 1
            self._tiles += 1

    def _unit_gate(self) -> Process[int]:
        """Say when the packer has room for precision bits."""
        self._units += 1
        before = self._units - 2
        if before < 0:
            return NOT_YET
        if len(self._packer.tags_taken) <= before:
            yield self._packer.tags_taken, before
        return self._packer.tags_taken[before] + RELEASED

    def _settle(self, offered: int, tags: int, ends_tile: bool, converts: bool) -> Step:
        """Hand so many tags out, the first of which is offered in a cycle."""
        self._taken = taken = max(offered, self._given)
        if ends_tile and tags == 1:
            self._rows.searched.append(taken)
        gate = (yield from self._unit_gate()) if converts else NOT_YET
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
        if converts:
            self._packer.tagged.append(self._given)
        self.first.append(first)

    def _room_for(self, tag: int) -> Process[int]:
        """Say when the queue has room for a tag: when an earlier one has left it."""
        wanted = tag - self._room
        if wanted < 0:
            return NOT_YET
        if len(self.read) <= wanted:
            yield self.read, wanted
        return self.read[wanted] + 1 + RELEASED


def tag_units(config: Config, job: ScheduledJob) -> Iterator[tuple[int, int]]:
    """List the tags of a tile that are settled together: the first's number, and how many."""
    together = 8 * config.weight_bytes if job.kind.converts else job.k_blocks
    for first in range(0, job.k_blocks, together):
        yield first, min(together, job.k_blocks - first)


class StageReader:
    """Read the blocks of tiles from the stage, as `perf.rtl.schedule.stage.StageReader`.

    A block is read when its tag is there, and there is room: behind the memory's output comes a
    `StreamBuffer` of `hw.streams`, which holds one block more than the cycles that a block takes.

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
        if work.job.kind is JobKind.GEMM_PACKED:
            return
        first, blocks, sent = self._tagging.first, self.blocks, self.sent
        for shape in tile_shapes(self._config, work.job):
            for _, tags in tag_units(self._config, work.job):
                if len(first) <= self._batches:
                    yield first, self._batches
                cycle = first[self._batches] + TAG_QUEUED - 1
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
                        blocks.append(cycle)
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


class Router:
    """Bring tiles into the operand memory, or out again: from the stage, or packed.

    Parameters
    ----------
    config : Config
    reader : StageReader
    packed : PackedLoader
    room : TileRoom
    packer : Packer
        Of conversions.

    Attributes
    ----------
    known : list of int
        From when on the walker knows of each tile.
    """

    def __init__(self, config: Config, reader: StageReader, packed: PackedLoader,
                 room: TileRoom, packer: Packer):
        self._config, self._reader, self._packed = config, reader, packed
        self._room, self._packer = room, packer
        self._switch, self._writer = StreamSwitch(), JobReader()
        self._routed = NOT_YET
        self.known: Cycles = []

    def route_job(self, work: Work, start: int) -> Step:
        """Send the tiles of a job where they belong."""
        turn, kind = self._switch.take_job(start) + TAKEN, work.job.kind
        if kind.converts:
            self._writer.skip_job(start)
        else:
            turn = max(turn, self._writer.head(start))
        shapes = list(tile_shapes(self._config, work.job))
        for tile, shape in enumerate(shapes):
            if kind.converts:
                yield from self._convert(work.job, tile, shape, turn, tile == len(shapes) - 1)
                continue
            gate = max((yield from self._room.reserve(shape.k_blocks)), turn)
            if kind is JobKind.GEMM_PACKED:
                yield from self._store_packed(gate)
            else:
                self._routed = yield from self._reader.send(shape.blocks, gate)
            self.known.append(self._routed + TILE_KNOWN)
        self._switch.end_job(self._routed)
        if not kind.converts:
            self._writer.note_taken(self._routed)

    def _store_packed(self, gate: int) -> Step:
        """Let the rows of a packed tile come, from a cycle on."""
        packed = self._packed
        packed.gates.append(gate)
        tile = len(packed.gates) - 1
        if len(packed.stored) <= tile:
            yield packed.stored, tile
        self._routed = packed.stored[tile]

    def _convert(self, job: ScheduledJob, tile: int, shape: Shape, turn: int,
                 ends_job: bool) -> Step:
        """Pack a tile, K-block by K-block; as `perf.rtl.schedule.conversion.Converter`."""
        mx9 = job.precisions[0]
        flags = mx9[tile % len(mx9)].tolist()
        _, bases, residuals = chunk_beats(shape.rows, self._config.weight_bytes)
        for first, tags in tag_units(self._config, job):
            for k_block in range(first, first + tags):
                gate = max((yield from self._packer.gate()), turn)
                self._routed = yield from self._reader.send(shape.rows, gate)
                is_last = k_block == shape.k_blocks - 1
                self._packer.add(Chunk(
                    shape.rows, bases + residuals * flags[k_block], is_last, is_last and ends_job,
                    has_tags=k_block == first), self._routed)
