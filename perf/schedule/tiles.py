"""Token tiles, from either kind of stream to the router and into the operand memory."""

from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from perf.schedule.job import Job
from perf.schedule.latencies import TAKEN, TILE_KNOWN
from perf.schedule.loading import Cutter, Shape, tile_shapes
from perf.schedule.packed import PackedLoader
from perf.schedule.rooms import JobReader, Room
from perf.schedule.stage import StageReader, Tagging
from perf.schedule.streams import StreamSwitch

_EVER = -1


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
        self._routed = _EVER

    def begin(self, job: Job, start: int) -> None:
        """Take a job."""
        self._job = job
        self.is_packed = job.kind is JobKind.GEMM_PACKED
        self.shapes = list(tile_shapes(self._config, job))
        self.routed = self._router.begin(start) + TAKEN
        if self.is_packed:
            self.cutter.skip(start)
            self._stage_jobs.skip(start)
            self._packed.begin(job, start)
        else:
            self._packed.skip(start)
            self.cutter.begin(job, start)
            taken = max(self._stage_jobs.head(start), self.tagging.searched + 1)
            self._stage_jobs.take(taken)
            self._tagged = taken + TAKEN
        if job.kind.converts:
            self._writer.skip(start)
        else:
            self.routed = max(self.routed, self._writer.head(start))

    def whole(self, shape: Shape) -> None:
        """Load a tile in floating point into the stage and start its search."""
        whole = self.cutter.load(shape)
        self.tagging.begin(whole, shape.k_blocks, self._job.searches, self._tagged)

    def done(self, shape: Shape) -> None:
        """Note that the stage has given the tile out."""
        self.cutter.searched(self.tagging)
        self.cutter.read(self.reader.read, shape)
        self.tagging.read(self.reader.read)
        self._routed = self.reader.sent

    def load(self, tile: int) -> int:
        """Store a token tile; return from when on the walker knows of it."""
        shape = self.shapes[tile]
        gate = max(self.room.take(shape.k_blocks), self.routed)
        if self.is_packed:
            self._routed = self._packed.load(shape.rows, gate)
            return self._routed + TILE_KNOWN
        self.whole(shape)
        tag = self.tagging.settle(shape.k_blocks)
        reads = self.reader.send(shape.rows, shape.k_blocks, tag, gate)
        self.tagging.pop(shape.k_blocks, reads)
        self.done(shape)
        return self._routed + TILE_KNOWN

    def end(self) -> None:
        """Leave the streams to the next job."""
        self._router.end(self._routed)
        if not self._job.kind.converts:
            self._writer.take(self._routed)
        (self._packed if self.is_packed else self.cutter).end()
