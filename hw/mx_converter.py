"""From sixteen FP32 values to one MX9 or MX6 block."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .block_aligner import BlockAligner
from .block_rounder import BlockRounder, Rounded
from .widen import Elements


class MXConverter(wiring.Component):
    """Convert sixteen FP32 values to one block of the tagged precision.

    `BlockAligner`, then `BlockRounder`; the tag travels beside the block. Latency `latency` (2)
    cycles; one block per cycle; ``i`` stalls while ``o`` does.

    Parameters
    ----------
    rounding : str
        See `BlockRounder`.

    Members
    -------
    i : In(stream of struct)
        ``elements`` 16 x unsigned(32), FP32 patterns; ``is_mx9``.
    o : Out(stream of Rounded)
    """

    latency = BlockAligner.latency + BlockRounder.latency

    def __init__(self, *, rounding: str = "half_even"):
        self.rounding = rounding
        self.rounder = BlockRounder(rounding=rounding)
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({"elements": Elements, "is_mx9": 1}))),
            "o": Out(stream.Signature(Rounded)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.aligner = aligner = BlockAligner(with_largest=False)
        m.submodules.rounder = rounder = self.rounder
        is_mx9 = Signal()
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += is_mx9.eq(self.i.payload.is_mx9)
        m.d.comb += [
            aligner.i.payload.eq(self.i.payload.elements),
            aligner.i.valid.eq(self.i.valid),
            self.i.ready.eq(aligner.i.ready),
            rounder.i.payload.block.eq(aligner.o.payload.block),
            rounder.i.payload.is_mx9.eq(is_mx9),
            rounder.i.valid.eq(aligner.o.valid),
            aligner.o.ready.eq(rounder.i.ready),
        ]
        wiring.connect(m, rounder.o, wiring.flipped(self.o))
        return m
