"""Sends finished tiles where their job wants them: into the operand memory, or out again."""

from amaranth import Module, Mux
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.counts import CONVERSION_COUNTS
from hw.contract.job import converts, is_pass, job_layout, report_signature
from hw.contract.job_codes import JobKind
from hw.contract.tile_block import tile_block_layout
from hw.streams.job_switch import JobSwitch

from .conversion_counter import ConversionCounter


class TileRouter(wiring.Component):
    """Take each job's tiles from who makes them, and hand them to who needs them.

    Parameters
    ----------
    config : Config

    Members
    -------
    jobs : In(stream of job_layout)
        Every job.
    floating, packed : In(stream of tile_block_layout)
        Tiles that were rounded here, that arrived in MX.
    operands, conversions, passes : Out(stream of tile_block_layout)
        Tiles of GEMMs, of conversions, and with a vector unit of passes.
    counts : Out(report_signature(CONVERSION_COUNTS))
        As in `ConversionCounter`.
    """

    def __init__(self, config):
        self.config = config
        tiles = stream.Signature(tile_block_layout(config))
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "floating": In(tiles), "packed": In(tiles),
            "operands": Out(tiles), "conversions": Out(tiles),
            "counts": Out(report_signature(CONVERSION_COUNTS)),
            **({"passes": Out(tiles)} if config.vector_lanes else {}),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.switch = switch = JobSwitch(self.config)
        m.submodules.counter = counter = ConversionCounter(self.config)
        wiring.connect(m, wiring.flipped(self.jobs), switch.jobs)
        wiring.connect(m, counter.counts, wiring.flipped(self.counts))
        kind = switch.kind
        from_packed = kind == JobKind.GEMM_PACKED
        block = Mux(from_packed, self.packed.p.as_value(), self.floating.p.as_value())
        valid = switch.busy & Mux(from_packed, self.packed.valid, self.floating.valid)
        multiplies = ~converts(kind)
        ready = Mux(converts(kind), self.conversions.ready, self.operands.ready)
        if self.config.vector_lanes:
            multiplies &= ~is_pass(kind)
            ready = Mux(is_pass(kind), self.passes.ready, ready)
            m.d.comb += [self.passes.p.eq(block), self.passes.valid.eq(valid & is_pass(kind))]
        ready = switch.busy & ready
        m.d.comb += [
            self.operands.p.eq(block), self.conversions.p.eq(block),
            self.operands.valid.eq(valid & multiplies),
            self.conversions.valid.eq(valid & converts(kind)),
            # Packed tiles are a GEMM's; they need not wait for what conversions wait for.
            self.packed.ready.eq(switch.busy & from_packed & self.operands.ready),
            self.floating.ready.eq(ready & ~from_packed),
            counter.transfer.eq(valid & ready), counter.block.eq(block),
            switch.ended.eq(valid & ready & counter.block.row_last & counter.block.k_last
                            & counter.block.job_last),
        ]
        return m
