"""From blocks of FP32 results to MX blocks, in the order and form of a tile's other blocks."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .block_aligner import BlockAligner
from .block_rounder import BlockRounder
from .result_block import result_block_layout
from .tile_block import tile_block_layout


class ResultConverter(wiring.Component):
    """Convert blocks of results to MX9 or MX6; their place travels beside them.

    An infinite or NaN result makes its block a NaN block. Latency `latency` (2) cycles; one block
    per cycle; ``i`` stalls while ``o`` does.

    Parameters
    ----------
    config : Config

    Members
    -------
    i : In(stream of result_block_layout)
    o : Out(stream of tile_block_layout)
        Every block is a tile of one K-block: a packet holds no more. ``job_last`` marks the job's
        last block only.
    """

    latency = BlockAligner.latency + BlockRounder.latency

    def __init__(self, config):
        self.rounder = BlockRounder(rounding=config.rounding)
        super().__init__({
            "i": In(stream.Signature(result_block_layout(config))),
            "o": Out(stream.Signature(tile_block_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.aligner = aligner = BlockAligner(with_largest=False)
        m.submodules.rounder = rounder = self.rounder
        m.d.comb += [
            aligner.i.p.eq(self.i.p.elements),
            aligner.i.valid.eq(self.i.valid), self.i.ready.eq(aligner.i.ready),
            rounder.i.p.block.eq(aligner.o.p.block),
            rounder.i.valid.eq(aligner.o.valid), aligner.o.ready.eq(rounder.i.ready),
            self.o.p.rounded.eq(rounder.o.p),
            self.o.valid.eq(rounder.o.valid), rounder.o.ready.eq(self.o.ready),
        ]

        # The place is registered with each half of the conversion.
        is_mx9 = Signal()
        place = {name: getattr(self.i.p, name) for name in ("row", "row_last", "job_last")}
        aligned, rounded = ({name: Signal.like(value, name=f"{stage}_{name}")
                             for name, value in place.items()} for stage in ("aligned", "rounded"))
        with m.If(aligner.i.valid & aligner.i.ready):
            m.d.sync += is_mx9.eq(self.i.p.is_mx9)
            m.d.sync += [aligned[name].eq(value) for name, value in place.items()]
        with m.If(rounder.i.valid & rounder.i.ready):
            m.d.sync += [rounded[name].eq(value) for name, value in aligned.items()]
        m.d.comb += [rounder.i.p.is_mx9.eq(is_mx9), self.o.p.k_first.eq(1), self.o.p.k_last.eq(1)]
        m.d.comb += [getattr(self.o.p, name).eq(value) for name, value in rounded.items()]
        return m
