"""Brings each job's results into their format and sends them, job by job."""

from amaranth import Module, Mux
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.mx_packer import MXPacker
from hw.contract.job import job_layout
from hw.contract.job_codes import Output
from hw.contract.result_rows import packet_beat_layout, result_rows_layout
from hw.streams.packet_guard import beat_layout

from .block_assembler import BlockAssembler
from .float_packets import FloatPackets
from .result_converter import ResultConverter
from .result_stream import ResultStream


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
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "results": In(stream.Signature(result_rows_layout(config))),
            "conversions": In(stream.Signature(packet_beat_layout(config))),
            "o": Out(stream.Signature(beat_layout(config.result_bytes))),
            "job_ended": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, results = self.config, self.results
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
            config, lanes=config.rows, unit_bytes=config.act_bytes, with_tags=False)
        wiring.connect(m, assembler.o, converter.i)
        wiring.connect(m, converter.o, packer.i)
        wiring.connect(m, packer.o, merge.blocks)
        packs = (results.p.output == Output.MX6) | (results.p.output == Output.MX9)
        m.d.comb += [
            assembler.i.p.eq(results.p), assembler.i.valid.eq(results.valid & packs),
            floats.i.valid.eq(results.valid & ~packs),
            results.ready.eq(Mux(packs, assembler.i.ready, floats.i.ready)),
        ]
        return m
