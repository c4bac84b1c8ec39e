"""Brings each job's results into their format and sends them, job by job."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.mx_packer import MXPacker
from hw.contract.config import DIMENSION_BITS
from hw.contract.job import is_pass, job_layout
from hw.contract.job_codes import Output
from hw.contract.outlier_policy import Tag
from hw.contract.result_rows import packet_beat_layout, result_rows_layout
from hw.contract.tag_read import tag_read_signature
from hw.contract.tile_block import tile_block_layout
from hw.streams.job_merge import JobMerge
from hw.streams.packet_guard import beat_layout

from .block_assembler import BlockAssembler
from .float_packets import FloatPackets
from .result_converter import ResultConverter
from .result_stream import ResultStream
from .result_tags import ResultTags


def packs(output):
    """Tell whether results of an output format are MX, as an expression."""
    return (output == Output.MX6) | (output == Output.MX9)


class ResultWriter(wiring.Component):
    """Send results as floating-point numbers or as MX blocks, and conversions as they are.

    Parameters
    ----------
    config : Config

    Members
    -------
    jobs : In(stream of job_layout)
        Every job.
    results : In(stream of result_rows_layout)
    conversions : In(stream of packet_beat_layout)
    o : Out(stream of beat_layout)
    job_ended : Out(1)
        As in `ResultStream`.
    order : In of streams of job_layout, ``rows``, ``blocks`` and ``tags``
        With a vector unit: GEMMs, and passes whose results stay numbers; GEMMs and passes that
        pack; GEMMs that pack.
    result_tag : Out(tag_read_signature)
        With a vector unit.
    lane_rows : In(stream of result_rows_layout), pass_blocks : In(stream of tile_block_layout)
        Results that went through lanes; blocks of passes.
    pass_tags : In(stream of Tag)
        Of the blocks, ahead of them.
    """

    def __init__(self, config):
        self.config = config
        jobs = stream.Signature(job_layout(config))
        of_vector = {
            "order": In(wiring.Signature(
                {"rows": Out(jobs), "blocks": Out(jobs), "tags": Out(jobs)})),
            "result_tag": Out(tag_read_signature(config)),
            "lane_rows": In(stream.Signature(result_rows_layout(config))),
            "pass_blocks": In(stream.Signature(tile_block_layout(config))),
            "pass_tags": In(stream.Signature(Tag))}
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "results": In(stream.Signature(result_rows_layout(config))),
            "conversions": In(stream.Signature(packet_beat_layout(config))),
            "o": Out(stream.Signature(beat_layout(config.result_bytes))),
            "job_ended": Out(1),
            **(of_vector if config.vector_lanes else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        results = self._merge_rows(m) if config.vector_lanes else self.results
        m.submodules.floats = floats = FloatPackets(config)
        m.submodules.merge = merge = ResultStream(config)
        wiring.connect(m, wiring.flipped(self.jobs), merge.jobs)
        wiring.connect(m, wiring.flipped(self.conversions), merge.conversions)
        wiring.connect(m, floats.o, merge.floats)
        wiring.connect(m, merge.o, wiring.flipped(self.o))
        m.d.comb += [self.job_ended.eq(merge.job_ended), floats.i.p.eq(results.p)]
        if not config.packs_results:
            m.d.comb += [floats.i.valid.eq(results.valid), results.ready.eq(floats.i.ready)]
            return m

        m.submodules.assembler = assembler = BlockAssembler(config)
        m.submodules.converter = converter = ResultConverter(config)
        m.submodules.packer = packer = MXPacker(
            config, lanes=config.rows, unit_bytes=config.act_bytes, with_tags=False,
            chooses=bool(config.vector_lanes))
        if config.vector_lanes:
            tags = self._tag(m, assembler.o, converter.i)
            self._merge_blocks(m, converter.o, packer, tags)
        else:
            wiring.connect(m, assembler.o, converter.i)
            wiring.connect(m, converter.o, packer.i)
        wiring.connect(m, packer.o, merge.blocks)
        is_mx = packs(results.p.output)
        m.d.comb += [
            assembler.i.p.eq(results.p), assembler.i.valid.eq(results.valid & is_mx),
            floats.i.valid.eq(results.valid & ~is_mx),
            results.ready.eq(Mux(is_mx, assembler.i.ready, floats.i.ready)),
        ]
        return m

    def _merge_rows(self, m):
        """Merge results of the array with those that went through lanes; return them."""
        m.submodules.row_merge = merge = JobMerge(
            self.config, self.results.p.shape(), from_second=lambda job: job.stages.through_lanes,
            passes_by=lambda job: 0, ends=lambda rows: rows.job_last)
        wiring.connect(m, wiring.flipped(self.order).rows, merge.jobs)
        wiring.connect(m, wiring.flipped(self.results), merge.first)
        wiring.connect(m, wiring.flipped(self.lane_rows), merge.second)
        return merge.o

    def _tag(self, m, blocks, converter):
        """Look tags of results up; return those that the packer is to have."""
        m.submodules.tags = tags = ResultTags(self.config)
        wiring.connect(m, wiring.flipped(self.order).tags, tags.jobs)
        wiring.connect(m, blocks, tags.i)
        wiring.connect(m, tags.o, converter)
        wiring.connect(m, tags.table, wiring.flipped(self.result_tag))
        return tags.tags

    def _merge_blocks(self, m, converted, packer, tags):
        """Give the packer blocks of the array's results, and of passes, with their tags."""
        m.submodules.block_merge = merge = JobMerge(
            self.config, converted.p.shape(), from_second=lambda job: is_pass(job.kind),
            passes_by=lambda job: ~packs(job.output),
            ends=lambda block: block.row_last & block.k_last & block.job_last)
        wiring.connect(m, wiring.flipped(self.order).blocks, merge.jobs)
        wiring.connect(m, converted, merge.first)
        wiring.connect(m, wiring.flipped(self.pass_blocks), merge.second)
        job = self.order.blocks.p
        of_pass = self.order.blocks.valid & is_pass(job.kind) & packs(job.output)
        of_gemm = self.order.blocks.valid & ~is_pass(job.kind) & packs(job.output)
        # The packer takes tags of the job whose blocks it takes, and all of them before the last.
        rows_tagged = Signal(DIMENSION_BITS + 1)
        pass_tagged, may_end = Signal(), Signal()
        m.d.comb += [
            pass_tagged.eq(rows_tagged >= job.m),
            may_end.eq(~of_pass | pass_tagged | ~merge.ends(merge.o.p)),
            packer.i.p.eq(merge.o.p), packer.i.valid.eq(merge.o.valid & may_end),
            merge.o.ready.eq(packer.i.ready & may_end)]
        ends_job = self.order.blocks.ready & self.order.blocks.valid
        takes_last = self.pass_tags.valid & self.pass_tags.ready & self.pass_tags.p.last
        with m.If(ends_job):
            m.d.sync += rows_tagged.eq(0)
        with m.Elif(takes_last):
            m.d.sync += rows_tagged.eq(rows_tagged + self.config.rows)
        # GEMMs whose blocks have their tags, and are on their way here; more wait there.
        ahead = Signal(4)
        leaves = self.order.tags.valid & self.order.tags.ready
        m.d.sync += ahead.eq(ahead + leaves - (ends_job & of_gemm))
        from_pass, from_table = of_pass & ~pass_tagged, of_gemm & (ahead == 0)
        m.d.comb += [
            packer.in_tiles.eq(of_pass),
            packer.tags.valid.eq(Mux(of_pass, self.pass_tags.valid & from_pass,
                                     tags.valid & from_table)),
            packer.tags.p.eq(Mux(of_pass, self.pass_tags.p.as_value(), tags.p.as_value())),
            self.pass_tags.ready.eq(packer.tags.ready & from_pass),
            tags.ready.eq(packer.tags.ready & from_table)]
