"""Token tiles, from either kind of stream to the router and into the operand memory."""

from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from perf.rtl.schedule.latencies import NOT_YET, STORED, TAG_QUEUED, TAKEN, TILE_KNOWN
from perf.rtl.schedule.loading import Cutter, Shape, tile_shapes
from perf.rtl.schedule.packed import PackedLoader
from perf.rtl.schedule.rooms import JobReader, Room
from perf.rtl.schedule.scheduled_job import ScheduledJob
from perf.rtl.schedule.stage import StageReader, Tagging
from perf.rtl.schedule.streams import StreamSwitch


class TokenTiles:
    """Load tiles one after the other, whatever their jobs are.

    Parameters
    ----------
    config : Config

    Attributes
    ----------
    cutter : Cutter
    tagging : Tagging
    reader : StageReader
    room : Room
        Of the operand memory.
    """

    def __init__(self, config: Config):
        self._config = config
        switch = StreamSwitch()
        self.cutter, self._packed = Cutter(config, switch), PackedLoader(config, switch)
        self.tagging, self.reader = Tagging(config), StageReader()
        self.room = Room(config.act_depth, config.tile_slots)
        self._router, self._stage_jobs, self._writer = StreamSwitch(), JobReader(), JobReader()
        self._routed = NOT_YET

    def take_job(self, job: ScheduledJob, start: int) -> None:
        """Take a job that starts in cycle `start`, as soon as the one before lets it."""
        self._job = job
        self.is_packed = job.kind is JobKind.GEMM_PACKED
        self.shapes = list(tile_shapes(self._config, job))
        self.routed = self._router.take_job(start) + TAKEN
        if self.is_packed:
            self.cutter.skip_job(start)
            self._stage_jobs.skip_job(start)
            self._packed.take_job(job, start)
        else:
            self._packed.skip_job(start)
            self.cutter.take_job(job, start)
            taken = max(self._stage_jobs.head(start), self.tagging.done + 1)
            self._stage_jobs.note_taken(taken)
            self._tagged = taken + TAKEN
        if job.kind.converts:
            self._writer.skip_job(start)
        else:
            self.routed = max(self.routed, self._writer.head(start))

    def stage_tile(self, shape: Shape) -> None:
        """Load a tile in floating point into the stage and start its search."""
        whole = self.cutter.load(shape)
        self.tagging.search(whole, shape.k_blocks, self._job.searches, self._tagged)

    def _stage_untagged(self, shape: Shape) -> int:
        """Load a tile that needs no tags; return from when on its blocks leave, one a cycle.

        They are stored one a cycle at most, so that the last one holds them up: those before might
        leave sooner, but whatever follows them would not.
        """
        known = self.tagging.announce(self._tagged)
        whole = self.cutter.load(shape, is_tagged=False)
        return max(known, whole + STORED - (shape.blocks - 1))

    def note_sent(self, shape: Shape) -> None:
        """Note that the stage has given the tile out."""
        if not self._job.untagged:
            self.cutter.note_searched(self.tagging)
        self.cutter.note_read(self.reader.last_read, shape)
        self.tagging.note_read(self.reader.last_read)
        self._routed = self.reader.sent

    def load(self, tile: int) -> int:
        """Store a token tile; return from when on the walker knows of it."""
        shape = self.shapes[tile]
        gate = max(self.room.reserve(shape.k_blocks), self.routed)
        if self.is_packed:
            self._routed = self._packed.load(shape.rows, gate)
            return self._routed + TILE_KNOWN
        if self._job.untagged:
            self.reader.send(shape.rows, shape.k_blocks, self._stage_untagged(shape), gate)
        else:
            self.stage_tile(shape)
            tag = self.tagging.settle(shape.k_blocks)
            reads = self.reader.send(shape.rows, shape.k_blocks, tag + TAG_QUEUED, gate)
            self.tagging.pop(shape.k_blocks, reads)
        self.note_sent(shape)
        return self._routed + TILE_KNOWN

    def end_job(self) -> None:
        """Leave the streams to the next job."""
        self._router.end_job(self._routed)
        if not self._job.kind.converts:
            self._writer.note_taken(self._routed)
        (self._packed if self.is_packed else self.cutter).end_job()
