"""The vector unit: rows of numbers in, and out again when they have gone through the pipe."""

from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from golden.formats import BLOCK_SIZE, FP32
from hw.blocks.widen import Elements
from hw.contract.job import job_layout, report_signature
from hw.contract.job_codes import PASSES
from hw.contract.result_rows import result_rows_layout
from hw.contract.tile_block import raw_block_layout
from hw.streams.packet_guard import beat_layout

from .lane_results import LaneResults
from .row_passes import RowPasses
from .tile_rows import TileRows
from .vector_pipe import VectorPipe


def goes_through(job):
    """Tell whether results of a job go through the lanes, as an expression."""
    return job.stages.through_lanes


ENGINES = {"rows": PASSES, "pipe": goes_through, "results": goes_through}
"""Who reads jobs in a `VectorUnit`, and which."""


def pass_block_layout():
    """Describe sixteen numbers of a row that is to go through the vector unit.

    Members
    -------
    elements : 16 x unsigned(32)
        FP32 patterns.
    count : unsigned
    row_last, job_last : unsigned(1)
        As in `hw.contract.tile_block.raw_block_layout`.
    """
    return data.StructLayout({
        "elements": Elements, "count": bits_for(BLOCK_SIZE), "row_last": 1, "job_last": 1})


class VectorUnit(wiring.Component):
    """Measure rows, send them and results of the array through the lanes, and gather what leaves.

    Parameters
    ----------
    config : Config
        With a vector unit.

    Members
    -------
    jobs : In of a stream of job_layout for each of `ENGINES`
    i : In(stream of pass_block_layout)
        Ready whenever fewer than two rows are held.
    row_left : Out(1)
        As in `RowPasses`.
    tiles : In(stream of result_rows_layout)
        Of GEMMs whose results go through lanes.
    beside : In(stream of beat_layout)
        As in `OperandLoader`.
    blocks : Out(stream of raw_block_layout), rows : Out(stream of result_rows_layout)
        As in `LaneResults`.
    saturated : Out(report_signature(1))
        As in `VectorPipe`.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "jobs": In(wiring.Signature({
                name: Out(stream.Signature(job_layout(config))) for name in ENGINES})),
            "i": In(stream.Signature(pass_block_layout())), "row_left": Out(1),
            "tiles": In(stream.Signature(result_rows_layout(config))),
            "beside": In(stream.Signature(beat_layout(FP32.width // 8 * config.vector_lanes))),
            "blocks": Out(stream.Signature(raw_block_layout(config))),
            "rows": Out(stream.Signature(result_rows_layout(config))),
            "saturated": Out(report_signature(1))})

    def elaborate(self, platform):
        m = Module()
        config, jobs = self.config, wiring.flipped(self.jobs)
        m.submodules.passes = passes = RowPasses(
            lanes=config.vector_lanes, blocks_max=config.k_blocks_max)
        m.submodules.pipe = pipe = VectorPipe(config)
        m.submodules.tile_rows = tile_rows = TileRows(config)
        m.submodules.results = results = LaneResults(config)
        wiring.connect(m, jobs.pipe, pipe.jobs)
        wiring.connect(m, jobs.results, results.jobs)
        wiring.connect(m, passes.o, pipe.rows)
        wiring.connect(m, wiring.flipped(self.tiles), tile_rows.i)
        wiring.connect(m, tile_rows.o, pipe.tiles)
        wiring.connect(m, tile_rows.cut, results.cut)
        wiring.connect(m, wiring.flipped(self.beside), pipe.beside)
        wiring.connect(m, pipe.o, results.i)
        wiring.connect(m, pipe.saturated, wiring.flipped(self.saturated))
        for name in ("blocks", "rows"):
            wiring.connect(m, getattr(results, name), wiring.flipped(getattr(self, name)))
        job, block = jobs.rows.p, self.i.p
        m.d.comb += [
            passes.i.valid.eq(self.i.valid & jobs.rows.valid),
            self.i.ready.eq(passes.i.ready & jobs.rows.valid),
            jobs.rows.ready.eq(self.i.valid & self.i.ready & block.job_last),
            *(passes.i.p[name].eq(block[name])
              for name in ("elements", "count", "row_last", "job_last")),
            passes.i.p.measure.rows.eq(job.stages.rows), passes.i.p.measure.columns.eq(job.n),
            passes.i.p.measure.scalar.eq(job.stages.scalar),
            passes.i.p.measure.is_scaled.eq(job.stages.is_scaled),
            self.row_left.eq(passes.row_left)]
        return m
